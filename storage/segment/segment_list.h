// The segments of one log by base offset. Guarded as the segments are.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "storage/segment/segment.h"

namespace storage {

// Neighbours in a list.
struct SegmentRange {
  std::size_t first = 0;
  std::size_t count = 0;
};

class SegmentList {
 public:
  bool empty() const { return segments_.empty(); }
  std::size_t size() const { return segments_.size(); }
  Segment& at(std::size_t i) const { return *segments_[i]; }
  Segment& first() const { return *segments_.front(); }
  Segment& active() const { return *segments_.back(); }

  // The place of the segment that holds `offset`: the last with a base at or below it. The first one when all begin
  // above; `size()` only when there are none.
  std::size_t find(Offset offset) const;
  // Where the segment at `i` ends at the latest; `log_end` for the active one.
  Offset upper_bound(std::size_t i, Offset log_end) const;

  void add(std::unique_ptr<Segment> segment);                    // above all others
  void insert(std::size_t i, std::unique_ptr<Segment> segment);  // between its neighbours
  std::unique_ptr<Segment> remove(std::size_t i);
  std::vector<std::unique_ptr<Segment>> remove(SegmentRange range);
  // Out of the list, in order, the segments from place `i` on.
  std::vector<std::unique_ptr<Segment>> remove_from(std::size_t i);

  std::uint64_t size_bytes() const;

 private:
  std::vector<std::unique_ptr<Segment>> segments_;
};

}  // namespace storage
