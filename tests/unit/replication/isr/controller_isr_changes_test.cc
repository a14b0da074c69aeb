#include "replication/isr/controller_isr_changes.h"

#include <catch2/catch.hpp>

#include <cstring>
#include <deque>
#include <map>
#include <optional>

#include "protocol/messages/alter_partition.h"
#include "protocol/messages/api_versions.h"
#include "tests/support/replication/stepped_loop.h"

using namespace replication;
using namespace std::chrono_literals;
using base::BrokerId;
using base::ErrorCode;
using base::LeaderEpoch;
using protocol::AlterPartitionRequest;
using protocol::AlterPartitionResponse;
using Ids = std::vector<BrokerId>;

namespace {

constexpr BrokerId kSelf{1};

// Connections whose other end is the test.
class HandPeers final : public PeerNetwork {
 public:
  struct Asked {
    BrokerId to;
    protocol::RequestHeader header;
    base::Buffer payload;
    PeerConnection::Done done;
  };
  std::deque<Asked> asked;

  std::unique_ptr<PeerConnection> connect(PeerAddress to, base::Loop&, PeerOptions) override {
    class Connection final : public PeerConnection {
     public:
      Connection(HandPeers& peers, BrokerId to) : PeerConnection("1"), peers_(peers), to_(to) {}
      void send(std::int32_t, base::BufferChain frame, base::Duration, Done done) override {
        auto bytes = base::flatten(frame).value();
        base::Buffer payload(bytes.size() - 4);
        std::memcpy(payload.data(), bytes.data() + 4, payload.size());
        const auto header = protocol::parse_request(payload.bytes()).value().header;
        peers_.asked.push_back({to_, header, std::move(payload), std::move(done)});
      }
      void disconnect() override {}

     private:
      HandPeers& peers_;
      BrokerId to_;
    };
    return std::make_unique<Connection>(*this, to.id);
  }

  AlterPartitionRequest request() {
    const auto& front = asked.front();
    REQUIRE(front.header.api_key == 56);
    const auto parsed = protocol::parse_request(front.payload.bytes()).value();
    AlterPartitionRequest out;
    REQUIRE(protocol::decode(front.payload.bytes().subspan(parsed.body_at), front.header.api_version, out).ok());
    return out;
  }
  template <class Message>
  void answer(const Message& message) {
    auto next = std::move(asked.front());
    asked.pop_front();
    auto bytes =
        base::flatten(protocol::encode_response(next.header.correlation_id, next.header.api_version, message)).value();
    base::Buffer payload(bytes.size() - 4);
    std::memcpy(payload.data(), bytes.data() + 4, payload.size());
    next.done(std::move(payload));
  }
  void fail(ErrorCode code) {
    auto next = std::move(asked.front());
    asked.pop_front();
    next.done(base::fail(code, "lost"));
  }
};

struct Bench {
  explicit Bench(const char* release = "3.9") : release_(release) {}

  IsrChange change(std::int32_t partition, Ids isr = {kSelf, BrokerId{2}}, const std::string& topic = "t") const {
    return {.partition = {topic, partition},
            .topic_id = topic_id,
            .leader_epoch = LeaderEpoch{3},
            .controller_epoch = 9,
            .partition_epoch = 7,
            .isr = isr,
            .broker_epochs = std::vector<std::int64_t>(isr.size(), -1)};
  }
  void ask(const IsrChange& change) {
    changes.ask(change, [this, name = change.partition](base::Result<IsrOutcome> outcome) {
      outcomes.emplace_back(name.partition, outcome ? ErrorCode::none : outcome.error().code);
      if (outcome) last = *outcome;
    });
  }
  // The peer was asked what it speaks: this.
  void speak(std::int16_t max = 3) {
    loop.run();
    REQUIRE_FALSE(peers.asked.empty());
    REQUIRE(peers.asked.front().header.api_key == 18);
    protocol::ApiVersionsResponse response;
    response.api_keys.push_back({56, 0, max});
    peers.answer(response);
    loop.run();
  }
  // What was asked is granted, but for the errors named by partition.
  static AlterPartitionResponse granted(const AlterPartitionRequest& request,
                                        const std::map<std::int32_t, ErrorCode>& errors = {}) {
    AlterPartitionResponse out;
    for (const auto& topic : request.topics) {
      auto& topic_out = out.topics.emplace_back();
      topic_out.topic_id = topic.topic_id;
      topic_out.topic_name = topic.topic_name;
      for (const auto& partition : topic.partitions) {
        auto& one = topic_out.partitions.emplace_back();
        one.partition_index = partition.partition_index;
        if (const auto error = errors.find(partition.partition_index); error != errors.end()) {
          one.error_code = error->second;
          continue;
        }
        one.leader_id = request.broker_id;
        one.leader_epoch = partition.leader_epoch;
        one.isr = partition.new_isr;
        for (const auto& member : partition.new_isr_with_epochs) one.isr.push_back(member.broker_id);
        one.partition_epoch = partition.partition_epoch + 1;
      }
    }
    return out;
  }
  void grant(const std::map<std::int32_t, ErrorCode>& errors = {}) {
    peers.answer(granted(peers.request(), errors));
    loop.run();
  }

