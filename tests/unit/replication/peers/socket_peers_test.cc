#include "replication/peers/socket_peers.h"

#include <sys/socket.h>

#include <absl/synchronization/mutex.h>
#include <absl/synchronization/notification.h>
#include <catch2/catch.hpp>

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "protocol/messages/offset_for_leader_epoch.h"
#include "tests/support/replication/loopback_peer.h"

namespace {

using namespace std::chrono_literals;
using base::ErrorCode;
using test_support::LoopbackPeer;

constexpr base::Duration kLong = 10s;

base::BufferChain frame(std::int32_t correlation_id, std::string_view body = {}) {
  base::Buffer bytes(12 + body.size());
  base::store_big_endian<std::int32_t>(bytes.data(), static_cast<std::int32_t>(8 + body.size()));
  base::store_big_endian<std::int16_t>(bytes.data() + 4, 1);
  base::store_big_endian<std::int16_t>(bytes.data() + 6, 0);
  base::store_big_endian<std::int32_t>(bytes.data() + 8, correlation_id);
  std::memcpy(bytes.data() + 12, body.data(), body.size());
  return base::BufferChain(std::move(bytes));
}

// What became of requests, in the order in which it became known.
class Outcomes {
 public:
  struct Outcome {
    std::int32_t id;
    ErrorCode code;
    std::string body;  // without the correlation id
  };
  replication::PeerConnection::Done note(std::int32_t id) {
    return [this, id](base::Result<base::Buffer> answer) {
      Outcome outcome{id, answer ? ErrorCode::none : answer.error().code, {}};
      if (answer) outcome.body.assign(reinterpret_cast<const char*>(answer->data()) + 4, answer->size() - 4);
      absl::MutexLock lock(&mutex_);
      all_.push_back(std::move(outcome));
    };
  }
  std::vector<Outcome> wait_for(std::size_t count) {
    absl::MutexLock lock(&mutex_);
    const auto there = [this, count] {
      mutex_.AssertHeld();
      return all_.size() >= count;
    };
    mutex_.AwaitWithTimeout(absl::Condition(&there), absl::Seconds(10));
    return all_;
  }

 private:
  absl::Mutex mutex_;
  std::vector<Outcome> all_ ABSL_GUARDED_BY(mutex_);
};

struct Bench {
  explicit Bench(std::size_t max_answer_bytes = replication::SocketPeers::kMaxAnswerBytes)
      : network(clock, names, max_answer_bytes) {
    loop.start();
    names.start();
  }
  ~Bench() {
    on_loop([this] { peer.reset(); });
    names.stop();
    loop.stop();
  }
  void on_loop(const std::function<void()>& work) {
    absl::Notification done;
    loop.post([&] {
      work();
      done.Notify();
    });
    done.WaitForNotification();
  }
  void connect(const LoopbackPeer& to, replication::PeerOptions options = {.client_id = "broker-1"},
               const std::string& host = "127.0.0.1") {
    peer = network.connect({.id = base::BrokerId{2}, .endpoint = {.host = host, .port = to.port()}}, loop, options);
  }
  void send(std::int32_t id, std::string_view body = {}, base::Duration timeout = kLong) {
    on_loop([&] { peer->send(id, frame(id, body), timeout, outcomes.note(id)); });
  }

  base::SystemClock clock;
  base::BlockingPool names{1, "names"};
  base::Loop loop{"peers"};
  replication::SocketPeers network;
  std::unique_ptr<replication::PeerConnection> peer;
  Outcomes outcomes;
};

}  // namespace

TEST_CASE("requests leave at once, one behind another, and answers find theirs") {
  LoopbackPeer broker;
  Bench bench;
  bench.connect(broker);
  bench.send(1, "first");
  bench.send(2, "second");
  bench.send(3);
  auto stream = broker.accept();
  for (const std::int32_t id : {1, 2, 3}) CHECK(stream.request().value().correlation_id == id);
  stream.answer(1, "one");
  stream.answer(2, "");
  stream.answer(3, "three");
  const auto outcomes = bench.outcomes.wait_for(3);
  REQUIRE(outcomes.size() == 3);
  CHECK(outcomes[0].body == "one");
  CHECK(outcomes[1].body.empty());
  CHECK(outcomes[1].code == ErrorCode::none);
  CHECK(outcomes[2].body == "three");
}

