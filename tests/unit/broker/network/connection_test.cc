// Connections over real loopback sockets.
#include "broker/network/connection.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include <algorithm>
#include <random>
#include <thread>

#include "base/bytes.h"
#include "tests/support/broker/loopback.h"

using namespace broker;
using namespace broker::test;

namespace {

RigOptions with(auto change) {
  RigOptions options;
  change(options);
  return options;
}

std::string file_request(std::initializer_list<std::pair<std::int64_t, std::int32_t>> ranges) {
  std::string out;
  for (const auto& [position, size] : ranges) out += int64_text(position) + int32_text(size);
  return out;
}

}  // namespace

TEST_CASE("answers leave in the order of their requests whoever fills them when") {
  Rig rig;
  Client client(rig.port());
  constexpr int kRequests = 60;
  for (int i = 0; i < kRequests; ++i)
    REQUIRE(client.request(i % 3 == 0 ? toy::kEcho : toy::kPark, i, "x" + std::to_string(i)));
  REQUIRE(eventually([&] { return rig.toys.executed == kRequests; }));

  std::vector<int> order;
  for (int i = 0; i < kRequests; ++i)
    if (i % 3 != 0) order.push_back(i);
  std::shuffle(order.begin(), order.end(), std::mt19937(7));
  std::vector<std::thread> fillers;
  for (int t = 0; t < 3; ++t)
    fillers.emplace_back([&, t] {
      for (std::size_t i = static_cast<std::size_t>(t); i < order.size(); i += 3) {
        auto parked = rig.toys.take(order[i]);
        parked.slot.fill(frame_of(order[i], base::as_bytes("x" + std::to_string(order[i]))));
      }
    });
  for (auto& filler : fillers) filler.join();
  for (int i = 0; i < kRequests; ++i) {
    const auto reply = client.reply();
    REQUIRE(reply);
    CHECK(reply->correlation_id == i);
    CHECK(reply->body == "x" + std::to_string(i));
  }
}

TEST_CASE("a request may arrive byte by byte") {
  Rig rig;
  Client client(rig.port());
  for (int round = 0; round < 2; ++round) {
    const auto frame = request_frame(toy::kEcho, round, "hello");
    for (std::size_t i = 0; i < frame.size(); ++i) {
      const auto received = rig.server->totals().bytes_received;
      REQUIRE(client.send(frame.substr(i, 1)));
      REQUIRE(eventually([&] { return rig.server->totals().bytes_received > received; }));
    }
    const auto reply = client.reply();
    REQUIRE(reply);
    CHECK(reply->body == "hello");
  }
}

