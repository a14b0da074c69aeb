#include "storage/dirs/load_progress.h"

#include <catch2/catch.hpp>

#include <vector>

using namespace storage;
using std::chrono::seconds;

namespace {

auto left(const LoadCounts& counts, base::Duration elapsed) { return time_left({&counts, 1}, elapsed); }
auto line(const LoadCounts& counts, base::Duration elapsed) { return describe({&counts, 1}, elapsed); }

}  // namespace

TEST_CASE("the time left follows the pace so far, by bytes where there are bytes to read") {
  CHECK(left({.partitions = 10, .partitions_done = 0, .bytes = 1000, .bytes_done = 0}, seconds(5)) == std::nullopt);
  CHECK(left({.partitions = 10, .partitions_done = 9, .bytes = 1000, .bytes_done = 250}, seconds(5)) == seconds(15));
  CHECK(left({.partitions = 10, .partitions_done = 5}, seconds(4)) == seconds(4));
  CHECK(left({.partitions = 10, .partitions_done = 10, .bytes = 1000, .bytes_done = 600}, seconds(4)) == seconds(0));
  // Never "done" before it is.
  CHECK(left({.partitions = 10, .partitions_done = 9, .bytes = 1000, .bytes_done = 1000}, seconds(4)) == seconds(1));
  CHECK(left({.partitions = 1, .bytes = 10, .bytes_done = 5}, seconds(0)) == std::nullopt);
}

TEST_CASE("progress is told in one line") {
  CHECK(line({.partitions = 2000, .partitions_done = 120, .bytes = 10ull << 30, .bytes_done = 5ull << 30},
             seconds(20)) == "120 of 2000 partitions, 5.0 of 10.0 GiB at 256 MiB/s, about 20s left");
  CHECK(line({.partitions = 2, .partitions_done = 0, .bytes = 3 << 20, .bytes_done = 0}, seconds(1)) ==
        "0 of 2 partitions, 0.0 of 3.0 MiB at 0 MiB/s");
  CHECK(line({.partitions = 4, .partitions_done = 2}, seconds(3)) == "2 of 4 partitions at 1 a second, about 3s left");
}

TEST_CASE("directories are opened side by side: what is left takes as long as the slowest of them") {
  const LoadCounts small{.partitions = 10, .partitions_done = 9, .bytes = 1000, .bytes_done = 500};
  const LoadCounts large{.partitions = 10, .partitions_done = 1, .bytes = 9000, .bytes_done = 500};
  const LoadCounts unmeasured{.partitions = 5};
  const LoadCounts done{.partitions = 7, .partitions_done = 7};
  const auto left_of = [](std::vector<LoadCounts> all) { return time_left(all, seconds(10)); };
  CHECK(left_of({small, large, done}) == seconds(170));
  CHECK(left_of({small, done}) == seconds(10));
  CHECK(left_of({small, unmeasured}) == std::nullopt);
  CHECK(left_of({done}) == seconds(0));
  const std::vector<LoadCounts> all{small, large};
  CHECK(sum(all).bytes == 10000);
  CHECK(sum(all).partitions_done == 10);
}
