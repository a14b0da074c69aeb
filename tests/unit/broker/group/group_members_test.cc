// Members that are silent, away, too many, or come back: dynamic and static ones.
#include <catch2/catch.hpp>

#include "broker/group/group.h"
#include "tests/support/broker/group_bench.h"

namespace {

using namespace broker;
using namespace broker::test;
using base::ErrorCode;
using std::chrono::milliseconds;
using std::chrono::seconds;

TEST_CASE("a rebalance ends without the dynamic members that did not join again in time") {
  GroupBench bench;
  const auto members = bench.settled(3);
  const auto back = bench.join({.member_id = members[2].member_id, .protocols = {{"range", "else"}}});
  for (int i = 0; i < 8; ++i) {  // the others are alive, but do not join
    bench.pass(seconds(7));
    bench.heartbeat(members[0]);
    bench.heartbeat(members[1]);
  }
  REQUIRE_FALSE(bench.joins.contains(back));
  bench.pass(seconds(4));
  CHECK(bench.joined(back).members.size() == 1);
  CHECK(bench.joined(back).leader == members[2].member_id);
  const auto& gone = bench.gone;
  REQUIRE(gone.size() == 2);
  CHECK_THAT(gone[0].why, Catch::Contains("did not join again within 60000 ms"));
}

TEST_CASE("static members that are away keep their place; nobody joining prolongs the rebalance") {
  GroupBench bench;
  const auto members = bench.settled(2, true);
  bench.join({.member_id = members[0].member_id, .instance_id = "i0", .session_timeout = std::chrono::minutes(10)});
  SECTION("one joined: the other stays without") {
    bench.heartbeat(members[1]);
    for (int i = 0; i < 9; ++i) {
      bench.pass(seconds(7));
      bench.heartbeat(members[1]);
    }
    CHECK(bench.group.state() == GroupState::completing_rebalance);
    CHECK(bench.group.member_count() == 2);
  }
  SECTION("their sessions end") {
    bench.pass(seconds(61));
    CHECK(bench.group.member_count() == 1);
  }
}

TEST_CASE("static members that want no time to join again do not keep the group busy") {
  GroupBench bench;
  bench.settled(1, true);
  bench.join({.instance_id = "i0", .rebalance_timeout = milliseconds(0)});
  bench.join({.instance_id = "i1", .rebalance_timeout = milliseconds(0)});
  REQUIRE(bench.group.state() == GroupState::preparing_rebalance);
  bench.leave({.instance_id = "i1"});
  int looks = 0;
  for (; looks < 100 && bench.group.state() == GroupState::preparing_rebalance; ++looks) {
    bench.time = std::max(bench.time, bench.group.next_deadline()->time_since_epoch());
    bench.group.expire(bench.now(), bench.effects);
    bench.settle();
  }
  CHECK(looks <= 11);  // until its session of ten seconds is over
  CHECK(bench.group.state() == GroupState::empty);
}

TEST_CASE("a member that is silent for its session is removed; one that waits is alive") {
  GroupBench bench;
  const auto members = bench.settled(2);
  bench.pass(seconds(9));
  bench.heartbeat(members[1]);
  bench.pass(seconds(1));
  CHECK(bench.group.member_count() == 1);
  CHECK(bench.group.state() == GroupState::preparing_rebalance);
  const auto& gone = bench.gone;
  REQUIRE(gone.size() == 1);
  CHECK(gone[0].member_id == members[0].member_id);
  CHECK(gone[0].client == "client at /10.0.0.1");
  CHECK_THAT(gone[0].why, Catch::Contains("nothing was heard of it for 10000 ms"));
  CHECK(bench.heartbeat(members[0]) == ErrorCode::unknown_member_id);
}

TEST_CASE("a join of a member that waits longer than its session goes on waiting") {
  GroupBench bench;
  const auto members = bench.settled(2);
  const auto waiting = bench.join({.member_id = members[0].member_id});
  for (int i = 0; i < 3; ++i) {
    bench.pass(seconds(9));
    bench.heartbeat(members[1]);
  }
  CHECK_FALSE(bench.joins.contains(waiting));
  bench.join({.member_id = members[1].member_id});
  CHECK(bench.joined(waiting).error == ErrorCode::none);
}

TEST_CASE("a new member that waits five minutes in vain is told that it is unknown") {
  GroupBench bench({.initial_rebalance_delay = std::chrono::minutes(10)});
  const auto ticket = bench.join({});
  bench.pass(std::chrono::minutes(5) - milliseconds(1));
  REQUIRE_FALSE(bench.joins.contains(ticket));
  bench.pass(milliseconds(1));
  CHECK(bench.joined(ticket).error == ErrorCode::unknown_member_id);
}

TEST_CASE("members that never sync are removed after the rebalance timeout") {
  GroupBench bench;
  const auto members = bench.settled(2);
  const auto leader = bench.join({.member_id = members[0].member_id});
  bench.join({.member_id = members[1].member_id});
  const auto generation = bench.joined(leader).generation;
  bench.sync({members[0].member_id, {}, generation}, {{members[0].member_id, "all"}});
  REQUIRE(bench.group.state() == GroupState::stable);
  for (int i = 0; i < 12; ++i) {
    bench.pass(seconds(5));
    bench.heartbeat({members[0].member_id, {}, generation});
    bench.heartbeat({members[1].member_id, {}, generation});
  }
  CHECK(bench.group.member_count() == 1);
  CHECK(bench.group.state() == GroupState::preparing_rebalance);
  CHECK_THAT(bench.gone.back().why, Catch::Contains("never fetched its assignment"));
}

TEST_CASE("a leader that never assigns is removed, and who waits for it is told to join again") {
  GroupBench bench;
  const auto members = bench.settled(2);
  bench.join({.member_id = members[0].member_id});
  const auto second = bench.join({.member_id = members[1].member_id});
  const auto generation = bench.joined(second).generation;
  const auto waiting = bench.sync({members[1].member_id, {}, generation});
  for (int i = 0; i < 12; ++i) {
    bench.pass(seconds(5));
    bench.heartbeat({members[0].member_id, {}, generation});
  }
  CHECK(bench.synced(waiting).error == ErrorCode::rebalance_in_progress);
  CHECK(bench.group.member_count() == 1);
}

TEST_CASE("the leader stays leader while it is there; then the one who joined first after it") {
  GroupBench bench;
  const auto members = bench.settled(3);
  bench.leave({.member_id = members[0].member_id});
  const auto third = bench.join({.member_id = members[2].member_id});
  bench.join({.member_id = members[1].member_id});
  CHECK(bench.joined(third).leader == members[1].member_id);
}

TEST_CASE("a group takes no more members than group.max.size") {
  GroupBench bench({.initial_rebalance_delay = milliseconds(0), .max_size = 2});
  const auto members = bench.settled(2);
  CHECK(bench.joined(bench.join({})).error == ErrorCode::group_max_size_reached);
  CHECK(bench.group.state() == GroupState::stable);
  bench.join({.member_id = members[0].member_id});
  bench.leave({.member_id = members[1].member_id});
  CHECK(bench.group.member_count() == 1);
}

TEST_CASE("a group loaded with too many members keeps those that join again first") {
  Effects out;
  GroupBench bench({.initial_rebalance_delay = milliseconds(0), .max_size = 1});
  protocol::GroupRecordValue record;
  record.protocol_type = "consumer";
  record.generation = 5;
  record.protocol = "range";
  record.leader = "a";
  for (const auto* id : {"a", "b"}) {
    record.members.push_back({});
    record.members.back().member_id = id;
    record.members.back().session_timeout = 10'000;
    record.members.back().rebalance_timeout = 60'000;
  }
  bench.group = Group::from_record(record, bench.limits, bench.now(), out);
  REQUIRE(bench.group.state() == GroupState::preparing_rebalance);
  const auto b = bench.join({.member_id = "b"});
  CHECK(bench.joined(bench.join({.member_id = "a"})).error == ErrorCode::group_max_size_reached);
  CHECK(bench.joined(b).generation == 6);
  CHECK(bench.joined(b).leader == "b");
}

TEST_CASE("a static member joins at once under its instance's name") {
  GroupBench bench;
  const auto& answer = bench.joined(bench.join({.instance_id = "node1", .member_id_required = true}));
  CHECK(answer.error == ErrorCode::none);
  CHECK(answer.member_id == "node1-uuid1");
}

TEST_CASE("a static member that comes back to a stable group disturbs nobody") {
  GroupBench bench;
  const auto members = bench.settled(2, true);
  bench.stores_wait = true;
  SECTION("a follower") {
    const auto back = bench.join({.instance_id = "i1"});
    REQUIRE_FALSE(bench.joins.contains(back));
    bench.finish_store();
    const auto& answer = bench.joined(back);
    CHECK(answer.error == ErrorCode::none);
    CHECK(answer.generation == members[1].generation);
    CHECK(answer.leader == members[0].member_id);
    CHECK_FALSE(answer.skip_assignment);
    CHECK(bench.group.state() == GroupState::stable);
    CHECK(bench.heartbeat(members[1]) == ErrorCode::fenced_instance_id);
    CHECK(bench.synced(bench.sync({answer.member_id, "i1", answer.generation})).assignment ==
          "for " + members[1].member_id);
  }
  SECTION("a leader of version 9 leads on without assigning") {
    const auto back = bench.join({.instance_id = "i0"});
    bench.finish_store();
    const auto& answer = bench.joined(back);
    CHECK(answer.skip_assignment);
    CHECK(answer.leader == answer.member_id);
    CHECK(answer.members.size() == 2);
  }
  SECTION("an older leader is told the old name, so that it does not assign") {
    const auto back = bench.join({.instance_id = "i0", .may_skip_assignment = false});
    bench.finish_store();
    const auto& answer = bench.joined(back);
    CHECK_FALSE(answer.skip_assignment);
    CHECK(answer.leader == members[0].member_id);
    CHECK(answer.members.empty());
    CHECK(bench.group.leader() == answer.member_id);
  }
  SECTION("what cannot be stored did not happen") {
    const auto back = bench.join({.instance_id = "i0"});
    bench.finish_store(ErrorCode::not_enough_replicas);
    CHECK(bench.joined(back).error == ErrorCode::coordinator_not_available);
    CHECK(bench.joined(back).member_id.empty());
    CHECK(bench.heartbeat(members[0]) == ErrorCode::none);
    CHECK(bench.group.leader() == members[0].member_id);
  }
  SECTION("twice at once: the first is fenced") {
    const auto first = bench.join({.instance_id = "i1"});
    const auto second = bench.join({.instance_id = "i1"});
    CHECK(bench.joined(first).error == ErrorCode::fenced_instance_id);
    bench.finish_store();
    bench.finish_store();
    CHECK(bench.joined(second).error == ErrorCode::none);
  }
}

TEST_CASE("a static member that comes back with another choice of protocol begins a rebalance") {
  GroupBench bench({.initial_rebalance_delay = seconds(1)});
  bench.join({.instance_id = "i0", .protocols = {{"a", ""}, {"b", ""}}});
  bench.pass(seconds(5));
  bench.join({.instance_id = "i0", .protocols = {{"a", "changed"}}});
  CHECK(bench.group.state() != GroupState::stable);
  GroupBench other;
  other.settled(1, true);
  other.join({.instance_id = "i0", .protocols = {{"range", ""}, {"sticky", ""}}});
  CHECK(other.group.state() == GroupState::stable);
}

TEST_CASE("a static member that comes back before the assignment begins a rebalance, and its elder is fenced") {
  GroupBench bench;
  const auto first = bench.join({.instance_id = "i0"});
  const auto old = bench.joined(first).member_id;
  bench.stores_wait = true;
  const auto sync = bench.sync({old, "i0", 1}, {{old, "x"}});
  const auto back = bench.join({.instance_id = "i0"});
  CHECK(bench.synced(sync).error == ErrorCode::fenced_instance_id);
  CHECK(bench.joined(back).generation == 2);
  CHECK(bench.synced(bench.sync({old, "i0", 1})).error == ErrorCode::fenced_instance_id);
  CHECK(bench.commit({old, "i0", 1}) == ErrorCode::fenced_instance_id);
}

}  // namespace
