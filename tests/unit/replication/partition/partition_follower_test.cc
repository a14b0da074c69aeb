#include <catch2/catch.hpp>

#include <limits>

#include "replication/partition/partition.h"
#include "tests/support/replication/replica_bench.h"

using namespace replication;
using namespace test_support;
using base::ErrorCode;
using base::LeaderEpoch;
using base::Offset;
using MayWait = Partition::MayWait;

namespace {

template <class T>
ErrorCode code_of(const base::Result<T>& result) {
  return result ? ErrorCode::none : result.error().code;
}

// A batch as a leader has it.
base::Buffer led_batch(Offset at, LeaderEpoch epoch, std::vector<std::string> values) {
  auto bytes = batch_of({std::move(values)});
  protocol::Batch::parse(bytes.bytes()).value()->stamp(at, epoch);
  return bytes;
}

template <class... Buffers>
base::Buffer joined(const Buffers&... parts) {
  base::Buffer out;
  (out.append(parts.bytes()), ...);
  return out;
}

struct FollowerBench : ReplicaBench {
  std::shared_ptr<Partition> partition = follow(LeaderEpoch{5});

  std::shared_ptr<Partition> follow(LeaderEpoch epoch) {
    return lead({.leader_epoch = epoch, .leader = kOther, .replicas = {kSelf, kOther}});
  }
  FollowerPosition at() { return partition->follower_position().value(); }
  base::Result<std::optional<FollowerPosition>> take(std::span<const std::byte> records,
                                                     MayWait may_wait = MayWait::yes, Offset high_watermark = Offset{0},
                                                     Offset log_start = Offset{0}) {
    return partition->append_from_leader({.fetched_under = at().leader_epoch,
                                          .fetched_from = at().log_end,
                                          .records = records,
                                          .high_watermark = high_watermark,
                                          .log_start = log_start},
                                         may_wait);
  }
  // Batches of one record each, one per epoch.
  void fill(const std::vector<int>& epochs) {
    for (const int epoch : epochs) REQUIRE(take(led_batch(at().log_end, LeaderEpoch{epoch}, {"v"}).bytes()));
  }
};

}  // namespace

TEST_CASE("a follower takes batches as they are, and what its leader has committed as far as it has it") {
  FollowerBench bench;
  const auto records =
      joined(led_batch(Offset{0}, LeaderEpoch{5}, {"a", "b"}), led_batch(Offset{2}, LeaderEpoch{5}, {"c"}));
  const auto at = bench.take(records.bytes(), MayWait::yes, Offset{9}, Offset{0}).value().value();
  CHECK(at.log_end == Offset{3});
  CHECK(at.high_watermark == Offset{3});
  CHECK(at.last_epoch == LeaderEpoch{5});
  CHECK(at.leader_epoch == LeaderEpoch{5});

  // No records: what was committed since, and where the leader's log begins by now.
  const auto more = led_batch(Offset{3}, LeaderEpoch{5}, {"d"});
  CHECK(bench.take(more.bytes(), MayWait::no, Offset{3}).value()->high_watermark == Offset{3});
  const auto later = bench.take({}, MayWait::no, Offset{4}, Offset{2}).value().value();
  CHECK(later.high_watermark == Offset{4});
  CHECK(later.log_start == Offset{2});
}

TEST_CASE("neither high watermark nor log start of a follower go back because a leader knows less") {
  FollowerBench bench;
  bench.fill({5, 5, 5});
  REQUIRE(bench.take({}, MayWait::no, Offset{3}, Offset{1}));
  const auto at = bench.take({}, MayWait::no, Offset{1}, Offset{0}).value().value();
  CHECK(at.high_watermark == Offset{3});
  CHECK(at.log_start == Offset{1});
  CHECK(bench.take({}, MayWait::no, Offset{-1}, Offset{-1}).value()->high_watermark == Offset{3});
}

