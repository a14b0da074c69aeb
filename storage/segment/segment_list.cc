#include "storage/segment/segment_list.h"

#include <algorithm>
#include <iterator>

#include "base/check.h"

namespace storage {

std::size_t SegmentList::find(Offset offset) const {
  // Nearly every question is about the active segment.
  if (!segments_.empty() && offset >= segments_.back()->base_offset()) return segments_.size() - 1;
  const auto above = std::upper_bound(segments_.begin(), segments_.end(), offset,
                                      [](Offset o, const auto& segment) { return o < segment->base_offset(); });
  return above == segments_.begin() ? 0 : static_cast<std::size_t>(above - segments_.begin()) - 1;
}

Offset SegmentList::upper_bound(std::size_t i, Offset log_end) const {
  return i + 1 < segments_.size() ? segments_[i + 1]->base_offset() : log_end;
}

void SegmentList::add(std::unique_ptr<Segment> segment) {
  base::invariant(segments_.empty() || segments_.back()->base_offset() < segment->base_offset(),
                  "segments are added in the order of their offsets");
  segments_.push_back(std::move(segment));
}

void SegmentList::insert(std::size_t i, std::unique_ptr<Segment> segment) {
  const auto base = segment->base_offset();
  base::invariant((i == 0 || segments_[i - 1]->base_offset() < base) &&
                      (i == segments_.size() || base < segments_[i]->base_offset()),
                  "a segment is put between its neighbours");
  segments_.insert(segments_.begin() + static_cast<std::ptrdiff_t>(i), std::move(segment));
}

std::unique_ptr<Segment> SegmentList::remove(std::size_t i) {
  auto segment = std::move(segments_[i]);
  segments_.erase(segments_.begin() + static_cast<std::ptrdiff_t>(i));
  return segment;
}

std::vector<std::unique_ptr<Segment>> SegmentList::remove(SegmentRange range) {
  base::invariant(range.first + range.count <= segments_.size(), "a range of segments lies inside the list");
  const auto from = segments_.begin() + static_cast<std::ptrdiff_t>(range.first);
  const auto to = from + static_cast<std::ptrdiff_t>(range.count);
  std::vector<std::unique_ptr<Segment>> removed(std::make_move_iterator(from), std::make_move_iterator(to));
  segments_.erase(from, to);
  return removed;
}

std::vector<std::unique_ptr<Segment>> SegmentList::remove_from(std::size_t i) {
  return remove({.first = i, .count = segments_.size() - i});
}

std::uint64_t SegmentList::size_bytes() const {
  std::uint64_t total = 0;
  for (const auto& segment : segments_) total += segment->size_bytes();
  return total;
}

}  // namespace storage
