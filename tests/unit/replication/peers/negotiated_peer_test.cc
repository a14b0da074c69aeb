#include "replication/peers/negotiated_peer.h"

#include <catch2/catch.hpp>

#include <deque>
#include <optional>

#include "protocol/messages/api_versions.h"
#include "protocol/messages/offset_for_leader_epoch.h"

namespace {

using namespace std::chrono_literals;
using base::ErrorCode;
using Request = protocol::OffsetForLeaderEpochRequest;
using Response = protocol::OffsetForLeaderEpochResponse;

// Keeps what was asked until the test answers it.
class HandPeer final : public replication::PeerConnection {
 public:
  struct Asked {
    std::int16_t key;
    std::int16_t version;
    std::int32_t correlation_id;
    Done done;
  };
  explicit HandPeer(std::deque<Asked>& asked) : PeerConnection("broker-1"), asked_(asked) {}
  ~HandPeer() override { asked_.clear(); }
  void send(std::int32_t correlation_id, base::BufferChain frame, base::Duration, Done done) override {
    const auto bytes = base::flatten(frame).value();
    const auto header = protocol::parse_request(bytes.bytes().subspan(4)).value().header;
    asked_.push_back({header.api_key, header.api_version, correlation_id, std::move(done)});
  }
  void disconnect() override {}

 private:
  std::deque<Asked>& asked_;
};

struct Bench {
  std::deque<HandPeer::Asked> asked;
  std::unique_ptr<replication::NegotiatedPeer> peer =
      std::make_unique<replication::NegotiatedPeer>(std::make_unique<HandPeer>(asked));
  std::vector<ErrorCode> outcomes;

  void ask(protocol::VersionRange ours = Request::api.versions) {
    peer->ask<Response>(Request{}, ours, 1s, [this](base::Result<replication::PeerAnswer<Response>> answer) {
      outcomes.push_back(answer ? ErrorCode::none : answer.error().code);
    });
  }
  template <class Message>
  void answer(const Message& message) {
    const auto next = std::move(asked.front());
    asked.pop_front();
    auto bytes = base::flatten(protocol::encode_response(next.correlation_id, next.version, message)).value();
    base::Buffer payload(bytes.size() - 4);
    std::memcpy(payload.data(), bytes.data() + 4, payload.size());
    next.done(std::move(payload));
  }
  void fail() {
    const auto next = std::move(asked.front());
    asked.pop_front();
    next.done(base::fail(ErrorCode::network_exception, "cut"));
  }
  void speak(std::int16_t min, std::int16_t max, std::int16_t key = 23) {
    protocol::ApiVersionsResponse response;
    response.api_keys.push_back({.api_key = key, .min_version = min, .max_version = max});
    answer(response);
  }
};

}  // namespace

TEST_CASE("the highest version both brokers know is spoken, after asking once for all") {
  Bench bench;
  bench.ask();
  bench.ask();
  REQUIRE(bench.asked.size() == 1);
  CHECK(bench.asked[0].key == 18);
  bench.speak(1, 3);
  REQUIRE(bench.asked.size() == 2);
  CHECK(bench.asked[0].version == 3);
  bench.answer(Response{});
  bench.answer(Response{});
  CHECK(bench.outcomes == std::vector{ErrorCode::none, ErrorCode::none});
  bench.ask({0, 2});
  REQUIRE(bench.asked.size() == 1);
  CHECK(bench.asked[0].key == 23);
  CHECK(bench.asked[0].version == 2);
}

TEST_CASE("without a common version nothing is sent, and next time they are asked again") {
  Bench bench;
  bench.ask({0, 1});
  bench.speak(2, 3);
  CHECK(bench.outcomes == std::vector{ErrorCode::unsupported_version});
  CHECK(bench.asked.empty());
  bench.ask({0, 1});
  bench.speak(0, 3, 22);
  CHECK(bench.outcomes.size() == 2);
  bench.ask({0, 1});
  REQUIRE(bench.asked.size() == 1);
  bench.speak(0, 3);
  REQUIRE(bench.asked.size() == 1);
  CHECK(bench.asked[0].version == 1);
}

TEST_CASE("after a failure the broker is asked what it speaks anew, for another release may have taken its place") {
  Bench bench;
  bench.ask();
  bench.fail();
  CHECK(bench.outcomes == std::vector{ErrorCode::network_exception});
  bench.ask();
  bench.speak(0, 4);
  bench.fail();
  CHECK(bench.outcomes.size() == 2);
  bench.ask();
  REQUIRE(bench.asked.size() == 1);
  CHECK(bench.asked[0].key == 18);
}

TEST_CASE("a broker that refuses to tell what it speaks is not asked anything") {
  Bench bench;
  bench.ask();
  protocol::ApiVersionsResponse response;
  response.error_code = ErrorCode::unsupported_version;
  bench.answer(response);
  CHECK(bench.outcomes == std::vector{ErrorCode::unsupported_version});
  CHECK(bench.asked.empty());
}

TEST_CASE("whoever is told that there is no common version may destroy the peer") {
  Bench bench;
  int told = 0;
  for (int i = 0; i < 2; ++i)
    bench.peer->ask<Response>(Request{}, 1s, [&](base::Result<replication::PeerAnswer<Response>>) {
      ++told;
      bench.peer.reset();
    });
  bench.speak(0, 0, 1);
  CHECK(told == 1);
}
