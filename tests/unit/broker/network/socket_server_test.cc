#include "broker/network/socket_server.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include <thread>

#include "base/clock.h"
#include "tests/support/broker/loopback.h"

using namespace broker;
using namespace broker::test;

namespace {

ListenerSettings listener(std::string name, std::string host) {
  ListenerSettings out;
  out.name = std::move(name);
  out.host = std::move(host);
  out.port = 0;
  return out;
}

bool served(Client& client) { return client.request(toy::kEcho, 1, "hello") && client.reply(); }

}  // namespace

TEST_CASE("several listeners are bound, each to a port of its own") {
  RigOptions options;
  options.network.listeners = {listener("A", "127.0.0.1"), listener("B", "localhost"), listener("C", "0.0.0.0"),
                               listener("D", "")};
  Rig rig(options);
  for (const auto* name : {"A", "B", "C", "D"}) {
    CAPTURE(name);
    CHECK(rig.port(name) != 0);
    Client client(rig.port(name));
    CHECK(served(client));
  }
  Client ipv6(rig.port("D"), "::1");
  CHECK(served(ipv6));
}

TEST_CASE("an address that cannot be taken is refused with its listener's name") {
  Rig rig;
  base::LoopSet loops(1, "other");
  base::SystemClock clock;
  ApiTable table;
  NetworkSettings settings;
  settings.listeners = {listener("PLAINTEXT", "127.0.0.1")};
  const auto error_of = [&] {
    SocketServer server(settings, {.table = table, .loops = loops, .reads = nullptr, .clock = clock});
    const auto bound = server.bind();
    return bound ? std::string() : bound.error().detail;
  };
  settings.listeners[0].port = rig.port();
  CHECK_THAT(error_of(), Catch::Contains("PLAINTEXT://127.0.0.1:") && Catch::Contains("Address already in use"));
  settings.listeners[0].port = 0;
  settings.listeners[0].host = "no-such-host.invalid";
  CHECK_THAT(error_of(), Catch::Contains("no-such-host.invalid"));
}

TEST_CASE("an address has no more connections than its share") {
  RigOptions options;
  options.network.max_connections_per_ip = 100;
  options.network.max_connections_overrides = {{"127.0.0.1", 2}};
  Rig rig(options);
  Client one(rig.port());
  REQUIRE(served(one));
  {
    Client two(rig.port());
    REQUIRE(served(two));
    Client three(rig.port());
    CHECK(three.closed_by_peer());
    CHECK(rig.server->totals().connections_refused == 1);
  }
  REQUIRE(eventually([&] { return rig.server->totals().connections_open == 1; }));
  CHECK(eventually([&] {
    Client again(rig.port());
    return served(again);
  }));
}

TEST_CASE("above max.connections clients wait in the backlog until somebody leaves") {
  RigOptions options;
  options.network.max_connections = 2;
  Rig rig(options);
  auto one = std::make_unique<Client>(rig.port());
  Client two(rig.port());
  REQUIRE(served(*one));
  REQUIRE(served(two));
  Client three(rig.port());
  REQUIRE(three.request(toy::kEcho, 1, "let me in"));
  for (int i = 0; i < 20; ++i) REQUIRE(served(two));
  CHECK(rig.server->totals().connections_opened == 2);
  one.reset();
  CHECK(three.reply());
  CHECK(rig.server->totals().connections_open == 2);
}

TEST_CASE("above max.connection.creation.rate clients wait in the backlog for their turn") {
  RigOptions options;
  options.network.max_connection_rate = 4;
  Rig rig(options);
  const base::SystemClock clock;
  const auto start = clock.now();
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < 6; ++i) clients.push_back(std::make_unique<Client>(rig.port()));
  for (auto& client : clients) CHECK(served(*client));
  CHECK(clock.now() - start >= std::chrono::milliseconds(499));  // four at once, then one each quarter of a second
  CHECK(rig.server->totals().connections_open == 6);
}

TEST_CASE("brokers get in when clients have used up the connections") {
  RigOptions options;
  options.network.max_connections = 2;
  options.network.listeners = {listener("CLIENT", "127.0.0.1"), listener("BROKER", "127.0.0.1")};
  options.network.listeners[1].inter_broker = true;
  Rig rig(options);
  Client idlest(rig.port("CLIENT")), other(rig.port("CLIENT"));
  REQUIRE(served(idlest));
  REQUIRE(served(other));
  Client broker(rig.port("BROKER"));
  CHECK(served(broker));
  CHECK(eventually([&] { return rig.server->totals().connections_open == 2; }));
  CHECK(served(broker));
}

TEST_CASE("running out of file descriptors delays clients and loses none") {
  Rig rig;
  Client before(rig.port());
  REQUIRE(served(before));
  Client late(rig.port());  // accepted or queued: either way its descriptors exist
  REQUIRE(served(late));

  std::vector<int> hogs;
  const int spare = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  rlimit was{};
  ::getrlimit(RLIMIT_NOFILE, &was);
  const rlimit low{.rlim_cur = static_cast<rlim_t>(spare) + 2, .rlim_max = was.rlim_max};
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &low) == 0);
  for (int d; (d = ::open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0;) hogs.push_back(d);
  ::close(spare);
  Client queued(rig.port());  // takes the last descriptor: none is left for the server's end
  REQUIRE(queued.request(toy::kEcho, 1, "hello"));
  REQUIRE(served(before));
  CHECK(rig.server->totals().connections_opened == 2);
  for (const int d : hogs) ::close(d);
  ::setrlimit(RLIMIT_NOFILE, &was);
  CHECK(queued.reply());
}

TEST_CASE("stopping answers what is outstanding, then closes") {
  Rig rig;
  Client client(rig.port());
  REQUIRE(client.request(toy::kPark, 1, ""));
  REQUIRE(eventually([&] { return rig.toys.parked() == 1; }));
  std::thread answers([&] {
    eventually([&] { return !can_connect(rig.port()); });
    rig.toys.take(1).slot.fill(frame_of(1, {}));
  });
  rig.server->stop(std::chrono::seconds(10));
  answers.join();
  CHECK(client.reply());
  CHECK(client.closed_by_peer());
}

TEST_CASE("stopping under load takes no longer than it may") {
  Rig rig;
  std::atomic<bool> go{true};
  std::vector<std::thread> load;
  std::atomic<int> answered{0};
  for (int i = 0; i < 4; ++i)
    load.emplace_back([&, i] {
      Client client(rig.port());
      if (i == 0) client.request(toy::kPark, 1, "");  // for ever
      while (go) {
        for (int n = 0; n < 20; ++n)
          if (!client.request(i == 0 ? toy::kSkip : toy::kEcho, n, std::string(2000, 'x'))) return;
        for (int n = 0; i != 0 && n < 20; ++n) {
          if (!client.reply()) return;
          ++answered;
        }
      }
    });
  REQUIRE(eventually([&] { return answered > 1000 && rig.toys.parked() == 1; }));
  const base::SystemClock clock;
  const auto began = clock.now();
  rig.server->stop(std::chrono::milliseconds(300));
  const auto took = clock.now() - began;
  CHECK(took < std::chrono::seconds(3));
  CHECK(rig.server->totals().connections_open == 0);
  go = false;
  for (auto& thread : load) thread.join();
}
