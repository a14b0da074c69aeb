#include <algorithm>

#include "broker/host.h"
#include "broker/parts/parts.h"
#include "broker/stored_settings.h"
#include "broker/telemetry/broker_metrics.h"
#include "replication/coordination/znodes.h"

namespace broker {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kLookAtMoves{500};  // those that wait for followers
constexpr milliseconds kLookAtSpaceEvery{1000};

// Segments that nobody writes to: up to three files each. The rest is for active ones and for connections.
std::size_t most_open_segments() { return std::clamp<std::size_t>(open_files_limit() / 16, 16, 4096); }

}  // namespace

Status Broker::Parts::open_directories() {
  dirs = std::make_unique<storage::LogDirs>(
      files, clock, file().data_directories(),
      [this](const std::string& path, const base::Error& why) { directory_failed(path, why); });
  return dirs->open();
}

void Broker::Parts::directory_failed(const std::string& path, const base::Error& why) {
  log.error(
      "Stopping serving logs in dir {}: {}. Its partitions are offline until the disk is mended and the broker "
      "restarted.",
      path, why.text());
  if (joined) {
    replica_thread.submit([this] { replicas->directory_failed(); });
    tell_of_failed_directory();
  } else if (logs_open) {
    lost_while_joining = true;
  }
  if (!dirs || !dirs->online().empty()) return;
  log.error("Shutdown broker because all log dirs have failed");
  cannot_go_on();
}

// The controller then asks which partitions this broker can still lead. Of a directory dead from the start it learns by
// our answer to its first announcement.
void Broker::Parts::tell_of_failed_directory() {
  std::vector<replication::Operation> event;
  event.push_back(replication::Create{.path = replication::paths::log_dir_event_prefix(),
                                      .data = encode(replication::LogDirEventNode{.broker = id}),
                                      .mode = replication::CreateMode::persistent_sequential});
  store->commit(std::move(event), [this](const replication::CommitReply& reply) {
    if (reply.code == replication::StoreCode::session_expired) return tell_of_failed_directory();
    if (!reply.ok() && reply.code != replication::StoreCode::closed)
      log.error("The controller could not be told of a failed log directory: {}", store_code_name(reply.code));
  });
}

Status Broker::Parts::open_logs() {
  const storage::LogSetOptions options{
      .recovery_threads_per_dir = static_cast<std::size_t>(file().num_recovery_threads_per_data_dir),
      .recovery_point_interval = milliseconds(file().log_flush_offset_checkpoint_interval_ms),
      .log_start_interval = milliseconds(file().log_flush_start_offset_checkpoint_interval_ms),
      .high_watermark_interval = milliseconds(file().replica_high_watermark_checkpoint_interval_ms),
      .most_open_segments = most_open_segments()};
  const storage::LogServices services{
      .files = files, .clock = clock, .random = random, .in_background = [this](std::function<void()> work) {
        pool.submit(work);
      }};
  logs = std::make_unique<storage::LogSet>(services, *dirs, options, [this](const std::string& topic) {
    return storage::LogSettings::from(*settings.snapshot()->topic(topic));
  });
  if (auto s = logs->open(); !s) return s;
  logs_open = true;
  replicas = std::make_unique<replication::Replicas>(
      id, *logs, partitions, settings, pool,
      [this](std::function<void()> work) { replica_thread.submit(std::move(work)); },
      [this](const std::vector<std::string>& topics) { return load_overrides(*blocking, "topics", topics); });
  const auto movers = file().num_replica_alter_log_dirs_threads;
  moves = std::make_unique<replication::LogMoves>(
      *logs, clock, movers ? static_cast<std::size_t>(std::max(*movers, 1)) : dirs->all().size());
  moves->limit(settings.snapshot()->broker->replica_alter_log_dirs_io_max_bytes_per_second);
  moves->start();
  replicas->use(*moves);
  groups = std::make_unique<GroupCoordinator>(
      GroupSettings::from(file()),
      GroupCoordinator::Parts{
          .metadata = metadata, .clock = clock, .random = random, .loop = coordinators, .loading = loading});
  leadership.use_for_groups(groups->calls());
  groups->start();
  replicas->on_leadership([this](const replication::LeadershipNews& news) { leadership.learn(news); });
  make_replication();
  add_directory_metrics(metrics, *dirs, *logs);
  add_partition_metrics(metrics, partitions, *replicas);
  logs->run_every(kLookAtMoves, [this] { moves->look_again(); });
  settings.subscribe([this](const config::SettingsChange& change, const std::shared_ptr<const config::Snapshot>& now) {
    replicas->settings_changed(change, *now);
    moves->limit(now->broker->replica_alter_log_dirs_io_max_bytes_per_second);
  });
  // As with Kafka, flush.ms is looked at only where log.flush.scheduler.interval.ms was set.
  if (file().log_flush_scheduler_interval_ms <= milliseconds(std::chrono::years(1)).count())
    logs->run_every(milliseconds(file().log_flush_scheduler_interval_ms), [this] { replicas->flush_overdue(); });
  logs->run_every(milliseconds(file().producer_id_expiration_check_interval_ms), [this] {
    replicas->remove_expired_producers(clock.wall(),
                                       milliseconds(settings.snapshot()->broker->producer_id_expiration_ms));
  });
  logs->run_every(milliseconds(file().log_retention_check_interval_ms),
                  [this] { replicas->apply_retention(clock.wall()); });
  space = std::make_unique<storage::SpaceWatch>(files, clock, dirs->all(), [this] {
    return static_cast<std::uint64_t>(settings.snapshot()->broker->log_dir_min_free_bytes);
  });
  space->check();
  logs->run_every(kLookAtSpaceEvery, [this] { space->check(); });
  logs->start();
  // From here on everything goes on beside it: this broker is registered, told what it leads, and leads each partition
  // as soon as its log is open.
  logs->start_loading();
  start_cleaner();
  return {};
}

void Broker::Parts::start_cleaner() {
  if (!file().log_cleaner_enable) return;
  using storage::CleanServiceSettings;
  cleaner = std::make_unique<storage::CleanService>(
      storage::CleanServiceParts{
          .files = files,
          .clock = clock,
          .random = random,
          .partitions = [this] { return logs->partitions(); },
          .settings_of = [this](const std::string& topic) -> std::optional<storage::CleanSettings> {
            const auto topic_settings = settings.snapshot()->topic(topic);
            if (!topic_settings->compacts()) return std::nullopt;
            return storage::CleanSettings::from(*topic_settings);
          },
          .with_log =
              [this](const base::TopicPartition& name, const std::function<void(storage::Log&)>& call) {
                const auto partition = partitions.find(name.topic, name.partition);
                return partition && partition->with_log(call);
              },
          .cleaned =
              [this](const std::shared_ptr<storage::DirectoryHealth>& directory) {
                logs->checkpoint_cleaned(directory);
              }},
      CleanServiceSettings::from(*settings.snapshot()->broker));
  add_cleaner_metrics(metrics, *cleaner);
  settings.subscribe([this](const config::SettingsChange&, const std::shared_ptr<const config::Snapshot>& now) {
    cleaner->change_settings(CleanServiceSettings::from(*now->broker));
  });
  cleaner->start();
}

}  // namespace broker
