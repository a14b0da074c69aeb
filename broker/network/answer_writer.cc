#include "broker/network/answer_writer.h"

#include <sys/sendfile.h>
#include <sys/socket.h>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <iterator>

#include "base/check.h"
#include "base/page_cache.h"

namespace broker {
namespace {

constexpr std::size_t kPageBytes = 4096;
// Of whole pages; what is left of a range of 64 KiB that begins anywhere.
constexpr std::size_t kSendfileFrom = 56 << 10;
// What one connection may write before the others of its loop get their turn, and how far the page cache is asked (and
// filled) ahead: at 130 us per MiB others wait no longer than for one large produce.
constexpr std::size_t kTurnBytes = 1 << 20;
constexpr std::size_t kWarmWindow = 1 << 20;
constexpr std::size_t kPiecesPerSend = 64;

bool would_block(int error) { return error == EAGAIN || error == EWOULDBLOCK; }

}  // namespace

void AnswerWriter::push(base::BufferChain chain) {
  unsent_ += chain.size_bytes();
  auto& from = chain.pieces();
  if (head_ == pieces_.size()) {
    pieces_.clear();
    head_ = 0;
  } else if (head_ >= kPiecesPerSend && head_ * 2 >= pieces_.size()) {
    pieces_.erase(pieces_.begin(), pieces_.begin() + static_cast<std::ptrdiff_t>(head_));
    head_ = 0;
  }
  for (auto& piece : from)
    if (auto* range = std::get_if<base::FileSlice>(&piece))
      push_range(std::move(*range));
    else
      pieces_.push_back(std::move(piece));
}

// Batches begin anywhere, the kernel's pipe holds sixteen pages: 64 KiB from the middle of a page go in two rounds and
// cost twice what they cost from its beginning. So sendfile gets whole pages, and what stands before and behind them
// travels with the memory around it.
void AnswerWriter::push_range(base::FileSlice range) {
  const auto lead = static_cast<std::size_t>((kPageBytes - range.position % kPageBytes) % kPageBytes);
  if (range.file->descriptor() < 0 || range.size_bytes < lead + kSendfileFrom) {
    pieces_.emplace_back(std::move(range));
    return;
  }
  const auto whole = (range.size_bytes - lead) / kPageBytes * kPageBytes;
  const auto rest = range.size_bytes - lead - whole;
  if (lead > 0) pieces_.emplace_back(base::FileSlice{range.file, range.position, lead});
  pieces_.emplace_back(base::FileSlice{range.file, range.position + lead, whole});
  if (rest > 0) pieces_.emplace_back(base::FileSlice{std::move(range.file), range.position + lead + whole, rest});
}

AnswerWriter::Outcome AnswerWriter::write(int socket) {
  const auto sent_before = sent_;
  while (head_ < pieces_.size()) {
    if (sent_ - sent_before >= kTurnBytes) return Outcome::turn_over;
    const auto* range = std::get_if<base::FileSlice>(&pieces_[head_]);
    const auto step = range && is_large(*range) ? send_file(socket) : send_memory(socket);
    switch (step) {
      case Step::sent:
        break;
      case Step::blocked:
        return Outcome::blocked;
      case Step::cold:
        return Outcome::cold;
      case Step::failed:
        return Outcome::failed;
    }
  }
  pieces_.clear();
  head_ = 0;
  warm_ = {};
  return Outcome::drained;
}

AnswerWriter::Step AnswerWriter::send_memory(int socket) {
  std::array<iovec, kPiecesPerSend> gathered;
  std::size_t count = 0, bytes = 0, i = head_;
  bool wait_for_disk = false;
  for (; i < pieces_.size() && count < gathered.size() && bytes < kTurnBytes; ++i) {
    if (const auto* range = std::get_if<base::FileSlice>(&pieces_[i])) {
      if (is_large(*range) && i > head_) break;
      if (!is_warm(i)) {
        wait_for_disk = true;
        break;
      }
      if (!load(i, range->size_bytes)) return Step::failed;
    }
    const auto& slice = std::get<base::Slice>(pieces_[i]);
    gathered[count++] = {const_cast<std::byte*>(slice.bytes.data()), slice.bytes.size()};
    bytes += slice.bytes.size();
  }
  if (count == 0) return Step::cold;

  msghdr message{};
  message.msg_iov = gathered.data();
  message.msg_iovlen = count;
  const bool more = i < pieces_.size() && !wait_for_disk;
  const int flags = MSG_NOSIGNAL | MSG_DONTWAIT | (more ? MSG_MORE : 0);
  for (;;) {
    const auto n = count == 1 ? ::send(socket, gathered[0].iov_base, gathered[0].iov_len, flags)
                              : ::sendmsg(socket, &message, flags);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return would_block(errno) ? Step::blocked : fail(std::strerror(errno));
    sent(static_cast<std::size_t>(n));
    return static_cast<std::size_t>(n) < bytes ? Step::blocked : Step::sent;
  }
}

AnswerWriter::Step AnswerWriter::send_file(int socket) {
  if (!is_warm(head_)) return Step::cold;
  const auto& range = std::get<base::FileSlice>(pieces_[head_]);
  const auto want = static_cast<std::size_t>(std::min<std::uint64_t>(range.size_bytes, warm_.end - range.position));
  for (;;) {
    auto position = static_cast<off_t>(range.position);
    const auto n = ::sendfile(socket, range.file->descriptor(), &position, want);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && would_block(errno)) return Step::blocked;
    // Not every file system can: EINVAL. Then a part at a time through memory.
    if (n < 0 && errno == EINVAL) return load(head_, std::min(want, kSendfileFrom)) ? Step::sent : Step::failed;
    if (n < 0) return fail(fmt::format("sendfile of {}: {}", range.file->path(), std::strerror(errno)));
    if (n == 0) return fail(fmt::format("{} ends before position {}", range.file->path(), range.position));
    head_started_ = true;
    sent(static_cast<std::size_t>(n));
    return static_cast<std::size_t>(n) < want ? Step::blocked : Step::sent;
  }
}

