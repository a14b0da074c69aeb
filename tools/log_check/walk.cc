#include "tools/log_check/walk.h"

#include <absl/base/thread_annotations.h>
#include <absl/synchronization/mutex.h>
#include <absl/time/time.h>

#include <algorithm>
#include <thread>

namespace tools {
namespace {

// How many readers are still at work.
class Readers {
 public:
  explicit Readers(std::size_t count) : left_(count) {}
  void done() ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    --left_;
  }
  bool wait_a_little() ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    const auto none_left = [this]() ABSL_SHARED_LOCKS_REQUIRED(mutex_) { return left_ == 0; };
    return mutex_.AwaitWithTimeout(absl::Condition(&none_left), absl::Milliseconds(100));
  }

 private:
  absl::Mutex mutex_;
  std::size_t left_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace

base::Result<std::uint64_t> walk(const std::vector<storage::PartitionCheck*>& partitions, std::size_t threads,
                                 const std::function<void(const WalkProgress&)>& show) {
  struct Job {
    storage::PartitionCheck* partition;
    std::size_t segment;
    std::uint64_t size_bytes;
  };
  std::vector<Job> jobs;
  WalkProgress progress;
  for (auto* partition : partitions) {
    if (auto s = partition->survey(); !s) return s.error();
    for (std::size_t i = 0; i < partition->segment_count(); ++i) {
      jobs.push_back({partition, i, partition->size_bytes(i)});
      progress.bytes_total += jobs.back().size_bytes;
    }
  }
  // The largest first, so that no thread is left with one when the others are done.
  std::stable_sort(jobs.begin(), jobs.end(), [](const Job& a, const Job& b) { return a.size_bytes > b.size_bytes; });

  std::atomic<std::size_t> next{0};
  std::atomic<std::uint64_t> bytes{0};
  threads = std::clamp<std::size_t>(threads, 1, std::max<std::size_t>(jobs.size(), 1));
  Readers readers(threads);
  std::vector<std::thread> pool;
  for (std::size_t i = 0; i < threads; ++i)
    pool.emplace_back([&] {
      for (std::size_t at; (at = next.fetch_add(1)) < jobs.size();)
        jobs[at].partition->check_segment(jobs[at].segment, bytes);
      readers.done();
    });
  while (!readers.wait_a_little()) {
    progress.bytes_done = bytes.load(std::memory_order_relaxed);
    show(progress);
  }
  for (auto& thread : pool) thread.join();
  for (auto* partition : partitions)
    if (auto s = partition->finish(); !s) return s.error();
  return bytes.load();
}

}  // namespace tools