  using Outcomes = std::vector<std::pair<std::int32_t, ErrorCode>>;

  const char* release_;
  base::Uuid topic_id{5, 6};
  base::ManualClock clock;
  test_support::SteppedLoop loop{clock};
  HandPeers peers;
  PeerAddress controller{.id = BrokerId{2}};
  std::int64_t broker_epoch = 77;
  std::vector<std::pair<AlterPartition, std::function<void(AlterPartitionReply)>>> here;
  Outcomes outcomes;
  IsrOutcome last;
  ControllerIsrChanges changes{
      {.self = kSelf,
       .loop = loop,
       .peers = peers,
       .find_controller = [this] { return controller; },
       .here = [this](AlterPartition request, auto done) { here.emplace_back(std::move(request), std::move(done)); },
       .broker_epoch = [this] { return broker_epoch; },
       .release = config::find_protocol_version(release_).value()}};
};

AlterPartitionResponse refused(ErrorCode code) {
  AlterPartitionResponse out;
  out.error_code = code;
  return out;
}

}  // namespace

TEST_CASE("a change travels with its topic's id, the lives of its members, and this broker's own") {
  Bench bench;
  auto change = bench.change(4);
  change.broker_epochs = {-1, 55};
  bench.ask(change);
  CHECK(bench.peers.asked.empty());  // not inside the call
  bench.speak();
  REQUIRE(bench.peers.asked.size() == 1);
  CHECK(bench.peers.asked.front().to == BrokerId{2});
  CHECK(bench.peers.asked.front().header.api_version == 3);
  const auto request = bench.peers.request();
  CHECK(request.broker_id == kSelf);
  CHECK(request.broker_epoch == 77);
  REQUIRE(request.topics.size() == 1);
  CHECK(request.topics[0].topic_id == bench.topic_id);
  const auto& partition = request.topics[0].partitions.at(0);
  CHECK(partition.partition_index == 4);
  CHECK(partition.leader_epoch == LeaderEpoch{3});
  CHECK(partition.partition_epoch == 7);
  REQUIRE(partition.new_isr_with_epochs.size() == 2);
  CHECK(partition.new_isr_with_epochs[0].broker_epoch == 77);
  CHECK(partition.new_isr_with_epochs[1].broker_epoch == 55);
  bench.grant();
  CHECK(bench.outcomes == Bench::Outcomes{{4, ErrorCode::none}});
  CHECK(bench.last.partition_epoch == 8);
  CHECK(bench.last.isr == Ids{kSelf, BrokerId{2}});
  CHECK(bench.last.leader_epoch == LeaderEpoch{3});
}

TEST_CASE("topics are named by name for an old controller, under an old release, and while one of them has no id") {
  const auto version_and_name = [](Bench& bench, std::int16_t served) {
    bench.ask(bench.change(0));
    bench.speak(served);
    const auto version = bench.peers.asked.front().header.api_version;
    const auto request = bench.peers.request();
    CHECK(request.topics[0].topic_name == "t");
    CHECK(request.topics[0].partitions[0].new_isr == Ids{kSelf, BrokerId{2}});
    bench.grant();
    CHECK(bench.outcomes == Bench::Outcomes{{0, ErrorCode::none}});
    return version;
  };
  Bench old_controller;
  CHECK(version_and_name(old_controller, 0) == 0);
  Bench old_release("2.7");
  CHECK(version_and_name(old_release, 3) == 1);
  Bench without_id;
  without_id.topic_id = {};
  CHECK(version_and_name(without_id, 3) == 1);
}