TEST_CASE("requests of all sizes survive any cutting of the stream") {
  const unsigned seed = GENERATE(1u, 2u, 3u, 4u);
  CAPTURE(seed);
  std::mt19937 random(seed);
  Rig rig;
  Client client(rig.port());
  std::vector<std::string> bodies;
  std::string stream;
  for (int i = 0; i < 150; ++i) {
    constexpr std::size_t kScales[] = {1, 50, 5'000, 20'000, 70'000, 400'000};
    const auto scale = kScales[random() % std::size(kScales)];
    std::string body(random() % scale + 1, '\0');
    for (auto& c : body) c = static_cast<char>(random());
    stream += request_frame(toy::kEcho, i, body);
    bodies.push_back(std::move(body));
  }
  std::thread sender([&] {
    std::mt19937 cuts(seed + 100);
    for (std::size_t at = 0; at < stream.size();) {
      const auto n = std::min<std::size_t>(stream.size() - at, 1 + cuts() % (cuts() % 3 == 0 ? 10 : 200'000));
      if (!client.send(std::string_view(stream).substr(at, n))) return;
      at += n;
    }
  });
  for (std::size_t i = 0; i < bodies.size(); ++i) {
    const auto reply = client.reply();
    if (!reply || reply->correlation_id != static_cast<int>(i) || reply->body != bodies[i]) {
      client.finish_sending();
      sender.join();
      FAIL("answer " << i << " is wrong");
    }
  }
  sender.join();
}

TEST_CASE("a frame of no, negative or absurd size closes its connection and no other") {
  const auto size = GENERATE(std::int32_t{0}, std::int32_t{-1}, std::int32_t{-2147483647 - 1}, std::int32_t{1001},
                             std::int32_t{2147483647});
  Rig rig(with([](RigOptions& o) { o.network.request_max_bytes = 1000; }));
  Client bystander(rig.port());
  REQUIRE(bystander.request(toy::kPark, 1, ""));
  REQUIRE(eventually([&] { return rig.toys.parked() == 1; }));

  Client client(rig.port());
  REQUIRE(client.request(toy::kEcho, 1, "before"));
  REQUIRE(client.send(int32_text(size) + "whatever"));
  const auto reply = client.reply();
  REQUIRE(reply);
  CHECK(reply->body == "before");
  CHECK(client.closed_by_peer());

  rig.toys.take(1).slot.fill(frame_of(1, {}));
  CHECK(bystander.reply());
  REQUIRE(bystander.request(toy::kEcho, 2, std::string(900, 'x')));
  CHECK(bystander.reply());
}

TEST_CASE("bytes of other protocols are recognised by the first frame and closed") {
  const std::string bytes =
      GENERATE(std::string("\x16\x03\x01\x02\x00\x01\x00", 7), std::string("GET / HTTP/1.1\r\n\r\n"),
               std::string("ruok"), std::string(64, '\xff'));
  Rig rig(with([](RigOptions& o) { o.network.request_max_bytes = 2147483647; }));
  Client client(rig.port());
  REQUIRE(client.send(bytes));
  CHECK(client.closed_by_peer());
}

TEST_CASE("random bytes close the connection or are waited for, and disturb nobody") {
  std::mt19937 random(11);
  Rig rig;
  Client bystander(rig.port());
  for (int i = 0; i < 200; ++i) {
    Client client(rig.port());
    std::string bytes(1 + random() % 300, '\0');
    for (auto& c : bytes) c = static_cast<char>(random());
    if (i % 2 == 0) bytes = int32_text(static_cast<std::int32_t>(bytes.size())) + bytes;
    client.send(bytes);
    client.finish_sending();
    CHECK(client.closed_by_peer());
  }
  REQUIRE(bystander.request(toy::kEcho, 1, "still here"));
  CHECK(bystander.reply());
}

TEST_CASE("a reader that does not read stops being served, and gets everything once it does") {
  constexpr int kRequests = 400;
  constexpr std::int32_t kAnswerBytes = 100'000;
  Rig rig(with([](RigOptions& o) {
    o.network.max_unsent_bytes = 300'000;
    o.network.send_buffer_bytes = 20'000;
  }));
  Client client(rig.port(), "127.0.0.1", 20'000);
  for (int i = 0; i < kRequests; ++i) REQUIRE(client.request(toy::kBig, i, int32_text(kAnswerBytes)));
  REQUIRE(eventually([&] { return rig.server->totals().reads_paused > 0; }));

  // Another client is served meanwhile, on either loop; by then the first has had every chance to run ahead.
  Client others[2] = {Client(rig.port()), Client(rig.port())};
  for (int round = 0; round < 50; ++round)
    for (auto& other : others) {
      REQUIRE(other.request(toy::kEcho, round, "x"));
      REQUIRE(other.reply());
    }
  // Unsent bytes at their bound, one answer above it, and what two sockets hold (the kernel doubles what is asked for
  // and loopback segments are large).
  CHECK(rig.toys.executed - 100 <= 4 + 10);
  for (int i = 0; i < kRequests; ++i) {
    const auto reply = client.reply();
    REQUIRE(reply);
    REQUIRE(reply->correlation_id == i);
    REQUIRE(reply->body == std::string(kAnswerBytes, static_cast<char>(i & 0xff)));
  }
}

TEST_CASE("a request without an answer leaves no gap") {
  Rig rig;
  Client client(rig.port());
  REQUIRE(client.request(toy::kSkip, 1, ""));
  REQUIRE(client.request(toy::kEcho, 2, "a"));
  REQUIRE(client.request(toy::kSkip, 3, ""));
  REQUIRE(client.request(toy::kSkip, 4, ""));
  REQUIRE(client.request(toy::kEcho, 5, "b"));
  CHECK(client.reply()->correlation_id == 2);
  CHECK(client.reply()->correlation_id == 5);
}

TEST_CASE("refusing a request closes the connection after the earlier answers have left") {
  Rig rig;
  Client client(rig.port());
  REQUIRE(client.request(toy::kPark, 1, ""));
  REQUIRE(client.request(toy::kRefuse, 2, ""));
  REQUIRE(client.request(toy::kEcho, 3, ""));
  REQUIRE(eventually([&] { return rig.toys.parked() == 1 && rig.toys.executed >= 2; }));
  rig.toys.take(1).slot.fill(frame_of(1, {}));
  CHECK(client.reply()->correlation_id == 1);
  CHECK(client.closed_by_peer());
  CHECK(rig.toys.executed == 2);
}

TEST_CASE("a forgotten answer closes the connection instead of leaving the client waiting") {
  Rig rig;
  Client client(rig.port());
  REQUIRE(client.request(toy::kForget, 1, ""));
  CHECK(client.closed_by_peer());
}

TEST_CASE("unknown APIs and versions close, except where the handler answers any version") {
  Rig rig;
  SECTION("no such key") {
    Client client(rig.port());
    REQUIRE(client.request(999, 1, ""));
    CHECK(client.closed_by_peer());
  }
  SECTION("a key we know and do not serve") {
    Client client(rig.port());
    REQUIRE(client.request(17, 1, ""));
    CHECK(client.closed_by_peer());
  }
  SECTION("a version we do not serve") {
    Client client(rig.port());
    REQUIRE(client.request(toy::kEcho, 1, "", 5));
    CHECK(client.closed_by_peer());
  }
  SECTION("a payload too short for a header") {
    Client client(rig.port());
    REQUIRE(client.send(int32_text(3) + "abc"));
    CHECK(client.closed_by_peer());
  }
  SECTION("any version") {
    Client client(rig.port());
    REQUIRE(client.request(toy::kVersions, 1, "", 99));
    CHECK(client.reply()->body == "99");
    REQUIRE(client.request(toy::kEcho, 2, "on the same connection"));
    CHECK(client.reply());
  }
  CHECK(rig.server->totals().connections_opened == 1);
}

TEST_CASE("a thousand connections are served side by side") {
  // One client after the other without a pause would overrun a short backlog, and wait a second each time.
  Rig rig(with([](RigOptions& o) { o.network.listen_backlog = 1024; }));
  std::vector<Client> clients;
  for (int i = 0; i < 1000; ++i) clients.emplace_back(rig.port());
  for (int round = 0; round < 3; ++round) {
    for (std::size_t i = 0; i < clients.size(); ++i)
      REQUIRE(clients[i].request(toy::kEcho, static_cast<int>(i), std::to_string(i)));
    for (std::size_t i = 0; i < clients.size(); ++i) REQUIRE(clients[i].reply()->body == std::to_string(i));
  }
  CHECK(rig.server->totals().connections_open == 1000);
  clients.clear();
  CHECK(eventually([&] { return rig.server->totals().connections_open == 0; }));
}

TEST_CASE("a slot outlives its connection and its server") {
  std::vector<Parked> late;
  {
    Rig rig;
    {
      Client client(rig.port());
      for (int i = 0; i < 10; ++i) REQUIRE(client.request(toy::kPark, i, ""));
      REQUIRE(eventually([&] { return rig.toys.parked() == 10; }));
      // Reset, not a mere end of sending: the server need not wait for anything.
      linger hard{.l_onoff = 1, .l_linger = 0};
      ::setsockopt(client.descriptor(), SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    }
    REQUIRE(eventually([&] { return rig.server->totals().connections_open == 0; }));
    CHECK_FALSE(rig.toys.take(0).slot.wanted());  // and the forgotten slot disturbs nobody
    for (int i = 1; i < 4; ++i) rig.toys.take(i).slot.fill(frame_of(i, {}));
    rig.toys.take(4).slot.close_connection("too late");
    rig.toys.take(5).slot.skip();
    late = rig.toys.take_all();
  }
  CHECK(late.size() == 4);
  late[0].slot.fill(frame_of(6, {}));
}

TEST_CASE("file ranges arrive as they are in the file") {
  ScratchFile file(3 << 20);
  const bool pool = GENERATE(true, false);
  CAPTURE(pool);
  Rig rig(with([&](RigOptions& o) { o.pool = pool; }));
  rig.toys.file = file.open();
  Client client(rig.port());
  const auto check = [&](std::initializer_list<std::pair<std::int64_t, std::int32_t>> ranges) {
    REQUIRE(client.request(toy::kFile, 7, file_request(ranges)));
    std::string expected;
    for (const auto& [position, size] : ranges)
      expected +=
          int32_text(size) + file.contents().substr(static_cast<std::size_t>(position), static_cast<std::size_t>(size));
    const auto reply = client.reply();
    REQUIRE(reply);
    CHECK(reply->body == expected);
  };
  check({{0, 1}});
  check({{17, 1000}, {5000, 20'000}, {100, 7}});
  check({{1, 65'536}});
  check({{3, 2'900'001}});
  check({{5, 300'000}, {9, 100}, {1'000'000, 65'535}, {70'000, 1'500'000}, {0, 3}});
  REQUIRE(client.request(toy::kEcho, 1, "after"));
  CHECK(client.reply()->body == "after");
}

TEST_CASE("a file that ends before its range closes the connection") {
  ScratchFile file(100'000);
  const std::int32_t size = GENERATE(10, 90'000);
  Rig rig;
  rig.toys.file = file.open();
  Client client(rig.port());
  REQUIRE(client.request(toy::kFile, 1, file_request({{99'995, size}})));
  CHECK_FALSE(client.reply());
}

TEST_CASE("cold file ranges are brought in by the pool and arrive whole") {
  ScratchFile file(4 << 20);
  Rig rig;
  rig.toys.file = file.open();
  ::fsync(rig.toys.file->descriptor());
  ::posix_fadvise(rig.toys.file->descriptor(), 0, 0, POSIX_FADV_DONTNEED);
  Client client(rig.port());
  REQUIRE(client.request(toy::kFile, 1, file_request({{100, 20}, {1000, 3'000'000}, {3'500'000, 30'000}})));
  REQUIRE(client.request(toy::kEcho, 2, "behind it"));
  const auto reply = client.reply();
  REQUIRE(reply);
  CHECK(reply->body == int32_text(20) + file.contents().substr(100, 20) + int32_text(3'000'000) +
                           file.contents().substr(1000, 3'000'000) + int32_text(30'000) +
                           file.contents().substr(3'500'000, 30'000));
  CHECK(client.reply()->body == "behind it");
}

TEST_CASE("no more than the bound is executed ahead of unanswered requests") {
  Rig rig(with([](RigOptions& o) { o.network.max_unanswered_requests = 5; }));
  Client client(rig.port());
  for (int i = 0; i < 20; ++i) REQUIRE(client.request(toy::kPark, i, ""));
  REQUIRE(eventually([&] { return rig.server->totals().reads_paused == 1; }));
  CHECK(rig.toys.executed == 5);
  // An answer in the middle makes room for one more although it cannot leave yet.
  rig.toys.take(3).slot.fill(frame_of(3, {}));
  REQUIRE(eventually([&] { return rig.toys.executed == 6; }));
  for (int i = 0; i < 20; ++i) {
    if (i == 3) continue;
    REQUIRE(eventually([&] { return rig.toys.executed > i; }));
    rig.toys.take(i).slot.fill(frame_of(i, {}));
  }
  for (int i = 0; i < 20; ++i) REQUIRE(client.reply()->correlation_id == i);
}

TEST_CASE("no more bytes than the bound are executed ahead of unanswered requests") {
  Rig rig(with([](RigOptions& o) { o.network.max_unanswered_bytes = 250'000; }));
  Client client(rig.port());
  std::thread sender([&] {
    for (int i = 0; i < 10; ++i) client.request(toy::kPark, i, std::string(100'000, 'x'));
  });
  REQUIRE(eventually([&] { return rig.server->totals().reads_paused == 1; }));
  CHECK(rig.toys.executed == 3);
  for (int i = 0; i < 10; ++i) {
    REQUIRE(eventually([&] { return rig.toys.executed > i; }));
    rig.toys.take(i).slot.fill(frame_of(i, {}));
    REQUIRE(client.reply()->correlation_id == i);
  }
  sender.join();
}

TEST_CASE("what must be seen by the next request is answered before that is executed") {
  Rig rig;
  Client client(rig.port());
  REQUIRE(client.request(toy::kPark, 1, ""));
  REQUIRE(client.request(toy::kExclusive, 2, ""));
  REQUIRE(client.request(toy::kEcho, 3, "next"));
  REQUIRE(eventually([&] { return rig.server->totals().reads_paused == 1; }));
  CHECK(rig.toys.executed == 2);
  rig.toys.take(1).slot.fill(frame_of(1, {}));
  CHECK(client.reply()->correlation_id == 1);
  CHECK(rig.toys.executed == 2);
  rig.toys.take(2).slot.fill(frame_of(2, {}));
  CHECK(client.reply()->correlation_id == 2);
  CHECK(client.reply()->body == "next");
}

TEST_CASE("a frame that is kept stays as it was, small or large") {
  Rig rig;
  Client client(rig.port());
  std::string large(300'000, '\0');
  for (std::size_t i = 0; i < large.size(); ++i) large[i] = static_cast<char>(i * 7);
  REQUIRE(client.request(toy::kKeep, 1, "small and kept"));
  REQUIRE(client.request(toy::kKeep, 2, large));
  for (int i = 10; i < 40; ++i) REQUIRE(client.request(toy::kSkip, i, std::string(30'000, 'z')));
  REQUIRE(eventually([&] { return rig.toys.executed == 32; }));
  auto small_one = rig.toys.take(1), large_one = rig.toys.take(2);
  CHECK(base::as_text(small_one.body) == "small and kept");
  CHECK(base::as_text(large_one.body) == large);
  small_one.slot.fill(frame_of(1, small_one.body));
  large_one.slot.fill(frame_of(2, large_one.body));
  CHECK(client.reply()->body == "small and kept");
  CHECK(client.reply()->body == large);
}

TEST_CASE("reading pauses while all memory for requests is taken, on every connection") {
  Rig rig(with([](RigOptions& o) { o.network.queued_max_request_bytes = 200'000; }));
  Client first(rig.port()), second(rig.port());
  const std::string body(150'000, 'x');
  // The second of these overdraws the budget; then nobody gets memory for a frame that is not here yet.
  REQUIRE(first.request(toy::kKeep, 1, body));
  REQUIRE(first.request(toy::kKeep, 2, body));
  REQUIRE(eventually([&] { return rig.toys.parked() == 2; }));
  std::thread sender([&] { second.request(toy::kEcho, 3, body); });
  REQUIRE(eventually([&] { return rig.server->totals().reads_paused == 1; }));
  CHECK(rig.toys.executed == 2);
  auto released = rig.toys.take_all();
  for (auto& parked : released) parked.slot.fill(frame_of(parked.correlation_id, {}));
  released.clear();
  const auto reply = second.reply();
  sender.join();
  REQUIRE(reply);
  CHECK(reply->body == body);
  CHECK(first.reply());
  CHECK(first.reply());
}

TEST_CASE("a client that has finished sending still gets its answers, then the connection closes") {
  Rig rig;
  Client client(rig.port());
  REQUIRE(client.request(toy::kPark, 1, ""));
  REQUIRE(client.request(toy::kEcho, 2, "two"));
  client.finish_sending();
  REQUIRE(eventually([&] { return rig.toys.executed == 2; }));
  rig.toys.take(1).slot.fill(frame_of(1, {}));
  CHECK(client.reply()->correlation_id == 1);
  CHECK(client.reply()->body == "two");
  CHECK(client.closed_by_peer());
}

TEST_CASE("idle connections are closed, waiting ones are not") {
  Rig rig(with([](RigOptions& o) { o.network.max_idle = std::chrono::milliseconds(100); }));
  Client idle(rig.port()), waiting(rig.port());
  REQUIRE(waiting.request(toy::kPark, 1, ""));
  REQUIRE(idle.request(toy::kEcho, 1, ""));
  REQUIRE(idle.reply());
  CHECK(idle.closed_by_peer());
  CHECK(rig.server->totals().connections_closed_idle == 1);
  rig.toys.take(1).slot.fill(frame_of(1, {}));
  CHECK(waiting.reply());
  CHECK(waiting.closed_by_peer());
  CHECK(rig.server->totals().connections_closed_idle == 2);
}

TEST_CASE("a reader that has stopped reading for good is idle") {
  Rig rig(with([](RigOptions& o) { o.network.max_idle = std::chrono::milliseconds(200); }));
  Client client(rig.port());
  for (int i = 0; i < 30; ++i) REQUIRE(client.request(toy::kBig, i, int32_text(1 << 20)));
  CHECK(eventually([&] { return rig.server->totals().connections_closed_idle == 1; }));
}
