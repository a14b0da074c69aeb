#include "tools/internal_topics/hash_order.h"

#include <algorithm>
#include <bit>
#include <numeric>

namespace tools {
std::int32_t java_hash(std::string_view topic, std::int32_t partition) {
  const auto hash = (31u + static_cast<std::uint32_t>(partition)) * 31u + static_cast<std::uint32_t>(java_hash(topic));
  return static_cast<std::int32_t>(hash);
}

void HashOrder::expect(std::size_t together) {
  const auto capacity = (together + 1) * 4 / 3;
  buckets_ = std::max(buckets_, std::bit_floor(std::max<std::size_t>(capacity - 1, 4)) * 2);
}

void HashOrder::add(std::int32_t java_hash_code) {
  if (hashes_.size() + 1 >= buckets_ * 3 / 4) buckets_ *= 2;
  const auto hash = static_cast<std::uint32_t>(java_hash_code);
  hashes_.push_back(static_cast<std::int32_t>(hash ^ hash >> 16));
}

std::vector<std::size_t> HashOrder::order() const {
  std::vector<std::size_t> positions(hashes_.size());
  std::iota(positions.begin(), positions.end(), std::size_t{0});
  const auto bucket = [&](std::size_t i) { return static_cast<std::uint32_t>(hashes_[i]) & (buckets_ - 1); };
  std::stable_sort(positions.begin(), positions.end(), [&](std::size_t a, std::size_t b) {
    return std::pair(bucket(a), hashes_[a]) < std::pair(bucket(b), hashes_[b]);
  });
  return positions;
}

}  // namespace tools
