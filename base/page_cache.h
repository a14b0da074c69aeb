// Would reading a file range wait for the disk?
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/file_slice.h"

namespace base {

struct FileRange {
  std::uint64_t position = 0;
  std::size_t size_bytes = 0;
};
// cachestat(2), 0.3 us per 64 KiB. True also where the kernel (before 6.5) or the file system cannot tell: the range is
// then read as if it were cached, which is what Apache Kafka always does.
bool page_cache_holds(const File& file, FileRange range);
inline bool page_cache_holds(const FileSlice& range) {
  return page_cache_holds(*range.file, {range.position, range.size_bytes});
}

// Reads the range and forgets it; for the blocking pool. A failure shows when the range is read again.
void bring_into_page_cache(const FileSlice& range);

}  // namespace base
