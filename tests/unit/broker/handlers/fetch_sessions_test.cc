#include "broker/handlers/fetch_sessions.h"

#include <catch2/catch.hpp>

#include <limits>

using namespace broker;
using base::ErrorCode;
using base::Offset;
using protocol::FetchRequest;
using PartitionAnswer = protocol::FetchResponse::Topic::Partition;
using std::chrono::seconds;

namespace {

constexpr std::int16_t kByName = 12;
constexpr std::int16_t kById = 13;

struct Wanted {
  std::int32_t session_id = 0;
  std::int32_t epoch = 0;
  std::vector<int> partitions = {};
  std::vector<int> forgotten = {};
  int follower = -1;
  std::int64_t offset = 0;
};

FetchRequest request(const Wanted& wanted) {
  FetchRequest out;
  out.replica_id = base::BrokerId{wanted.follower};
  out.session_id = wanted.session_id;
  out.session_epoch = wanted.epoch;
  if (!wanted.partitions.empty()) {
    auto& topic = out.topics.emplace_back();
    topic.topic = "t";
    for (const int partition : wanted.partitions) {
      auto& one = topic.partitions.emplace_back();
      one.partition = partition;
      one.fetch_offset = Offset{wanted.offset};
    }
  }
  if (!wanted.forgotten.empty()) {
    auto& topic = out.forgotten_topics_data.emplace_back();
    topic.topic = "t";
    for (const int partition : wanted.forgotten) topic.partitions.push_back(partition);
  }
  return out;
}

struct Bench {
  explicit Bench(std::size_t slots = 3) : cache(slots, clock, random) {}

  base::Result<FetchContext> open(const Wanted& wanted, std::int16_t version = kByName) {
    return cache.open(request(wanted), version);
  }
  ErrorCode refusal(const Wanted& wanted, std::int16_t version = kByName) {
    const auto context = open(wanted, version);
    return context ? ErrorCode::none : context.error().code;
  }
  // A session of that many partitions; 0 when there was no room.
  std::int32_t make(int partitions = 1, int follower = -1) {
    Wanted wanted{.follower = follower};
    for (int i = 0; i < partitions; ++i) wanted.partitions.push_back(i);
    return open(wanted)->answered_session_id;
  }
  bool knows(std::int32_t id) {
    return refusal({.session_id = id, .epoch = 99}) != ErrorCode::fetch_session_id_not_found;
  }

  base::ManualClock clock;
  base::SeededRandom random{42};
  FetchSessionCache cache;
};

std::vector<int> numbers(const FetchContext& context) {
  std::vector<int> out;
  for (const auto& partition : context.partitions) out.push_back(partition->partition);
  return out;
}

struct Told {
  ErrorCode error = ErrorCode::none;
  std::int64_t high_watermark = 0;
  std::int64_t log_start = 0;
  int bytes = 0;
};

PartitionAnswer answer(const Told& told) {
  PartitionAnswer out;
  out.error_code = told.error;
  out.high_watermark = Offset{told.high_watermark};
  out.log_start_offset = Offset{told.log_start};
  if (told.bytes > 0) out.records.pieces.append(base::Buffer(static_cast<std::size_t>(told.bytes)));
  return out;
}

std::vector<bool> keep(FetchContext& context, const std::vector<PartitionAnswer>& answers) {
  std::vector<FetchContext::Outcome> outcomes;
  for (const auto& one : answers) outcomes.push_back({&one});
  return context.keep_news(outcomes);
}

using Numbers = std::vector<int>;
using Kept = std::vector<bool>;

}  // namespace

TEST_CASE("(0, -1) is a full fetch without a session") {
  Bench bench;
  auto context = bench.open({.epoch = -1, .partitions = {1, 2}});
  REQUIRE(context.ok());
  CHECK(context->answered_session_id == 0);
  CHECK_FALSE(context->incremental);
  CHECK(numbers(*context) == Numbers{1, 2});
  CHECK(bench.cache.size() == 0);
  CHECK(keep(*context, {answer({}), answer({})}) == Kept{true, true});
}

TEST_CASE("(0, 0) makes a session whose first incremental request has epoch 1") {
  Bench bench;
  auto context = bench.open({.partitions = {1, 2}});
  REQUIRE(context.ok());
  const auto id = context->answered_session_id;
  CHECK(id > 0);
  CHECK_FALSE(context->incremental);
  CHECK(keep(*context, {answer({}), answer({})}) == Kept{true, true});
  const auto next = bench.open({.session_id = id, .epoch = 1});
  REQUIRE(next.ok());
  CHECK(next->incremental);
  CHECK(next->answered_session_id == id);
  CHECK(numbers(*next) == Numbers{1, 2});
}

TEST_CASE("(x, -1) closes the session and fetches without one") {
  Bench bench;
  const auto id = bench.make();
  const auto context = bench.open({.session_id = id, .epoch = -1, .partitions = {5}});
  CHECK(context->answered_session_id == 0);
  CHECK(numbers(*context) == Numbers{5});
  CHECK(bench.cache.size() == 0);
}

