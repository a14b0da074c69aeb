// Who is in sync, when that changes, and what is committed. Pure; what a leader knows is passed in, time too.
//
// A change of the in-sync set is granted by somebody else (isr_changes.h), and until the answer is there the leader
// must reckon with both outcomes. So it counts on the committed set where more members would be better
// (min.insync.replicas at produce) and waits for the maximal one where more members cost more (high watermark,
// acks=all): the committed set and whoever was proposed to join, but not without whoever was proposed to leave.
//
// The rules are Kafka's (2.7.1 to 3.9, ZooKeeper mode).
#pragma once

#include <absl/functional/function_ref.h>

#include <cstdint>
#include <optional>
#include <span>
#include <variant>
#include <vector>

#include "base/error.h"
#include "base/ids.h"
#include "replication/partition/isr_changes.h"
#include "replication/partition/progress.h"

namespace replication {

struct Settled {};
struct Expanding {
  base::BrokerId joining{};
};
struct Shrinking {
  std::vector<base::BrokerId> leaving{};
};

struct IsrState {
  std::vector<base::BrokerId> committed{};
  std::int32_t partition_epoch = 0;
  std::variant<Settled, Expanding, Shrinking> change{};  // what was asked for and is not answered
  std::uint64_t question = 0;                            // grows with each: an answer to an earlier one is stale

  bool is_settled() const { return std::holds_alternative<Settled>(change); }
  bool in_committed(base::BrokerId broker) const;
  bool in_maximal(base::BrokerId broker) const;
  std::size_t maximal_size() const;
  // What is asked for.
  std::vector<base::BrokerId> proposed() const;
};

class Watch;

struct Follower {
  base::BrokerId id{};
  FollowerProgress progress{};
  const Watch* session = nullptr;  // through which it fetches, if it is one; of no concern to the rules
};

// What the rules look at. `now` and `may_be_in_sync` are asked only where they matter, and outlive this.
struct LeaderView {
  base::Offset log_end{};
  base::Offset high_watermark{};
  base::Offset epoch_start{};  // where the leader's own epoch begins
  base::Duration max_lag{};    // replica.lag.time.max.ms
  absl::FunctionRef<base::Instant()> now;
  // The broker is alive, and the life it fetched in is the one it is registered with.
  absl::FunctionRef<bool(const Follower&)> may_be_in_sync;
};

bool is_caught_up(const FollowerProgress& follower, const LeaderView& leader);
// To be asked after a fetch of that follower.
bool should_join(const Follower& follower, const IsrState& isr, const LeaderView& leader);
// In-sync followers that are not caught up; nobody while a change is under way.
std::vector<base::BrokerId> who_should_leave(std::span<const Follower> followers, const IsrState& isr,
                                             const LeaderView& leader);

// More copies than there are replicas cannot be asked for (KIP-966, Kafka 3.7+).
constexpr std::int32_t effective_min_isr(std::int32_t min_insync_replicas, std::size_t replicas) {
  const auto all = static_cast<std::int32_t>(replicas);
  return min_insync_replicas < all ? min_insync_replicas : all;
}

// Everything below is on all replicas that count. Never below what it is; while too few are in sync it stays (3.7+).
base::Offset high_watermark_of(std::span<const Follower> followers, const IsrState& isr, const LeaderView& leader,
                               std::int32_t min_isr);

// Of an acks=all append that ends before `next_offset`; nothing: it has to wait.
std::optional<base::ErrorCode> verdict_on_append(base::Offset next_offset, base::Offset high_watermark,
                                                 const IsrState& isr, std::int32_t min_isr);

// The change asked for is under way from here on.
void propose(IsrState& isr, Expanding change);
void propose(IsrState& isr, Shrinking change);

enum class AnswerEffect {
  ignored,    // to a question that no longer stands, or of an older state
  committed,  // the set is what the answer says
  taken_back  // the change was refused as it is: the committed set stands, and another may be proposed
};
// `refused for good`: errors after which this leader does not know the state any more keep the change under way, hence
// the maximal set, until the controller tells the next leader epoch; that too is `ignored`.
AnswerEffect take_answer(IsrState& isr, std::uint64_t question, base::LeaderEpoch leader_epoch,
                         const base::Result<IsrOutcome>& answer);

}  // namespace replication
