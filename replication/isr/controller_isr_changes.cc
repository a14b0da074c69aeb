#include "replication/isr/controller_isr_changes.h"

#include <absl/synchronization/mutex.h>

#include <map>
#include <tuple>
#include <utility>
#include <vector>

#include "base/logging.h"
#include "protocol/messages/alter_partition.h"
#include "replication/peers/negotiated_peer.h"
#include "replication/peers/versions.h"

namespace replication {
namespace {

using base::ErrorCode;
using protocol::AlterPartitionRequest;
using protocol::AlterPartitionResponse;

constexpr auto kRetryAfter = std::chrono::milliseconds(50);
// A member that the controller does not take is proposed again when it fetches next, which it may do at once.
constexpr auto kRefusalAfter = std::chrono::milliseconds(500);
// More go with the next request: the controller decides about one at a time.
constexpr std::size_t kMostChanges = 2000;

// Nothing that this leader can do will change the answer.
bool is_final(ErrorCode code) {
  switch (code) {
    case ErrorCode::unknown_topic_id:
    case ErrorCode::unknown_topic_or_partition:
    case ErrorCode::fenced_leader_epoch:
    case ErrorCode::invalid_update_version:
    case ErrorCode::invalid_request:
      return true;
    default:
      return false;
  }
}
bool is_of_member(ErrorCode code) {
  return code == ErrorCode::ineligible_replica || code == ErrorCode::operation_not_attempted;
}

// `changes` stand by topic.
AlterPartitionRequest to_message(const AlterPartition& request) {
  AlterPartitionRequest out;
  out.broker_id = request.broker;
  out.broker_epoch = request.broker_epoch;
  for (const auto& change : request.changes) {
    if (out.topics.empty() || out.topics.back().topic_name != change.partition.topic)
      out.topics.push_back({.topic_id = change.topic_id, .topic_name = change.partition.topic, .partitions = {}});
    auto& partition = out.topics.back().partitions.emplace_back();
    partition.partition_index = change.partition.partition;
    partition.leader_epoch = change.leader_epoch;
    partition.new_isr = change.isr;
    for (std::size_t i = 0; i < change.isr.size(); ++i)
      partition.new_isr_with_epochs.push_back(
          {change.isr[i], i < change.broker_epochs.size() ? change.broker_epochs[i] : -1});
    partition.leader_recovery_state = change.recovering ? 1 : 0;
    partition.partition_epoch = change.partition_epoch;
  }
  return out;
}

base::Result<IsrOutcome> outcome_of(const AlterPartitionResponse::Topic::Partition& partition) {
  if (partition.error_code != ErrorCode::none) return base::fail(partition.error_code, "refused by the controller");
  return IsrOutcome{.leader_epoch = partition.leader_epoch,
                    .partition_epoch = partition.partition_epoch,
                    .leader = partition.leader_id,
                    .isr = partition.isr,
                    .recovering = partition.leader_recovery_state != 0};
}

// Topics are named as the version names them.
AlterPartitionReply from_message(const AlterPartitionResponse& message, const std::vector<IsrChange>& changes) {
  AlterPartitionReply reply{.code = message.error_code};
  if (reply.code != ErrorCode::none) return reply;
  using Key = std::tuple<std::string, base::Uuid, base::PartitionIndex>;
  std::map<Key, const AlterPartitionResponse::Topic::Partition*> answered;
  for (const auto& topic : message.topics)
    for (const auto& partition : topic.partitions)
      answered[{topic.topic_name, topic.topic_id, partition.partition_index}] = &partition;
  for (const auto& change : changes) {
    auto found = answered.find({change.partition.topic, base::Uuid{}, change.partition.partition});
    if (found == answered.end()) found = answered.find({"", change.topic_id, change.partition.partition});
    if (found == answered.end())
      reply.outcomes.emplace_back(base::fail(ErrorCode::unknown_server_error, "left out of the answer"));
    else
      reply.outcomes.push_back(outcome_of(*found->second));
  }
  return reply;
}

}  // namespace

class ControllerIsrChanges::Sender : public std::enable_shared_from_this<Sender> {
 public:
  explicit Sender(Services services) : services_(std::move(services)) {}

  void ask(IsrChange change, Done done) {
    {
      absl::MutexLock lock(&mutex_);
      arrived_.push_back({std::move(change), std::move(done)});
      if (arrived_.size() > 1) return;  // who takes up the first takes up this one
    }
    on_loop([](Sender& self) { self.send(); });
  }

  void stop() {
    stopped_ = true;
    timer_.reset();
    refusals_timer_.reset();
    refusals_.clear();
    waiting_.clear();
    under_way_.clear();
    peer_.reset();
    absl::MutexLock lock(&mutex_);
    arrived_.clear();
  }

 private:
  struct Question {
    IsrChange change;
    Done done;
  };

  void on_loop(std::function<void(Sender&)> work) {
    services_.loop.post([weak = weak_from_this(), work = std::move(work)] {
      const auto self = weak.lock();
      if (self && !self->stopped_) work(*self);
    });
  }

  void take_up_arrived() {
    std::vector<Question> arrived;
    {
      absl::MutexLock lock(&mutex_);
      arrived.swap(arrived_);
    }
    for (auto& question : arrived) {
      auto name = question.change.partition;
      waiting_.insert_or_assign(std::move(name), std::move(question));
    }
  }

