#include "storage/segment/entry_file.h"

#include <algorithm>
#include <array>

#include "base/check.h"

namespace storage {
namespace {

using base::ErrorCode;
using base::fail;
using base::invariant;

constexpr std::size_t kMaxEntryBytes = 16;

bool all_zero(std::span<const std::byte> bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](std::byte b) { return b == std::byte{0}; });
}

}  // namespace

Status EntryFile::open(base::OpenMode mode) const {
  if (file_) return {};
  auto file = files_.open(path_, mode);
  if (!file) return file.error();
  file_ = std::move(file).value();
  return {};
}

Status EntryFile::load(std::shared_ptr<base::File> opened) {
  close();
  file_ = std::move(opened);
  if (!file_) {
    auto there = files_.exists(path_);
    if (!there) return there.error();
    if (!*there) return {};
  }
  if (auto s = open(base::OpenMode::read_write); !s) return s;
  auto size = file_->size();
  if (!size) return size.error();
  count_ = written_ = *size / layout_.entry_bytes;
  // Zeros at the end are preallocated space of a broker that did not stop in order. A file that is trimmed, as most
  // are, ends in an entry and costs one read here.
  std::vector<std::byte> chunk(kTailEntries * layout_.entry_bytes);
  bool first = true;
  while (count_ > 0) {
    const auto n = first ? std::size_t{1} : std::min(count_, kTailEntries);
    first = false;
    const std::span<std::byte> out{chunk.data(), n * layout_.entry_bytes};
    auto got = file_->read_at((count_ - n) * layout_.entry_bytes, out);
    if (!got) return got.error();
    if (all_zero(out)) {
      count_ -= n;
      continue;
    }
    for (std::size_t i = n; i > 0 && all_zero(out.subspan((i - 1) * layout_.entry_bytes, layout_.entry_bytes)); --i)
      --count_;
    break;
  }
  written_ = count_;
  return {};
}

Status EntryFile::reset() {
  close();
  return files_.remove(path_);
}

void EntryFile::close() {
  file_.reset();
  tail_ = {};
  seen_ = {};
  count_ = written_ = 0;
  preallocated_ = awaits_room_ = false;
}

void EntryFile::restart() {
  tail_.clear();
  seen_.clear();
  count_ = written_ = 0;
  preallocated_ = awaits_room_ = false;
}

Status EntryFile::append(std::span<const std::byte> entry) {
  invariant(entry.size() == layout_.entry_bytes, "an entry has the size of its file's entries");
  tail_.insert(tail_.end(), entry.begin(), entry.end());
  ++count_;
  if (tail_.size() < kTailEntries * layout_.entry_bytes || awaits_room_) return {};
  if (!preallocated_) {
    auto made = blank().make();
    if (!made) return awaits_room_ = false, made.error();
    take_up(std::move(made).value());
  }
  if (auto s = write_pending(); !s) return s;
  tail_.erase(tail_.begin(), tail_.begin() + static_cast<std::ptrdiff_t>(tail_.size() / 2));
  return {};
}

EntryFile::Blank EntryFile::blank() {
  awaits_room_ = true;
  return {.files = &files_,
          .path = path_,
          .file = file_,
          .used_bytes = written_ * layout_.entry_bytes,
          .size_bytes = std::max(written_, capacity()) * layout_.entry_bytes};
}

Result<std::shared_ptr<base::File>> EntryFile::Blank::make() const {
  auto made = file;
  if (!made) {
    auto opened = files->open(path, base::OpenMode::create_or_open);
    if (!opened) return opened.error();
    made = std::move(opened).value();
  }
  if (auto s = made->truncate(used_bytes); !s) return s.error();  // zeros, not what was there before restart()
  if (auto s = made->truncate(size_bytes); !s) return s.error();
  return made;
}

void EntryFile::take_up(std::shared_ptr<base::File> made) {
  file_ = std::move(made);
  preallocated_ = true;
  awaits_room_ = false;
}

EntryFile::Rest EntryFile::rest() const {
  const auto skip = (written_ - tail_begin()) * layout_.entry_bytes;
  return {.files = &files_,
          .path = path_,
          .file = file_,
          .entries = {tail_.begin() + static_cast<std::ptrdiff_t>(skip), tail_.end()},
          .position = written_ * layout_.entry_bytes,
          .size_bytes = count_ * layout_.entry_bytes};
}

