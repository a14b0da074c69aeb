#include "storage/log/retention.h"

namespace storage {
namespace {

using base::Result;
using MayGo = absl::FunctionRef<Result<bool>(std::size_t, const RetentionSegment&)>;

Result<std::size_t> count_front(const RetentionView& log, MayGo may_go) {
  for (std::size_t i = 0; i < log.segments; ++i) {
    const auto segment = log.segment(i);
    const bool empty_last = i + 1 == log.segments && segment.size_bytes == 0;
    if (log.high_watermark < segment.end || empty_last) return i;
    auto goes = may_go(i, segment);
    if (!goes) return goes.error();
    if (!*goes) return i;
  }
  return log.segments;
}

Result<std::size_t> count_expired(const RetentionView& log, std::chrono::milliseconds max_age, base::Timestamp now) {
  return count_front(log, [&](std::size_t i, const RetentionSegment&) -> Result<bool> {
    auto youngest = log.youngest(i);
    if (!youngest) return youngest.error();
    return now - *youngest > max_age;
  });
}

Result<std::size_t> count_oversize(const RetentionView& log, std::uint64_t max_bytes) {
  const auto size = log.size_bytes();
  if (size < max_bytes) return std::size_t{0};
  auto excess = size - max_bytes;
  return count_front(log, [&](std::size_t, const RetentionSegment& segment) -> Result<bool> {
    if (segment.size_bytes > excess) return false;
    excess -= segment.size_bytes;
    return true;
  });
}

Result<std::size_t> count_below_start(const RetentionView& log) {
  return count_front(log, [&](std::size_t i, const RetentionSegment& segment) -> Result<bool> {
    return i + 1 < log.segments && segment.end <= log.log_start;
  });
}

}  // namespace

Result<Deletable> find_deletable(const RetentionRules& rules, const RetentionView& log, base::Timestamp now) {
  if (rules.deletes && rules.max_age) {
    auto count = count_expired(log, *rules.max_age, now);
    if (!count) return count.error();
    if (*count > 0) return Deletable{*count, RetentionReason::time};
  }
  if (rules.deletes && rules.max_bytes) {
    auto count = count_oversize(log, *rules.max_bytes);
    if (!count) return count.error();
    if (*count > 0) return Deletable{*count, RetentionReason::size};
  }
  auto count = count_below_start(log);
  if (!count) return count.error();
  return Deletable{*count, RetentionReason::log_start};
}

}  // namespace storage
