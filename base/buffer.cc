#include "base/buffer.h"

namespace base {

void Buffer::reserve(std::size_t capacity) {
  if (capacity <= capacity_) return;
  auto grown = std::make_unique_for_overwrite<std::byte[]>(capacity);
  if (size_ > 0) std::memcpy(grown.get(), data_.get(), size_);
  data_ = std::move(grown);
  capacity_ = capacity;
}

Slice Buffer::share() && {
  const std::span<const std::byte> view{data_.get(), size_};
  std::shared_ptr<const std::byte[]> owner(std::move(data_));
  size_ = capacity_ = 0;
  return Slice{std::move(owner), view};
}

void BufferChain::append(Buffer buffer) {
  if (!buffer.empty()) append(std::move(buffer).share());
}

void BufferChain::append(Slice slice) {
  if (slice.bytes.empty()) return;
  size_bytes_ += slice.bytes.size();
  pieces_.emplace_back(std::move(slice));
}

void BufferChain::append(FileSlice slice) {
  if (slice.size_bytes == 0) return;
  size_bytes_ += slice.size_bytes;
  pieces_.emplace_back(std::move(slice));
}

void BufferChain::append(BufferChain chain) {
  size_bytes_ += chain.size_bytes_;
  pieces_.insert(pieces_.end(), std::make_move_iterator(chain.pieces_.begin()),
                 std::make_move_iterator(chain.pieces_.end()));
}

Result<Buffer> flatten(const BufferChain& chain) {
  Buffer out(chain.size_bytes());
  std::size_t at = 0;
  for (const auto& piece : chain.pieces()) {
    if (const auto* slice = std::get_if<Slice>(&piece)) {
      std::memcpy(out.data() + at, slice->bytes.data(), slice->bytes.size());
      at += slice->bytes.size();
      continue;
    }
    const auto& range = std::get<FileSlice>(piece);
    auto read = range.file->read_at(range.position, out.bytes().subspan(at, range.size_bytes));
    if (!read) return read.error();
    if (*read != range.size_bytes)
      return fail(ErrorCode::kafka_storage_error, "{} ends at {} of {} bytes wanted from position {}",
                  range.file->path(), *read, range.size_bytes, range.position);
    at += range.size_bytes;
  }
  return out;
}

}  // namespace base