TEST_CASE("what is asked while a request is under way goes with the next one, by topic") {
  Bench bench;
  bench.ask(bench.change(0));
  bench.speak();
  bench.ask(bench.change(1, {kSelf}, "b"));
  bench.ask(bench.change(2, {kSelf}, "a"));
  bench.ask(bench.change(3, {kSelf}, "b"));
  bench.loop.run();
  CHECK(bench.peers.asked.size() == 1);
  bench.grant();
  REQUIRE(bench.peers.asked.size() == 1);
  const auto next = bench.peers.request();
  REQUIRE(next.topics.size() == 2);
  CHECK(next.topics[1].partitions.size() == 2);
  bench.peers.answer(Bench::granted(next));
  bench.loop.run();
  CHECK(bench.outcomes.size() == 4);
}

TEST_CASE("a later change takes the place of one that was not answered, and nobody hears of that") {
  Bench bench;
  bench.ask(bench.change(0, {kSelf}));
  bench.speak();
  bench.ask(bench.change(0, {kSelf, BrokerId{3}}));
  bench.loop.run();
  // The first fails in a way that another attempt may mend: the second has taken its place.
  bench.peers.answer(refused(ErrorCode::not_controller));
  bench.loop.pass(50ms);
  REQUIRE(bench.peers.asked.size() == 1);
  CHECK(bench.peers.request().topics[0].partitions.at(0).new_isr_with_epochs.size() == 2);
  bench.grant();
  CHECK(bench.outcomes.size() == 1);
  CHECK(bench.last.isr == Ids{kSelf, BrokerId{3}});
}

TEST_CASE("what another attempt may mend is tried again every 50 ms, at whoever is the controller then") {
  Bench bench;
  bench.ask(bench.change(0));
  bench.speak();
  SECTION("another controller") { bench.peers.answer(refused(ErrorCode::not_controller)); }
  SECTION("a stale life") { bench.peers.answer(refused(ErrorCode::stale_broker_epoch)); }
  SECTION("a lost connection") { bench.peers.fail(ErrorCode::network_exception); }
  SECTION("no answer in time") { bench.peers.fail(ErrorCode::request_timed_out); }
  SECTION("a controller with another view") {
    bench.peers.answer(Bench::granted(bench.peers.request(), {{0, ErrorCode::not_controller}}));
  }
  SECTION("an answer that leaves the partition out") { bench.peers.answer(AlterPartitionResponse{}); }
  bench.controller.id = BrokerId{3};
  bench.broker_epoch = 78;
  bench.loop.pass(49ms);
  CHECK(bench.peers.asked.empty());
  bench.loop.pass(1ms);
  bench.speak();
  CHECK(bench.peers.asked.front().to == BrokerId{3});
  CHECK(bench.peers.request().broker_epoch == 78);
  CHECK(bench.peers.request().topics[0].partitions[0].new_isr_with_epochs[0].broker_epoch == 78);
  CHECK(bench.outcomes.empty());
  bench.grant();
  CHECK(bench.outcomes == Bench::Outcomes{{0, ErrorCode::none}});
}

TEST_CASE("without a controller the change waits for one") {
  Bench bench;
  bench.controller.id = base::kNoBroker;
  bench.ask(bench.change(0));
  bench.loop.pass(10s);
  CHECK(bench.peers.asked.empty());
  bench.controller.id = BrokerId{2};
  bench.loop.pass(50ms);
  bench.speak();
  bench.grant();
  CHECK(bench.outcomes.size() == 1);
  CHECK(bench.loop.timers() == 0);  // nothing to do costs nothing
}

