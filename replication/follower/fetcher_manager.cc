#include "replication/follower/fetcher_manager.h"

#include <absl/synchronization/blocking_counter.h>

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace replication {
namespace {

// The same in every process, so that a run can be repeated.
std::uint32_t hash_of(const base::TopicPartition& name) {
  std::uint32_t hash = 2166136261u;  // FNV-1a
  for (const char c : name.topic) hash = (hash ^ static_cast<unsigned char>(c)) * 16777619u;
  return hash + static_cast<std::uint32_t>(name.partition);
}

}  // namespace

FetcherManager::FetcherManager(FetcherSettings settings, FetcherServices services, std::vector<base::Loop*> loops,
                               FindBroker find_broker)
    : services_(std::move(services)),
      loops_(std::move(loops)),
      find_broker_(std::move(find_broker)),
      settings_(settings) {
  base::invariant(!loops_.empty(), "fetchers live on loops");
}

FetcherManager::~FetcherManager() { stop(); }

void FetcherManager::follow(std::vector<Follow> replicas) {
  absl::MutexLock lock(&mutex_);
  if (stopped_) return;
  AllNews news;
  for (auto& replica : replicas) {
    auto& followed = followed_[replica.partition->name()];
    followed.follow = std::move(replica);
    place(followed, news);
  }
  tell(std::move(news));
}

void FetcherManager::unfollow(std::vector<base::TopicPartition> replicas) {
  absl::MutexLock lock(&mutex_);
  AllNews news;
  for (const auto& name : replicas) {
    const auto found = followed_.find(name);
    if (found == followed_.end()) continue;
    leave(found->second, news);
    homeless_.erase(name);
    followed_.erase(found);
  }
  tell(std::move(news));
}

void FetcherManager::directory_failed() { tell_all(&Fetcher::directory_failed); }
void FetcherManager::settings_changed() { tell_all(&Fetcher::settings_changed); }

void FetcherManager::brokers_changed() {
  absl::MutexLock lock(&mutex_);
  if (stopped_) return;
  AllNews news;
  for (auto& [key, running] : fetchers_) {
    auto now = find_broker_(key.leader);
    if (!now || *now == running.leader) continue;
    end(std::exchange(running, {}));
    start(key, std::move(*now));
    for (auto& [name, followed] : followed_) {
      if (followed.at != key) continue;
      ++running.replicas;
      news[key].follow.push_back(followed.follow);
    }
  }
  for (const auto& name : std::exchange(homeless_, {})) place(followed_.at(name), news);
  tell(std::move(news));
}

void FetcherManager::set_fetchers_per_broker(std::int32_t count) {
  absl::MutexLock lock(&mutex_);
  if (stopped_ || settings_.fetchers_per_broker == std::max(count, 1)) return;
  settings_.fetchers_per_broker = std::max(count, 1);
  AllNews news;
  for (auto& [name, followed] : followed_)
    if (followed.at && *followed.at != key_of(followed.follow)) place(followed, news);
  tell(std::move(news));
}

void FetcherManager::stop() {
  std::map<Key, Running> fetchers;
  {
    absl::MutexLock lock(&mutex_);
    stopped_ = true;
    fetchers = std::exchange(fetchers_, {});
    followed_.clear();
    homeless_.clear();
  }
  absl::BlockingCounter left(static_cast<int>(fetchers.size()));
  for (auto& [key, running] : fetchers) {
    if (running.loop->in_loop()) {
      running.fetcher.reset();
      left.DecrementCount();
      continue;
    }
    running.loop->post([&left, fetcher = std::move(running.fetcher)]() mutable {
      fetcher.reset();
      left.DecrementCount();
    });
  }
  left.Wait();
}

std::size_t FetcherManager::fetchers() const {
  absl::MutexLock lock(&mutex_);
  return fetchers_.size();
}

std::size_t FetcherManager::followed() const {
  absl::MutexLock lock(&mutex_);
  return followed_.size();
}

// ---- who fetches what ----

FetcherManager::Key FetcherManager::key_of(const Follow& follow) const {
  const auto slots = static_cast<std::uint32_t>(settings_.fetchers_per_broker);
  return {.leader = follow.leader, .slot = static_cast<std::int32_t>(hash_of(follow.partition->name()) % slots)};
}

void FetcherManager::place(Followed& followed, AllNews& news) {
  const auto& name = followed.follow.partition->name();
  const auto key = key_of(followed.follow);
  if (followed.at && *followed.at != key) leave(followed, news);
  if (!find_or_start(key)) {
    if (homeless_.insert(name).second && key.leader >= base::BrokerId{0})
      log_.warn("{} is not followed: its leader, broker {}, is not alive as far as this broker knows", name,
                key.leader);
    return;
  }
  homeless_.erase(name);
  if (!followed.at) ++fetchers_.at(key).replicas;
  followed.at = key;
  news[key].follow.push_back(followed.follow);
}

void FetcherManager::leave(Followed& followed, AllNews& news) {
  if (!followed.at) return;
  news[*followed.at].unfollow.push_back(followed.follow.partition->name());
  --fetchers_.at(*followed.at).replicas;
  followed.at.reset();
}

bool FetcherManager::find_or_start(const Key& key) {
  if (fetchers_.contains(key)) return true;
  if (key.leader < base::BrokerId{0}) return false;
  auto leader = find_broker_(key.leader);
  if (!leader) return false;
  start(key, std::move(*leader));
  return true;
}

void FetcherManager::start(const Key& key, PeerAddress leader) {
  auto* loop = loops_[static_cast<std::size_t>(key.leader.raw + key.slot) % loops_.size()];
  auto fetcher = std::make_shared<Fetcher>(Fetcher::Place{.leader = leader, .slot = key.slot, .loop = *loop}, settings_,
                                           services_, progress_);
  fetchers_[key] = {.leader = std::move(leader), .loop = loop, .fetcher = std::move(fetcher)};
}

// Posted under the lock, so that a fetcher hears things in the order in which they were decided.
void FetcherManager::tell(AllNews news) {
  for (auto& [key, of_one] : news) {
    const auto running = fetchers_.find(key);
    if (running->second.replicas == 0) {
      end(std::move(running->second));
      fetchers_.erase(running);
      continue;
    }
    running->second.loop->post([fetcher = running->second.fetcher, told = std::move(of_one)]() mutable {
      fetcher->unfollow(told.unfollow);
      fetcher->follow(std::move(told.follow));
    });
  }
}

void FetcherManager::tell_all(void (Fetcher::*what)()) {
  absl::MutexLock lock(&mutex_);
  for (const auto& [key, running] : fetchers_)
    running.loop->post([fetcher = running.fetcher, what] { (*fetcher.*what)(); });
}

// On its loop, for there its connection lives.
void FetcherManager::end(Running running) {
  running.loop->post([fetcher = std::move(running.fetcher)]() mutable { fetcher.reset(); });
}

}  // namespace replication