// The rest of a range that began with sendfile stays with it.
bool AnswerWriter::is_large(const base::FileSlice& range) const {
  if (range.file->descriptor() < 0) return false;
  return range.size_bytes >= kSendfileFrom ||
         (head_started_ && &range == std::get_if<base::FileSlice>(&pieces_[head_]));
}

// The one place that decides whether a range may be read on the loop: a small one whole, of a large one the beginning.
bool AnswerWriter::is_warm(std::size_t index) {
  const auto& range = std::get<base::FileSlice>(pieces_[index]);
  const auto need = range.position + (is_large(range) ? 1 : range.size_bytes);
  if (warm_.file == range.file.get() && warm_.begin <= range.position && need <= warm_.end) return true;
  const auto ahead = run_at(index);
  if (look_ && !base::page_cache_holds(ahead)) return false;
  warm_ = {ahead.file.get(), ahead.position, ahead.position + ahead.size_bytes};
  return true;
}

// The range and those that go on where it ends, as far as the page cache is looked at in one go.
base::FileSlice AnswerWriter::run_at(std::size_t index) const {
  auto run = std::get<base::FileSlice>(pieces_[index]);
  while (run.size_bytes < kWarmWindow && ++index < pieces_.size()) {
    const auto* next = std::get_if<base::FileSlice>(&pieces_[index]);
    if (!next || next->file != run.file || next->position != run.position + run.size_bytes) break;
    run.size_bytes += next->size_bytes;
  }
  run.size_bytes = std::min(run.size_bytes, kWarmWindow);
  return run;
}

base::FileSlice AnswerWriter::cold_range() const { return run_at(head_); }

// Not asked again: pages that were evicted meanwhile must not send us round in circles.
void AnswerWriter::warmed() {
  const auto run = cold_range();
  warm_ = {run.file.get(), run.position, run.position + run.size_bytes};
}

// Replaces the first `bytes` of a file range by memory.
bool AnswerWriter::load(std::size_t index, std::size_t bytes) {
  auto& range = std::get<base::FileSlice>(pieces_[index]);
  base::Buffer memory(bytes);
  const auto read = range.file->read_at(range.position, memory.bytes());
  if (!read || *read != bytes) {
    fail(read ? fmt::format("{} ends before position {}", range.file->path(), range.position + bytes)
              : read.error().text());
    return false;
  }
  auto slice = std::move(memory).share();
  if (bytes == range.size_bytes) {
    pieces_[index] = std::move(slice);
  } else {
    range.position += bytes;
    range.size_bytes -= bytes;
    pieces_.insert(pieces_.begin() + static_cast<std::ptrdiff_t>(index), std::move(slice));
  }
  if (index == head_) head_started_ = false;
  return true;
}

void AnswerWriter::sent(std::size_t bytes) {
  sent_ += bytes;
  unsent_ -= bytes;
  while (bytes > 0) {
    auto& piece = pieces_[head_];
    if (auto* slice = std::get_if<base::Slice>(&piece)) {
      const auto n = std::min(bytes, slice->bytes.size());
      slice->bytes = slice->bytes.subspan(n);
      bytes -= n;
      if (!slice->bytes.empty()) return;
    } else {
      auto& range = std::get<base::FileSlice>(piece);
      const auto n = std::min(bytes, range.size_bytes);
      range.position += n;
      range.size_bytes -= n;
      bytes -= n;
      if (range.size_bytes > 0) return;
    }
    piece = base::Slice{};  // what has left needs no memory
    ++head_;
    head_started_ = false;
  }
}

AnswerWriter::Step AnswerWriter::fail(std::string why) {
  failure_ = std::move(why);
  return Step::failed;
}

void AnswerWriter::clear() {
  pieces_ = {};
  head_ = 0;
  unsent_ = 0;
  warm_ = {};
}

}  // namespace broker
