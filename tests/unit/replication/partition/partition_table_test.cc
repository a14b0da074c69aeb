#include "replication/partition/partition_table.h"

#include <catch2/catch.hpp>

#include "tests/support/replication/replica_bench.h"

using namespace replication;
using test_support::ReplicaBench;

TEST_CASE("a partition is found by topic and number, and nothing else is") {
  ReplicaBench bench;
  const auto third = bench.lead({.partition = 3});
  const auto& table = bench.table;
  CHECK(table.find("orders", 3) == third);
  for (const int missing : {-1, 0, 2, 4, 2'000'000'000}) CHECK_FALSE(table.find("orders", missing));
  CHECK_FALSE(table.find("order", 3));
  CHECK_FALSE(table.find("", 3));
}

TEST_CASE("what is removed is handed out once, gaps stay gaps") {
  ReplicaBench bench;
  const auto first = bench.lead({.partition = 0});
  const auto third = bench.lead({.partition = 2});
  CHECK(bench.table.all().size() == 2);
  CHECK(bench.table.remove({"orders", 0}) == first);
  CHECK_FALSE(bench.table.remove({"orders", 0}));
  CHECK_FALSE(bench.table.remove({"orders", 1}));
  CHECK_FALSE(bench.table.remove({"orders", -1}));
  CHECK_FALSE(bench.table.remove({"others", 0}));
  CHECK(bench.table.find("orders", 2) == third);
  CHECK(bench.table.all().size() == 1);
  bench.table.put(first);
  CHECK(bench.table.find("orders", 0) == first);
}
