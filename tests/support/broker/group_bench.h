// A group with its clock, and what it has answered so far. Stores succeed at once unless a test says otherwise.
#pragma once

#include <deque>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/check.h"
#include "broker/group/group.h"
#include "protocol/internal/assignment.h"
#include "protocol/internal/versioned.h"

namespace broker::test {

inline std::string subscription(const std::vector<std::string>& topics) {
  protocol::ConsumerSubscription wanted;
  wanted.topics = topics;
  const auto bytes = protocol::write_versioned(0, wanted);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

struct Joiner {
  std::string member_id = {};
  std::optional<std::string> instance_id = {};
  std::vector<GroupProtocol> protocols = {{"range", subscription({"orders"})}};
  std::chrono::milliseconds session_timeout{10'000};
  std::chrono::milliseconds rebalance_timeout{60'000};
  std::string protocol_type = "consumer";
  bool member_id_required = false;
  bool may_skip_assignment = true;
};

struct GroupBench {
  explicit GroupBench(GroupLimits with = {.initial_rebalance_delay = std::chrono::milliseconds(0)})
      : limits(with), group(with, now()) {}

  Moment now() const {
    return {base::Instant{time},
            base::timestamp_from_ms(1'700'000'000'000) + std::chrono::duration_cast<std::chrono::milliseconds>(time)};
  }
  // Time passes, and the group is looked at as often as it asks for.
  void pass(std::chrono::milliseconds by) {
    const auto end = time + by;
    while (group.next_deadline() && group.next_deadline()->time_since_epoch() <= end) {
      time = std::max(time, group.next_deadline()->time_since_epoch());
      group.expire(now(), effects);
      settle();
    }
    time = end;
  }

  Ticket join(const Joiner& who) {
    JoinCall call;
    call.ticket = ++last_ticket;
    call.member_id = who.member_id;
    call.instance_id = who.instance_id;
    call.client_id = "client";
    call.client_host = "/10.0.0.1";
    call.session_timeout = who.session_timeout;
    call.rebalance_timeout = who.rebalance_timeout;
    call.protocol_type = who.protocol_type;
    call.protocols = who.protocols;
    call.fresh_id = "uuid" + std::to_string(last_ticket);
    call.member_id_required = who.member_id_required;
    call.may_skip_assignment = who.may_skip_assignment;
    group.join(std::move(call), now(), effects);
    settle();
    return last_ticket;
  }
  Ticket sync(const MemberCall& from, std::vector<std::pair<std::string, std::string>> assignments = {},
              std::optional<std::string> type = std::nullopt, std::optional<std::string> protocol = std::nullopt) {
    SyncCall call;
    call.ticket = ++last_ticket;
    call.from = from;
    call.protocol_type = std::move(type);
    call.protocol = std::move(protocol);
    call.assignments = std::move(assignments);
    group.sync(std::move(call), now(), effects);
    settle();
    return last_ticket;
  }
  base::ErrorCode heartbeat(const MemberCall& from) { return group.heartbeat(from, now()); }
  base::ErrorCode leave(const LeaveCall& call) {
    const auto code = group.leave(call, now(), effects);
    settle();
    return code;
  }
  base::ErrorCode commit(const MemberCall& from, bool transactional = false) {
    return group.may_commit({from, transactional}, now());
  }

  // What was done is booked: an answer per ticket, never two.
  void settle() {
    for (auto& answer : effects.joins) {
      base::invariant(!syncs.contains(answer.ticket), "a ticket is answered once");
      base::invariant(joins.emplace(answer.ticket, answer).second, "a join is answered once");
    }
    for (auto& answer : effects.syncs) {
      base::invariant(!joins.contains(answer.ticket), "a ticket is answered once");
      base::invariant(syncs.emplace(answer.ticket, answer).second, "a sync is answered once");
    }
    for (auto& one : effects.generations) generations.push_back(std::move(one));
    for (auto& one : effects.gone) gone.push_back(std::move(one));
    for (auto& one : effects.stores) stores.push_back(std::move(one));
    effects = {};
    if (stores_wait) return;
    while (!stores.empty()) finish_store(store_outcome);
  }
  void finish_store(base::ErrorCode outcome = base::ErrorCode::none) {
    auto one = std::move(stores.front());
    stores.pop_front();
    if (outcome == base::ErrorCode::none) log.push_back(one.value);
    group.stored(one.number, outcome, now(), effects);
    settle();
  }

  const JoinAnswer& joined(Ticket ticket) const {
    base::invariant(joins.contains(ticket), "this join was answered");
    return joins.at(ticket);
  }
  const SyncAnswer& synced(Ticket ticket) const {
    base::invariant(syncs.contains(ticket), "this sync was answered");
    return syncs.at(ticket);
  }

  // A group of so many members, stable; the first leads. Their calls.
  std::vector<MemberCall> settled(std::size_t count, bool are_static = false) {
    std::vector<Ticket> tickets;
    std::vector<MemberCall> out;
    for (std::size_t i = 0; i < count; ++i) {
      Joiner who;
      if (are_static) who.instance_id = "i" + std::to_string(i);
      tickets.push_back(join(who));
      // Whoever is a member already joins again, as a heartbeat would have told it.
      for (std::size_t j = 0; j < i; ++j)
        if (joins.contains(tickets[j])) {
          Joiner again;
          again.member_id = joined(tickets[j]).member_id;
          if (are_static) again.instance_id = "i" + std::to_string(j);
          tickets[j] = join(again);
        }
    }
    for (std::size_t i = 0; i < count; ++i) {
      const auto& answer = joined(tickets[i]);
      out.push_back({answer.member_id, are_static ? std::optional<std::string>("i" + std::to_string(i)) : std::nullopt,
                     answer.generation});
    }
    std::vector<std::pair<std::string, std::string>> plan;
    for (const auto& one : out) plan.emplace_back(one.member_id, "for " + one.member_id);
    for (std::size_t i = 1; i < count; ++i) sync(out[i]);
    sync(out[0], plan);
    return out;
  }

  GroupLimits limits;
  base::Duration time = std::chrono::hours(1);
  Group group;
  Effects effects;
  Ticket last_ticket = 0;
  std::map<Ticket, JoinAnswer> joins;
  std::map<Ticket, SyncAnswer> syncs;
  std::vector<GenerationNews> generations;
  std::vector<MemberGoneNews> gone;
  std::deque<StoreGroup> stores;
  std::vector<protocol::GroupRecordValue> log;  // what was stored
  bool stores_wait = false;
  base::ErrorCode store_outcome = base::ErrorCode::none;
};

}  // namespace broker::test