Result<std::shared_ptr<base::File>> EntryFile::Rest::write(std::shared_ptr<base::File> made) const {
  auto into = file ? file : std::move(made);
  if (!into) {
    auto opened = files->open(path, base::OpenMode::create_or_open);
    if (!opened) return opened.error();
    into = std::move(opened).value();
  }
  if (!entries.empty())
    if (auto s = into->write_at(position, entries); !s) return s.error();
  if (auto s = into->truncate(size_bytes); !s) return s.error();
  return into;
}

Status EntryFile::write_pending() {
  const auto skip = (written_ - tail_begin()) * layout_.entry_bytes;
  if (auto s = file_->write_at(written_ * layout_.entry_bytes, std::span<const std::byte>(tail_).subspan(skip)); !s)
    return s;
  written_ = count_;
  return {};
}

Status EntryFile::read(std::size_t at, std::span<std::byte> out) const {
  invariant(at < count_ && out.size() == layout_.entry_bytes, "an entry that exists, read whole");
  if (at >= tail_begin()) {
    const auto from = (at - tail_begin()) * layout_.entry_bytes;
    std::copy_n(tail_.begin() + static_cast<std::ptrdiff_t>(from), out.size(), out.begin());
    return {};
  }
  if (at >= seen_begin_ && at < seen_begin_ + seen_.size() / layout_.entry_bytes) {
    const auto from = (at - seen_begin_) * layout_.entry_bytes;
    std::copy_n(seen_.begin() + static_cast<std::ptrdiff_t>(from), out.size(), out.begin());
    return {};
  }
  if (auto s = open(base::OpenMode::read_write); !s) return s;
  auto got = file_->read_at(at * layout_.entry_bytes, out);
  if (!got) return got.error();
  if (*got != out.size()) return fail(ErrorCode::kafka_storage_error, "{} is shorter than it was", path_);
  return {};
}

Result<std::size_t> EntryFile::partition_point(absl::FunctionRef<bool(const std::byte*)> before) const {
  const auto size = layout_.entry_bytes;
  const auto in_memory = [&](std::span<const std::byte> entries) {
    std::size_t low = 0, high = entries.size() / size;
    while (low < high) {
      const auto middle = (low + high) / 2;
      before(entries.data() + middle * size) ? low = middle + 1 : high = middle;
    }
    return low;
  };
  if (in_tail(before)) return tail_begin() + in_memory(tail_);
  if (in_seen(before)) return seen_begin_ + in_memory(seen_);

  std::size_t low = 0, high = tail_begin();
  if (high == 0) return low;
  if (auto s = open(base::OpenMode::read_write); !s) return s.error();
  while (high - low > kTailEntries) {
    const auto middle = (low + high) / 2;
    std::array<std::byte, kMaxEntryBytes> entry;
    if (auto s = read(middle, std::span(entry).first(size)); !s) return s.error();
    before(entry.data()) ? low = middle + 1 : high = middle;
  }
  seen_.resize((high - low) * size);
  seen_begin_ = low;
  auto got = file_->read_at(low * size, seen_);
  if (got && *got == seen_.size()) return low + in_memory(seen_);
  seen_.clear();
  if (!got) return got.error();
  return fail(ErrorCode::kafka_storage_error, "{} is shorter than it was", path_);
}

bool EntryFile::knows(absl::FunctionRef<bool(const std::byte*)> before) const {
  return tail_begin() == 0 || in_tail(before) || in_seen(before);
}

Status EntryFile::keep_first(std::size_t count) {
  if (count >= count_) return {};
  const auto begin = tail_begin();
  count >= begin ? tail_.resize((count - begin) * layout_.entry_bytes) : tail_.clear();
  count_ = count;
  seen_.clear();
  if (written_ <= count) return {};
  written_ = count;
  if (auto s = open(base::OpenMode::create_or_open); !s) return s;
  if (auto s = file_->truncate(count * layout_.entry_bytes); !s) return s;
  preallocated_ = false;
  return {};
}

Status EntryFile::trim() {
  auto file = rest().write(nullptr);
  if (!file) return file.error();
  file_ = std::move(file).value();
  written_ = count_;
  preallocated_ = awaits_room_ = false;
  return {};
}

}  // namespace storage
