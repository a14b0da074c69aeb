#include "broker/group/committed_offsets.h"

#include <catch2/catch.hpp>

#include <map>

#include "base/random.h"

namespace {

using namespace broker;
using base::Offset;
using base::ProducerId;
using base::TopicPartition;
using std::chrono::hours;

const TopicPartition kOrders{"orders", 0};
const base::Timestamp kNoon = base::timestamp_from_ms(1'700'000'000'000);

CommittedOffset at(std::int64_t offset, std::int64_t logged_at) {
  CommittedOffset out;
  out.offset = Offset{offset};
  out.committed = kNoon;
  out.logged_at = Offset{logged_at};
  return out;
}

std::int64_t stored(const CommittedOffsets& offsets, const TopicPartition& which = kOrders) {
  const auto* found = offsets.find(which.topic, which.partition);
  return found ? found->offset.raw : -1;
}

TEST_CASE("a commit counts once it is stored, and is unstable until then") {
  CommittedOffsets offsets;
  offsets.begin(kOrders);
  CHECK(stored(offsets) == -1);
  CHECK(offsets.is_unstable("orders", 0));
  CHECK_FALSE(offsets.is_unstable("orders", 1));
  CHECK_FALSE(offsets.empty());
  offsets.succeeded(kOrders, at(5, 100));
  CHECK(stored(offsets) == 5);
  CHECK_FALSE(offsets.is_unstable("orders", 0));
  offsets.begin(kOrders);
  offsets.failed(kOrders);
  CHECK(stored(offsets) == 5);
  CHECK_FALSE(offsets.is_unstable("orders", 0));
}

TEST_CASE("of two commits the one that is later in the log counts, whichever is told first") {
  CommittedOffsets offsets;
  offsets.begin(kOrders);
  offsets.begin(kOrders);
  offsets.succeeded(kOrders, at(2, 101));
  offsets.succeeded(kOrders, at(1, 100));
  CHECK(stored(offsets) == 2);
}

TEST_CASE("offsets of a transaction count when it commits, and are gone when it aborts") {
  CommittedOffsets offsets;
  const ProducerId producer{7};
  offsets.begin(producer, kOrders);
  CHECK(offsets.is_unstable("orders", 0));
  offsets.succeeded(producer, kOrders, at(9, 100));
  CHECK(stored(offsets) == -1);
  CHECK(offsets.open_transactions() == std::vector{producer});
  SECTION("commit") {
    offsets.end_transaction(producer, true);
    CHECK(stored(offsets) == 9);
    CHECK_FALSE(offsets.is_unstable("orders", 0));
  }
  SECTION("abort") {
    offsets.end_transaction(producer, false);
    CHECK(stored(offsets) == -1);
    CHECK(offsets.empty());
  }
  SECTION("commit behind a later plain one") {
    offsets.put("orders", 0, at(20, 150));
    offsets.end_transaction(producer, true);
    CHECK(stored(offsets) == 20);
  }
  SECTION("another commit of it fails: the first stays") {
    offsets.begin(producer, kOrders);
    offsets.failed(producer, kOrders);
    offsets.end_transaction(producer, true);
    CHECK(stored(offsets) == 9);
  }
  SECTION("another producer's end is not its end") {
    offsets.end_transaction(ProducerId{8}, true);
    CHECK(stored(offsets) == -1);
  }
}

TEST_CASE("a transactional commit that could not be stored leaves nothing") {
  CommittedOffsets offsets;
  offsets.begin(ProducerId{7}, kOrders);
  offsets.failed(ProducerId{7}, kOrders);
  CHECK(offsets.empty());
}

TEST_CASE("what expires: by the age of the commit, of the group's idleness, or by its own time") {
  CommittedOffsets offsets;
  auto old = at(1, 1);
  old.committed = kNoon - hours(200);
  offsets.put("old", 0, old);
  offsets.put("young", 0, at(1, 2));
  auto own = at(1, 3);
  own.expires = kNoon + hours(1);
  offsets.put("own", 0, own);
  const auto none = [](std::string_view) { return false; };
  const auto expired = [&](CommittedOffsets::Retention retention, const auto& wanted) {
    std::vector<std::string> out;
    for (const auto& one : offsets.expired(retention, wanted)) out.push_back(one.topic);
    std::sort(out.begin(), out.end());
    return out;
  };
  CHECK(expired({kNoon, hours(168), {}}, none) == std::vector<std::string>{"old"});
  CHECK(expired({kNoon + hours(1), hours(168), {}}, none) == std::vector<std::string>{"old", "own"});
  CHECK(expired({kNoon + hours(168), hours(168), {}}, none) == std::vector<std::string>{"old", "own", "young"});
  CHECK(expired({kNoon, hours(168), kNoon - hours(1)}, none).empty());
  CHECK(expired({kNoon + hours(168), hours(168), {}}, [](std::string_view topic) { return topic == "old"; }) ==
        std::vector<std::string>{"own", "young"});
  offsets.begin(TopicPartition{"old", 0});
  CHECK(expired({kNoon, hours(168), {}}, none).empty());
}

TEST_CASE("removing leaves no empty topics behind") {
  CommittedOffsets offsets;
  offsets.put("a", 0, at(1, 1));
  offsets.put("a", 3, at(1, 2));
  CHECK(offsets.of_topic("a") == std::vector<TopicPartition>{{"a", 0}, {"a", 3}});
  CHECK(offsets.size() == 2);
  CHECK(offsets.remove("a", 0));
  CHECK_FALSE(offsets.remove("a", 0));
  CHECK_FALSE(offsets.remove("b", 0));
  CHECK(offsets.all() == std::vector<TopicPartition>{{"a", 3}});
  CHECK(offsets.remove("a", 3));
  CHECK(offsets.empty());
}

// The log decides: whatever order acknowledgements come in, serving ends where loading would.
TEST_CASE("serving and loading agree on every history") {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    INFO("seed " << seed);
    base::SeededRandom random(seed);
    CommittedOffsets served;
    CommittedOffsets loaded;
    struct Flight {
      std::optional<ProducerId> producer;
      TopicPartition partition;
      CommittedOffset what;
    };
    std::vector<Flight> flights;
    std::int64_t log_end = 0;
    const auto land = [&](std::size_t i) {
      const auto one = flights[i];
      flights.erase(flights.begin() + static_cast<std::ptrdiff_t>(i));
      one.producer ? served.succeeded(*one.producer, one.partition, one.what)
                   : served.succeeded(one.partition, one.what);
    };
    for (int step = 0; step < 200; ++step) {
      const TopicPartition partition{"t" + std::to_string(random.below(2)), static_cast<std::int32_t>(random.below(2))};
      const ProducerId producer{static_cast<std::int64_t>(random.below(3))};
      const auto what = at(static_cast<std::int64_t>(random.below(1000)), log_end);
      switch (random.below(6)) {
        case 0:
        case 1:
          ++log_end;
          served.begin(partition);
          loaded.put(partition.topic, partition.partition, what);
          flights.push_back({std::nullopt, partition, what});
          break;
        case 2:
          ++log_end;
          served.begin(producer, partition);
          loaded.pend(producer, partition.topic, partition.partition, what);
          flights.push_back({producer, partition, what});
          break;
        case 3:  // a marker comes after the acknowledgements of what it ends
          for (std::size_t i = 0; i < flights.size();)
            if (flights[i].producer == producer)
              land(i);
            else
              ++i;
          {
            const bool commit = random.below(2) == 0;
            served.end_transaction(producer, commit);
            loaded.end_transaction(producer, commit);
          }
          break;
        default:
          if (!flights.empty()) land(random.below(flights.size()));
      }
    }
    while (!flights.empty()) land(random.below(flights.size()));
    for (const auto& partition : loaded.all()) REQUIRE(stored(served, partition) == stored(loaded, partition));
    REQUIRE(served.size() == loaded.size());
    REQUIRE(served.open_transactions().size() == loaded.open_transactions().size());
  }
}

}  // namespace
