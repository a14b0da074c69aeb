#include "broker/network/disk_reads.h"

#include <absl/synchronization/notification.h>
#include <catch2/catch.hpp>

#include <atomic>

using broker::DiskReads;

TEST_CASE("reads hold no more threads than they may, stand in line up to a bound, and run in their order") {
  base::BlockingPool pool(3, "reads");
  DiskReads reads(pool, {.at_once = 2, .waiting = 3});
  absl::Notification disk;
  std::atomic<int> running{0};
  absl::Mutex mutex;
  std::vector<int> order;
  for (int i = 0; i < 2; ++i)
    REQUIRE(reads.submit([&] {
      ++running;
      disk.WaitForNotification();
    }));
  for (int i = 0; i < 3; ++i)
    REQUIRE(reads.submit([&, i] {
      absl::MutexLock lock(&mutex);
      order.push_back(i);
    }));
  CHECK_FALSE(reads.submit([&] { ++running; }));
  absl::Notification last;
  reads.submit_always([&] { last.Notify(); });
  CHECK(reads.waiting() == 4);
  pool.start();
  // A thread is left for whoever writes.
  absl::Notification other;
  pool.submit([&] { other.Notify(); });
  other.WaitForNotification();
  CHECK(reads.waiting() == 4);
  disk.Notify();
  last.WaitForNotification();
  pool.stop();
  CHECK(running == 2);
  CHECK(order.size() == 3);
  CHECK(reads.waiting() == 0);
  CHECK(reads.submit([] {}));
}
