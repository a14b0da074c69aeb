#include "tools/replica_verification/comparison.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/bytes.h"
#include "protocol/records/batch.h"

namespace tools {
namespace {

using base::BrokerId;
using base::Offset;

// The checksum as the entry carries it: CRC-32C of a batch, CRC-32 of an older message.
std::uint32_t checksum_of(const protocol::EntryView& entry) {
  const std::size_t at = entry.is_batch() ? protocol::kBytesUpToMagic : protocol::kEntryPrefixBytes;
  return base::load_big_endian<std::uint32_t>(entry.bytes().data() + at);
}

struct Seen {
  BrokerId replica;
  Offset last_offset;
  Offset next_offset;
  std::uint32_t checksum;
};

}  // namespace

Comparison compare_replicas(const base::TopicPartition& partition, Offset from, const ReplicaAnswers& answers) {
  Comparison result;
  result.verified_to = from;
  Offset highest{-1};
  std::map<BrokerId, protocol::EntryCursor> cursors;
  for (const auto& [replica, data] : answers) {
    highest = std::max(highest, data.high_watermark);
    cursors.emplace(replica, data.bytes);
  }

  bool on_all = !answers.empty();
  while (on_all && !result.misaligned) {
    std::optional<Seen> first;
    for (auto& [replica, cursor] : cursors) {
      const auto entry = cursor.next();
      if (!entry && !cursor.status()) {
        result.misaligned = fmt::format("partition {}: what replica {} holds at offset {} is no batch: {}", partition,
                                        replica, result.verified_to, cursor.status().error().detail);
        break;
      }
      if (!entry || entry->last_offset() >= answers.at(replica).high_watermark) {
        on_all = false;  // the others are read on, so that they are compared as far as they go
        continue;
      }
      const Seen seen{replica, entry->last_offset(), entry->next_offset(), checksum_of(*entry)};
      if (!first) {
        first = seen;
      } else if (first->last_offset != seen.last_offset) {
        result.misaligned = fmt::format("partition {}: replica {}'s offset {} doesn't match replica {}'s offset {}",
                                        partition, first->replica, first->last_offset, replica, seen.last_offset);
        break;
      } else if (first->checksum != seen.checksum) {
        result.mismatches.push_back(
            fmt::format("partition {} has unmatched checksum at offset {}; replica {}'s checksum {}; replica {}'s "
                        "checksum {}",
                        partition, seen.last_offset, first->replica, first->checksum, replica, seen.checksum));
      }
    }
    if (on_all && !result.misaligned) result.verified_to = first->next_offset;
  }
  result.lag = highest - result.verified_to;
  return result;
}

}  // namespace tools
