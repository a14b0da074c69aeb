#include "storage/log/loader.h"

#include <algorithm>
#include <map>
#include <set>

#include "storage/dirs/checkpoints.h"
#include "storage/log/leftovers.h"
#include "storage/log/producer_replay.h"
#include "storage/log/producer_snapshot.h"

namespace storage {
namespace {

using base::ErrorCode;
using base::fail;

// One log being opened. The steps are those of the on-disk formats, section 5, in their order.
class Loader {
 public:
  Loader(const LogServices& services, LoadRequest request)
      : services_(services), files_(services.files), request_(std::move(request)) {}

  Result<LoadedLog> run();

 private:
  using FilesByBase = std::map<Offset, std::set<FileKind>>;

  Status open_segments(const FilesByBase& present);
  Status repair_indexes(Segment& segment, const std::set<FileKind>& present);
  Status find_end_after_clean_stop();
  Status recover_from(std::size_t first);
  Status drop_segments_from(std::size_t i);
  Status start_empty_at(Offset base);
  Status settle_offsets();
  Status settle_epochs();
  Status settle_producers();
  Status remove_stray_snapshots();
  std::string path(std::string_view name) const { return request_.directory + "/" + std::string(name); }

  const LogServices& services_;
  FileSystem& files_;
  LoadRequest request_;
  LoadedLog result_;
  SegmentList segments_;
  std::set<Offset> snapshots_;
  std::optional<LeaderEpochs> epochs_;
  EpochTable epoch_table_;
  Producers producers_;
  bool producers_known_ = false;
  bool snapshot_at_end_ = false;
  Offset log_start_;
  Offset log_end_;
};

Result<LoadedLog> Loader::run() {
  auto present = clear_leftovers(files_, request_.directory);
  if (!present) return present.error();
  auto epochs = LeaderEpochs::load(files_, path(kLeaderEpochCheckpoint));
  if (!epochs) return epochs.error();
  epochs_ = std::move(epochs).value();
  epoch_table_ = epochs_->table();
  auto topic_id = load_partition_metadata(files_, path(kPartitionMetadata));
  if (!topic_id) return topic_id.error();

  snapshots_ = std::move(present->snapshots);
  if (auto s = open_segments(present->segments); !s) return s.error();
  if (request_.clean_stop) {
    if (auto s = find_end_after_clean_stop(); !s) return s.error();
  } else if (auto s = recover_from(segments_.find(request_.recovery_point.value_or(Offset{0}))); !s) {
    return s.error();
  }
  if (auto s = settle_offsets(); !s) return s.error();
  if (auto s = settle_epochs(); !s) return s.error();
  if (auto s = settle_producers(); !s) return s.error();

  for (std::size_t i = 0; i + 1 < segments_.size(); ++i) (void)segments_.at(i).close_files();
  const auto recovery_point =
      request_.clean_stop ? log_end_ : std::min(request_.recovery_point.value_or(Offset{0}), log_end_);
  result_.log = std::make_unique<Log>(
      services_,
      Log::Parts{.partition = request_.partition,
                 .directory = request_.directory,
                 .topic_id = *topic_id,
                 .health = request_.health,
                 .settings = request_.settings,
                 .segments = std::move(segments_),
                 .epochs = std::move(*epochs_),
                 .producers = std::move(producers_),
                 .log_start = log_start_,
                 .high_watermark = std::clamp(request_.high_watermark.value_or(log_start_), log_start_, log_end_),
                 .recovery_point = recovery_point,
                 .log_end = log_end_,
                 .snapshot_at_end = snapshot_at_end_,
                 .cleaned_to = request_.cleaned_to.value_or(base::kNoOffset)});
  return std::move(result_);
}

Status Loader::open_segments(const FilesByBase& present) {
  for (const auto& [base, kinds] : present) {
    auto segment = Segment::open(files_, request_.directory, base, request_.settings.index, services_.clock.wall());
    if (!segment) return segment.error();
    segments_.add(std::move(segment).value());
  }
  if (segments_.empty()) return start_empty_at(request_.log_start.value_or(Offset{0}));
  // What recovery is going to read anyway needs no repair.
  const auto sound =
      request_.clean_stop ? segments_.size() : segments_.find(request_.recovery_point.value_or(Offset{0}));
  for (std::size_t i = 0; i < sound; ++i)
    if (auto s = repair_indexes(segments_.at(i), present.at(segments_.at(i).base_offset())); !s) return s;
  return {};
}

Status Loader::repair_indexes(Segment& segment, const std::set<FileKind>& present) {
  if (segment.size_bytes() == 0) return {};
  if (!present.contains(FileKind::offset_index) || !present.contains(FileKind::time_index))
    if (auto s = segment.rebuild_indexes(); !s) return s;
  if (!present.contains(FileKind::txn_index)) return {};
  auto aborted = segment.txn_index().entries();
  if (aborted) return {};
  if (aborted.error().code != ErrorCode::corrupt_message) return aborted.error();
  // Which transactions were aborted here only the batches tell, and what was open before them.
  if (auto s = segment.txn_index().reset(); !s) return s;
  Producers producers;
  if (auto s = rebuild_producers(files_, request_.directory, segments_, segment.base_offset(), producers); !s) return s;
  auto replayed = segment.replay(segment.base_offset(), [&](const protocol::EntryView& entry) -> Status {
    if (!entry.is_batch()) return {};
    if (const auto txn = note_appended(producers, entry.batch())) return segment.txn_index().append(*txn);
    return {};
  });
  if (!replayed) return replayed;
  return segment.write_transactions();
}

Status Loader::find_end_after_clean_stop() {
  auto& active = segments_.active();
  if (active.size_bytes() == 0) {
    log_end_ = active.base_offset();
    return {};
  }
  // An orderly stop leaves two witnesses of the log end: the recovery point and the producers' snapshot. Where both say
  // the same the data need not be asked.
  if (request_.recovery_point && *request_.recovery_point > active.base_offset() &&
      snapshots_.contains(*request_.recovery_point)) {
    log_end_ = *request_.recovery_point;
    return {};
  }
  auto end = active.read_next_offset();
  if (end) {
    log_end_ = *end;
    return {};
  }
  if (end.error().code != ErrorCode::corrupt_message) return end.error();
  return recover_from(segments_.size() - 1);  // somebody stopped us in order and then damaged the file
}

Status Loader::recover_from(std::size_t first) {
  const auto base = segments_.at(first).base_offset();
  if (auto s = rebuild_producers(files_, request_.directory, segments_, base, producers_); !s) return s;
  const auto& crew = request_.crew;
  auto recovery = std::make_shared<SegmentRecovery>(
      SegmentRecovery::Place{files_, request_.directory, segments_, first}, producers_, epoch_table_, crew);
  for (auto left = std::min(crew.helpers, segments_.size() - first - 1); left > 0; --left)
    crew.offer([recovery] { recovery->help(); });
  auto outcome = recovery->finish();
  if (!outcome) return outcome.error();
  log_end_ = outcome->log_end;
  producers_known_ = true;
  snapshots_.insert(outcome->snapshots.begin(), outcome->snapshots.end());
  result_.recovered_segments = outcome->segments;
  result_.recovered_bytes = outcome->bytes;
  result_.dropped_bytes = outcome->dropped_bytes;
  result_.why_dropped = std::move(outcome->why_dropped);
  return outcome->drop_from ? drop_segments_from(*outcome->drop_from) : Status{};
}

Status Loader::drop_segments_from(std::size_t i) {
  auto dropped = segments_.remove_from(i);
  while (!dropped.empty()) {
    if (auto s = dropped.back()->remove_files(); !s) return s;
    dropped.pop_back();
  }
  return {};
}

Status Loader::start_empty_at(Offset base) {
  result_.dropped_bytes += segments_.size_bytes();
  if (auto s = drop_segments_from(0); !s) return s;
  auto segment = Segment::create(files_, request_.directory, base, request_.settings.index, services_.clock.wall());
  if (!segment) return segment.error();
  segments_.add(std::move(segment).value());
  log_end_ = base;
  return {};
}

Status Loader::settle_offsets() {
  if (request_.log_start && log_end_ < *request_.log_start) {
    result_.why_dropped = fmt::format("the log ends at {}, below its start {}", log_end_, *request_.log_start);
    if (auto s = start_empty_at(*request_.log_start); !s) return s;
    epoch_table_.clear();
    producers_.clear();
    producers_known_ = true;
  }
  log_start_ = std::max(request_.log_start.value_or(Offset{0}), segments_.first().base_offset());
  return {};
}

Status Loader::settle_epochs() {
  epoch_table_.truncate_from_end(log_end_);
  epoch_table_.truncate_from_start(log_start_);
  epochs_->drop_unwritten(log_end_);
  if (epoch_table_.entries() == epochs_->table().entries()) return {};
  auto replaced = epochs_->replace(epoch_table_);
  return replaced || !base::is_out_of_space(replaced.error()) ? replaced : Status{};
}

Status Loader::settle_producers() {
  if (auto s = remove_stray_snapshots(); !s) return s;
  if (producers_known_) return {};
  // No snapshot at all after an orderly stop: nothing was ever produced here with an id worth reading the log for.
  if (snapshots_.empty() && request_.clean_stop) return {};
  if (snapshots_.contains(log_end_)) {
    auto entries = load_producer_snapshot(files_, snapshot_path(request_.directory, log_end_));
    if (entries) {
      producers_.restore(*entries);
      snapshot_at_end_ = true;
      return {};
    }
    if (entries.error().code != ErrorCode::corrupt_message) return entries.error();
  }
  return rebuild_producers(files_, request_.directory, segments_, log_end_, producers_);
}

Status Loader::remove_stray_snapshots() {
  std::set<Offset> wanted;
  for (std::size_t i = 0; i < segments_.size(); ++i) wanted.insert(segments_.at(i).base_offset());
  const auto above = snapshots_.upper_bound(log_end_);
  if (above != snapshots_.begin()) wanted.insert(*std::prev(above));  // the latest, wherever it stands
  for (auto at = snapshots_.begin(); at != snapshots_.end();) {
    if (*at <= log_end_ && wanted.contains(*at)) {
      ++at;
      continue;
    }
    if (auto s = files_.remove(snapshot_path(request_.directory, *at)); !s) return s;
    at = snapshots_.erase(at);
  }
  return {};
}

}  // namespace

Result<LoadedLog> load_log(const LogServices& services, LoadRequest request) {
  auto health = request.health;
  const auto crew = request.crew;
  auto loaded = Loader(services, std::move(request)).run();
  if (!loaded && !crew.gives_up()) (void)health->watch(Status(loaded.error()));
  return loaded;
}

Result<std::uint64_t> bytes_to_recover(FileSystem& files, const std::string& directory, Offset recovery_point) {
  auto entries = files.list(directory);
  if (!entries) return entries.error();
  std::map<Offset, std::string> data;
  for (const auto& entry : *entries) {
    const auto file = parse_file_name(entry.name);
    if (file && file->kind == FileKind::data && file->suffix == FileSuffix::none) data.emplace(file->base, entry.name);
  }
  auto from = data.upper_bound(recovery_point);
  if (from != data.begin()) --from;
  std::uint64_t bytes = 0;
  for (; from != data.end(); ++from) {
    auto info = files.info(directory + "/" + from->second);
    if (!info) return info.error();
    bytes += info->size_bytes;
  }
  return bytes;
}

Result<std::unique_ptr<Log>> create_log(const LogServices& services, CreateRequest request) {
  auto& files = services.files;
  auto& health = *request.health;
  if (auto s = health.watch(files.create_directories(request.directory)); !s) return s.error();
  if (request.topic_id) {
    const auto path = request.directory + "/" + std::string(kPartitionMetadata);
    if (auto s = health.watch(store_partition_metadata(files, path, *request.topic_id)); !s) return s.error();
  }
  auto segment = Segment::create(files, request.directory, Offset{0}, request.settings.index, services.clock.wall(),
                                 request.settings.preallocate ? request.settings.segment_bytes : 0);
  if (!segment) {
    (void)health.watch(Status(segment.error()));
    return segment.error();
  }
  auto epochs = LeaderEpochs::load(files, request.directory + "/" + std::string(kLeaderEpochCheckpoint));
  if (!epochs) return epochs.error();
  SegmentList segments;
  segments.add(std::move(segment).value());
  return std::make_unique<Log>(services, Log::Parts{.partition = std::move(request.partition),
                                                    .directory = std::move(request.directory),
                                                    .topic_id = request.topic_id,
                                                    .health = std::move(request.health),
                                                    .settings = request.settings,
                                                    .segments = std::move(segments),
                                                    .epochs = std::move(epochs).value(),
                                                    .producers = {},
                                                    .log_start = Offset{0},
                                                    .high_watermark = Offset{0},
                                                    .recovery_point = Offset{0},
                                                    .log_end = Offset{0},
                                                    .snapshot_at_end = false});
}

}  // namespace storage
