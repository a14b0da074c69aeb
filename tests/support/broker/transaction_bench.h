// A transaction coordinator over real partitions, without sockets and without a controller that announces: leaderships
// are told by hand.
#pragma once

#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "broker/internal_topics/names.h"
#include "broker/transaction/coordinator.h"
#include "broker/transaction/store.h"
#include "tests/support/broker/answering_peers.h"
#include "tests/support/broker/lone_controller.h"

namespace broker::test {

// Something that comes later, from any thread.
template <class T>
class Later {
 public:
  void set(T value) {
    absl::MutexLock lock(&mutex_);
    value_ = std::move(value);
  }
  T get() {
    absl::MutexLock lock(&mutex_);
    const auto there = [this] { return value_.has_value(); };
    base::invariant(mutex_.AwaitWithTimeout(absl::Condition(&there), absl::Seconds(10)), "it comes");
    return *value_;
  }

 private:
  absl::Mutex mutex_;
  std::optional<T> value_ ABSL_GUARDED_BY(mutex_);
};

struct TransactionBench : HandlerBench {
  static constexpr std::chrono::milliseconds kTimeout{60'000};

  TransactionBench() {
    coordinators.start();
    loading.start();
    leadership.use_for_transactions(coordinator.calls());
    replicas->on_leadership([this](const replication::LeadershipNews& news) { leadership.learn(news); });
  }
  ~TransactionBench() {
    leadership.stop();
    loading.stop();
    coordinators.stop();
  }

  // One partition of __transaction_state, so that every id belongs to it.
  Told state_topic(base::LeaderEpoch epoch = base::LeaderEpoch{0}) const {
    return {.topic = std::string(kTransactionsTopic), .leader_epoch = epoch};
  }
  void lead_state_topic(base::LeaderEpoch epoch = base::LeaderEpoch{0}) {
    announce(state_topic(epoch));
    base::invariant(eventually([this] {
                      return coordinator.describe("probe").error().code == base::ErrorCode::transactional_id_not_found;
                    }),
                    "the partition is loaded");
  }
  // What an earlier coordinator wrote, before anybody is told to lead.
  void seed_state_topic(std::span<base::Buffer> batches) {
    auto follower = state_topic();
    follower.leader = test_support::kOther;
    follower.replicas = {test_support::kSelf, test_support::kOther};
    tell(follower);
    for (auto& bytes : batches) {
      auto batch = protocol::Batch::parse(bytes.bytes()).value().value();
      state_partition().with_log([&](storage::Log& log) {
        const auto appended =
            log.append_as_leader({&batch, 1}, base::LeaderEpoch{0}, storage::AppendOrigin::coordinator);
        base::invariant(appended.ok(), "a seed is appended");
      });
    }
  }
  replication::Partition& state_partition() { return *table.find(kTransactionsTopic, 0); }

  base::Result<Producer> init(const std::string& id, InitRequest request = {.timeout = kTimeout, .expected = {}}) {
    auto later = std::make_shared<Later<base::Result<Producer>>>();
    coordinator.initialise(id, request, [later](const base::Result<Producer>& producer) { later->set(producer); });
    return later->get();
  }
  base::ErrorCode add(const std::string& id, const Producer& producer,
                      const std::set<base::TopicPartition>& partitions) {
    auto later = std::make_shared<Later<base::ErrorCode>>();
    coordinator.add_partitions(id, producer, partitions, [later](base::ErrorCode code) { later->set(code); });
    return later->get();
  }
  base::ErrorCode end(const std::string& id, const Producer& producer, Outcome outcome) {
    auto later = std::make_shared<Later<base::ErrorCode>>();
    coordinator.end(id, producer, outcome, [later](base::ErrorCode code) { later->set(code); });
    return later->get();
  }
  bool reaches(const std::string& id, TxnStatus status) {
    return eventually([&] {
      const auto known = coordinator.describe(id);
      return known && known->status == status && !known->pending;
    });
  }
  void on_coordinators(const std::function<void()>& work) {
    absl::Notification done;
    coordinators.post([&] {
      work();
      done.Notify();
    });
    done.WaitForNotification();
  }

  // Every entry of a partition's log, in one buffer.
  static base::Buffer log_of(replication::Partition& partition) {
    base::Buffer bytes;
    const auto found = partition.read({.isolation = replication::Isolation::log_end, .limits = {.max_bytes = 1 << 20}});
    if (!found || found->slice.records.size_bytes == 0) return bytes;
    const auto& range = found->slice.records;
    bytes.resize(range.size_bytes);
    base::invariant(range.file->read_at(range.position, bytes.bytes()).ok(), "a log is read");
    return bytes;
  }
  // What a partition's log says, a word per record: "commit 4/0" for a marker, else the value.
  static std::vector<std::string> words_of(replication::Partition& partition) {
    std::vector<std::string> words;
    const auto bytes = log_of(partition);
    protocol::EntryCursor cursor(bytes.bytes());
    while (const auto entry = cursor.next()) {
      const auto batch = entry->batch();
      protocol::RecordReader reader(batch);
      protocol::RecordView record;
      while (reader.next(record)) {
        const auto marker = batch.is_control() ? protocol::parse_txn_marker(record) : std::nullopt;
        if (marker)
          words.push_back(fmt::format("{} {}/{} by {}",
                                      marker->type == protocol::ControlType::commit ? "commit" : "abort",
                                      batch.producer_id(), batch.producer_epoch(), marker->coordinator_epoch));
        else
          words.emplace_back(reinterpret_cast<const char*>(record.value->data()), record.value->size());
      }
    }
    return words;
  }
  // The statuses that __transaction_state tells of, in the order of the log.
  std::vector<TxnStatus> stored() {
    std::vector<TxnStatus> out;
    const auto bytes = log_of(state_partition());
    protocol::EntryCursor cursor(bytes.bytes());
    while (const auto entry = cursor.next()) {
      const auto batch = entry->batch();
      protocol::RecordReader reader(batch);
      protocol::RecordView record;
      while (reader.next(record)) {
        const auto read = read_transaction(record.key, record.value).value();
        out.push_back(read.transaction ? read.transaction->status : TxnStatus::dead);
      }
    }
    return out;
  }

  // Writes in a transaction, as a producer's Produce would after its verification.
  static base::Result<replication::AppendOutcome> write(replication::Partition& partition, const Producer& producer,
                                                        std::int32_t sequence, const std::string& value) {
    return test_support::append(partition, {{value},
                                            test_support::kNoon,
                                            {.producer_id = producer.id,
                                             .producer_epoch = producer.epoch,
                                             .base_sequence = sequence,
                                             .transactional = true}});
  }

  LoneController lone;
  base::Loop coordinators{"coordinators"};
  base::BlockingPool loading{1, "loading"};
  AnsweringPeers peers;
  OtherBrokers others{
      {.network = peers, .metadata = metadata, .loop = coordinators, .listener = "PLAINTEXT", .client_id = "broker-1"}};
  replication::ProducerIds ids{replication::stored_producer_ids(test_support::kSelf, lone.embedded, lone.loop),
                               base::ErrorCode::coordinator_not_available};
  TopicCreation creation{{.settings = settings, .controller = lone.controller(), .others = others}};
  InternalTopics topics{settings, metadata, creation, clock};
  InternalLeadership leadership{coordinators, clock};
  MarkerWriter writer{table, leadership, coordinators, clock};
  RemoteMarkers remote{others, coordinators, 1};
  Markers markers{test_support::kSelf, writer, remote, metadata, coordinators};
  TransactionCoordinator coordinator{{.settings = settings,
                                      .topics = topics,
                                      .ids = ids,
                                      .markers = markers,
                                      .loop = coordinators,
                                      .loading = loading,
                                      .clock = clock}};
};

}  // namespace broker::test
