#include "protocol/internal/java_hash.h"

#include <cstdlib>
#include <limits>

namespace protocol {
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

std::int32_t internal_partition(std::string_view key, std::int32_t partition_count) {
  const auto hash = java_hash(key);
  return hash == std::numeric_limits<std::int32_t>::min() ? 0 : std::abs(hash) % partition_count;
}

}  // namespace protocol
