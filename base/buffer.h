// Bytes and who owns them.
//
//   std::span<const std::byte>   borrowed: valid as long as the callee's caller says
//   Slice                        borrowed with a guarantee: keeps its owner alive
//   Buffer                       owned, growable, without zero-filling
//   BufferChain                  the pieces of one answer, in order: memory and file ranges, gathered into one send
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string_view>
#include <variant>
#include <vector>

#include "base/file_slice.h"

namespace base {

struct Slice {
  std::shared_ptr<const void> owner;  // may be null for bytes with static life
  std::span<const std::byte> bytes;
};

// One allocation; contents beyond size() are uninitialised. Move-only.
class Buffer {
 public:
  Buffer() = default;
  explicit Buffer(std::size_t size) { resize(size); }
  Buffer(Buffer&& other) noexcept { swap(other); }
  Buffer& operator=(Buffer&& other) noexcept { return Buffer(std::move(other)).swap(*this), *this; }

  std::byte* data() { return data_.get(); }
  const std::byte* data() const { return data_.get(); }
  std::size_t size() const { return size_; }
  std::size_t capacity() const { return capacity_; }
  bool empty() const { return size_ == 0; }
  std::span<std::byte> bytes() { return {data(), size_}; }
  std::span<const std::byte> bytes() const { return {data(), size_}; }

  // Growing leaves the new bytes uninitialised; shrinking keeps the allocation.
  void resize(std::size_t size) {
    reserve(size);
    size_ = size;
  }
  void reserve(std::size_t capacity);
  void append(std::span<const std::byte> bytes) {
    if (bytes.empty()) return;
    if (size_ + bytes.size() > capacity_) reserve(std::max(size_ + bytes.size(), capacity_ * 2));
    std::memcpy(data_.get() + size_, bytes.data(), bytes.size());
    size_ += bytes.size();
  }
  void clear() { size_ = 0; }

  // Hands the memory to shared ownership.
  Slice share() &&;

  void swap(Buffer& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    std::swap(capacity_, other.capacity_);
  }

 private:
  std::unique_ptr<std::byte[]> data_;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
};

class BufferChain {
 public:
  using Piece = std::variant<Slice, FileSlice>;

  BufferChain() = default;
  explicit BufferChain(Buffer buffer) { append(std::move(buffer)); }

  void append(Buffer buffer);
  void append(Slice slice);
  void append(FileSlice slice);
  void append(BufferChain chain);

  std::size_t size_bytes() const { return size_bytes_; }
  bool empty() const { return size_bytes_ == 0; }
  const std::vector<Piece>& pieces() const { return pieces_; }
  std::vector<Piece>& pieces() { return pieces_; }

 private:
  std::vector<Piece> pieces_;
  std::size_t size_bytes_ = 0;
};

// All bytes of the chain in one piece of memory, reading file ranges. For tools, tests and TLS.
Result<Buffer> flatten(const BufferChain& chain);

}  // namespace base
