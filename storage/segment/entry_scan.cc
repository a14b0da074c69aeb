#include "storage/segment/entry_scan.h"

#include <algorithm>

#include "base/page_cache.h"

namespace storage {
namespace {

using base::ErrorCode;
using base::fail;
using base::Result;

constexpr std::size_t kPieceBytes = 1 << 20;

}  // namespace

Result<std::optional<HeaderScan::Found>> HeaderScan::next() {
  if (position_ >= end_) return std::optional<Found>{};
  const auto left = end_ - position_;
  const auto need = static_cast<std::size_t>(std::min<std::uint64_t>(left, protocol::kBatchHeaderBytes));
  if (position_ < window_begin_ || position_ + need > window_begin_ + window_.size()) {
    window_.resize(static_cast<std::size_t>(std::min<std::uint64_t>(left, kWindowBytes)));
    if (cold_ && !base::page_cache_holds(*file_, {position_, window_.size()})) {
      cold_->emplace(ColdSpot{.in_index = false, .position = position_, .size_bytes = window_.size()});
      return fail(kColdRead, "{} at {} is not in the page cache", file_->path(), position_);
    }
    auto got = file_->read_at(position_, window_);
    if (!got) return got.error();
    window_.resize(*got);
    window_begin_ = position_;
  }
  const auto skip = static_cast<std::size_t>(position_ - window_begin_);
  auto header = protocol::EntryHeader::parse(std::span<const std::byte>(window_).subspan(skip));
  if (!header) return fail(ErrorCode::corrupt_message, "{} at {}: {}", file_->path(), position_, header.error().detail);
  if (!*header || (*header)->size_bytes > left) return std::optional<Found>{};
  const Found found{**header, position_};
  position_ = found.end();
  return std::optional(found);
}

Result<ScanEnd> scan_entries(
    const base::File& file, std::uint64_t from, std::uint64_t to,
    absl::FunctionRef<base::Status(const protocol::EntryView& entry, std::uint64_t position)> take) {
  base::Buffer piece;
  ScanEnd end{.position = from, .why = {}};
  std::size_t want = kPieceBytes;
  while (end.position < to) {
    piece.resize(static_cast<std::size_t>(std::min<std::uint64_t>(want, to - end.position)));
    auto got = file.read_at(end.position, piece.bytes());
    if (!got) return got.error();
    if (*got < piece.size()) {
      end.why = fail(ErrorCode::corrupt_message, "{} is shorter than {} bytes", file.path(), to);
      return end;
    }
    protocol::EntryCursor cursor(piece.bytes());
    const auto begin = end.position;
    while (auto entry = cursor.next()) {
      if (auto s = take(*entry, end.position); !s) {
        end.why = s;
        return end;
      }
      end.position = begin + cursor.position_bytes();
    }
    if (!cursor.status()) {
      end.why = cursor.status();
      return end;
    }
    if (end.position != begin) {
      want = kPieceBytes;
      continue;
    }
    // An entry larger than the piece, or the file ends inside it.
    auto header = protocol::EntryHeader::parse(piece.bytes());
    if (!header || !*header || (*header)->size_bytes > to - end.position) {
      end.why = fail(ErrorCode::corrupt_message, "{} ends inside the entry at {}", file.path(), end.position);
      return end;
    }
    want = (*header)->size_bytes;
  }
  return end;
}

}  // namespace storage