TEST_CASE("(x, 0) closes the session and makes another") {
  Bench bench;
  const auto id = bench.make();
  const auto context = bench.open({.session_id = id, .epoch = 0, .partitions = {5}});
  CHECK(context->answered_session_id != 0);
  CHECK(context->answered_session_id != id);
  CHECK(bench.cache.size() == 1);
  CHECK_FALSE(bench.knows(id));
}

TEST_CASE("an unknown session and an epoch out of turn are refused, and change nothing") {
  Bench bench;
  const auto id = bench.make();
  CHECK(bench.refusal({.session_id = id ^ 1, .epoch = 1}) == ErrorCode::fetch_session_id_not_found);
  CHECK(bench.refusal({.session_id = 0, .epoch = 1}) == ErrorCode::fetch_session_id_not_found);
  for (const int epoch : {2, 3, std::numeric_limits<int>::max()})
    CHECK(bench.refusal({.session_id = id, .epoch = epoch}) == ErrorCode::invalid_fetch_session_epoch);
  CHECK(bench.refusal({.session_id = id, .epoch = 1}) == ErrorCode::none);
  CHECK(bench.refusal({.session_id = id, .epoch = 1}) == ErrorCode::invalid_fetch_session_epoch);
  CHECK(bench.refusal({.session_id = id, .epoch = 2}) == ErrorCode::none);
}

TEST_CASE("after the largest epoch comes 1") {
  CHECK(next_session_epoch(1) == 2);
  CHECK(next_session_epoch(std::numeric_limits<std::int32_t>::max() - 1) == std::numeric_limits<std::int32_t>::max());
  CHECK(next_session_epoch(std::numeric_limits<std::int32_t>::max()) == 1);
}

TEST_CASE("a session of names takes no ids and the other way round, told only in turn") {
  Bench bench;
  const auto by_name = bench.make();
  CHECK(bench.refusal({.session_id = by_name, .epoch = 1}, kById) == ErrorCode::fetch_session_topic_id_error);
  CHECK(bench.refusal({.session_id = by_name, .epoch = 2}, kById) == ErrorCode::invalid_fetch_session_epoch);
  const auto by_id = bench.open({.partitions = {1}}, kById)->answered_session_id;
  CHECK(bench.refusal({.session_id = by_id, .epoch = 1}, kByName) == ErrorCode::fetch_session_topic_id_error);
  CHECK(bench.refusal({.session_id = by_id, .epoch = 1}, kById) == ErrorCode::none);
}

TEST_CASE("an incremental request adds, changes and forgets partitions") {
  Bench bench;
  const auto id = bench.open({.partitions = {1, 2, 3}})->answered_session_id;
  const auto context =
      bench.open({.session_id = id, .epoch = 1, .partitions = {4, 2}, .forgotten = {1, 9}, .offset = 8});
  REQUIRE(context.ok());
  CHECK(numbers(*context) == Numbers{2, 3, 4});
  CHECK(context->partitions[0]->fetch_offset == Offset{8});
  CHECK(context->partitions[1]->fetch_offset == Offset{0});
}

TEST_CASE("a session that has lost its last partition ends") {
  Bench bench;
  const auto id = bench.open({.partitions = {1, 2}})->answered_session_id;
  const auto context = bench.open({.session_id = id, .epoch = 1, .forgotten = {1, 2}});
  REQUIRE(context.ok());
  CHECK(context->answered_session_id == 0);
  CHECK(context->partitions.empty());
  CHECK(bench.cache.size() == 0);
}

TEST_CASE("an incremental answer names a partition only when there is news of it") {
  Bench bench;
  auto first = bench.open({.partitions = {0, 1, 2, 3}});
  const auto id = first->answered_session_id;
  const auto quiet = answer({.high_watermark = 5, .log_start = 1});
  keep(*first, {quiet, quiet, quiet, quiet});

  auto nothing = bench.open({.session_id = id, .epoch = 1});
  CHECK(keep(*nothing, {quiet, quiet, quiet, quiet}) == Kept{false, false, false, false});

  auto some = bench.open({.session_id = id, .epoch = 2});
  CHECK(keep(*some, {answer({.high_watermark = 6, .log_start = 1}), answer({.high_watermark = 5, .log_start = 2}),
                     answer({.high_watermark = 5, .log_start = 1, .bytes = 10}), quiet}) ==
        Kept{true, true, true, false});

  // Told once, it is no news any more.
  auto later = bench.open({.session_id = id, .epoch = 3});
  REQUIRE(numbers(*later) == Numbers{0, 1, 3, 2});
  CHECK(keep(*later, {answer({.high_watermark = 6, .log_start = 1}), answer({.high_watermark = 5, .log_start = 2}),
                      quiet, quiet}) == Kept{false, false, false, false});
}

TEST_CASE("a diverging epoch and a preferred replica are news") {
  Bench bench;
  auto first = bench.open({.partitions = {0, 1}});
  keep(*first, {answer({}), answer({})});
  auto next = bench.open({.session_id = first->answered_session_id, .epoch = 1});
  auto diverging = answer({});
  diverging.diverging_epoch.emplace();
  auto elsewhere = answer({});
  elsewhere.preferred_read_replica = base::BrokerId{2};
  CHECK(keep(*next, {diverging, elsewhere}) == Kept{true, true});
}

