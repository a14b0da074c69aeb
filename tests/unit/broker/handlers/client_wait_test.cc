#include "broker/handlers/client_wait.h"

#include <absl/synchronization/notification.h>
#include <catch2/catch.hpp>

#include <atomic>

using namespace broker;
using std::chrono::hours;
using std::chrono::milliseconds;

TEST_CASE("a wait ends at its time, however often the client was looked for") {
  base::Loop loop("wait");
  absl::Notification over;
  std::atomic<int> looks{0};
  auto wait = std::make_unique<ClientWait>(loop, milliseconds(2));
  loop.start();
  loop.post([&] {
    wait->start(
        milliseconds(9), [&] { return ++looks > 0; }, [&] { over.Notify(); });
  });
  REQUIRE(over.WaitForNotificationWithTimeout(absl::Seconds(10)));
  CHECK(looks >= 1);
  loop.stop();
}

TEST_CASE("a wait of hours ends soon after its client is gone") {
  base::Loop loop("wait");
  absl::Notification over;
  std::atomic<bool> wanted{true};
  auto wait = std::make_unique<ClientWait>(loop, milliseconds(2));
  loop.start();
  loop.post([&] {
    wait->start(
        hours(500), [&] { return wanted.load(); }, [&] { over.Notify(); });
  });
  CHECK_FALSE(over.WaitForNotificationWithTimeout(absl::Milliseconds(20)));
  wanted = false;
  REQUIRE(over.WaitForNotificationWithTimeout(absl::Seconds(10)));
  loop.stop();
}
