// Opening a partition log after a clean or a broken stop, and making a new one.
//
// After a clean stop no segment is read: names, one file size per segment, and the small checkpoint files tell all.
// After any other stop every segment that holds or lies above the recovery point is read, checked, and its indexes are
// written anew; the log ends before the first entry that is not whole and sound.
//
// Waits for the disk. Any thread, one per log, which others may help (segment_recovery.h).
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "storage/log/log.h"
#include "storage/log/segment_recovery.h"

namespace storage {

struct LoadRequest {
  TopicPartition partition;
  std::string directory;
  std::shared_ptr<DirectoryHealth> health;
  LogSettings settings;
  bool clean_stop = false;
  // From the checkpoints of the log directory; nothing when they do not list this partition.
  std::optional<Offset> recovery_point;
  std::optional<Offset> log_start;
  std::optional<Offset> high_watermark;
  std::optional<Offset> cleaned_to = std::nullopt;
  LoadCrew crew{};
};

struct LoadedLog {
  std::unique_ptr<Log> log;
  std::size_t recovered_segments = 0;
  std::uint64_t recovered_bytes = 0;
  std::uint64_t dropped_bytes = 0;  // behind the last sound entry, later segments included
  std::string why_dropped;
};

Result<LoadedLog> load_log(const LogServices& services, LoadRequest request);

// How much of a log would be read after a broken stop.
Result<std::uint64_t> bytes_to_recover(FileSystem& files, const std::string& directory, Offset recovery_point);

struct CreateRequest {
  TopicPartition partition;
  std::string directory;  // does not exist yet
  std::shared_ptr<DirectoryHealth> health;
  LogSettings settings;
  std::optional<base::Uuid> topic_id;
};
Result<std::unique_ptr<Log>> create_log(const LogServices& services, CreateRequest request);

}  // namespace storage
