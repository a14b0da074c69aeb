// All fetchers of a broker: one per broker that leads what we follow, or num.replica.fetchers of them, each on a loop
// of its own choice for life.
//
// Any thread may call. What is called only notes and posts; partitions are touched on the loops.
#pragma once

#include <absl/container/btree_map.h>
#include <absl/container/btree_set.h>
#include <absl/synchronization/mutex.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "base/logging.h"
#include "replication/follower/fetcher.h"
#include "replication/follower/fetcher_settings.h"
#include "replication/partition/following.h"

namespace replication {

class FetcherManager final : public Following {
 public:
  // Where a broker is, if it is alive: from the cluster's metadata. Any thread.
  using FindBroker = std::function<std::optional<PeerAddress>(base::BrokerId)>;

  // What is passed outlives it, the loops too; `loops`: at least one.
  FetcherManager(FetcherSettings settings, FetcherServices services, std::vector<base::Loop*> loops,
                 FindBroker find_broker);
  ~FetcherManager() override;

  void follow(std::vector<Follow> replicas) override ABSL_LOCKS_EXCLUDED(mutex_);
  void unfollow(std::vector<base::TopicPartition> replicas) override ABSL_LOCKS_EXCLUDED(mutex_);
  void directory_failed() override ABSL_LOCKS_EXCLUDED(mutex_);
  void settings_changed() override ABSL_LOCKS_EXCLUDED(mutex_);

  // The metadata was replaced. Replicas whose leader was not in it, or has moved, are followed where it is now.
  void brokers_changed() ABSL_LOCKS_EXCLUDED(mutex_);
  // num.replica.fetchers was changed.
  void set_fetchers_per_broker(std::int32_t count) ABSL_LOCKS_EXCLUDED(mutex_);

  // Nothing is fetched any more when this returns, and nothing that is called afterwards has an effect. Before the
  // loops stop; also on a loop, when that is the thread of all of them.
  void stop() ABSL_LOCKS_EXCLUDED(mutex_);

  const FetchProgress& progress() const { return *progress_; }
  std::size_t fetchers() const ABSL_LOCKS_EXCLUDED(mutex_);
  std::size_t followed() const ABSL_LOCKS_EXCLUDED(mutex_);  // also those without a leader to be found

 private:
  struct Key {
    base::BrokerId leader = base::kNoBroker;
    std::int32_t slot = 0;
    auto operator<=>(const Key&) const = default;
  };
  struct Running {
    PeerAddress leader;
    base::Loop* loop = nullptr;
    std::shared_ptr<Fetcher> fetcher;
    std::size_t replicas = 0;
  };
  struct Followed {
    Follow follow;
    std::optional<Key> at;  // nothing: its leader is not to be found
  };
  // What is to be told to each fetcher.
  struct News {
    std::vector<base::TopicPartition> unfollow;  // first
    std::vector<Follow> follow;
  };
  using AllNews = std::map<Key, News>;

  Key key_of(const Follow& follow) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void place(Followed& followed, AllNews& news) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void leave(Followed& followed, AllNews& news) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool find_or_start(const Key& key) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void start(const Key& key, PeerAddress leader) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void tell(AllNews news) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void tell_all(void (Fetcher::*what)()) ABSL_LOCKS_EXCLUDED(mutex_);
  static void end(Running running);

  const base::Logger log_{"kafka.server.ReplicaFetcherManager"};
  const FetcherServices services_;
  const std::vector<base::Loop*> loops_;
  const FindBroker find_broker_;
  const std::shared_ptr<FetchProgress> progress_ = std::make_shared<FetchProgress>();

  mutable absl::Mutex mutex_;
  FetcherSettings settings_ ABSL_GUARDED_BY(mutex_);
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  absl::btree_map<base::TopicPartition, Followed> followed_ ABSL_GUARDED_BY(mutex_);
  absl::btree_set<base::TopicPartition> homeless_ ABSL_GUARDED_BY(mutex_);  // those whose leader is not to be found
  std::map<Key, Running> fetchers_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace replication