TEST_CASE("a leader's log start above what the follower knows to be committed is taken as far as that") {
  FollowerBench bench;
  bench.fill({5, 5, 5});
  const auto at = bench.take({}, MayWait::no, Offset{2}, Offset{3}).value().value();
  CHECK(at.high_watermark == Offset{2});
  CHECK(at.log_start == Offset{2});
}

TEST_CASE("what was fetched under another leader epoch, or from elsewhere, is not taken") {
  FollowerBench bench;
  bench.fill({5});
  const auto records = led_batch(Offset{1}, LeaderEpoch{5}, {"b"});
  FromLeader from{.fetched_under = LeaderEpoch{4},
                  .fetched_from = Offset{1},
                  .records = records.bytes(),
                  .high_watermark = Offset{1},
                  .log_start = Offset{0}};
  CHECK(code_of(bench.partition->append_from_leader(from, MayWait::yes)) == ErrorCode::fenced_leader_epoch);
  CHECK(code_of(bench.partition->truncate_as_follower(LeaderEpoch{4}, Offset{0})) == ErrorCode::fenced_leader_epoch);
  CHECK(code_of(bench.partition->restart_as_follower(LeaderEpoch{6}, Offset{9})) == ErrorCode::fenced_leader_epoch);
  from.fetched_under = LeaderEpoch{5};
  for (const int offset : {0, 2}) {
    from.fetched_from = Offset{offset};
    CHECK(code_of(bench.partition->append_from_leader(from, MayWait::yes)) == ErrorCode::offset_out_of_range);
  }
  CHECK(bench.at().log_end == Offset{1});

  bench.lead({.leader_epoch = LeaderEpoch{6}, .replicas = {kSelf, kOther}, .isr = {kSelf}});
  from = {.fetched_under = LeaderEpoch{6},
          .fetched_from = Offset{1},
          .records = records.bytes(),
          .high_watermark = {},
          .log_start = {}};
  CHECK(code_of(bench.partition->append_from_leader(from, MayWait::yes)) == ErrorCode::not_leader_or_follower);
  CHECK(code_of(bench.partition->follower_position()) == ErrorCode::not_leader_or_follower);
  CHECK(code_of(bench.partition->truncate_to_leader(LeaderEpoch{6}, {LeaderEpoch{5}, Offset{0}})) ==
        ErrorCode::not_leader_or_follower);
  bench.partition->stop();
  CHECK(code_of(bench.partition->follower_position()) == ErrorCode::not_leader_or_follower);
}

TEST_CASE("a leader that lies harms nothing") {
  FollowerBench bench;
  bench.fill({4, 5});
  auto records = led_batch(Offset{2}, LeaderEpoch{5}, {"x", "y"});
  SECTION("offsets that are here already") { records = led_batch(Offset{1}, LeaderEpoch{5}, {"x"}); }
  SECTION("offsets that are here, and some more") { records = led_batch(Offset{1}, LeaderEpoch{5}, {"x", "y"}); }
  SECTION("offsets that fall") {
    records = joined(led_batch(Offset{4}, LeaderEpoch{5}, {"x"}), led_batch(Offset{3}, LeaderEpoch{5}, {"y"}));
  }
  SECTION("the last of all offsets") {
    records = led_batch(Offset{std::numeric_limits<std::int64_t>::max()}, LeaderEpoch{5}, {"x"});
  }
  SECTION("offsets beyond the last") {
    records = led_batch(Offset{std::numeric_limits<std::int64_t>::max()}, LeaderEpoch{5}, {"x", "y"});
  }
  SECTION("negative offsets") { records = led_batch(Offset{-5}, LeaderEpoch{5}, {"x"}); }
  SECTION("an epoch that has not come") { records = led_batch(Offset{2}, LeaderEpoch{6}, {"x"}); }
  SECTION("a wrong checksum") { records.bytes().back() ^= std::byte{1}; }
  SECTION("a wrong checksum behind a good batch") {
    auto bad = led_batch(Offset{3}, LeaderEpoch{5}, {"y"});
    bad.bytes().back() ^= std::byte{1};
    records = joined(led_batch(Offset{2}, LeaderEpoch{5}, {"x"}), bad);
  }
  SECTION("a length of nothing") {
    for (std::size_t i = 8; i < 12; ++i) records.bytes()[i] = std::byte{0};
  }
  SECTION("an unknown magic") { records.bytes()[16] = std::byte{7}; }
  const auto outcome = bench.take(records.bytes(), MayWait::yes, Offset{100}, Offset{50});
  const auto code = code_of(outcome);
  CHECK((code == ErrorCode::corrupt_message || code == ErrorCode::offset_out_of_range));
  const auto at = bench.at();
  CHECK(at.log_end == Offset{2});
  CHECK(at.high_watermark == Offset{0});
  CHECK(at.log_start == Offset{0});
  CHECK(at.last_epoch == LeaderEpoch{5});
  bench.fill({5});
  CHECK(bench.at().log_end == Offset{3});
}

