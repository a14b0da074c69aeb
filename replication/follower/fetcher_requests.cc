// Fetcher: what it asks its leader.
#include <algorithm>
#include <utility>

#include "replication/follower/fetcher.h"

namespace replication {

using protocol::FetchRequest;

namespace {

constexpr std::int16_t kFirstWithTopicIds = 13;
constexpr std::int16_t kFirstWithReplicaState = 15;
constexpr std::int64_t kLatest = -1;
constexpr std::int64_t kEarliest = -2;

}  // namespace

// ---- Fetch ----

bool Fetcher::belongs_into_session(const Replica& replica) const {
  // Who is in sync is never held back: that would throttle producers.
  return replica.state == State::fetching && !replica.gone && !(over_rate_ && replica.throttled && replica.lag != 0);
}

void Fetcher::hold_back_throttled() {
  if (throttled_.empty()) return;
  const auto wait = services_.throttle.wait();
  over_rate_ = wait > base::Duration::zero();
  bool held_back = false;
  for (const auto& replica : throttled_) {
    const bool belongs = belongs_into_session(*replica);
    if (belongs != replica->in_session) mark_changed(replica);
    held_back |= replica->state == State::fetching && !belongs;
  }
  if (held_back) throttle_timer_->arm(wait, [this] { go_on(); });
}

void Fetcher::list_all(std::vector<Ptr>& listed) {
  for (const auto& replica : std::exchange(changed_, {})) replica->changed = replica->in_session = false;
  for (const auto& [name, replica] : replicas_) {
    replica->in_session = belongs_into_session(*replica);
    if (replica->in_session) listed.push_back(replica);
  }
  in_session_ = listed.size();
}

void Fetcher::list_changed(std::vector<Ptr>& listed, std::vector<FetchRequest::ForgottenTopic>& forgotten) {
  for (const auto& replica : std::exchange(changed_, {})) {
    replica->changed = false;
    if (belongs_into_session(*replica)) {
      if (replica->in_session && replica->told == replica->now()) continue;
      in_session_ += replica->in_session ? 0 : 1;
      replica->in_session = true;
      listed.push_back(replica);
    } else if (std::exchange(replica->in_session, false)) {
      --in_session_;
      const auto& name = replica->name();
      const auto same = [&](const auto& topic) {
        return topic.topic == name.topic && topic.topic_id == replica->what.topic_id;
      };
      if (forgotten.empty() || !same(forgotten.back()))
        forgotten.push_back({.topic_id = replica->what.topic_id, .topic = name.topic, .partitions = {}});
      forgotten.back().partitions.push_back(name.partition);
    }
  }
}

FetchRequest Fetcher::request_of(std::vector<Ptr> listed) const {
  std::sort(listed.begin(), listed.end(), [](const Ptr& a, const Ptr& b) { return a->name() < b->name(); });
  FetchRequest request;
  for (const auto& replica : listed) {
    const auto& name = replica->name();
    if (request.topics.empty() || request.topics.back().topic != name.topic ||
        request.topics.back().topic_id != replica->what.topic_id)
      request.topics.push_back({.topic_id = replica->what.topic_id, .topic = name.topic, .partitions = {}});
    replica->told = replica->now();
    request.topics.back().partitions.push_back(
        {.partition = name.partition,
         .current_leader_epoch = replica->what.leader_epoch,
         .fetch_offset = replica->at.log_end,
         .last_fetched_epoch = settings_.truncates_on_fetch ? replica->at.last_epoch : base::kNoLeaderEpoch,
         .log_start_offset = replica->at.log_start,
         .partition_max_bytes = settings_.partition_max_bytes,
         .replica_directory_id = {}});
  }
  return request;
}

void Fetcher::fetch() {
  const auto version = fetch_version(settings_.versions, without_id_ == 0);
  const bool by_id = version >= kFirstWithTopicIds;
  if (std::exchange(session_by_id_, by_id) != by_id) session_.begin_anew();
  hold_back_throttled();
  std::vector<Ptr> listed;
  std::vector<FetchRequest::ForgottenTopic> forgotten;
  if (session_.lists_all())
    list_all(listed);
  else
    list_changed(listed, forgotten);
  // Nothing to be told of: the leader forgets us in its own time.
  if (in_session_ == 0) return session_.begin_anew();

  auto request = request_of(std::move(listed));
  request.replica_id = settings_.self;
  if (version >= kFirstWithReplicaState)
    request.replica_state = FetchRequest::ReplicaState{settings_.self, services_.broker_epoch()};
  request.max_wait_ms = static_cast<std::int32_t>(settings_.max_wait.count());
  request.min_bytes = settings_.min_bytes;
  request.max_bytes = settings_.response_max_bytes;
  request.session_id = session_.id();
  request.session_epoch = session_.epoch();
  request.forgotten_topics_data = std::move(forgotten);
  asking_ = Asking::fetch;
  asked_at_ = services_.clock.now();
  replication::ask<protocol::FetchResponse>(
      *connection_, request, version, settings_.request_timeout,
      [this, question = ++question_](base::Result<PeerAnswer<protocol::FetchResponse>> answer) {
        if (question == question_) fetched(std::move(answer));
      });
}

// ---- OffsetForLeaderEpoch ----

bool Fetcher::ask_epochs() {
  using Request = protocol::OffsetForLeaderEpochRequest;
  using Response = protocol::OffsetForLeaderEpochResponse;
  auto asked = std::exchange(comparing_, {});
  std::erase_if(asked, [](const Ptr& replica) { return replica->gone || replica->state != State::comparing; });
  if (asked.empty()) return false;
  const auto question = ++question_;
  std::sort(asked.begin(), asked.end(), [](const Ptr& a, const Ptr& b) { return a->name() < b->name(); });
  Request request;
  request.replica_id = settings_.self;
  for (const auto& replica : asked) {
    replica->question = question;
    if (request.topics.empty() || request.topics.back().topic != replica->name().topic)
      request.topics.push_back({.topic = replica->name().topic, .partitions = {}});
    request.topics.back().partitions.push_back({.partition = replica->name().partition,
                                                .current_leader_epoch = replica->what.leader_epoch,
                                                .leader_epoch = replica->at.last_epoch});
  }
  asking_ = Asking::epochs;
  replication::ask<Response>(
      *connection_, request, settings_.versions.offset_for_leader_epoch, settings_.request_timeout,
      [this, question, asked = std::move(asked)](base::Result<PeerAnswer<Response>> answer) {
        if (!answer) {
          comparing_.insert(comparing_.end(), asked.begin(), asked.end());
          return lost(answer.error());
        }
        reached();
        compared(answer->message, question);
        for (const auto& replica : asked)  // the leader said nothing of it
          if (replica->question == question && replica->state == State::comparing && !replica->gone) delay(replica);
        go_on();
      });
  return true;
}

// ---- ListOffsets ----

bool Fetcher::ask_offsets(State what) {
  using Request = protocol::ListOffsetsRequest;
  using Response = protocol::ListOffsetsResponse;
  std::erase_if(seeking_, [](const Ptr& replica) {
    return replica->gone || (replica->state != State::seeking_end && replica->state != State::seeking_start);
  });
  std::vector<Ptr> asked;
  std::erase_if(seeking_, [&](const Ptr& replica) {
    if (replica->state != what) return false;
    asked.push_back(replica);
    return true;
  });
  if (asked.empty()) return false;
  const auto question = ++question_;
  std::sort(asked.begin(), asked.end(), [](const Ptr& a, const Ptr& b) { return a->name() < b->name(); });
  Request request;
  request.replica_id = settings_.self;
  for (const auto& replica : asked) {
    replica->question = question;
    if (request.topics.empty() || request.topics.back().name != replica->name().topic)
      request.topics.push_back({.name = replica->name().topic, .partitions = {}});
    request.topics.back().partitions.push_back({.partition_index = replica->name().partition,
                                                .current_leader_epoch = replica->what.leader_epoch,
                                                .timestamp = what == State::seeking_end ? kLatest : kEarliest,
                                                .max_num_offsets = 1});
  }
  asking_ = Asking::offsets;
  replication::ask<Response>(
      *connection_, request, settings_.versions.list_offsets, settings_.request_timeout,
      [this, what, question, asked = std::move(asked)](base::Result<PeerAnswer<Response>> answer) {
        if (!answer) {
          seeking_.insert(seeking_.end(), asked.begin(), asked.end());
          return lost(answer.error());
        }
        reached();
        sought(answer->message, what, question);
        for (const auto& replica : asked)  // the leader said nothing of it
          if (replica->question == question && replica->state == what && !replica->gone) delay(replica);
        go_on();
      });
  return true;
}

}  // namespace replication