  void send() {
    take_up_arrived();
    if (!under_way_.empty() || waiting_.empty()) return;
    const auto controller = services_.find_controller();
    if (controller.id == base::kNoBroker) return retry_later("no controller is known");

    AlterPartition request{.broker = services_.self, .broker_epoch = services_.broker_epoch()};
    while (!waiting_.empty() && under_way_.size() < kMostChanges) {
      auto node = waiting_.extract(waiting_.begin());
      auto& change = node.mapped().change;
      for (std::size_t i = 0; i < change.isr.size() && i < change.broker_epochs.size(); ++i)
        if (change.isr[i] == services_.self) change.broker_epochs[i] = request.broker_epoch;
      request.changes.push_back(change);
      under_way_.push_back(std::move(node.mapped()));
    }
    const auto number = ++requests_;
    const auto answered = [weak = weak_from_this(), number](AlterPartitionReply reply) {
      if (const auto self = weak.lock())
        self->on_loop([number, reply = std::move(reply)](Sender& sender) mutable {
          if (sender.requests_ == number && !sender.under_way_.empty()) sender.take(std::move(reply));
        });
    };
    if (controller.id == services_.self)
      ask_here(std::move(request), answered);
    else
      ask_peer(controller, request, answered);
  }

  void ask_here(AlterPartition request, const std::function<void(AlterPartitionReply)>& answered) {
    peer_.reset();
    services_.here(std::move(request), answered);
  }

  void ask_peer(const PeerAddress& controller, const AlterPartition& request,
                const std::function<void(AlterPartitionReply)>& answered) {
    if (!peer_ || controller != address_) {
      address_ = controller;
      peer_ = std::make_unique<NegotiatedPeer>(services_.peers.connect(controller, services_.loop, services_.options));
    }
    bool ids = true;
    for (const auto& change : request.changes) ids &= !change.topic_id.is_zero();
    peer_->ask<AlterPartitionResponse>(
        to_message(request), alter_partition_versions(services_.release, ids), services_.timeout,
        [answered, changes = request.changes](base::Result<PeerAnswer<AlterPartitionResponse>> answer) {
          if (!answer) return answered({.code = answer.error().code});
          answered(from_message(answer->message, changes));
        });
  }

  void take(AlterPartitionReply reply) {
    auto questions = std::exchange(under_way_, {});
    take_up_arrived();
    if (reply.code == ErrorCode::none && reply.outcomes.size() != questions.size())
      reply.code = ErrorCode::unknown_server_error;
    bool again = false;
    for (std::size_t i = 0; i < questions.size(); ++i) {
      auto& question = questions[i];
      if (reply.code != ErrorCode::none) {
        put_back(std::move(question));
        continue;
      }
      auto& outcome = reply.outcomes[i];
      if (outcome || is_final(outcome.error().code)) {
        if (!outcome)
          log_.warn("The controller refuses in-sync replicas [{}] of {} for good: {}", text_of(question.change.isr),
                    question.change.partition, base::error_name(outcome.error().code));
        question.done(std::move(outcome));
      } else if (is_of_member(outcome.error().code)) {
        refuse_later(std::move(question), outcome.error());
      } else {
        again = true;
        put_back(std::move(question));
      }
    }
    if (reply.code != ErrorCode::none) return retry_later(base::error_name(reply.code));
    said_.clear();
    if (again) return retry_later("a partition's leadership is not what the controller knows");
    on_loop([](Sender& self) { self.send(); });
  }

  // Unless a later change has taken its place.
  void put_back(Question question) {
    auto name = question.change.partition;
    waiting_.try_emplace(std::move(name), std::move(question));
  }

  void refuse_later(Question question, base::Error error) {
    refusals_.emplace_back(std::move(question.done), std::move(error));
    if (refusals_.size() > 1) return;
    if (!refusals_timer_) refusals_timer_ = services_.loop.make_timer();
    refusals_timer_->arm(kRefusalAfter, [this] {
      for (auto& [done, why] : std::exchange(refusals_, {})) done(why);
    });
  }

  void retry_later(std::string_view why) {
    if (said_ != why) log_.warn("In-sync replicas cannot be changed: {}; trying again", why);
    said_ = why;
    if (!timer_) timer_ = services_.loop.make_timer();
    timer_->arm(kRetryAfter, [this] { send(); });
  }

  static std::string text_of(const std::vector<base::BrokerId>& isr) { return fmt::format("{}", fmt::join(isr, ",")); }

  const Services services_;
  const base::Logger log_{"weir.AlterPartition"};
  bool stopped_ = false;

  std::map<base::TopicPartition, Question> waiting_;
  std::vector<Question> under_way_;  // one request
  std::uint64_t requests_ = 0;
  std::vector<std::pair<Done, base::Error>> refusals_;
  std::unique_ptr<NegotiatedPeer> peer_;
  PeerAddress address_{};
  std::unique_ptr<base::Timer> timer_;
  std::unique_ptr<base::Timer> refusals_timer_;
  std::string said_;  // the last line of the log, not to be repeated twenty times a second

  absl::Mutex mutex_;
  std::vector<Question> arrived_ ABSL_GUARDED_BY(mutex_);
};

ControllerIsrChanges::ControllerIsrChanges(Services services)
    : sender_(std::make_shared<Sender>(std::move(services))) {}
ControllerIsrChanges::~ControllerIsrChanges() = default;

bool ControllerIsrChanges::is_known_to(config::ProtocolVersion release) {
  return release >= config::find_protocol_version("2.7-IV2").value();
}

void ControllerIsrChanges::ask(IsrChange change, Done done) { sender_->ask(std::move(change), std::move(done)); }
void ControllerIsrChanges::stop() { sender_->stop(); }

}  // namespace replication