TEST_CASE("an answer whose end is cut off is taken as far as it is whole") {
  FollowerBench bench;
  const auto records = joined(led_batch(Offset{0}, LeaderEpoch{5}, {"a"}), led_batch(Offset{1}, LeaderEpoch{5}, {"b"}));
  CHECK(bench.take(records.bytes().first(records.size() - 1), MayWait::yes, Offset{2}).value()->log_end == Offset{1});
  CHECK(bench.take(led_batch(Offset{1}, LeaderEpoch{5}, {"b"}).bytes().first(20), MayWait::yes).value()->log_end ==
        Offset{1});
  CHECK(bench.at().high_watermark == Offset{1});
}

TEST_CASE("offsets that compaction took away at the leader are missing at the follower too") {
  FollowerBench bench;
  bench.fill({5});
  CHECK(bench.take(led_batch(Offset{7}, LeaderEpoch{5}, {"x"}).bytes()).value()->log_end == Offset{8});
}

TEST_CASE("the first records of a leader epoch are taken by who may wait for the disk, the others at once") {
  FollowerBench bench;
  const auto first = led_batch(Offset{0}, LeaderEpoch{4}, {"a"});
  CHECK_FALSE(bench.take(first.bytes(), MayWait::no, Offset{9}).value());
  CHECK(bench.at().log_end == Offset{0});
  REQUIRE(bench.take(first.bytes(), MayWait::yes).value());
  CHECK(bench.take(led_batch(Offset{1}, LeaderEpoch{4}, {"b"}).bytes(), MayWait::no).value());
  const auto turn = joined(led_batch(Offset{2}, LeaderEpoch{4}, {"c"}), led_batch(Offset{3}, LeaderEpoch{5}, {"d"}));
  CHECK_FALSE(bench.take(turn.bytes(), MayWait::no).value());
  REQUIRE(bench.take(turn.bytes(), MayWait::yes).value());
  CHECK(bench.at().last_epoch == LeaderEpoch{5});
  CHECK(bench.take({}, MayWait::no).value());
}

TEST_CASE("an empty log begins with the batch in whose middle the leader's log begins") {
  FollowerBench bench;
  REQUIRE(bench.partition->restart_as_follower(LeaderEpoch{5}, Offset{12}));
  CHECK(bench.at().log_start == Offset{12});
  const auto records = led_batch(Offset{10}, LeaderEpoch{5}, {"a", "b", "c", "d"});
  CHECK_FALSE(bench.take(records.bytes(), MayWait::no, Offset{14}, Offset{12}).value());
  const auto at = bench.take(records.bytes(), MayWait::yes, Offset{14}, Offset{12}).value().value();
  CHECK(at.log_start == Offset{12});
  CHECK(at.log_end == Offset{14});
  CHECK(at.high_watermark == Offset{14});
}