TEST_CASE("refusals that no attempt can mend are answered, those for a member's sake a little later") {
  Bench bench;
  for (int i = 0; i < 7; ++i) bench.ask(bench.change(i));
  bench.speak();
  bench.grant({{0, ErrorCode::unknown_topic_id},
               {1, ErrorCode::unknown_topic_or_partition},
               {2, ErrorCode::fenced_leader_epoch},
               {3, ErrorCode::invalid_update_version},
               {4, ErrorCode::invalid_request},
               {5, ErrorCode::ineligible_replica},
               {6, ErrorCode::operation_not_attempted}});
  CHECK(bench.outcomes == Bench::Outcomes{{0, ErrorCode::unknown_topic_id},
                                          {1, ErrorCode::unknown_topic_or_partition},
                                          {2, ErrorCode::fenced_leader_epoch},
                                          {3, ErrorCode::invalid_update_version},
                                          {4, ErrorCode::invalid_request}});
  bench.loop.pass(499ms);
  CHECK(bench.outcomes.size() == 5);
  bench.loop.pass(1ms);
  REQUIRE(bench.outcomes.size() == 7);
  CHECK(bench.outcomes[5].second == ErrorCode::ineligible_replica);
  CHECK(bench.outcomes[6].second == ErrorCode::operation_not_attempted);
  CHECK(bench.peers.asked.empty());
}

TEST_CASE("the broker that is the controller asks itself, without a connection") {
  Bench bench;
  bench.controller.id = kSelf;
  bench.ask(bench.change(0));
  bench.ask(bench.change(1));
  bench.loop.run();
  CHECK(bench.peers.asked.empty());
  REQUIRE(bench.here.size() == 1);
  const auto& request = bench.here[0].first;
  CHECK(request.broker == kSelf);
  CHECK(request.broker_epoch == 77);
  REQUIRE(request.changes.size() == 2);
  CHECK(request.changes[0].broker_epochs == std::vector<std::int64_t>{77, -1});
  CHECK(request.changes[0].partition.topic == "t");
  CHECK(request.changes[0].topic_id == bench.topic_id);
  AlterPartitionReply reply;
  reply.outcomes.emplace_back(IsrOutcome{.leader_epoch = LeaderEpoch{3}, .partition_epoch = 8, .isr = {kSelf}});
  reply.outcomes.emplace_back(base::fail(ErrorCode::invalid_update_version, "behind"));
  bench.here[0].second(reply);
  CHECK(bench.outcomes.empty());  // on the loop, not inside the reply
  bench.loop.run();
  CHECK(bench.outcomes == Bench::Outcomes{{0, ErrorCode::none}, {1, ErrorCode::invalid_update_version}});
  CHECK(bench.last.isr == Ids{kSelf});

  bench.ask(bench.change(2));
  bench.loop.run();
  bench.here[1].second({.code = ErrorCode::not_controller});
  bench.controller.id = BrokerId{2};
  bench.loop.pass(50ms);
  bench.speak();
  bench.grant();
  CHECK(bench.outcomes.size() == 3);
  // Told twice, or too few: neither ends anything.
  bench.here[1].second(reply);
  bench.loop.run();
  CHECK(bench.outcomes.size() == 3);
}

TEST_CASE("more changes than one request takes follow in the next") {
  Bench bench;
  for (int i = 0; i < 2001; ++i) bench.ask(bench.change(i));
  bench.speak();
  CHECK(bench.peers.request().topics[0].partitions.size() == 2000);
  bench.grant();
  CHECK(bench.outcomes.size() == 2000);
  CHECK(bench.peers.request().topics[0].partitions.size() == 1);
  bench.grant();
  CHECK(bench.outcomes.size() == 2001);
}

TEST_CASE("leaders ask the controller from 2.7-IV2 on") {
  const auto known = [](const char* release) {
    return ControllerIsrChanges::is_known_to(config::find_protocol_version(release).value());
  };
  CHECK_FALSE(known("2.6"));
  CHECK_FALSE(known("2.7-IV1"));
  CHECK(known("2.7-IV2"));
  CHECK(known("3.9"));
}

TEST_CASE("once stopped nothing is sent or answered") {
  Bench bench;
  bench.ask(bench.change(0));
  bench.speak();
  bench.ask(bench.change(1));
  bench.changes.stop();
  bench.ask(bench.change(2));
  bench.loop.pass(10s);
  CHECK(bench.outcomes.empty());
  CHECK(bench.loop.timers() == 0);
}
