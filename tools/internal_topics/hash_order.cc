#include "tools/internal_topics/hash_order.h"

#include <algorithm>
#include <bit>
#include <numeric>

namespace tools {
namespace {

// The code point at the front of `text`, which is shortened; bytes that are not UTF-8 count as U+FFFD, as in Java.
std::uint32_t take_code_point(std::string_view& text) {
  constexpr std::uint32_t kReplacement = 0xfffd;
  const auto first = static_cast<unsigned char>(text.front());
  text.remove_prefix(1);
  if (first < 0x80) return first;
  const std::size_t more = first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : first >= 0xc0 ? 1 : 0;
  if (more == 0 || text.size() < more) return kReplacement;
  std::uint32_t point = first & (0x3fu >> more);
  for (std::size_t i = 0; i < more; ++i) point = point << 6 | (static_cast<unsigned char>(text[i]) & 0x3fu);
  text.remove_prefix(more);
  return point;
}

}  // namespace

std::int32_t java_hash(std::string_view text) {
  std::uint32_t hash = 0;
  while (!text.empty()) {
    const auto point = take_code_point(text);
    if (point >= 0x10000) hash = hash * 31 + (0xd800 + ((point - 0x10000) >> 10));
    hash = hash * 31 + (point >= 0x10000 ? 0xdc00 + ((point - 0x10000) & 0x3ff) : point);
  }
  return static_cast<std::int32_t>(hash);
}

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
