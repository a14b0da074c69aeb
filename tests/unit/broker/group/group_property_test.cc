// Random histories of a group, held against what must always be true: every call is answered once, generations rise,
// within a generation a partition has one owner, what was handed out was stored before.
#include <catch2/catch.hpp>

#include <set>

#include "base/random.h"
#include "broker/group/group.h"
#include "tests/support/broker/group_bench.h"

namespace {

using namespace broker;
using namespace broker::test;
using base::ErrorCode;
using std::chrono::milliseconds;

// A consumer as clients are: joins, syncs, beats, and believes what it is told.
struct Client {
  std::optional<std::string> instance_id;
  std::string member_id;
  std::int32_t generation = -1;
  std::optional<Ticket> waits_for;
  enum { away, joining, syncing, owning } state = away;
  std::vector<std::string> members;  // told when it leads
};

class World {
 public:
  explicit World(std::uint64_t seed)
      : random_(seed), bench_({.initial_rebalance_delay = milliseconds(random_.below(2) * 3000), .max_size = 6}) {
    bench_.stores_wait = true;
    for (std::size_t i = 0; i < 8; ++i) {
      clients_.emplace_back();
      if (i % 3 == 0) clients_.back().instance_id = "instance" + std::to_string(i / 6);  // two may share one
    }
  }

  void run(int steps) {
    for (int i = 0; i < steps; ++i) {
      step();
      look();
    }
    // No new wishes: whatever waits is answered within bounded time.
    for (int i = 0; i < 200 && !all_answered(); ++i) {
      while (!bench_.stores.empty()) bench_.finish_store();
      bench_.pass(milliseconds(10'000));
      look();
    }
    REQUIRE(all_answered());
    Effects out;
    bench_.group.kill(ErrorCode::not_coordinator, out);
    CHECK(out.joins.empty());
    CHECK(out.syncs.empty());
  }

 private:
  bool all_answered() const {
    return bench_.joins.size() + bench_.syncs.size() == static_cast<std::size_t>(bench_.last_ticket);
  }

  void step() {
    auto& client = clients_[random_.below(clients_.size())];
    switch (random_.below(12)) {
      case 0:
      case 1:
      case 2:
        return join(client);
      case 3:
      case 4:
        return sync(client);
      case 5:
      case 6:
        if (client.state == Client::owning) {
          const auto code = bench_.heartbeat({client.member_id, client.instance_id, client.generation});
          if (code != ErrorCode::none) lost(client, code);
        }
        return;
      case 7:
        return bench_.pass(milliseconds(random_.below(5000)));
      case 8:
        if (random_.below(4) == 0 && !client.member_id.empty()) {
          bench_.leave({.member_id = client.member_id, .instance_id = client.instance_id});
          client.member_id.clear();
          client.state = Client::away;
        }
        return;
      case 9:
        if (!bench_.stores.empty())
          bench_.finish_store(random_.below(5) == 0 ? ErrorCode::not_enough_replicas : ErrorCode::none);
        return;
      case 10:  // nonsense
        bench_.heartbeat({"stranger", {}, static_cast<std::int32_t>(random_.next())});
        bench_.sync({"", {}, -1});
        bench_.commit({client.member_id, client.instance_id, -3}, true);
        return;
      default:  // forgets who it was
        if (random_.below(6) == 0) {
          client.member_id.clear();
          client.state = Client::away;
        }
    }
  }

  void join(Client& client) {
    if (client.state == Client::joining && random_.below(4) != 0) return;
    Joiner who{.member_id = client.member_id,
               .instance_id = client.instance_id,
               .session_timeout = milliseconds(6000 + random_.below(3) * 3000),
               .rebalance_timeout = milliseconds(5000 + random_.below(4) * 5000),
               .member_id_required = random_.below(2) == 0,
               .may_skip_assignment = random_.below(2) == 0};
    if (random_.below(4) == 0) who.protocols = {{"sticky", "s"}, {"range", subscription({"orders", "more"})}};
    client.state = Client::joining;
    client.waits_for = bench_.join(who);
  }

  void sync(Client& client) {
    if (client.state != Client::syncing) return;
    std::vector<std::pair<std::string, std::string>> plan;  // ten partitions dealt out
    std::map<std::string, std::string> dealt;
    for (std::size_t i = 0; i < 10 && !client.members.empty(); ++i)
      dealt[client.members[(i + random_.below(3)) % client.members.size()]] += static_cast<char>('0' + i);
    for (auto& [member, partitions] : dealt) plan.emplace_back(member, partitions);
    client.waits_for = bench_.sync({client.member_id, client.instance_id, client.generation}, plan);
  }

  void lost(Client& client, ErrorCode code) {
    client.state = Client::away;
    if (code == ErrorCode::unknown_member_id || code == ErrorCode::fenced_instance_id) client.member_id.clear();
  }

  // Clients take in what they were told.
  void look() {
    REQUIRE(bench_.group.generation() >= generation_);
    generation_ = bench_.group.generation();
    for (auto& client : clients_) {
      if (!client.waits_for) continue;
      if (const auto answer = bench_.joins.find(*client.waits_for); answer != bench_.joins.end())
        joined(client, answer->second);
      else if (const auto other = bench_.syncs.find(*client.waits_for); other != bench_.syncs.end())
        synced(client, other->second);
    }
  }
  void joined(Client& client, const JoinAnswer& answer) {
    client.waits_for.reset();
    if (answer.error == ErrorCode::member_id_required) {
      client.member_id = answer.member_id;
      client.state = Client::away;
      return;
    }
    if (answer.error != ErrorCode::none) return lost(client, answer.error);
    REQUIRE(answer.generation <= generation_);
    REQUIRE(answer.generation >= client.generation);
    client.member_id = answer.member_id;
    client.generation = answer.generation;
    client.state = Client::syncing;
    client.members.clear();
    if (answer.leader != answer.member_id || answer.skip_assignment) return;
    for (const auto& one : answer.members) client.members.push_back(one.id);
    REQUIRE(std::count(client.members.begin(), client.members.end(), answer.member_id) == 1);
  }
  void synced(Client& client, const SyncAnswer& answer) {
    client.waits_for.reset();
    if (answer.error != ErrorCode::none) return lost(client, answer.error);
    client.state = Client::owning;
    auto& owners = owners_[client.generation];
    for (const char partition : answer.assignment) {
      auto& owner = owners[partition];
      // The same static member may fetch it again under its new id.
      const auto who = client.instance_id.value_or(client.member_id);
      REQUIRE((owner.empty() || owner == who));
      owner = who;
    }
    if (answer.assignment.empty()) return;
    const auto stored = std::any_of(bench_.log.begin(), bench_.log.end(), [&](const auto& record) {
      return record.generation == client.generation &&
             std::any_of(record.members.begin(), record.members.end(),
                         [&](const auto& member) { return member.assignment.raw == answer.assignment; });
    });
    REQUIRE(stored);
  }

  base::SeededRandom random_;
  GroupBench bench_;
  std::vector<Client> clients_;
  std::int32_t generation_ = 0;
  std::map<std::int32_t, std::map<char, std::string>> owners_;
};

TEST_CASE("whatever happens to a group, the rules hold") {
  for (std::uint64_t seed = 1; seed <= 150; ++seed) {
    INFO("seed " << seed);
    World(seed).run(600);
  }
}

}  // namespace
