#include "replication/isr/state_node_isr_changes.h"

#include <algorithm>
#include <chrono>
#include <set>
#include <utility>

#include "base/logging.h"
#include "replication/coordination/znodes.h"

namespace replication {
namespace {

using base::ErrorCode;

constexpr auto kRetryAfter = std::chrono::milliseconds(500);
// The controller is told when nothing has changed for five seconds, or a minute after it was told last; looked at every
// two and a half.
// Source: ReplicaManager of Apache Kafka 2.6, IsrChangePropagationBlackOut and -Interval.
constexpr auto kLookEvery = std::chrono::milliseconds(2500);
constexpr auto kQuietFor = std::chrono::seconds(5);
constexpr auto kAtTheLatest = std::chrono::seconds(60);
// A node's data is limited to a megabyte, and a topic's name to 249 bytes.
constexpr std::size_t kMostPartitions = 2000;

PartitionStateNode node_of(const IsrChange& change, base::BrokerId leader) {
  return {.controller_epoch = change.controller_epoch,
          .leader = leader,
          .leader_epoch = change.leader_epoch,
          .isr = change.isr};
}

}  // namespace

class StateNodeIsrChanges::Writer : public std::enable_shared_from_this<Writer> {
 public:
  Writer(base::BrokerId self, MetadataStore& store, base::Loop& loop, const base::Clock& clock)
      : self_(self), store_(store), loop_(loop), clock_(clock), last_told_(clock.now()) {}

  void write(IsrChange change, Done done) {
    Set set{paths::partition_state(change.partition.topic, change.partition.partition), encode(node_of(change, self_)),
            change.partition_epoch};
    store_.commit({std::move(set)}, guarded<CommitReply>([change = std::move(change), done = std::move(done)](
                                                             Writer& self, const CommitReply& reply) {
                    self.written(change, done, reply);
                  }));
  }

  void stop() {
    stopped_ = true;
    look_.reset();
    retry_.reset();
    again_.clear();
  }

 private:
  template <class Answer>
  std::function<void(Answer)> guarded(std::function<void(Writer&, const Answer&)> then) {
    return [weak = weak_from_this(), then = std::move(then)](const Answer& answer) {
      const auto self = weak.lock();
      if (self && !self->stopped_) then(*self, answer);
    };
  }

  void written(const IsrChange& change, const Done& done, const CommitReply& reply) {
    switch (reply.code) {
      case StoreCode::ok:
        return succeeded(change, done, reply.done.front().stat.version);
      case StoreCode::bad_version:
        return read_back(change, done);
      case StoreCode::no_node:
        return done(base::fail(ErrorCode::unknown_topic_or_partition, "{} has no state", change.partition));
      case StoreCode::closed:
        return;
      default:
        log_.warn("Cannot write the in-sync replicas of {} ({}); trying again", change.partition,
                  store_code_name(reply.code));
        try_again(change, done);
    }
  }

  // An attempt whose answer was lost may have written it.
  void read_back(const IsrChange& change, const Done& done) {
    store_.get(paths::partition_state(change.partition.topic, change.partition.partition),
               guarded<Reply<Node>>(
                   [change, done](Writer& self, const Reply<Node>& reply) { self.found(change, done, reply); }));
  }

  void found(const IsrChange& change, const Done& done, const Reply<Node>& reply) {
    if (reply.code == StoreCode::closed) return;
    if (!reply.ok() && reply.code != StoreCode::no_node) return try_again(change, done);
    if (reply.ok()) {
      const auto state = decode_partition_state(
          paths::partition_state(change.partition.topic, change.partition.partition), reply.value.data);
      if (state && *state == node_of(change, self_)) return succeeded(change, done, reply.value.stat.version);
    }
    log_.info(
        "The state of {} is not of version {} any more: its in-sync replicas stay until the controller tells them",
        change.partition, change.partition_epoch);
    done(base::fail(ErrorCode::invalid_update_version, "{} has another state", change.partition));
  }

  void succeeded(const IsrChange& change, const Done& done, std::int32_t version) {
    note_changed(change.partition);
    done(IsrOutcome{.leader_epoch = change.leader_epoch,
                    .partition_epoch = version,
                    .leader = self_,
                    .isr = change.isr,
                    .recovering = false});
  }

  void try_again(const IsrChange& change, const Done& done) {
    again_.emplace_back(change, done);
    if (again_.size() > 1) return;
    if (!retry_) retry_ = loop_.make_timer();
    retry_->arm(kRetryAfter, [this] {
      for (auto& [late, answer] : std::exchange(again_, {})) write(std::move(late), std::move(answer));
    });
  }

  void note_changed(const base::TopicPartition& partition) {
    const bool looks = !changed_.empty();
    changed_.insert(partition);
    last_change_ = clock_.now();
    if (!looks) look_later();
  }

  void look_later() {
    if (!look_) look_ = loop_.make_timer();
    look_->arm(kLookEvery, [this] { look(); });
  }

  void look() {
    if (changed_.empty()) return;
    const auto now = clock_.now();
    if (now - last_change_ >= kQuietFor || now - last_told_ >= kAtTheLatest) {
      last_told_ = now;
      tell();
    }
    if (!changed_.empty()) look_later();
  }

  void tell() {
    IsrChangeNode node;
    while (!changed_.empty() && node.partitions.size() < kMostPartitions)
      node.partitions.push_back(std::move(changed_.extract(changed_.begin()).value()));
    const Create create{
        .path = paths::isr_change_prefix(), .data = encode(node), .mode = CreateMode::persistent_sequential};
    store_.commit({create}, guarded<CommitReply>([node](Writer& self, const CommitReply& reply) {
                    if (reply.ok() || reply.code == StoreCode::closed) return;
                    self.log_.warn("Cannot tell the controller of {} changed in-sync sets ({}); trying again",
                                   node.partitions.size(), store_code_name(reply.code));
                    for (const auto& partition : node.partitions) self.note_changed(partition);
                  }));
  }

  const base::BrokerId self_;
  MetadataStore& store_;
  base::Loop& loop_;
  const base::Clock& clock_;
  const base::Logger log_{"weir.StateNodes"};
  bool stopped_ = false;

  std::vector<std::pair<IsrChange, Done>> again_;
  std::unique_ptr<base::Timer> retry_;

  std::set<base::TopicPartition> changed_;  // and not told
  base::Instant last_change_{};
  base::Instant last_told_;
  std::unique_ptr<base::Timer> look_;
};

StateNodeIsrChanges::StateNodeIsrChanges(base::BrokerId self, MetadataStore& store, base::Loop& loop,
                                         const base::Clock& clock)
    : writer_(std::make_shared<Writer>(self, store, loop, clock)) {}
StateNodeIsrChanges::~StateNodeIsrChanges() = default;

void StateNodeIsrChanges::ask(IsrChange change, Done done) { writer_->write(std::move(change), std::move(done)); }
void StateNodeIsrChanges::stop() { writer_->stop(); }

}  // namespace replication