TEST_CASE("what a leader keeps in one segment is taken also where segments are smaller") {
  FollowerBench bench;
  auto settings = *bench.partition->settings();
  settings.log.segment_bytes = 200;
  bench.partition->change_settings(settings);
  base::Buffer batches;
  for (int i = 0; i < 20; ++i) batches.append(led_batch(Offset{i}, LeaderEpoch{5}, {std::string(30, 'v')}).bytes());
  CHECK(bench.take(batches.bytes(), MayWait::yes, Offset{20}).value()->log_end == Offset{20});
  bench.partition->with_log([](storage::Log& log) { CHECK(log.segments().size() > 5); });
  CHECK(code_of(bench.take(led_batch(Offset{20}, LeaderEpoch{5}, {std::string(300, 'v')}).bytes())) ==
        ErrorCode::record_list_too_large);
  CHECK(bench.at().log_end == Offset{20});
}

TEST_CASE("who waits at a follower is woken by what it takes") {
  FollowerBench bench;
  struct Looks final : Watch {
    void changed(Of) override { ++times; }
    int times = 0;
  };
  const auto watch = std::make_shared<Looks>();
  bench.partition->watch(watch);
  bench.fill({5});
  CHECK(watch->times == 1);
  REQUIRE(bench.partition->truncate_as_follower(LeaderEpoch{5}, Offset{0}));
  CHECK(watch->times == 2);
  bench.partition->unwatch(*watch);
}

TEST_CASE("a follower cuts where its leader's epoch ended, and says what it had believed to be committed") {
  FollowerBench bench;
  bench.fill({1, 1, 3, 3, 4});
  REQUIRE(bench.take({}, MayWait::no, Offset{4}));
  SECTION("in an epoch both know") {
    const auto cut = bench.partition->truncate_to_leader(LeaderEpoch{5}, {LeaderEpoch{3}, Offset{3}}).value();
    CHECK(cut.position.log_end == Offset{3});
    CHECK(cut.position.high_watermark == Offset{3});
    CHECK(cut.position.last_epoch == LeaderEpoch{3});
    CHECK(cut.below_watermark == 1);
    CHECK_FALSE(cut.asks_again);
  }
  SECTION("in an epoch it does not know") {
    const auto cut = bench.partition->truncate_to_leader(LeaderEpoch{5}, {LeaderEpoch{2}, Offset{4}}).value();
    CHECK(cut.position.log_end == Offset{2});
    CHECK(cut.position.last_epoch == LeaderEpoch{1});
    CHECK(cut.asks_again);
    CHECK(cut.below_watermark == 2);
  }
  SECTION("not at all") {
    const auto cut = bench.partition->truncate_to_leader(LeaderEpoch{5}, {LeaderEpoch{4}, Offset{9}}).value();
    CHECK(cut.position.log_end == Offset{5});
    CHECK(cut.below_watermark == 0);
  }
  SECTION("at its watermark, where the leader cannot tell") {
    const auto cut = bench.partition->truncate_to_leader(LeaderEpoch{5}, {}).value();
    CHECK(cut.position.log_end == Offset{4});
    CHECK(cut.position.last_epoch == LeaderEpoch{3});
  }
  SECTION("below everything") {
    const auto cut = bench.partition->truncate_as_follower(LeaderEpoch{5}, Offset{-7}).value();
    CHECK(cut.position.log_end == Offset{0});
    CHECK(cut.position.last_epoch == base::kNoLeaderEpoch);
  }
  const auto end = bench.at().log_end;
  REQUIRE(bench.take(led_batch(end, LeaderEpoch{5}, {"on"}).bytes(), MayWait::yes, end + 1));
  CHECK(bench.at().high_watermark == end + 1);
}

TEST_CASE("an epoch in which nothing was written is forgotten by the comparison") {
  FollowerBench bench;
  bench.fill({5});
  bench.lead({.leader_epoch = LeaderEpoch{6}, .replicas = {kSelf, kOther}, .isr = {kSelf}});
  bench.follow(LeaderEpoch{7});
  CHECK(bench.at().last_epoch == LeaderEpoch{6});
  const auto cut = bench.partition->truncate_to_leader(LeaderEpoch{7}, {LeaderEpoch{5}, Offset{1}}).value();
  CHECK(cut.position.last_epoch == LeaderEpoch{5});
  CHECK(cut.position.log_end == Offset{1});
}
