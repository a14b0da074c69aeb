// Kafka's small text files: offsets per partition (four kinds, one form), leader epochs, and a topic's id.
//
//   0                      version
//   2                      number of rows
//   orders 0 1234          one row a line: <topic> <partition> <offset>, or <epoch> <start offset>
//   orders 1 99
//
// A file of no bytes is a table without rows: Kafka creates its checkpoints that way. Anything else that does not fit
// is an error naming the line, never a guess: an offset read wrongly deletes or hides data.
// All writes are atomic (base::write_file_atomically).
#pragma once

#include <absl/container/btree_map.h>
#include <absl/functional/function_ref.h>

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/file_system.h"
#include "base/ids.h"
#include "base/uuid.h"

namespace storage {

// In every log directory.
inline constexpr std::string_view kRecoveryPointCheckpoint = "recovery-point-offset-checkpoint";
inline constexpr std::string_view kLogStartCheckpoint = "log-start-offset-checkpoint";
inline constexpr std::string_view kHighWatermarkCheckpoint = "replication-offset-checkpoint";
inline constexpr std::string_view kCleanerCheckpoint = "cleaner-offset-checkpoint";
// In every partition's directory.
inline constexpr std::string_view kLeaderEpochCheckpoint = "leader-epoch-checkpoint";
inline constexpr std::string_view kPartitionMetadata = "partition.metadata";

// Calls `take_row` with the fields of each row; they borrow from `text`. What take_row refuses gets its line number.
base::Status parse_text_table(std::string_view text, std::size_t columns,
                              absl::FunctionRef<base::Status(std::span<const std::string_view>)> take_row);
std::string format_text_table(std::size_t rows, absl::FunctionRef<void(std::string& out)> write_rows);

using OffsetCheckpoint = absl::btree_map<base::TopicPartition, base::Offset>;

base::Result<OffsetCheckpoint> parse_offset_checkpoint(std::string_view text);
std::string format_offset_checkpoint(const OffsetCheckpoint& offsets);

// A missing file is an empty checkpoint. Errors name the file.
base::Result<OffsetCheckpoint> load_offset_checkpoint(base::FileSystem& files, const std::string& path);
base::Status store_offset_checkpoint(base::FileSystem& files, const std::string& path, const OffsetCheckpoint& offsets);

//   version: 0
//   topic_id: 2Hk5vVpzTkW0jhYG2WGA3A      (no newline at the end)
base::Result<base::Uuid> parse_partition_metadata(std::string_view text);
std::string format_partition_metadata(const base::Uuid& topic_id);

// Nothing when the partition has no such file: topics from before 2.8 have no id.
base::Result<std::optional<base::Uuid>> load_partition_metadata(base::FileSystem& files, const std::string& path);
base::Status store_partition_metadata(base::FileSystem& files, const std::string& path, const base::Uuid& topic_id);

// Contents of a small file, nothing when it is not there.
base::Result<std::optional<std::string>> read_file_if_there(base::FileSystem& files, const std::string& path);
// The same error with the file's name in front of its detail.
base::Error in_file(const std::string& path, const base::Error& error);

// The whole of `text` as a number that is not negative.
template <std::integral T>
base::Result<T> parse_number(std::string_view text);

}  // namespace storage
