#include "replication/partition/waiters.h"

#include <absl/synchronization/notification.h>
#include <catch2/catch.hpp>

#include "tests/support/replication/replica_bench.h"

using namespace replication;
using base::Offset;
using test_support::CountingWaiter;

TEST_CASE("those who waited for an offset are taken in its order when it is reached, once") {
  Waiters waiters;
  const auto ten = std::make_shared<CountingWaiter>();
  const auto five = std::make_shared<CountingWaiter>();
  const auto eleven = std::make_shared<CountingWaiter>();
  waiters.add(Offset{10}, ten);
  waiters.add(Offset{5}, five);
  waiters.add(Offset{11}, eleven);
  CHECK(waiters.take_reached(Offset{4}).empty());
  CHECK(waiters.take_reached(Offset{10}) == WaiterList{five, ten});
  CHECK(waiters.take_reached(Offset{10}).empty());
  CHECK(waiters.size() == 1);
  CHECK(waiters.take_all() == WaiterList{eleven});
  CHECK(waiters.size() == 0);
}

TEST_CASE("a place given back frees its waiter and nobody else's, however late") {
  Waiters waiters;
  const auto waiter = std::make_shared<CountingWaiter>();
  const auto first = waiters.add(Offset{7}, waiter);
  const auto second = waiters.add(Offset{7}, waiter);  // a fetch may name a partition more than once
  CHECK(first != second);
  waiters.remove(first);
  waiters.remove(first);
  CHECK(waiters.size() == 1);
  CHECK(waiters.take_reached(Offset{7}).size() == 1);
  waiters.remove(second);
  const auto third = waiters.add(Offset{7}, waiter);
  waiters.remove(second);
  CHECK(waiters.size() == 1);
  waiters.remove(third);
  CHECK(waiter.use_count() == 1);
}

TEST_CASE("the last offset there is can be waited for") {
  Waiters waiters;
  const auto waiter = std::make_shared<CountingWaiter>();
  const Offset last{std::numeric_limits<std::int64_t>::max() - 1};
  waiters.add(last, waiter);
  CHECK(waiters.take_reached(last - 1).empty());
  CHECK(waiters.take_reached(last).size() == 1);
}

TEST_CASE("waiters are woken on their loops, by one post for all of a loop, and once until they were") {
  struct OnLoop final : Waiter {
    OnLoop(base::Loop& home, std::vector<OnLoop*>& woken) : Waiter(&home), loop(home), order(woken) {}
    void wake() override {
      at_home = loop.in_loop();
      order.push_back(this);
      if (order.size() == 1) loop.post([this] { between = order.size(); });
    }
    base::Loop& loop;
    std::vector<OnLoop*>& order;
    bool at_home = false;
    std::size_t between = 0;  // how many were woken when the loop came to what was posted by the first of them
  };
  base::Loop loops[2] = {base::Loop{"one"}, base::Loop{"two"}};
  std::vector<OnLoop*> woken[2];
  std::vector<std::shared_ptr<OnLoop>> waiters;
  WaiterList all;
  for (int i = 0; i < 10; ++i) {
    waiters.push_back(std::make_shared<OnLoop>(loops[i % 2], woken[i % 2]));
    all.push_back(waiters.back());
  }
  const auto anywhere = std::make_shared<CountingWaiter>();
  all.push_back(anywhere);
  absl::Notification both_called;  // until then neither loop gets to wake anybody
  for (auto& loop : loops) {
    loop.start();
    loop.post([&] { both_called.WaitForNotification(); });
  }
  wake_all(all);
  wake_all(all);
  both_called.Notify();
  CHECK(anywhere->woken == 2);  // woken at once, so called again
  const auto settle = [&] {
    for (auto& loop : loops) {
      absl::Notification done;
      loop.post([&] { loop.post([&] { done.Notify(); }); });
      done.WaitForNotification();
    }
  };
  settle();
  for (int i = 0; i < 2; ++i) {
    REQUIRE(woken[i].size() == 5);
    CHECK(woken[i].front() == waiters[static_cast<std::size_t>(i)].get());  // in their order
    CHECK(woken[i].front()->between == 5);
    for (const auto* one : woken[i]) CHECK(one->at_home);
  }
  wake_all({waiters[0]});
  settle();
  CHECK(woken[0].size() == 6);
  for (auto& loop : loops) loop.stop();
}
