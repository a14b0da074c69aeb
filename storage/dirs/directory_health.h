// Whether one data directory may still be used. A disk that failed a write or a sync is never asked again: what the
// page cache holds after such an error is anybody's guess.
// Any thread may call. Shared by the directory's logs and by LogDirs.
#pragma once

#include <atomic>
#include <functional>
#include <string>

#include "base/error.h"

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

  // Takes the directory out of service when `status` is a failure of the disk; hands `status` on.
  base::Status watch(base::Status status) {
    if (!status && status.error().code == base::ErrorCode::kafka_storage_error) retire(status.error());
    return status;
  }

  void retire(const base::Error& why) {
    if (online_.exchange(false, std::memory_order_acq_rel) && on_failure_) on_failure_(path_, why);
  }

 private:
  std::string path_;
  OnFailure on_failure_;
  std::atomic<bool> online_{true};
};

}  // namespace storage
