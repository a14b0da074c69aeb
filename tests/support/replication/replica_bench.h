// Replicas of one broker on real directories, without a controller: what it would announce is told by hand.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/loop.h"
#include "base/posix_files.h"
#include "base/random.h"
#include "config/dynamic.h"
#include "protocol/records/builder.h"
#include "replication/partition/replicas.h"
#include "storage/dirs/log_dirs.h"
#include "storage/dirs/log_set.h"
#include "tests/support/replication/asked_isr_changes.h"
#include "tests/support/storage/temporary_directory.h"

namespace test_support {

inline constexpr base::BrokerId kSelf{1};
inline constexpr base::BrokerId kOther{2};
inline constexpr base::Timestamp kNoon = base::timestamp_from_ms(1'700'000'000'000);  // what a ManualClock begins with

struct BatchText {
  std::vector<std::string> values;
  base::Timestamp timestamp = kNoon;
  protocol::BatchSpec spec = {};
};

inline base::Buffer batch_of(const BatchText& what) {
  protocol::BatchBuilder builder(what.spec);
  for (const auto& value : what.values)
    builder.add(
        {.timestamp = what.timestamp, .key = base::as_bytes("k"), .value = base::as_bytes(value), .headers = {}});
  return std::move(builder).build().value();
}

// Appends as a client's produce would.
inline base::Result<replication::AppendOutcome> append(replication::Partition& partition, const BatchText& what,
                                                       replication::Acks acks = replication::Acks::all) {
  auto bytes = batch_of(what);
  auto admission =
      storage::admit({.records = bytes.bytes(), .version = 9, .now = what.timestamp, .partition = partition.text()},
                     partition.settings()->admission);
  base::invariant(std::holds_alternative<storage::Admitted>(admission), "the batches of a test are admitted");
  return partition.append(std::get<storage::Admitted>(admission), acks);
}

struct CountingWaiter final : replication::Waiter {
  void wake() override { ++woken; }
  std::atomic<int> woken{0};
};

class ReplicaBench {
 public:
  explicit ReplicaBench(std::size_t directories = 1) { start(directories); }
  ~ReplicaBench() {
    replicas->stop_all();
    (void)logs->close(replicas->release_all());
  }

  struct Told {
    std::string topic = "orders";
    base::PartitionIndex partition = 0;
    base::LeaderEpoch leader_epoch{0};
    base::BrokerId leader = kSelf;
    std::vector<base::BrokerId> replicas = {kSelf};
    std::vector<base::BrokerId> isr = {};  // empty: all replicas
    bool is_new = true;
    base::Uuid topic_id{};
    std::int32_t partition_epoch = 0;
  };
  static replication::PartitionState state(const Told& told) {
    return {.topic = told.topic,
            .topic_id = told.topic_id,
            .partition = told.partition,
            .leader = told.leader,
            .leader_epoch = told.leader_epoch,
            .isr = told.isr.empty() ? told.replicas : told.isr,
            .partition_epoch = told.partition_epoch,
            .replicas = told.replicas,
            .is_new = told.is_new};
  }
  replication::AnnouncementReply tell(const Told& told, std::int32_t controller_epoch = 1) {
    return replicas->lead_or_follow(
        {.from = {.controller = kSelf, .controller_epoch = controller_epoch}, .partitions = {state(told)}});
  }
  replication::AnnouncementReply stop_replica(replication::StoppedReplica stopped, std::int32_t controller_epoch = 1) {
    return replicas->stop(
        {.from = {.controller = kSelf, .controller_epoch = controller_epoch}, .partitions = {std::move(stopped)}});
  }
  // Exactly these brokers are alive.
  void let_live(const std::vector<base::BrokerId>& ids, std::int64_t epoch = -1) {
    metadata.update([&](replication::ClusterMetadata& cluster) {
      replication::UpdateMetadata update;
      for (const auto id : ids) update.brokers.push_back({.id = id, .epoch = epoch});
      cluster.apply(update);
    });
  }
  std::shared_ptr<replication::Partition> lead(const Told& told) {
    const auto reply = tell(told);
    base::invariant(reply.partitions.empty(), "the partition was taken");
    return table.find(told.topic, told.partition);
  }

  support::TemporaryDirectory root;
  base::PosixFiles files;
  base::ManualClock clock;
  base::SystemRandom random;
  replication::MetadataCache metadata;  // nobody is alive until it says so
  AskedIsrChanges isr_changes;
  replication::LeaderServices leading{clock, metadata, isr_changes, std::chrono::seconds(30)};
  std::map<std::string, config::Texts> overrides;  // what the store holds for topics
  std::map<std::string, base::Error> unreadable;
  std::vector<std::vector<std::string>> questions;  // what the store was asked for
  config::DynamicSettings settings{config::BrokerSettings(), [] { return std::string("localhost"); }};
  replication::PartitionTable table;
  std::unique_ptr<storage::LogDirs> dirs;
  std::unique_ptr<storage::LogSet> logs;
  base::BlockingPool pool{4, "bench"};
  std::unique_ptr<replication::Replicas> replicas;

 private:
  base::Result<config::Texts> stored(const std::string& topic) const {
    if (const auto why = unreadable.find(topic); why != unreadable.end()) return why->second;
    const auto found = overrides.find(topic);
    return found == overrides.end() ? config::Texts{} : found->second;
  }
  void start(std::size_t directories) {
    std::vector<std::string> paths;
    for (std::size_t i = 0; i < directories; ++i) paths.push_back(root.file("data" + std::to_string(i)));
    dirs = std::make_unique<storage::LogDirs>(files, clock, paths, [](const std::string&, const base::Error&) {});
    base::invariant(dirs->open().ok() && dirs->claim({kSelf, "cluster"}).ok(), "fresh directories open");
    logs = std::make_unique<storage::LogSet>(
        storage::LogServices{.files = files,
                             .clock = clock,
                             .random = random,
                             .in_background = [](const std::function<void()>& work) { work(); }},
        *dirs, storage::LogSetOptions{}, [](const std::string&) { return storage::LogSettings{}; });
    base::invariant(logs->load().ok(), "fresh directories load");
    replicas = std::make_unique<replication::Replicas>(
        kSelf, *logs, table, settings, pool, [](const std::function<void()>& work) { work(); },
        [this](const std::vector<std::string>& topics) {
          questions.push_back(topics);
          std::vector<base::Result<config::Texts>> found;
          for (const auto& topic : topics) found.push_back(stored(topic));
          return found;
        });
    replicas->use(leading);
    pool.start();
    settings.subscribe([this](const auto& change, const auto& now) { replicas->settings_changed(change, *now); });
  }
};

}  // namespace test_support
