// File and directory names of a log directory, both directions.
//
//   <topic>-<p>                      a live replica; split at the last '-'
//   <topic>-<p>.<32 hex>-delete      waits for removal; the topic is cut so that the name fits 255 bytes
//   <topic>-<p>.<32 hex>-future      target of a move between directories
//   <topic>-<p>.<32 hex>-stray       left by a migration to KRaft: not ours to touch
//   NNNNNNNNNNNNNNNNNNNN.<kind>      20 digits: the segment's base offset (of a snapshot: the next offset to be read)
//   ... + .deleted | .cleaned | .swap    a state between two steps (on-disk formats, section 3)
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/ids.h"

namespace base {
class Random;
}

namespace storage {

using base::Offset;
using base::TopicPartition;

enum class FileKind { data, offset_index, time_index, txn_index, snapshot };
enum class FileSuffix { none, deleted, cleaned, swap };

struct PartitionFile {
  Offset base{};
  FileKind kind = FileKind::data;
  FileSuffix suffix = FileSuffix::none;

  bool operator==(const PartitionFile&) const = default;
};

std::string file_name(Offset base, FileKind kind, FileSuffix suffix = FileSuffix::none);
// Nothing for a name that is not one of these, e.g. "partition.metadata".
std::optional<PartitionFile> parse_file_name(std::string_view name);

enum class DirectoryKind { live, deleted, future, stray };

struct PartitionDirectory {
  TopicPartition partition;  // of a deleted one the topic may be cut short
  DirectoryKind kind = DirectoryKind::live;

  bool operator==(const PartitionDirectory&) const = default;
};

std::string directory_name(const TopicPartition& partition);
// A fresh name: 32 random hex digits keep two deletions of one topic apart.
std::string directory_name(const TopicPartition& partition, DirectoryKind kind, base::Random& random);
std::optional<PartitionDirectory> parse_directory_name(std::string_view name);

// 1 to 249 of [a-zA-Z0-9._-], not "." or "..".
bool is_topic_name(std::string_view name);

}  // namespace storage