TEST_CASE("an error is told until it is over, and its end is told too") {
  Bench bench;
  auto first = bench.open({.partitions = {0}});
  const auto id = first->answered_session_id;
  keep(*first, {answer({.high_watermark = 5})});
  const auto failed = answer({.error = ErrorCode::not_leader_or_follower, .high_watermark = -1, .log_start = -1});
  for (int epoch = 1; epoch <= 2; ++epoch) {
    auto context = bench.open({.session_id = id, .epoch = epoch});
    CHECK(keep(*context, {failed}) == Kept{true});
  }
  auto cured = bench.open({.session_id = id, .epoch = 3});
  CHECK(keep(*cured, {answer({.high_watermark = 5})}) == Kept{true});
  auto quiet = bench.open({.session_id = id, .epoch = 4});
  CHECK(keep(*quiet, {answer({.high_watermark = 5})}) == Kept{false});
}

TEST_CASE("whoever got data goes to the end of the line, in incremental answers") {
  Bench bench;
  auto first = bench.open({.partitions = {0, 1, 2}});
  const auto id = first->answered_session_id;
  keep(*first, {answer({.bytes = 1}), answer({}), answer({})});
  auto second = bench.open({.session_id = id, .epoch = 1});
  CHECK(numbers(*second) == Numbers{0, 1, 2});
  keep(*second, {answer({.bytes = 1}), answer({}), answer({})});
  auto third = bench.open({.session_id = id, .epoch = 2});
  CHECK(numbers(*third) == Numbers{1, 2, 0});
}

TEST_CASE("a request still being answered keeps what it asked for when the next one changes it") {
  Bench bench;
  const auto id = bench.make();
  auto earlier = bench.open({.session_id = id, .epoch = 1, .partitions = {0}, .offset = 3});
  auto later = bench.open({.session_id = id, .epoch = 2, .partitions = {0}, .offset = 4});
  CHECK(earlier->partitions[0]->fetch_offset == Offset{3});
  CHECK(later->partitions[0]->fetch_offset == Offset{4});
  auto gone = bench.open({.session_id = id, .epoch = 3, .partitions = {7}, .forgotten = {0}});
  CHECK(keep(*earlier, {answer({.bytes = 1})}) == Kept{true});
  CHECK(keep(*gone, {answer({})}) == Kept{true});
}

TEST_CASE("a partition named twice is asked for once, as the last mention says") {
  Bench bench;
  auto wanted = request({.epoch = -1, .partitions = {1, 2, 1}});
  wanted.topics[0].partitions[2].fetch_offset = Offset{9};
  const auto context = bench.cache.open(wanted, kByName);
  CHECK(numbers(*context) == Numbers{1, 2});
  CHECK(context->partitions[0]->fetch_offset == Offset{9});
}

TEST_CASE("a full cache refuses a newcomer that is worth no more") {
  Bench bench(2);
  const auto first = bench.make(5);
  const auto second = bench.make(5);
  bench.clock.advance(seconds(10));
  CHECK(bench.make(100) == 0);  // larger, but the others are young
  CHECK(bench.knows(first));
  CHECK(bench.knows(second));
  CHECK(bench.cache.size() == 2);
}

TEST_CASE("no slots, no sessions") {
  Bench bench(0);
  CHECK(bench.make() == 0);
}

TEST_CASE("a session idle for longer than two minutes makes room for anybody") {
  Bench bench(2);
  const auto idle = bench.make(50, 3);
  bench.clock.advance(seconds(60));
  const auto busy = bench.make(50, 3);
  bench.clock.advance(seconds(60));
  CHECK(bench.make(1) == 0);  // 120 s exactly
  bench.clock.advance(seconds(1));
  CHECK(bench.make(1) != 0);
  CHECK_FALSE(bench.knows(idle));
  CHECK(bench.knows(busy));
}

TEST_CASE("a follower takes the place of a consumer of any age, the smallest one, never that of a follower") {
  Bench bench(3);
  const auto follower = bench.make(1, 2);
  const auto large = bench.make(9);
  const auto small = bench.make(3);
  CHECK(bench.make(1, 4) != 0);
  CHECK_FALSE(bench.knows(small));
  CHECK(bench.make(1, 5) != 0);
  CHECK_FALSE(bench.knows(large));
  CHECK(bench.make(50, 6) == 0);
  CHECK(bench.knows(follower));
}

TEST_CASE("old enough, a smaller session gives way to a larger one, an equal one does not") {
  Bench bench(2);
  const auto small = bench.make(5);
  const auto large = bench.make(8);
  for (int epoch = 1; epoch <= 2; ++epoch) {  // in use all the time
    bench.clock.advance(seconds(70));
    CHECK(bench.refusal({.session_id = small, .epoch = epoch}) == ErrorCode::none);
    CHECK(bench.refusal({.session_id = large, .epoch = epoch}) == ErrorCode::none);
  }
  CHECK(bench.make(5) == 0);
  CHECK(bench.make(6) != 0);
  CHECK_FALSE(bench.knows(small));
  CHECK(bench.knows(large));
}
