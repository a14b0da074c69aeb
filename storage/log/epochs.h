// Which leader epoch began at which offset. Leaders and followers compare these to find where their logs diverge
// (KIP-101, KIP-279).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/file_system.h"
#include "base/ids.h"

namespace storage {

struct EpochStart {
  base::LeaderEpoch epoch = base::kNoLeaderEpoch;
  base::Offset start;

  bool operator==(const EpochStart&) const = default;
};

// Where an epoch ended: the answer of OffsetForLeaderEpoch. Both -1: cannot be told.
struct EpochEnd {
  base::LeaderEpoch epoch = base::kNoLeaderEpoch;
  base::Offset end = base::kNoOffset;

  bool operator==(const EpochEnd&) const = default;
};

// The rules, without the file. Epochs and start offsets both rise from entry to entry. Mutators tell whether anything
// changed.
class EpochTable {
 public:
  // A leader of `epoch` writes from `start` on. Entries this contradicts are dropped: the newer statement is the
  // leader's. Negative epochs (records of clients, or from before epochs existed) say nothing.
  bool assign(base::LeaderEpoch epoch, base::Offset start);
  bool truncate_from_end(base::Offset log_end);
  // The epoch that holds `log_start` then begins there.
  bool truncate_from_start(base::Offset log_start);
  bool clear();

  // The greatest epoch <= `epoch` and the offset after its last record. Unknown for epochs from the future; an epoch
  // older than the first entry ended where that begins.
  EpochEnd end_offset_for(base::LeaderEpoch epoch, base::Offset log_end) const;
  // The epoch under which the record at `offset` was written.
  std::optional<base::LeaderEpoch> epoch_at(base::Offset offset) const;
  std::optional<EpochStart> latest() const;
  const std::vector<EpochStart>& entries() const { return entries_; }

  static base::Result<EpochTable> parse(std::string_view text);
  std::string format() const;

 private:
  std::vector<EpochStart> entries_;
};

// The table with its file, which is rewritten only when the table changes. Memory changes first: after a failed write
// the log directory is retired, unless the disk was full; then the next change, or save(), writes both.
// Guarded by the lock of the partition that owns the log.
class LeaderEpochs {
 public:
  // A missing file is an empty table.
  static base::Result<LeaderEpochs> load(base::FileSystem& files, std::string path);

  base::Status assign(base::LeaderEpoch epoch, base::Offset start) { return save_if(table_.assign(epoch, start)); }
  base::Status truncate_from_end(base::Offset log_end) { return save_if(table_.truncate_from_end(log_end)); }
  base::Status clear() { return save_if(table_.clear()); }
  // What recovery read from the batches themselves.
  base::Status replace(EpochTable table);
  // At start: epochs that began at the log end have no records. The file keeps them until the next change of any kind,
  // because the next start would drop them again: a thousand partitions need not wait for the disk.
  void drop_unwritten(base::Offset log_end) { file_is_behind_ |= table_.truncate_from_end(log_end); }
  // The log start moved up. The file follows with the next change or save(): every start clips it like this anyway, and
  // the next append must not have to write it.
  void forget_below(base::Offset log_start) { file_has_the_past_ |= table_.truncate_from_start(log_start); }
  base::Status save() { return save_if(file_has_the_past_); }
  // The directory was renamed.
  void moved_to(std::string path) { path_ = std::move(path); }

  const EpochTable& table() const { return table_; }

 private:
  LeaderEpochs(base::FileSystem& files, std::string path, EpochTable table)
      : files_(&files), path_(std::move(path)), table_(std::move(table)) {}
  base::Status save_if(bool changed);

  base::FileSystem* files_;  // never null; outlives this
  std::string path_;
  EpochTable table_;
  bool file_is_behind_ = false;     // of what must be written before the next record
  bool file_has_the_past_ = false;  // of what need not
};

}  // namespace storage
