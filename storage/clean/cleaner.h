// Cleans one log: learns the newest offset of every key in the dirty range, rewrites the segments below its end into
// new ones, and has the log take them in.
//
// Runs beside appends, reads, retention and truncation. It reads files that no longer change, without the partition's
// lock, and asks for the lock twice: to look, and to swap each group of segments in. What happened to the log meanwhile
// is found out then: a log that was cut or given up, or that lost segments, keeps what it has, and the cleaning ends.
//
// Memory: the key map and two buffers as settings say, and one batch unpacked and packed again. Segments are synced
// before they are swapped in; a stop at any instant leaves the log as it was or with whole segments exchanged (log.h,
// swap_in). Only when all are exchanged the log counts as clean up to there.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/file_system.h"
#include "base/random.h"
#include "storage/clean/filter.h"
#include "storage/clean/plan.h"
#include "storage/log/log.h"

namespace storage {

// Runs the call with the log under its owner's lock. False, and no call: there is no such log.
using WithLog = std::function<bool(const TopicPartition& partition, const std::function<void(Log&)>& call)>;

struct CleanerServices {
  base::FileSystem& files;
  base::Clock& clock;
  base::Random& random;
  WithLog with_log;
  // After so many bytes were read or written: waits as the throttle asks. False: stop.
  std::function<bool(std::size_t bytes)> go_on;
};

struct CleanerMemory {
  std::size_t key_bytes = 128 << 20;     // log.cleaner.dedupe.buffer.size, this cleaner's part
  double load_factor = 0.9;              // log.cleaner.io.buffer.load.factor
  std::size_t buffer_bytes = 512 << 10;  // log.cleaner.io.buffer.size, this cleaner's part
};

// A log as it was looked at: what can be known of it without its lock.
struct LogLook {
  LogOutline outline;
  std::string directory;
  std::shared_ptr<DirectoryHealth> health;
  std::shared_ptr<const LogMarks> marks;
  RecoveryPoint::Ticket ticket;

  bool current() const { return marks->recovery_point.current(ticket); }
};
std::optional<LogLook> look_at(const WithLog& with_log, const TopicPartition& partition);

// The part of the log that may be cleaned now; reads time indexes when the topic has a shortest lag.
base::Result<DirtyRange> find_dirty_range(base::FileSystem& files, const LogLook& look, const CleanSettings& settings,
                                          Timestamp now);
// The first batch's timestamp of the oldest dirty segment; reads one header per dirty segment.
base::Result<std::optional<Timestamp>> find_oldest_dirty(base::FileSystem& files, const LogLook& look,
                                                         const DirtyRange& range);

struct CleanReport {
  DirtyRange range;
  Offset cleaned_to;  // below range.to when the key map was full
  std::size_t keys = 0;
  std::size_t segments_before = 0;
  std::size_t segments_after = 0;
  std::uint64_t bytes_before = 0;
  std::uint64_t bytes_after = 0;
  std::uint64_t mapped_bytes = 0;
  std::uint64_t mapped_records = 0;
  std::uint64_t records_kept = 0;
  base::Duration mapping{};
  base::Duration copying{};
};

struct CleanOutcome {
  enum class Kind {
    cleaned,
    given_up,     // the log changed under us, a stop was asked for, or the disk has no room: another time
    uncleanable,  // something in the log cannot be read; trying again would not help
    disk_failed,  // and the directory was retired
  };
  Kind kind = Kind::cleaned;
  std::string why = {};
  CleanReport report = {};
};

// One thread at a time.
class Cleaner {
 public:
  explicit Cleaner(CleanerServices services) : services_(std::move(services)) {}

  CleanOutcome clean(const TopicPartition& partition, const CleanSettings& settings, const CleanerMemory& memory);

 private:
  CleanerServices services_;
};

}  // namespace storage
