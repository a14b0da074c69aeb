#include "replication/partition/waiters.h"

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
