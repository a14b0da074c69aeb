#include "storage/clean/piece_reader.h"

#include <algorithm>

#include "protocol/records/batch.h"

namespace storage {

using base::ErrorCode;
using base::fail;
using base::Result;

Result<std::span<const std::byte>> PieceReader::next() {
  auto want = std::max(piece_bytes_, protocol::kBatchHeaderBytes);
  while (position_ < end_) {
    buffer_.resize(static_cast<std::size_t>(std::min<std::uint64_t>(want, end_ - position_)));
    auto got = file_.read_at(position_, buffer_.bytes());
    if (!got) return got.error();
    if (*got < buffer_.size())
      return fail(ErrorCode::corrupt_message, "{} is shorter than {} bytes", file_.path(), end_);
    const std::span<const std::byte> piece = buffer_.bytes();
    std::size_t whole = 0;
    std::size_t next_size = 0;
    for (;;) {
      auto header = protocol::EntryHeader::parse(piece.subspan(whole));
      if (!header)
        return fail(ErrorCode::corrupt_message, "{} at {}: {}", file_.path(), position_ + whole, header.error().detail);
      next_size = *header ? (*header)->size_bytes : 0;
      if (!*header || next_size > piece.size() - whole) break;
      whole += next_size;
    }
    if (whole > 0) {
      position_ += whole;
      return piece.first(whole);
    }
    if (next_size == 0 || next_size > end_ - position_)
      return fail(ErrorCode::corrupt_message, "{} ends inside the entry at {}", file_.path(), position_);
    want = next_size;
  }
  return std::span<const std::byte>{};
}

}  // namespace storage
