// Fetches from one broker what it leads and this one follows: one connection, one fetch session, one request at a time.
//
//   what a replica goes through under one leader epoch
//     comparing     its epochs are compared with the leader's (OffsetForLeaderEpoch), before the first fetch; brokers
//                   from 2.7-IV1 on need it not, Fetch does the same
//     fetching      part of the session
//     seeking       its log end lies outside of the leader's log: ListOffsets tells what to do
//     busy          something waits for the disk: a cut, or the first records of a leader epoch
//     delayed       an error; tried again after replica.fetch.backoff.ms, at first sooner when the leader may just not
//                   have heard of its office yet
//     failed        the leader says that our leader epoch is over: until the controller tells of another
//     idle          nothing to be done: the controller's next word is on its way, or the directory is offline
//
// A request names only what changed since the last one, so that partitions at rest cost nothing. The next request goes
// out when the last answer is in the logs. Requests that wait at the leader for records are given up when a newcomer
// would have to wait for them.
//
// Lives on its loop. Owned by FetcherManager; whatever comes back from elsewhere holds it weakly.
#pragma once

#include <absl/container/btree_map.h>
#include <absl/container/flat_hash_map.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/logging.h"
#include "base/token_bucket.h"
#include "protocol/messages/fetch.h"
#include "protocol/messages/list_offsets.h"
#include "protocol/messages/offset_for_leader_epoch.h"
#include "replication/follower/fetch_session.h"
#include "replication/follower/fetcher_settings.h"
#include "replication/partition/following.h"

namespace replication {

class Fetcher : public std::enable_shared_from_this<Fetcher> {
 public:
  struct Place {
    PeerAddress leader;
    std::int32_t slot = 0;  // among the fetchers of that leader
    base::Loop& loop;
  };
  Fetcher(Place place, FetcherSettings settings, FetcherServices services, std::shared_ptr<FetchProgress> progress);
  ~Fetcher();

  void follow(std::vector<Follow> replicas);
  void unfollow(const std::vector<base::TopicPartition>& replicas);
  void directory_failed();
  void settings_changed();

 private:
  static constexpr int kEarlyTries = 4;
  enum class State { comparing, fetching, seeking_end, seeking_start, busy, delayed, failed, idle };
  // What the leader was told last of a partition.
  struct Told {
    std::uint64_t round = 0;
    base::Offset log_end;
    base::Offset log_start;
    base::LeaderEpoch last_epoch;
    bool operator==(const Told&) const = default;
  };
  struct Replica {
    explicit Replica(Follow follow) : what(std::move(follow)) {}
    const base::TopicPartition& name() const { return what.partition->name(); }
    Told now() const { return {round, at.log_end, at.log_start, at.last_epoch}; }

    Follow what;
    State state = State::idle;
    std::uint64_t round = 0;     // of what is under way: answers to an earlier one are not meant
    std::uint64_t question = 0;  // the request that asks about it, other than Fetch
    FollowerPosition at{};
    std::int64_t lag = -1;  // behind the leader's high watermark; -1: not known
    Told told{};
    bool in_session = false;
    bool changed = false;       // stands in changed_
    bool throttled = false;     // the topic names it
    bool compared = false;      // under this leader epoch
    bool out_of_range = false;  // and no record has been appended since
    bool gone = false;
    int early_tries = kEarlyTries;                    // left of them, under this leader epoch
    bool is_early = false;                            // it is delayed for one of them
    base::ErrorCode trouble = base::ErrorCode::none;  // what was logged last
  };
  using Ptr = std::shared_ptr<Replica>;
  // The answer to a Fetch that is being taken in, and how far that is.
  struct Digest {
    PeerAnswer<protocol::FetchResponse> answer;
    std::size_t topic = 0;
    std::size_t partition = 0;
  };

