// A byte range of a file that a socket may send without copying (sendfile).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "base/file_system.h"

namespace base {

// Keeps the file open, so a segment may be deleted while its bytes are still being sent.
struct FileSlice {
  std::shared_ptr<const File> file;
  std::uint64_t position = 0;
  std::size_t size_bytes = 0;
};

}  // namespace base
