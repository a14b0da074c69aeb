#include "broker/internal_topics/led_partition.h"

#include <catch2/catch.hpp>

#include "broker/internal_topics/leadership.h"
#include "broker/internal_topics/load.h"
#include "broker/internal_topics/names.h"
#include "tests/support/broker/handler_bench.h"

using namespace broker;
using namespace broker::test;
using namespace test_support;
using base::ErrorCode;
using base::LeaderEpoch;
using base::Offset;
using std::chrono::milliseconds;

namespace {

const std::string kGroups(kGroupsTopic);
constexpr milliseconds kLong{60'000};

// What the appends were answered, in the order of the answers.
struct Answers {
  std::function<void(const base::Result<Offset>&)> next(int number) {
    return [this, number](const base::Result<Offset>& outcome) {
      absl::MutexLock lock(&mutex);
      lines.push_back(outcome ? fmt::format("{} at {}", number, *outcome)
                              : fmt::format("{} {}", number, base::error_name(outcome.error().code)));
    };
  }
  std::vector<std::string> wait_for(std::size_t count) {
    absl::MutexLock lock(&mutex);
    const auto there = [&] { return lines.size() >= count; };
    base::invariant(mutex.AwaitWithTimeout(absl::Condition(&there), absl::Seconds(10)), "answers come");
    return lines;
  }
  std::size_t count() {
    absl::MutexLock lock(&mutex);
    return lines.size();
  }
  absl::Mutex mutex;
  std::vector<std::string> lines ABSL_GUARDED_BY(mutex);
};

struct Bench : HandlerBench {
  std::shared_ptr<LedPartition> led(const Told& told) {
    return std::make_shared<LedPartition>(lead(told), told.leader_epoch, loop, system);
  }
  base::SystemClock system;
  Answers answers;
};

}  // namespace

TEST_CASE("appends are answered with their offsets, in their order") {
  Bench bench;
  const auto led = bench.led({.topic = kGroups});
  for (int i = 0; i < 3; ++i) led->append(batch_of({{"a", "b"}}), kLong, bench.answers.next(i));
  CHECK(bench.answers.wait_for(3) == std::vector<std::string>{"0 at 0", "1 at 2", "2 at 4"});
}

TEST_CASE("an append is not answered inside the call, so that it may be made under the caller's lock") {
  Bench bench;
  const auto led = bench.led({.topic = kGroups});
  bench.run_on_loop([&] {
    led->append(batch_of({{"a"}}), kLong, bench.answers.next(0));
    CHECK(bench.answers.count() == 0);
  });
  CHECK(bench.answers.wait_for(1) == std::vector<std::string>{"0 at 0"});
}

TEST_CASE("what is not replicated in time is answered so, and stays in the log") {
  Bench bench;
  const auto led = bench.led({.topic = kGroups, .replicas = {kSelf, kOther}});
  led->append(batch_of({{"a"}}), milliseconds(1), bench.answers.next(0));
  CHECK(bench.answers.wait_for(1) == std::vector<std::string>{"0 REQUEST_TIMED_OUT"});
  led->append(batch_of({{"b"}}), milliseconds(0), bench.answers.next(1));
  CHECK(bench.answers.wait_for(2)[1] == "1 REQUEST_TIMED_OUT");
  CHECK(led->partition().latest({.isolation = replication::Isolation::log_end}).value().offset == Offset{2});
}

TEST_CASE("a new leader epoch ends what waits and what comes, also when the leader stays the same") {
  Bench bench;
  const auto led = bench.led({.topic = kGroups, .replicas = {kSelf, kOther}});
  led->append(batch_of({{"a"}}), kLong, bench.answers.next(0));
  CHECK(broker::test::eventually([&] { return led->partition().waiting() == 1; }));
  REQUIRE(bench.tell({.topic = kGroups, .leader_epoch = LeaderEpoch{1}, .replicas = {kSelf}}).partitions.empty());
  CHECK(bench.answers.wait_for(1) == std::vector<std::string>{"0 NOT_LEADER_OR_FOLLOWER"});
  led->append(batch_of({{"b"}}), kLong, bench.answers.next(1));
  CHECK(bench.answers.wait_for(2)[1] == "1 NOT_LEADER_OR_FOLLOWER");
  CHECK(led->partition().latest({.isolation = replication::Isolation::log_end}).value().offset == Offset{1});
}

TEST_CASE("resigning answers what waits although the partition has not changed") {
  Bench bench;
  const auto led = bench.led({.topic = kGroups, .replicas = {kSelf, kOther}});
  led->append(batch_of({{"a"}}), kLong, bench.answers.next(0));
  CHECK(broker::test::eventually([&] { return led->partition().waiting() == 1; }));
  led->resign();
  CHECK(bench.answers.wait_for(1) == std::vector<std::string>{"0 NOT_LEADER_OR_FOLLOWER"});
  CHECK(led->partition().waiting() == 0);
  led->append(batch_of({{"b"}}), kLong, bench.answers.next(1));
  CHECK(bench.answers.wait_for(2)[1] == "1 NOT_LEADER_OR_FOLLOWER");
}

TEST_CASE("an append says what is wrong: too few replicas in sync, too large, a dead disk") {
  Bench bench;
  bench.overrides[kGroups] = {{"min.insync.replicas", "2"}, {"max.message.bytes", "1000"}};
  const auto led = bench.led({.topic = kGroups, .replicas = {kSelf, kOther}, .isr = {kSelf}});
  led->append(batch_of({{"a"}}), kLong, bench.answers.next(0));
  const auto alone = bench.led({.topic = kGroups, .partition = 1});
  alone->append(batch_of({{std::string(2000, 'x')}}), kLong, bench.answers.next(1));
  CHECK(bench.answers.wait_for(2) == std::vector<std::string>{"0 NOT_ENOUGH_REPLICAS", "1 MESSAGE_TOO_LARGE"});
  bench.dirs->all().front()->retire(base::fail(ErrorCode::kafka_storage_error, "gone"));
  alone->append(batch_of({{"b"}}), kLong, bench.answers.next(2));
  CHECK(bench.answers.wait_for(3)[2] == "2 KAFKA_STORAGE_ERROR");
}

TEST_CASE("one refused append does not overtake those before it") {
  Bench bench;
  bench.overrides[kGroups] = {{"max.message.bytes", "1000"}};
  const auto led = bench.led({.topic = kGroups, .replicas = {kSelf, kOther}});
  led->append(batch_of({{"a"}}), kLong, bench.answers.next(0));
  led->append(batch_of({{std::string(2000, 'x')}}), kLong, bench.answers.next(1));
  bench.run_on_loop([] {});
  CHECK(bench.answers.count() == 0);
  led->resign();
  CHECK(bench.answers.wait_for(2) == std::vector<std::string>{"0 NOT_LEADER_OR_FOLLOWER", "1 MESSAGE_TOO_LARGE"});
}
