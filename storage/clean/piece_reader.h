// A data file in pieces of whole entries, through one buffer that is used again and again.
#pragma once

#include <cstdint>
#include <span>

#include "base/buffer.h"
#include "base/file_system.h"

namespace storage {

// Borrows the file and the buffer. Not thread-safe.
class PieceReader {
 public:
  struct Extent {
    std::uint64_t from = 0;
    std::uint64_t to = 0;
  };
  // The buffer grows beyond `piece_bytes` only for an entry that is larger.
  PieceReader(const base::File& file, Extent extent, base::Buffer& buffer, std::size_t piece_bytes)
      : file_(file), position_(extent.from), end_(extent.to), buffer_(buffer), piece_bytes_(piece_bytes) {}

  // The next entries, valid until the next call; empty at the end. `corrupt_message` where none begins, or where the
  // file ends inside one.
  base::Result<std::span<const std::byte>> next();

 private:
  const base::File& file_;
  std::uint64_t position_;
  std::uint64_t end_;
  base::Buffer& buffer_;
  std::size_t piece_bytes_;
};

}  // namespace storage
