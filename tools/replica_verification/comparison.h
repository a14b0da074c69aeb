// Whether all replicas of a partition hold the same batches. Pure.
//
// Each round fetches from the same offset of every replica and compares what came, batch by batch, up to the lowest
// high watermark; the next round begins behind what all of them have shown.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/ids.h"

namespace tools {

// What one replica answered. A replica that could not be asked has no bytes.
struct ReplicaData {
  base::Offset high_watermark{-1};
  std::span<const std::byte> bytes;  // entries of any magic; the last one may be cut short
};
using ReplicaAnswers = std::map<base::BrokerId, ReplicaData>;

struct Comparison {
  base::Offset verified_to;               // where the next round begins
  std::int64_t lag = 0;                   // from there to the highest high watermark
  std::vector<std::string> mismatches;    // lines for the user, without the date
  std::optional<std::string> misaligned;  // offsets differ: what follows cannot be compared
};

// `from`: where all of `answers` begin. A replica whose bytes are no entries counts as misaligned.
Comparison compare_replicas(const base::TopicPartition& partition, base::Offset from, const ReplicaAnswers& answers);

}  // namespace tools
