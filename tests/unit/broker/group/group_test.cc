#include "broker/group/group.h"

#include <catch2/catch.hpp>

#include "tests/support/broker/group_bench.h"

namespace {

using namespace broker;
using namespace broker::test;
using base::ErrorCode;
using std::chrono::milliseconds;
using std::chrono::seconds;

TEST_CASE("a first member waits the initial delay, leads generation 1 and is told the members") {
  GroupBench bench({.initial_rebalance_delay = seconds(3)});
  const auto ticket = bench.join({});
  bench.pass(milliseconds(2999));
  REQUIRE_FALSE(bench.joins.contains(ticket));
  bench.pass(milliseconds(1));
  const auto& answer = bench.joined(ticket);
  CHECK(answer.error == ErrorCode::none);
  CHECK(answer.member_id == "client-uuid1");
  CHECK(answer.generation == 1);
  CHECK(answer.leader == answer.member_id);
  CHECK(answer.protocol_type == "consumer");
  CHECK(answer.protocol == "range");
  REQUIRE(answer.members.size() == 1);
  CHECK(answer.members[0].metadata == subscription({"orders"}));
  CHECK(bench.group.state() == GroupState::completing_rebalance);
}

TEST_CASE("each join during the initial delay prolongs it, at most to the rebalance timeout") {
  GroupBench bench({.initial_rebalance_delay = seconds(3)});
  const auto first = bench.join({.rebalance_timeout = seconds(7)});
  bench.pass(seconds(2));
  bench.join({.rebalance_timeout = seconds(7)});
  bench.pass(seconds(2));  // at 3 s it went on to 6 s
  REQUIRE_FALSE(bench.joins.contains(first));
  bench.join({.rebalance_timeout = seconds(7)});
  bench.pass(seconds(2));  // at 6 s one second was left
  REQUIRE_FALSE(bench.joins.contains(first));
  bench.pass(seconds(1));
  CHECK(bench.joined(first).members.size() == 3);
}

TEST_CASE("a group that was in use before waits the initial delay once only") {
  GroupBench bench({.initial_rebalance_delay = seconds(3)});
  const auto first = bench.join({});
  bench.pass(seconds(3));
  bench.leave({.member_id = bench.joined(first).member_id});
  REQUIRE(bench.group.state() == GroupState::empty);
  const auto second = bench.join({});
  bench.pass(seconds(2));
  bench.join({});
  bench.pass(seconds(1));
  CHECK(bench.joined(second).generation == 3);
}

TEST_CASE("a new member of version 4 is told its id first and then joins with it") {
  GroupBench bench;
  const auto asked = bench.join({.member_id_required = true});
  CHECK(bench.joined(asked).error == ErrorCode::member_id_required);
  CHECK(bench.joined(asked).member_id == "client-uuid1");
  CHECK(bench.group.state() == GroupState::empty);
  CHECK(bench.group.pending_count() == 1);
  const auto joined = bench.join({.member_id = "client-uuid1", .member_id_required = true});
  CHECK(bench.joined(joined).generation == 1);
  CHECK(bench.group.pending_count() == 0);
}

TEST_CASE("an id given out counts as outstanding until its session ends or it leaves") {
  GroupBench bench;
  const auto members = bench.settled(1);
  const auto asked = bench.join({.session_timeout = seconds(6), .member_id_required = true});
  const auto pending = bench.joined(asked).member_id;
  const auto waiting = bench.join({.member_id = members[0].member_id});
  REQUIRE_FALSE(bench.joins.contains(waiting));
  SECTION("its session ends") {
    bench.pass(seconds(6));
    CHECK(bench.joined(waiting).generation == 2);
    const auto late = bench.join({.member_id = pending});
    CHECK(bench.joined(late).error == ErrorCode::unknown_member_id);
  }
  SECTION("it leaves") {
    CHECK(bench.leave({.member_id = pending}) == ErrorCode::none);
    CHECK(bench.joined(waiting).generation == 2);
  }
}

TEST_CASE("whoever shares no protocol with all members, or brings none, is refused") {
  GroupBench bench;
  CHECK(bench.joined(bench.join({.protocols = {}})).error == ErrorCode::inconsistent_group_protocol);
  CHECK(bench.joined(bench.join({.protocol_type = ""})).error == ErrorCode::inconsistent_group_protocol);
  bench.settled(1);
  CHECK(bench.joined(bench.join({.protocols = {{"sticky", ""}}})).error == ErrorCode::inconsistent_group_protocol);
  CHECK(bench.joined(bench.join({.protocol_type = "connect"})).error == ErrorCode::inconsistent_group_protocol);
  CHECK(bench.group.member_count() == 1);
}

TEST_CASE("the protocol is the one most members prefer among those all support") {
  GroupBench bench({.initial_rebalance_delay = seconds(1)});
  const auto ticket = bench.join({.protocols = {{"a", ""}, {"b", ""}, {"c", ""}}});
  bench.join({.protocols = {{"d", ""}, {"c", ""}, {"b", ""}}});
  bench.join({.protocols = {{"c", ""}, {"b", ""}}});
  bench.pass(seconds(10));
  CHECK(bench.joined(ticket).protocol == "c");
}

TEST_CASE("a protocol named twice by a client counts once") {
  GroupBench bench;
  const auto ticket = bench.join({.protocols = {{"a", "1"}, {"a", "2"}}});
  CHECK(bench.joined(ticket).protocol == "a");
}

TEST_CASE("the leader's assignment is stored, then every member receives its part") {
  GroupBench bench({.initial_rebalance_delay = seconds(1)});
  const auto first = bench.join({});
  const auto second = bench.join({});
  bench.pass(seconds(10));
  const auto leader = bench.joined(first).member_id;
  const auto follower = bench.joined(second).member_id;
  CHECK(bench.joined(second).members.empty());
  bench.stores_wait = true;
  const auto waiting = bench.sync({follower, {}, 1});
  const auto leading = bench.sync({leader, {}, 1}, {{leader, "mine"}});
  REQUIRE(bench.stores.size() == 1);
  CHECK(bench.stores[0].value.generation == 1);
  CHECK(bench.stores[0].value.members.size() == 2);
  CHECK(bench.group.state() == GroupState::completing_rebalance);
  bench.finish_store();
  CHECK(bench.synced(leading).assignment == "mine");
  CHECK(bench.synced(leading).protocol == "range");
  CHECK(bench.synced(waiting).assignment.empty());
  CHECK(bench.group.state() == GroupState::stable);
  // Later it is simply told again.
  CHECK(bench.synced(bench.sync({leader, {}, 1})).assignment == "mine");
}

TEST_CASE("an assignment that cannot be stored begins a rebalance") {
  struct Row {
    ErrorCode log, told;
  };
  const auto row = GENERATE(Row{ErrorCode::not_enough_replicas, ErrorCode::coordinator_not_available},
                            Row{ErrorCode::not_enough_replicas_after_append, ErrorCode::coordinator_not_available},
                            Row{ErrorCode::unknown_topic_or_partition, ErrorCode::coordinator_not_available},
                            Row{ErrorCode::not_leader_or_follower, ErrorCode::not_coordinator},
                            Row{ErrorCode::kafka_storage_error, ErrorCode::not_coordinator},
                            Row{ErrorCode::request_timed_out, ErrorCode::rebalance_in_progress},
                            Row{ErrorCode::message_too_large, ErrorCode::unknown_server_error},
                            Row{ErrorCode::record_list_too_large, ErrorCode::unknown_server_error});
  GroupBench bench;
  const auto& joined = bench.joined(bench.join({}));
  bench.store_outcome = row.log;
  const auto ticket = bench.sync({joined.member_id, {}, 1}, {{joined.member_id, "x"}});
  CHECK(bench.synced(ticket).error == row.told);
  CHECK(bench.group.state() == GroupState::preparing_rebalance);
}

TEST_CASE("an assignment stored after another rebalance began is not handed out") {
  GroupBench bench;
  const auto leader = bench.joined(bench.join({})).member_id;
  bench.stores_wait = true;
  const auto sync = bench.sync({leader, {}, 1}, {{leader, "old"}});
  bench.join({});
  CHECK(bench.synced(sync).error == ErrorCode::rebalance_in_progress);
  bench.finish_store();
  CHECK(bench.group.state() == GroupState::preparing_rebalance);
}

TEST_CASE("members in the wrong generation, state or protocol are told so") {
  GroupBench bench;
  const auto me = bench.settled(1)[0];
  CHECK(bench.synced(bench.sync({me.member_id, {}, 7})).error == ErrorCode::illegal_generation);
  CHECK(bench.synced(bench.sync({me.member_id, {}, -1})).error == ErrorCode::illegal_generation);
  CHECK(bench.synced(bench.sync({"nobody", {}, 1})).error == ErrorCode::unknown_member_id);
  CHECK(bench.synced(bench.sync({me.member_id, "instance", 1})).error == ErrorCode::unknown_member_id);
  CHECK(bench.synced(bench.sync(me, {}, "connect")).error == ErrorCode::inconsistent_group_protocol);
  CHECK(bench.synced(bench.sync(me, {}, "consumer", "sticky")).error == ErrorCode::inconsistent_group_protocol);
  CHECK(bench.synced(bench.sync(me, {}, "consumer", "range")).error == ErrorCode::none);
  CHECK(bench.heartbeat({me.member_id, {}, 7}) == ErrorCode::illegal_generation);
  CHECK(bench.heartbeat({"nobody", {}, 1}) == ErrorCode::unknown_member_id);
  CHECK(bench.heartbeat(me) == ErrorCode::none);
}

TEST_CASE("while members join, syncs and heartbeats are told of the rebalance") {
  GroupBench bench;
  const auto members = bench.settled(2);
  bench.join({});
  REQUIRE(bench.group.state() == GroupState::preparing_rebalance);
  CHECK(bench.heartbeat(members[0]) == ErrorCode::rebalance_in_progress);
  CHECK(bench.synced(bench.sync(members[1])).error == ErrorCode::rebalance_in_progress);
  CHECK(bench.commit(members[0]) == ErrorCode::none);
}

TEST_CASE("between join and sync heartbeats are fine and commits are not") {
  GroupBench bench;
  const auto id = bench.joined(bench.join({})).member_id;
  CHECK(bench.heartbeat({id, {}, 1}) == ErrorCode::none);
  CHECK(bench.commit({id, {}, 1}) == ErrorCode::rebalance_in_progress);
}

TEST_CASE("a member that joins again with nothing new is told the current generation") {
  GroupBench bench;
  const auto members = bench.settled(2);
  SECTION("a follower of a stable group") {
    const auto& answer = bench.joined(bench.join({.member_id = members[1].member_id}));
    CHECK(answer.generation == members[1].generation);
    CHECK(answer.leader == members[0].member_id);
    CHECK(answer.members.empty());
    CHECK(bench.group.state() == GroupState::stable);
  }
  SECTION("the leader of a stable group wants another assignment") {
    bench.join({.member_id = members[0].member_id});
    CHECK(bench.group.state() == GroupState::preparing_rebalance);
  }
  SECTION("a follower that wants something else") {
    bench.join({.member_id = members[1].member_id, .protocols = {{"range", subscription({"other"})}}});
    CHECK(bench.group.state() == GroupState::preparing_rebalance);
  }
  SECTION("before the assignment: the leader is told the members again, changes begin a rebalance") {
    bench.join({.member_id = members[0].member_id});
    const auto again = bench.join({.member_id = members[1].member_id});
    REQUIRE(bench.group.state() == GroupState::completing_rebalance);
    CHECK(bench.joined(again).members.empty());
    CHECK(bench.joined(bench.join({.member_id = members[0].member_id})).members.size() == 2);
    bench.join({.member_id = members[1].member_id, .protocols = {{"range", "else"}}});
    CHECK(bench.group.state() == GroupState::preparing_rebalance);
  }
}

TEST_CASE("an empty group knows no member") {
  GroupBench bench;
  const auto me = bench.settled(1)[0];
  bench.leave({.member_id = me.member_id});
  REQUIRE(bench.group.state() == GroupState::empty);
  CHECK(bench.log.back().generation == 2);
  CHECK(bench.log.back().members.empty());
  CHECK_FALSE(bench.log.back().leader);
  CHECK_FALSE(bench.log.back().protocol);
  CHECK(bench.log.back().protocol_type == "consumer");
  CHECK(bench.joined(bench.join({.member_id = me.member_id})).error == ErrorCode::unknown_member_id);
  CHECK(bench.synced(bench.sync(me)).error == ErrorCode::unknown_member_id);
  CHECK(bench.heartbeat(me) == ErrorCode::unknown_member_id);
  CHECK(bench.commit(me) == ErrorCode::unknown_member_id);
  CHECK(bench.commit({"anybody", {}, -1}) == ErrorCode::none);
}

TEST_CASE("leaving: by id, by instance, by nobody known") {
  GroupBench bench;
  const auto members = bench.settled(2, true);
  CHECK(bench.leave({.member_id = "nobody"}) == ErrorCode::unknown_member_id);
  CHECK(bench.leave({}) == ErrorCode::unknown_member_id);
  CHECK(bench.leave({.instance_id = "other"}) == ErrorCode::unknown_member_id);
  CHECK(bench.leave({.member_id = "nobody", .instance_id = "i1"}) == ErrorCode::fenced_instance_id);
  CHECK(bench.leave({.instance_id = "i1"}) == ErrorCode::none);
  CHECK(bench.leave({.member_id = members[0].member_id, .reason = "shutdown"}) == ErrorCode::none);
  CHECK(bench.group.state() == GroupState::empty);
  CHECK(bench.gone.back().why == "it left (it says: shutdown)");
}

TEST_CASE("whoever leaves while it waits is answered") {
  GroupBench bench;
  const auto members = bench.settled(2);
  const auto join = bench.join({.member_id = members[0].member_id});
  bench.leave({.member_id = members[0].member_id});
  CHECK(bench.joined(join).error == ErrorCode::unknown_member_id);
  const auto second = bench.join({.member_id = members[1].member_id});
  bench.join({});
  const auto sync = bench.sync({members[1].member_id, {}, bench.joined(second).generation});
  bench.leave({.member_id = members[1].member_id});
  CHECK(bench.syncs.contains(sync));
}

TEST_CASE("a call repeated on another connection takes the place of the first, which is answered") {
  GroupBench bench;
  const auto members = bench.settled(2);
  const auto first = bench.join({.member_id = members[0].member_id});
  const auto again = bench.join({.member_id = members[0].member_id});
  CHECK(bench.joined(first).error == ErrorCode::coordinator_load_in_progress);
  bench.join({.member_id = members[1].member_id});
  const auto generation = bench.joined(again).generation;
  const auto sync = bench.sync({members[1].member_id, {}, generation});
  bench.sync({members[1].member_id, {}, generation});
  CHECK(bench.synced(sync).error == ErrorCode::rebalance_in_progress);
}

TEST_CASE("who may commit") {
  GroupBench bench;
  CHECK(bench.commit({}) == ErrorCode::none);
  const auto me = bench.settled(1)[0];
  CHECK(bench.commit({}) == ErrorCode::unknown_member_id);
  CHECK(bench.commit({}, true) == ErrorCode::none);
  CHECK(bench.commit(me) == ErrorCode::none);
  CHECK(bench.commit(me, true) == ErrorCode::none);
  CHECK(bench.commit({me.member_id, {}, 9}) == ErrorCode::illegal_generation);
  CHECK(bench.commit({me.member_id, {}, -5}, true) == ErrorCode::illegal_generation);
  CHECK(bench.commit({"other", {}, 1}, true) == ErrorCode::unknown_member_id);
  CHECK(bench.commit({me.member_id, "unknown", 1}) == ErrorCode::unknown_member_id);
}

TEST_CASE("a commit is a sign of life") {
  GroupBench bench;
  const auto me = bench.settled(1)[0];
  bench.pass(seconds(9));
  CHECK(bench.commit(me) == ErrorCode::none);
  bench.pass(seconds(9));
  CHECK(bench.heartbeat(me) == ErrorCode::none);
}

TEST_CASE("a heartbeat does not bring the next deadline nearer") {
  GroupBench bench;
  const auto members = bench.settled(5);
  bench.pass(seconds(1));
  const auto before = bench.group.next_deadline();
  for (const auto& one : members) bench.heartbeat(one);
  CHECK(bench.group.next_deadline() == before);
}

TEST_CASE("a killed group answers whoever waits, and everybody later") {
  GroupBench bench;
  const auto members = bench.settled(2);
  const auto join = bench.join({.member_id = members[0].member_id});
  bench.group.kill(ErrorCode::not_coordinator, bench.effects);
  bench.settle();
  CHECK(bench.joined(join).error == ErrorCode::not_coordinator);
  CHECK(bench.joined(bench.join({})).error == ErrorCode::coordinator_not_available);
  CHECK(bench.synced(bench.sync(members[0])).error == ErrorCode::coordinator_not_available);
  CHECK(bench.heartbeat(members[0]) == ErrorCode::coordinator_not_available);
  CHECK(bench.leave({.member_id = members[0].member_id}) == ErrorCode::coordinator_not_available);
  CHECK(bench.commit(members[0]) == ErrorCode::coordinator_not_available);
  CHECK_FALSE(bench.group.next_deadline());
}

TEST_CASE("a group comes back from its record as it was") {
  GroupBench bench;
  const auto members = bench.settled(3, true);
  Effects out;
  GroupBench after;
  after.group = Group::from_record(bench.log.back(), after.limits, after.now(), out);
  CHECK(after.group.state() == GroupState::stable);
  CHECK(after.group.generation() == bench.group.generation());
  CHECK(after.group.leader() == bench.group.leader());
  CHECK(after.group.protocol() == "range");
  REQUIRE(after.group.members().size() == 3);
  CHECK(after.group.members()[1].assignment == "for " + members[1].member_id);
  CHECK(after.group.members()[1].instance_id == "i1");
  CHECK(after.group.members()[1].client_host == "/10.0.0.1");
  after.pass(seconds(5));
  CHECK(after.heartbeat(members[2]) == ErrorCode::none);
  after.pass(seconds(5));
  CHECK(after.group.member_count() == 1);
}

TEST_CASE("a record that contradicts itself is taken as far as it makes sense") {
  protocol::GroupRecordValue record;
  record.protocol_type = "consumer";
  record.generation = -7;
  record.protocol = "range";
  record.leader = "nobody";
  for (int i = 0; i < 2; ++i) {
    record.members.push_back({});
    record.members.back().member_id = "a";
    record.members.back().group_instance_id = "i";
    record.members.back().session_timeout = -1;
    record.members.back().subscription.raw = "\xff\xff";
  }
  Effects out;
  GroupBench bench;
  bench.group = Group::from_record(record, bench.limits, bench.now(), out);
  CHECK(bench.group.member_count() == 1);
  CHECK(bench.group.leader() == "a");
  CHECK_FALSE(bench.group.topics());
  bench.pass(seconds(1));
  CHECK(bench.group.state() == GroupState::empty);
}

TEST_CASE("a group knows the topics its consumers read, unless it cannot read what they say") {
  GroupBench bench;
  bench.settled(1);
  REQUIRE(bench.group.topics());
  CHECK(bench.group.topics()->contains("orders"));
  GroupBench connect;
  connect.join({.protocol_type = "connect"});
  CHECK_FALSE(connect.group.topics());
  GroupBench malformed;
  malformed.join({.protocols = {{"range", std::string("\0\1\x7f\xff\xff\xff", 6)}}});
  CHECK_FALSE(malformed.group.topics());
}

TEST_CASE("every generation is told once: why it began, who was and is there, how long it took") {
  GroupBench bench;
  const auto members = bench.settled(2);
  bench.generations.clear();
  bench.pass(seconds(1));
  bench.leave({.member_id = members[1].member_id, .reason = "closed"});
  bench.pass(seconds(2));
  bench.join({.member_id = members[0].member_id});
  const auto& news = bench.generations;
  REQUIRE(news.size() == 1);
  CHECK(news[0].generation == 3);
  CHECK(news[0].members_before == 2);
  CHECK(news[0].members_after == 1);
  CHECK(news[0].took == seconds(2));
  CHECK(news[0].reason == "member " + members[1].member_id + " is gone: it left (it says: closed)");
}

TEST_CASE("a thousand members join, sync and leave") {
  GroupBench bench({.initial_rebalance_delay = seconds(3)});
  std::vector<Ticket> tickets;
  for (int i = 0; i < 1000; ++i) tickets.push_back(bench.join({}));
  bench.pass(seconds(6));
  const auto generation = bench.joined(tickets[0]).generation;
  CHECK(bench.joined(tickets[0]).members.size() == 1000);
  for (int i = 999; i >= 0; --i)
    bench.sync({bench.joined(tickets[static_cast<std::size_t>(i)]).member_id, {}, generation});
  CHECK(bench.group.state() == GroupState::stable);
  CHECK(bench.syncs.size() == 1000);
  for (const auto ticket : tickets) bench.leave({.member_id = bench.joined(ticket).member_id});
  CHECK(bench.group.state() == GroupState::empty);
}

}  // namespace