  // ---- states (fetcher.cc)
  void go_on();
  void add(Follow follow);
  void retire(const Ptr& replica);
  void begin(const Ptr& replica);
  void choose(const Ptr& replica);
  void enter(const Ptr& replica, State state);
  void mark_changed(const Ptr& replica);
  void delay(const Ptr& replica, base::Duration wait);
  void delay(const Ptr& replica) { delay(replica, settings_.back_off); }
  void end_delays();
  void back_off();
  void newcomer(const Ptr& replica);
  void give_up_waiting();
  void trouble(const Ptr& replica, const base::Error& error);
  void refused(const Ptr& replica, base::ErrorCode code);
  bool note_trouble(const Ptr& replica, base::ErrorCode code);
  void set_lag(const Ptr& replica, std::int64_t lag);
  Ptr find(const base::TopicPartition& name) const;
  std::string who() const;

  // ---- questions (fetcher_requests.cc)
  void fetch();
  void hold_back_throttled();
  bool belongs_into_session(const Replica& replica) const;
  void list_all(std::vector<Ptr>& listed);
  void list_changed(std::vector<Ptr>& listed, std::vector<protocol::FetchRequest::ForgottenTopic>& forgotten);
  protocol::FetchRequest request_of(std::vector<Ptr> listed) const;
  bool ask_epochs();
  bool ask_offsets(State what);

  // ---- answers (fetcher_answers.cc)
  void lost(const base::Error& why);
  void reached();
  void fetched(base::Result<PeerAnswer<protocol::FetchResponse>> answer);
  void session_refused(base::ErrorCode code);
  void digest();
  void take(const Ptr& replica, const protocol::FetchResponse::Topic::Partition& answer);
  void append(const Ptr& replica, const protocol::FetchResponse::Topic::Partition& answer);
  void appended(const Ptr& replica, const FollowerPosition& at, base::Offset leaders_watermark);
  void cut(const Ptr& replica, std::function<base::Result<Partition::Cut>(Partition&)> how);
  void was_cut(const Ptr& replica, const base::Result<Partition::Cut>& cut);
  // Runs on the pool and comes back to `then`, unless the replica has gone on meanwhile.
  template <class Outcome>
  void on_pool(const Ptr& replica, std::function<Outcome(Partition&)> work,
               std::function<void(Fetcher&, const Ptr&, const Outcome&)> then);
  void compared(const protocol::OffsetForLeaderEpochResponse& answer, std::uint64_t question);
  void sought(const protocol::ListOffsetsResponse& answer, State what, std::uint64_t question);
  void found_end(const Ptr& replica, base::Offset leaders_end);
  void found_start(const Ptr& replica, base::Offset leaders_start);

  const Place place_;
  const FetcherSettings settings_;
  const FetcherServices services_;
  const std::shared_ptr<FetchProgress> progress_;
  const base::Logger log_{"kafka.server.ReplicaFetcherThread"};

  absl::btree_map<base::TopicPartition, Ptr> replicas_;
  using IdAndIndex = std::pair<base::Uuid, base::PartitionIndex>;
  absl::flat_hash_map<IdAndIndex, Ptr> by_id_;
  std::size_t without_id_ = 0;
  std::uint64_t rounds_ = 0;

  FetchSession session_;
  bool session_by_id_ = false;
  std::size_t in_session_ = 0;
  std::vector<Ptr> changed_;  // where the session may not know what it should
  std::vector<Ptr> throttled_;
  bool over_rate_ = false;  // as of the request being made

  std::vector<Ptr> comparing_, seeking_;  // candidates: the state says whether they still are

  enum class Asking { nothing, fetch, epochs, offsets } asking_ = Asking::nothing;
  std::uint64_t question_ = 0;
  base::Instant asked_at_{};
  base::TokenBucket may_give_up_{{.per_second = 2, .burst = 4}};
  std::optional<Digest> digest_;
  int session_errors_ = 0;    // in a row
  bool unreachable_ = false;  // and it was said
  base::Instant not_before_{};

  std::multimap<base::Instant, std::pair<Ptr, std::uint64_t>> delayed_;  // with its round
  std::unique_ptr<base::Timer> delay_timer_, back_off_timer_, throttle_timer_, newcomer_timer_;
  std::unique_ptr<PeerConnection> connection_;  // last: what it calls uses the rest
};

}  // namespace replication
