// A disk that tells what was read from it, and that can be made to wait: over any other file system.
#pragma once

#include <absl/synchronization/mutex.h>

#include <memory>
#include <string>
#include <vector>

#include "base/file_system.h"

namespace storage::testing {

// Any thread may call. Outlived by the file system under it; outlives its files.
class WatchedFiles final : public base::FileSystem {
 public:
  explicit WatchedFiles(base::FileSystem& under) : under_(under) {}

  // Whoever lists a directory whose path contains `part` waits until release().
  void hold(std::string part) {
    absl::MutexLock lock(&mutex_);
    held_ = std::move(part);
  }
  void release() { hold({}); }
  // Until somebody waits.
  void await_held() {
    absl::MutexLock lock(&mutex_);
    mutex_.Await(absl::Condition(
        +[](int* waiting) { return *waiting > 0; }, &waiting_));
  }

  // Files that were opened, and those that were read from.
  std::vector<std::string> opened() const {
    absl::MutexLock lock(&mutex_);
    return opened_;
  }
  std::vector<std::string> read() const {
    absl::MutexLock lock(&mutex_);
    return read_;
  }

  base::Result<std::unique_ptr<base::File>> open(const std::string& path, base::OpenMode mode) override {
    {
      absl::MutexLock lock(&mutex_);
      opened_.push_back(path);
    }
    auto file = under_.open(path, mode);
    if (!file) return file;
    return std::unique_ptr<base::File>(std::make_unique<Watched>(*this, std::move(file).value()));
  }
  base::Result<std::vector<base::DirectoryEntry>> list(const std::string& directory) override {
    {
      absl::MutexLock lock(&mutex_);
      const auto free = [&] { return held_.empty() || directory.find(held_) == std::string::npos; };
      if (!free()) {
        ++waiting_;
        mutex_.Await(absl::Condition(&free));
        --waiting_;
      }
    }
    return under_.list(directory);
  }
  base::Result<bool> exists(const std::string& path) override { return under_.exists(path); }
  base::Result<base::FileInfo> info(const std::string& path) override { return under_.info(path); }
  base::Status create_directories(const std::string& path) override { return under_.create_directories(path); }
  base::Status rename(const std::string& from, const std::string& to) override { return under_.rename(from, to); }
  base::Status remove(const std::string& path) override { return under_.remove(path); }
  base::Status remove_tree(const std::string& path) override { return under_.remove_tree(path); }
  base::Status sync_directory(const std::string& path) override { return under_.sync_directory(path); }
  base::Status set_modified(const std::string& path, base::Timestamp time) override {
    return under_.set_modified(path, time);
  }
  base::Result<std::uint64_t> free_bytes(const std::string& path) override { return under_.free_bytes(path); }
  base::Result<std::unique_ptr<base::FileLock>> lock(const std::string& path) override { return under_.lock(path); }

 private:
  class Watched final : public base::File {
   public:
    Watched(WatchedFiles& watch, std::unique_ptr<base::File> file) : watch_(watch), file_(std::move(file)) {}
    const std::string& path() const override { return file_->path(); }
    base::Result<std::uint64_t> size() const override { return file_->size(); }
    base::Result<std::size_t> read_at(std::uint64_t position, std::span<std::byte> out) const override {
      {
        absl::MutexLock lock(&watch_.mutex_);
        watch_.read_.push_back(file_->path());
      }
      return file_->read_at(position, out);
    }
    base::Status write_at(std::uint64_t position, std::span<const std::span<const std::byte>> pieces) override {
      return file_->write_at(position, pieces);
    }
    base::Status truncate(std::uint64_t size) override { return file_->truncate(size); }
    base::Status sync() override { return file_->sync(); }
    int descriptor() const override { return file_->descriptor(); }

   private:
    WatchedFiles& watch_;
    std::unique_ptr<base::File> file_;
  };

  base::FileSystem& under_;
  mutable absl::Mutex mutex_;
  std::string held_ ABSL_GUARDED_BY(mutex_);
  int waiting_ ABSL_GUARDED_BY(mutex_) = 0;
  std::vector<std::string> opened_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::string> read_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace storage::testing