TEST_CASE("a name is looked up where waiting does no harm") {
  LoopbackPeer broker;
  Bench bench;
  bench.connect(broker, {}, "localhost");
  bench.send(1);
  auto stream = broker.accept();
  REQUIRE(stream.request());
  stream.answer(1, "here");
  CHECK(bench.outcomes.wait_for(1).at(0).body == "here");
}

TEST_CASE("a name that nobody knows fails what was asked") {
  LoopbackPeer broker;
  Bench bench;
  bench.connect(broker, {}, "no-such-host.invalid");
  bench.send(1);
  CHECK(bench.outcomes.wait_for(1).at(0).code == ErrorCode::network_exception);
}

TEST_CASE("an answer of many MiB arrives whole, between small ones and in any pieces") {
  LoopbackPeer broker;
  Bench bench;
  bench.connect(broker, {.client_id = "broker-1", .receive_buffer_bytes = 64 << 10});
  for (const std::int32_t id : {1, 2, 3, 4}) bench.send(id);
  auto stream = broker.accept();
  std::string large(20 << 20, '\0');
  for (std::size_t i = 0; i < large.size(); ++i) large[i] = static_cast<char>(i * 2654435761u >> 24);
  stream.answer(1, "small");
  stream.answer(2, large);
  stream.answer(3, std::string(5000, 'x'));
  const std::string last("\0\0\0\x08\0\0\0\x04last", 12);
  for (const char byte : last) stream.send(std::string_view(&byte, 1));
  const auto outcomes = bench.outcomes.wait_for(4);
  REQUIRE(outcomes.size() == 4);
  CHECK(outcomes[0].body == "small");
  CHECK((outcomes[1].body == large));
  CHECK(outcomes[2].body == std::string(5000, 'x'));
  CHECK(outcomes[3].body == "last");
}

TEST_CASE("a request larger than the socket takes at once is sent whole") {
  LoopbackPeer broker;
  Bench bench;
  bench.connect(broker);
  const std::string large(8 << 20, 'q');
  bench.send(1, large);
  bench.send(2, "behind it");
  auto stream = broker.accept();
  CHECK((stream.request().value().payload.substr(8) == large));
  CHECK(stream.request().value().payload.substr(8) == "behind it");
}

TEST_CASE("an answer that does not come in time closes the connection; what is behind it fails too") {
  LoopbackPeer broker;
  Bench bench;
  bench.connect(broker);
  bench.send(1, {}, 50ms);
  bench.send(2);
  auto stream = broker.accept();
  const auto outcomes = bench.outcomes.wait_for(2);
  REQUIRE(outcomes.size() == 2);
  CHECK(outcomes[0].code == ErrorCode::request_timed_out);
  CHECK(outcomes[1].code == ErrorCode::network_exception);
  REQUIRE(stream.request());
  REQUIRE(stream.request());
  CHECK(stream.closed_by_broker());
}

TEST_CASE("the next request after a broken connection makes another one") {
  LoopbackPeer broker;
  Bench bench;
  bench.connect(broker);
  bench.send(1);
  {
    auto stream = broker.accept();
    REQUIRE(stream.request());
  }
  CHECK(bench.outcomes.wait_for(1).at(0).code == ErrorCode::network_exception);
  bench.send(2);
  auto stream = broker.accept();
  CHECK(stream.request().value().correlation_id == 2);
  stream.answer(2, "again");
  CHECK(bench.outcomes.wait_for(2).at(1).body == "again");
}

TEST_CASE("where nobody listens every request fails, each on its own") {
  LoopbackPeer broker;
  Bench bench;
  bench.connect(broker);
  broker.close_listener();
  for (const std::int32_t id : {1, 2, 3}) {
    bench.send(id);
    CHECK(bench.outcomes.wait_for(static_cast<std::size_t>(id)).back().code == ErrorCode::network_exception);
  }
}

