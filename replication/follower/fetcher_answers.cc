// Fetcher: what it makes of its leader's answers.
#include <algorithm>
#include <utility>

#include "replication/follower/fetcher.h"

namespace replication {

using base::ErrorCode;
using base::Offset;
using AnsweredPartition = protocol::FetchResponse::Topic::Partition;

namespace {

// Then others of the loop get their turn.
constexpr std::size_t kBytesPerTurn = 1 << 20;

}  // namespace

// ---- the connection ----

void Fetcher::lost(const base::Error& why) {
  asking_ = Asking::nothing;
  session_.begin_anew();
  if (!std::exchange(unreachable_, true))
    log_.warn("{} Leader {} is asked again every {} ms: {}", who(), place_.leader.id, settings_.back_off.count(),
              why.text());
  back_off();
}

void Fetcher::reached() {
  asking_ = Asking::nothing;
  if (std::exchange(unreachable_, false)) log_.info("{} Leader {} answers again", who(), place_.leader.id);
}

// ---- Fetch ----

void Fetcher::fetched(base::Result<PeerAnswer<protocol::FetchResponse>> answer) {
  if (!answer) return lost(answer.error());
  reached();
  if (const auto code = answer->message.error_code; code != ErrorCode::none) return session_refused(code);
  if (!session_.answered(answer->message.session_id)) return session_refused(ErrorCode::fetch_session_id_not_found);
  session_errors_ = 0;
  asking_ = Asking::fetch;  // until it is in the logs
  digest_.emplace(Digest{.answer = std::move(*answer)});
  digest();
}

void Fetcher::session_refused(ErrorCode code) {
  if (code == ErrorCode::fetch_session_id_not_found)
    session_.is_unknown();
  else
    session_.begin_anew();
  log_.info("{} Leader {} refuses the fetch: {}", who(), place_.leader.id, base::error_name(code));
  // A session ends when the leader forgets it; more than one in a row means something else.
  const bool of_session = code == ErrorCode::fetch_session_id_not_found ||
                          code == ErrorCode::invalid_fetch_session_epoch ||
                          code == ErrorCode::fetch_session_topic_id_error;
  if (!of_session || ++session_errors_ > 1) back_off();
  go_on();
}

void Fetcher::digest() {
  std::size_t taken_bytes = 0;
  const bool by_id = session_by_id_;
  auto& at = *digest_;
  for (auto& topics = at.answer.message.responses; at.topic < topics.size(); ++at.topic, at.partition = 0) {
    const auto& topic = topics[at.topic];
    for (; at.partition < topic.partitions.size(); ++at.partition) {
      if (taken_bytes >= kBytesPerTurn)
        return place_.loop.post([weak = weak_from_this()] {
          if (const auto self = weak.lock()) self->digest();
        });
      const auto& partition = topic.partitions[at.partition];
      taken_bytes += partition.records.view.size();
      Ptr replica;
      if (!by_id) {
        replica = find({topic.topic, partition.partition_index});
      } else if (const auto known = by_id_.find({topic.topic_id, partition.partition_index}); known != by_id_.end()) {
        replica = known->second;
      }
      // Only what was asked for, and still is.
      if (replica && replica->in_session && replica->state == State::fetching && replica->told == replica->now())
        take(replica, partition);
    }
  }
  digest_.reset();
  asking_ = Asking::nothing;
  go_on();
}

void Fetcher::take(const Ptr& replica, const AnsweredPartition& answer) {
  switch (answer.error_code) {
    case ErrorCode::none:
      break;
    case ErrorCode::offset_out_of_range:
      return enter(replica, State::seeking_end);
    default:
      return refused(replica, answer.error_code);
  }
  if (!answer.diverging_epoch) return append(replica, answer);
  // High watermark and log start of this answer belong to another history.
  const storage::EpochEnd end{answer.diverging_epoch->epoch, answer.diverging_epoch->end_offset};
  cut(replica, [under = replica->what.leader_epoch, end](Partition& partition) {
    return partition.truncate_to_leader(under, end);
  });
}

void Fetcher::append(const Ptr& replica, const AnsweredPartition& answer) {
  const auto records = answer.records.view;
  progress_->bytes.add(records.size());
  if (replica->throttled) services_.throttle.record(records.size());
  const FromLeader from{.fetched_under = replica->what.leader_epoch,
                        .fetched_from = replica->told.log_end,
                        .records = records,
                        .high_watermark = answer.high_watermark,
                        .log_start = answer.log_start_offset};
  const auto at = replica->what.partition->append_from_leader(from, Partition::MayWait::no);
  if (!at) return trouble(replica, at.error());
  if (*at) return appended(replica, **at, answer.high_watermark);
  on_pool<base::Result<std::optional<FollowerPosition>>>(
      replica,
      [from, payload = digest_->answer.payload](Partition& partition) {
        return partition.append_from_leader(from, Partition::MayWait::yes);
      },
      [watermark = from.high_watermark](Fetcher& self, const Ptr& which, const auto& outcome) {
        if (!outcome) return self.trouble(which, outcome.error());
        base::invariant(outcome->has_value(), "who may wait is never told to");
        self.enter(which, State::fetching);
        self.appended(which, **outcome, watermark);
      });
}

void Fetcher::appended(const Ptr& replica, const FollowerPosition& at, Offset leaders_watermark) {
  replica->compared = true;
  replica->out_of_range = false;
  replica->trouble = ErrorCode::none;
  replica->early_tries = 0;
  replica->at = at;
  set_lag(replica, std::max<std::int64_t>(leaders_watermark - at.log_end, 0));
  if (replica->told != replica->now()) mark_changed(replica);
}

// ---- what waits for the disk ----

template <class Outcome>
void Fetcher::on_pool(const Ptr& replica, std::function<Outcome(Partition&)> work,
                      std::function<void(Fetcher&, const Ptr&, const Outcome&)> then) {
  enter(replica, State::busy);
  services_.pool.submit([weak = weak_from_this(), &loop = place_.loop, replica, round = replica->round,
                         partition = replica->what.partition, work = std::move(work), then = std::move(then)] {
    loop.post([weak, replica, round, outcome = work(*partition), then] {
      const auto self = weak.lock();
      if (!self || replica->gone || replica->round != round) return;
      then(*self, replica, outcome);
      self->newcomer(replica);
      self->go_on();
    });
  });
}

void Fetcher::cut(const Ptr& replica, std::function<base::Result<Partition::Cut>(Partition&)> how) {
  on_pool<base::Result<Partition::Cut>>(
      replica, std::move(how), [](Fetcher& self, const Ptr& which, const base::Result<Partition::Cut>& outcome) {
        self.was_cut(which, outcome);
      });
}

void Fetcher::was_cut(const Ptr& replica, const base::Result<Partition::Cut>& outcome) {
  if (!outcome) return trouble(replica, outcome.error());
  log_.info("{} Truncated partition {} to {} as leader {} of epoch {} has it", who(), replica->name(),
            outcome->position.log_end, place_.leader.id, replica->what.leader_epoch);
  if (outcome->below_watermark > 0)
    log_.warn("{} Truncating {} to {} took away {} offsets below the high watermark", who(), replica->name(),
              outcome->position.log_end, outcome->below_watermark);
  replica->at = outcome->position;
  // Fetch compares by itself; before it, an epoch that only one side knows has to be asked about once more.
  replica->compared = !outcome->asks_again || settings_.truncates_on_fetch;
  choose(replica);
}

// ---- OffsetForLeaderEpoch ----

void Fetcher::compared(const protocol::OffsetForLeaderEpochResponse& answer, std::uint64_t question) {
  for (const auto& topic : answer.topics)
    for (const auto& partition : topic.partitions) {
      const auto replica = find({topic.topic, partition.partition});
      if (!replica || replica->question != question || replica->state != State::comparing) continue;
      if (partition.error_code != ErrorCode::none) {
        refused(replica, partition.error_code);
        continue;
      }
      const storage::EpochEnd end{partition.leader_epoch, partition.end_offset};
      cut(replica,
          [under = replica->what.leader_epoch, end](Partition& of_us) { return of_us.truncate_to_leader(under, end); });
    }
}

// ---- ListOffsets ----

void Fetcher::sought(const protocol::ListOffsetsResponse& answer, State what, std::uint64_t question) {
  for (const auto& topic : answer.topics)
    for (const auto& partition : topic.partitions) {
      const auto replica = find({topic.name, partition.partition_index});
      if (!replica || replica->question != question || replica->state != what) continue;
      if (partition.error_code != ErrorCode::none)
        refused(replica, partition.error_code);
      else if (partition.offset < Offset{0})
        refused(replica, ErrorCode::offset_not_available);
      else if (what == State::seeking_end)
        found_end(replica, partition.offset);
      else
        found_start(replica, partition.offset);
    }
}

// Ours ends behind theirs: this happens where an unclean leader was elected.
void Fetcher::found_end(const Ptr& replica, Offset leaders_end) {
  if (leaders_end >= replica->at.log_end) return enter(replica, State::seeking_start);
  log_.warn("{} {} ends at {}, leader {} ends at {}", who(), replica->name(), replica->at.log_end, place_.leader.id,
            leaders_end);
  cut(replica, [under = replica->what.leader_epoch, leaders_end](Partition& partition) {
    return partition.truncate_as_follower(under, leaders_end);
  });
}

void Fetcher::found_start(const Ptr& replica, Offset leaders_start) {
  if (leaders_start > replica->at.log_end) {
    log_.warn("{} {} ends at {}, leader {} begins at {}: starting over there", who(), replica->name(),
              replica->at.log_end, place_.leader.id, leaders_start);
    return cut(replica, [under = replica->what.leader_epoch, leaders_start](Partition& partition) {
      return partition.restart_as_follower(under, leaders_start);
    });
  }
  // It fits by now. If the leader does not find that, it is not asked for ever without a pause.
  if (std::exchange(replica->out_of_range, true)) return refused(replica, ErrorCode::offset_out_of_range);
  enter(replica, State::fetching);
}

}  // namespace replication
