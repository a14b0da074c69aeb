// Whether one data directory may still be used. A disk that failed a write or a sync is never asked again: what the
// page cache holds after such an error is anybody's guess.
//
// A full disk is no such failure: what it refused was not done, and what was there before still is. Clients' records
// are refused as long as there is no room (log.dir.min.free.bytes, space_watch.h); everything else goes on. Too many
// open files are none either. Any thread may call. Shared by the directory's logs and by LogDirs.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <string>

#include "base/error.h"
#include "base/file_system.h"
#include "storage/segment/shortage.h"

namespace storage {

class DirectoryHealth {
 public:
  using OnFailure = std::function<void(const std::string& path, const base::Error& why)>;

  // `on_failure` is called once, on the thread that met the failure, which may hold a partition's lock: it must only
  // pass the news on.
  DirectoryHealth(std::string path, OnFailure on_failure)
      : path_(std::move(path)), on_failure_(std::move(on_failure)) {}

  const std::string& path() const { return path_; }
  bool online() const { return online_.load(std::memory_order_acquire); }

  // `kafka_storage_error` once the directory is retired.
  base::Status check() const {
    if (online()) return {};
    return base::fail(base::ErrorCode::kafka_storage_error, "log directory {} is offline", path_);
  }

  // Takes the directory out of service when `status` is a failure of the disk; hands `status` on. A full disk only
  // ends the room there is.
  base::Status watch(base::Status status) {
    if (status.ok() || status.error().code != base::ErrorCode::kafka_storage_error) return status;
    if (is_out_of_descriptors(status.error())) return status;
    if (base::is_out_of_space(status.error()))
      set_room(0);
    else
      retire(status.error());
    return status;
  }
  // The same where a step that failed leaves a change half done, so that a full disk, too, ends the service.
  base::Status insist(base::Status status) {
    if (!status && status.error().code == base::ErrorCode::kafka_storage_error &&
        !is_out_of_descriptors(status.error()))
      retire(status.error());
    return status;
  }

  // Bytes that clients may still append, as last measured, less what was appended since.
  bool has_room() const { return room_.load(std::memory_order_relaxed) > 0; }
  void use_room(std::uint64_t bytes) { room_.fetch_sub(static_cast<std::int64_t>(bytes), std::memory_order_relaxed); }
  void set_room(std::int64_t bytes) { room_.store(bytes, std::memory_order_relaxed); }

  // Of its disk, as last measured; nothing before that.
  std::optional<std::uint64_t> free_bytes() const {
    const auto bytes = free_bytes_.load(std::memory_order_relaxed);
    return bytes < 0 ? std::nullopt : std::optional(static_cast<std::uint64_t>(bytes));
  }
  void set_free_bytes(std::uint64_t bytes) {
    constexpr std::uint64_t kMost = std::numeric_limits<std::int64_t>::max();
    free_bytes_.store(static_cast<std::int64_t>(std::min(bytes, kMost)), std::memory_order_relaxed);
  }

  void retire(const base::Error& why) {
    if (online_.exchange(false, std::memory_order_acq_rel) && on_failure_) on_failure_(path_, why);
  }

 private:
  std::string path_;
  OnFailure on_failure_;
  std::atomic<bool> online_{true};
  std::atomic<std::int64_t> room_{std::numeric_limits<std::int64_t>::max()};  // until it is measured
  std::atomic<std::int64_t> free_bytes_{-1};                                  // likewise
};

}  // namespace storage
