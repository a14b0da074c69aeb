// The order in which Kafka's tools list members and partitions: that of Scala's mutable hash tables, which is not
// random but follows from the hash codes. With it our output equals theirs line by line. Pure.
//
// Source: scala.collection.mutable.HashMap of Scala 2.13: a power of two of buckets, three quarters full at most, a
// bucket sorted by hash; the upper half of a hash code is mixed into the lower.
#pragma once

#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "protocol/internal/java_hash.h"

namespace tools {

using protocol::java_hash;
// org.apache.kafka.common.TopicPartition.hashCode.
std::int32_t java_hash(std::string_view topic, std::int32_t partition);

// How a hash table with these keys is walked.
class HashOrder {
 public:
  // `together` entries are about to be added at once.
  void expect(std::size_t together);
  // Keys are added once each, in any order but that of equal hashes.
  void add(std::int32_t java_hash_code);
  // Positions of the added keys, in the order of the walk.
  std::vector<std::size_t> order() const;

 private:
  std::size_t buckets_ = 16;
  std::vector<std::int32_t> hashes_;
};

}  // namespace tools
