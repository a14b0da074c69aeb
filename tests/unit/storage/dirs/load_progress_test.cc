#include "storage/dirs/load_progress.h"

#include <catch2/catch.hpp>

using namespace storage;
using std::chrono::seconds;

TEST_CASE("the time left follows the pace so far, by bytes where there are bytes to read") {
  CHECK(time_left({.partitions = 10, .partitions_done = 0, .bytes = 1000, .bytes_done = 0}, seconds(5)) ==
        std::nullopt);
  CHECK(time_left({.partitions = 10, .partitions_done = 9, .bytes = 1000, .bytes_done = 250}, seconds(5)) ==
        seconds(15));
  CHECK(time_left({.partitions = 10, .partitions_done = 5}, seconds(4)) == seconds(4));
  CHECK(time_left({.partitions = 10, .partitions_done = 10, .bytes = 1000, .bytes_done = 600}, seconds(4)) ==
        seconds(0));
  // Never "done" before it is.
  CHECK(time_left({.partitions = 10, .partitions_done = 9, .bytes = 1000, .bytes_done = 1000}, seconds(4)) ==
        seconds(1));
  CHECK(time_left({.partitions = 1, .bytes = 10, .bytes_done = 5}, seconds(0)) == std::nullopt);
}

TEST_CASE("progress is told in one line") {
  CHECK(describe({.partitions = 2000, .partitions_done = 120, .bytes = 10ull << 30, .bytes_done = 5ull << 30},
                 seconds(20)) == "120 of 2000 partitions, 5.0 of 10.0 GiB, about 20s left");
  CHECK(describe({.partitions = 2, .partitions_done = 0, .bytes = 3 << 20, .bytes_done = 0}, seconds(1)) ==
        "0 of 2 partitions, 0.0 of 3.0 MiB");
  CHECK(describe({.partitions = 4, .partitions_done = 2}, seconds(3)) == "2 of 4 partitions, about 3s left");
}
