#include "base/page_cache.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>

#include "base/buffer.h"

namespace base {
namespace {

constexpr long kCachestat = 451;  // on every architecture; the headers of Debian 12 do not name it

// As in linux/mman.h of kernel 6.5.
struct CachestatRange {
  std::uint64_t offset;
  std::uint64_t length;
};
struct Cachestat {
  std::uint64_t cached;
  std::uint64_t dirty;
  std::uint64_t writeback;
  std::uint64_t evicted;
  std::uint64_t recently_evicted;
};

}  // namespace

bool page_cache_holds(const File& file, FileRange range) {
  static std::atomic<bool> known{true};
  const int descriptor = file.descriptor();
  if (descriptor < 0 || range.size_bytes == 0 || !known.load(std::memory_order_relaxed)) return true;
  CachestatRange where{range.position, range.size_bytes};
  Cachestat found{};
  if (::syscall(kCachestat, descriptor, &where, &found, 0) != 0) {
    // EPERM: a container's seccomp filter from before the call existed.
    if (errno == ENOSYS || errno == EPERM) known.store(false, std::memory_order_relaxed);
    return true;
  }
  static const auto page = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  const auto pages = (range.position + range.size_bytes - 1) / page - range.position / page + 1;
  return found.cached >= pages;
}

void bring_into_page_cache(const FileSlice& range) {
  constexpr std::size_t kStep = 256 << 10;
  Buffer scratch(std::min(range.size_bytes, kStep));
  for (std::size_t done = 0; done < range.size_bytes;) {
    const auto want = std::min(range.size_bytes - done, kStep);
    const auto read = range.file->read_at(range.position + done, scratch.bytes().first(want));
    if (!read || *read == 0) return;
    done += *read;
  }
}

}  // namespace base
