// What is done to the files of a segment by a thread that may wait for the disk, while the owner of the segment goes
// on.
//
// Done once, by whoever asks first; who asks meanwhile waits for that. What failed is done again when somebody asks
// again; what was cancelled never. Any thread may call; the work must not touch what the owner of the segment guards.
#pragma once

#include <absl/base/thread_annotations.h>
#include <absl/synchronization/mutex.h>

#include <atomic>
#include <functional>
#include <memory>
#include <vector>

#include "base/file_system.h"

namespace storage {

class SegmentWork {
 public:
  using Files = std::vector<std::shared_ptr<base::File>>;  // those that were made or written, null where there are none
  explicit SegmentWork(std::function<base::Result<Files>()> work) : work_(std::move(work)) {}

  // Does not wait once done().
  base::Result<Files> run() ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    if (!done()) {
      auto files = work_();
      if (!files) return files.error();
      files_ = std::move(files).value();
      work_ = nullptr;
      done_.store(true, std::memory_order_release);
    }
    return files_;
  }
  // For files that are about to go. Waits for who is at work on them.
  void cancel() ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    work_ = nullptr;
    done_.store(true, std::memory_order_release);
  }
  bool done() const { return done_.load(std::memory_order_acquire); }

 private:
  absl::Mutex mutex_;
  std::function<base::Result<Files>()> work_ ABSL_GUARDED_BY(mutex_);
  Files files_ ABSL_GUARDED_BY(mutex_);
  std::atomic<bool> done_{false};
};

}  // namespace storage
