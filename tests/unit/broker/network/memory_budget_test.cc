#include "broker/network/memory_budget.h"

#include <catch2/catch.hpp>

using namespace broker;

TEST_CASE("a budget lets in while anything is left and wakes everyone who waited") {
  MemoryBudget budget(100);
  int woken = 0;
  const auto wake = [&] { ++woken; };
  CHECK(budget.take_or_wait(60, wake));
  CHECK(budget.take_or_wait(60, wake));  // overdrawn by one request
  CHECK_FALSE(budget.take_or_wait(1, wake));
  CHECK_FALSE(budget.take_or_wait(1, wake));
  CHECK(woken == 0);
  budget.release(20);
  CHECK(woken == 0);  // still nothing left
  budget.release(40);
  CHECK(woken == 2);
  budget.release(60);
  CHECK(woken == 2);
  CHECK(budget.available_bytes() == 100);
}

TEST_CASE("an unlimited budget counts nothing") {
  MemoryBudget budget(-1);
  CHECK(budget.take_or_wait(std::size_t{1} << 40, [] {}));
  CHECK_FALSE(budget.limited());
}

TEST_CASE("a charge gives back once, wherever it was moved") {
  auto budget = std::make_shared<MemoryBudget>(100);
  {
    MemoryCharge outer;
    {
      MemoryCharge inner(budget, 70);
      CHECK(budget->available_bytes() == 30);
      outer = std::move(inner);
    }
    CHECK(budget->available_bytes() == 30);
    MemoryCharge last(std::move(outer));
    CHECK(budget->available_bytes() == 30);
  }
  CHECK(budget->available_bytes() == 100);
}