TEST_CASE("what is not an answer to what was asked breaks the connection") {
  LoopbackPeer broker;
  Bench bench(1 << 20);
  bench.connect(broker);
  bench.send(1);
  auto stream = broker.accept();
  REQUIRE(stream.request());
  SECTION("another number") { stream.answer(7, "x"); }
  SECTION("larger than any answer") { stream.send(std::string("\0\x10\0\x01", 4)); }
  SECTION("a negative size") { stream.send(std::string("\xff\xff\xff\xff", 4)); }
  SECTION("too short to hold a number") {
    stream.send(
        std::string("\0\0\0\x03"
                    "abc",
                    7));
  }
  SECTION("the end in the middle") {
    stream.send(
        std::string("\0\0\0\x0a\0\0\0\x01"
                    "abc",
                    11));
    ::shutdown(stream.socket(), SHUT_WR);
  }
  CHECK(bench.outcomes.wait_for(1).at(0).code == ErrorCode::network_exception);
  CHECK(stream.closed_by_broker());
}

TEST_CASE("an answer nobody asked for breaks the connection, and the next request makes another") {
  LoopbackPeer broker;
  Bench bench;
  bench.connect(broker);
  bench.send(1);
  auto first = broker.accept();
  REQUIRE(first.request());
  first.answer(1, "one");
  first.answer(2, "nobody asked");
  CHECK(first.closed_by_broker());
  bench.send(2);
  auto second = broker.accept();
  CHECK(second.request().value().correlation_id == 2);
}

TEST_CASE("disconnecting fails what is unanswered, destroying says nothing") {
  LoopbackPeer broker;
  Bench bench;
  bench.connect(broker);
  bench.send(1);
  auto first = broker.accept();
  REQUIRE(first.request());
  bench.on_loop([&] { bench.peer->disconnect(); });
  CHECK(bench.outcomes.wait_for(1).at(0).code == ErrorCode::network_exception);
  CHECK(first.closed_by_broker());

  bench.send(2);
  auto second = broker.accept();
  REQUIRE(second.request());
  bench.on_loop([&] {
    bench.peer->disconnect();
    bench.peer.reset();
  });
  CHECK(second.closed_by_broker());
  bench.on_loop([] {});
  CHECK(bench.outcomes.wait_for(1).size() == 1);
}

TEST_CASE("whoever is answered may ask again, disconnect or destroy the connection there and then") {
  LoopbackPeer broker;
  Bench bench;
  bench.connect(broker);
  absl::Notification destroyed;
  bench.on_loop([&] {
    bench.peer->send(1, frame(1), kLong, [&](base::Result<base::Buffer>) {
      bench.peer->disconnect();
      bench.peer->send(2, frame(2), kLong, [&](base::Result<base::Buffer>) {
        bench.peer.reset();
        destroyed.Notify();
      });
    });
  });
  {
    auto stream = broker.accept();
    REQUIRE(stream.request());
    stream.answer(1, std::string(10000, 'a'));
    CHECK(stream.closed_by_broker());
  }
  auto stream = broker.accept();
  REQUIRE(stream.request().value().correlation_id == 2);
  stream.answer(2, "b");
  destroyed.WaitForNotification();
}

TEST_CASE("an encoded question is answered with a decoded answer, and with an error when it cannot be read") {
  using Request = protocol::OffsetForLeaderEpochRequest;
  using Response = protocol::OffsetForLeaderEpochResponse;
  LoopbackPeer broker;
  Bench bench;
  bench.connect(broker);
  absl::Notification answered[2];
  std::vector<base::Result<replication::PeerAnswer<Response>>> answers;
  bench.on_loop([&] {
    for (auto& notification : answered)
      replication::ask<Response>(*bench.peer, Request{}, 3, kLong, [&](auto answer) {
        answers.push_back(std::move(answer));
        notification.Notify();
      });
  });
  auto stream = broker.accept();
  REQUIRE(stream.request().value().key == 23);
  REQUIRE(stream.request());
  Response response;
  response.throttle_time_ms = 7;
  response.topics.resize(1);
  response.topics[0].topic = "t";
  const auto bytes = base::flatten(protocol::encode_response(0, 3, response)).value();
  stream.send({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  stream.answer(1, "??");
  for (auto& notification : answered) notification.WaitForNotification();
  REQUIRE(answers.size() == 2);
  REQUIRE(answers[0]);
  CHECK(answers[0]->message.throttle_time_ms == 7);
  CHECK(answers[0]->message.topics.at(0).topic == "t");
  REQUIRE_FALSE(answers[1]);
  CHECK(answers[1].error().code == ErrorCode::corrupt_message);
}
