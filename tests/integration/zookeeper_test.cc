// The store, the membership and the controller against a real Apache ZooKeeper.
#define THREADED
#include <absl/synchronization/notification.h>
#include <catch2/catch.hpp>
#include <zookeeper/zookeeper.h>

#include <cstring>
#include <thread>

#include "replication/coordination/zookeeper_store.h"
#include "tests/integration/zookeeper_server.h"
#include "tests/support/replication/lone_broker.h"
#include "tests/support/replication/store_suite.h"

using namespace replication;
using namespace test_support;
using base::BrokerId;
using base::ErrorCode;

namespace {

std::vector<Endpoint> at_port(std::int32_t port) { return {{"PLAINTEXT", "PLAINTEXT", "h", port}}; }

// One session with its coordination loop.
struct Client {
  explicit Client(const std::string& connect, std::chrono::milliseconds timeout = std::chrono::seconds(6))
      : zookeeper({.connect = connect, .session_timeout = timeout, .connection_timeout = std::chrono::seconds(20)},
                  loop) {
    loop.start();
    const auto status = zookeeper.start();
    INFO((status.ok() ? "" : status.error().detail));
    REQUIRE(status.ok());
  }
  ~Client() { stop(); }
  void stop() {
    zookeeper.stop();
    loop.stop();
  }

  // As the server does when it hears nothing: the session ends without our asking. A second connection takes the
  // session over and closes it.
  void expire() {
    clientid_t id{};
    id.client_id = zookeeper.session_id();
    run_on(loop, [&] {
      const auto password = zookeeper.session_password();
      std::memcpy(id.passwd, password.data(), password.size());
    });
    // Our own client may snatch the session back before it is closed.
    for (int attempt = 0; attempt < 20 && zookeeper.session_id() == id.client_id; ++attempt) {
      absl::Notification taken;
      const auto watcher = [](zhandle_t*, int type, int state, const char*, void* context) {
        auto* seen = static_cast<absl::Notification*>(context);
        const bool decided = state == ZOO_CONNECTED_STATE || state == ZOO_EXPIRED_SESSION_STATE;
        if (type == ZOO_SESSION_EVENT && decided && !seen->HasBeenNotified()) seen->Notify();
      };
      zhandle_t* thief = zookeeper_init(connect_hosts.c_str(), watcher, 6000, &id, &taken, 0);
      REQUIRE(thief != nullptr);
      REQUIRE(taken.WaitForNotificationWithTimeout(absl::Seconds(20)));
      zookeeper_close(thief);
      eventually([&] { return zookeeper.session_id() != id.client_id; }, absl::Seconds(2));
    }
  }

  std::string connect_hosts;
  base::Loop loop{"coordination"};
  ZookeeperStore zookeeper;
  BlockingStore store{zookeeper};
};

// A broker's session and what runs on it; stopped in the order a broker stops.
struct Broker {
  Broker(const std::string& connect, std::int32_t id, std::int32_t port)
      : client(connect), member(client.zookeeper, client.loop, {.broker = BrokerId{id}}, at_port(port)) {}
  ~Broker() { stop(); }
  void stop() {
    if (std::exchange(stopped, true)) return;
    member.stop();
    client.stop();
  }
  Client client;
  Member member;
  bool stopped = false;
};

struct Cluster {
  ZookeeperServer server;
  std::unique_ptr<Broker> broker(std::int32_t id, std::int32_t port) {
    auto made = std::make_unique<Broker>(server.connect("/kafka"), id, port);
    made->client.connect_hosts = server.connect();
    return made;
  }
  std::unique_ptr<Client> client(const std::string& chroot = "",
                                 std::chrono::milliseconds timeout = std::chrono::seconds(6)) {
    auto made = std::make_unique<Client>(server.connect(chroot), timeout);
    made->connect_hosts = server.connect();
    return made;
  }
};

}  // namespace

TEST_CASE("the ZooKeeper store behaves as a metadata store must") {
  Cluster cluster;
  auto client = cluster.client("/weir");
  store_suite(client->zookeeper, client->loop);
}

TEST_CASE("a missing chroot is created with its parents, and everything lives below it") {
  Cluster cluster;
  auto inside = cluster.client("/a/b/c");
  REQUIRE(inside->store.commit({Create{.path = "/x", .data = "1"}}).ok());
  auto numbered = inside->store.commit({Create{.path = "/x/n_", .mode = CreateMode::persistent_sequential}});
  CHECK(numbered.done.at(0).path == "/x/n_0000000000");
  CHECK(inside->store.children("/").value == std::vector<std::string>{"x"});
  auto outside = cluster.client();
  CHECK(outside->store.get("/a/b/c/x").value.data == "1");
  auto again = cluster.client("/a/b/c/");
  CHECK(again->store.get("/x").value.data == "1");
}

TEST_CASE("no ZooKeeper within the connection timeout is an error that says what to look at") {
  base::Loop loop{"coordination"};
  loop.start();
  ZookeeperStore store({.connect = "127.0.0.1:1", .connection_timeout = std::chrono::milliseconds(300)}, loop);
  const auto status = store.start();
  REQUIRE_FALSE(status.ok());
  CHECK(status.error().detail.find("no ZooKeeper answered at 127.0.0.1:1 within 300 ms") != std::string::npos);
  store.stop();
  loop.stop();
}

TEST_CASE("a registration reads back byte for byte, and its czxid is the broker epoch") {
  Cluster cluster;
  auto broker = cluster.broker(4, 9092);
  auto& [client, member, stopped] = *broker;
  REQUIRE(member.start().ok());
  auto outside = cluster.client();
  const auto node = outside->store.get("/kafka/brokers/ids/4").value;
  const auto stamp = std::to_string(base::to_ms(decode_broker("p", node.data).value().timestamp));
  CHECK(node.data == R"({"version":5,"host":"h","port":9092,"jmx_port":-1,"timestamp":")" + stamp +
                         R"(","endpoints":["PLAINTEXT://h:9092"],"listener_security_protocol_map":)"
                         R"({"PLAINTEXT":"PLAINTEXT"},"features":{}})");
  CHECK(node.stat.version == 1);
  CHECK(node.stat.czxid == member.membership.epoch());
  CHECK(node.stat.ephemeral_owner == client.zookeeper.session_id());
  for (const auto& path : paths::top_level()) CHECK(outside->store.exists("/kafka" + path).ok());
  broker->stop();
  CHECK(outside->store.exists("/kafka/brokers/ids/4").code == StoreCode::no_node);
}

TEST_CASE("the cluster has one id, and generated broker ids never repeat") {
  Cluster cluster;
  auto one = cluster.client();
  auto two = cluster.client();
  base::SystemRandom random;
  REQUIRE(create_top_level(one->store).ok());
  REQUIRE(create_top_level(two->store).ok());
  const auto id = establish_cluster_id(one->store, random).value();
  CHECK(id.size() == 22);
  CHECK(establish_cluster_id(two->store, random).value() == id);
  CHECK(generate_broker_id(one->store, 1000).value() == BrokerId{1001});
  CHECK(generate_broker_id(two->store, 1000).value() == BrokerId{1002});
}

TEST_CASE("after its session expired a broker registers again with a new epoch and is elected again") {
  Cluster cluster;
  auto broker = cluster.broker(1, 9092);
  auto& [client, member, stopped] = *broker;
  REQUIRE(member.start().ok());
  REQUIRE(eventually([&] { return member.controller.is_active(); }));
  REQUIRE(member.create({{.name = "t", .partitions = 2}}).at(0).code == ErrorCode::none);
  const auto epoch = member.membership.epoch();
  const auto session = client.zookeeper.session_id();

  Collected<SessionEvent> events;
  run_on(client.loop, [&] { client.zookeeper.on_session([&](SessionEvent event) { events.add(event); }); });
  Collected<std::string> seen;
  WatchHandle watch = client.zookeeper.watch_data("/w", [&] {
    client.zookeeper.get("/w", [&](Reply<Node> reply) { seen.add(reply.ok() ? reply.value.data : "absent"); });
  });
  REQUIRE(member.store.exists("/").ok());
  client.expire();
  REQUIRE(eventually([&] { return member.membership.epoch() != epoch; }));
  CHECK(client.zookeeper.session_id() != session);
  CHECK(member.membership.epoch() > epoch);
  CHECK(member.store.get("/brokers/ids/1").value.stat.ephemeral_owner == client.zookeeper.session_id());
  REQUIRE(eventually(
      [&] { return member.controller.is_active() && member.store.get("/controller_epoch").value.data == "2"; }));
  const auto told = events.values();
  const auto expired = std::ranges::find(told, SessionEvent::expired);
  CHECK(std::ranges::find(expired, told.end(), SessionEvent::new_session) != told.end());
  // Watches are armed again, and requests work.
  REQUIRE(member.store.commit({Create{.path = "/w", .data = "new"}}).ok());
  CHECK(seen.wait_until([](const auto& values) { return !values.empty() && values.back() == "new"; }));
  CHECK(member.create({{.name = "u"}}).at(0).code == ErrorCode::none);
  CHECK(member.expand({{.topic = "t", .count = 3}}).at(0).code == ErrorCode::none);
  run_on(client.loop, [&] { watch.reset(); });
}

TEST_CASE("a restart of the server loses no request, no watch and no session") {
  Cluster cluster;
  auto client = cluster.client("/kafka", std::chrono::seconds(10));
  REQUIRE(client->store.commit({Create{.path = "/n", .data = "-"}}).ok());
  REQUIRE(client->store.commit({Create{.path = "/e", .mode = CreateMode::ephemeral}}).ok());
  Collected<std::string> seen;
  WatchHandle watch = client->zookeeper.watch_data(
      "/n", [&] { client->zookeeper.get("/n", [&](Reply<Node> reply) { seen.add(reply.value.data); }); });
  const auto session = client->zookeeper.session_id();
  REQUIRE(client->store.exists("/n").ok());
  cluster.server.kill();
  Collected<StoreCode> answers;
  for (int i = 0; i < 50; ++i)
    client->zookeeper.commit({Set{.path = "/n", .data = std::to_string(i)}},
                             [&](const CommitReply& reply) { answers.add(reply.code); });
  cluster.server.start();
  REQUIRE(answers.wait_for_count(50));
  for (const auto code : answers.values()) CHECK(code == StoreCode::ok);
  CHECK(client->store.get("/n").value.data == "49");
  CHECK(client->zookeeper.session_id() == session);
  CHECK(client->store.exists("/e").ok());
  CHECK(seen.wait_until([](const auto& values) { return !values.empty() && values.back() == "49"; }));
  REQUIRE(client->store.commit({Set{.path = "/n", .data = "after"}}).ok());
  CHECK(seen.wait_until([](const auto& values) { return values.back() == "after"; }));
  run_on(client->loop, [&] { watch.reset(); });
}

TEST_CASE("a broker id that another live broker has is refused with what to do") {
  Cluster cluster;
  auto one = cluster.broker(1, 9092);
  REQUIRE(one->member.start().ok());
  auto two = cluster.broker(1, 9093);
  const auto refused = two->member.start();
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().code == ErrorCode::duplicate_broker_registration);
  CHECK(refused.error().detail.find("broker id 1 is taken by a live broker at h:9092") == 0);
  CHECK(refused.error().detail.find("give one of the two another broker.id") != std::string::npos);
  auto three = cluster.broker(3, 9092);
  const auto clash = three->member.start();
  REQUIRE_FALSE(clash.ok());
  CHECK(clash.error().detail.find("PLAINTEXT://h:9092 is already registered by broker 1") != std::string::npos);
}

TEST_CASE("a broker that was killed waits for its former session instead of dying") {
  Cluster cluster;
  auto before = cluster.broker(1, 9092);
  REQUIRE(before->member.start().ok());
  auto after = cluster.broker(1, 9092);
  std::atomic<bool> registered{false};
  base::Status status;
  std::thread starting([&] {
    status = after->member.start();
    registered = true;
  });
  // Long enough for it to have met the old node, far shorter than it waits.
  REQUIRE(eventually([&] { return after->client.store.exists("/brokers/ids/1").ok(); }));
  for (int i = 0; i < 100; ++i) REQUIRE(after->client.store.exists("/brokers/ids/1").ok());
  CHECK_FALSE(registered);
  before->stop();
  starting.join();
  CHECK(status.ok());
  CHECK(after->member.membership.epoch() > before->member.membership.epoch());
  CHECK(eventually([&] { return after->member.controller.is_active(); }));
}

TEST_CASE("a live broker with the same id and addresses is refused when no session can still be expiring") {
  Cluster cluster;
  auto one = cluster.broker(1, 9092);
  REQUIRE(one->member.start().ok());
  auto two = cluster.broker(1, 9092);
  const auto refused = two->member.start();
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().code == ErrorCode::duplicate_broker_registration);
}

TEST_CASE("of several brokers one is the controller, and another takes over when it goes") {
  Cluster cluster;
  auto one = cluster.broker(1, 9092);
  REQUIRE(one->member.start().ok());
  REQUIRE(eventually([&] { return one->member.controller.is_active(); }));
  auto two = cluster.broker(2, 9093);
  REQUIRE(two->member.start().ok());
  REQUIRE(eventually([&] { return two->member.controller.controller() == BrokerId{1}; }));
  CHECK_FALSE(two->member.controller.is_active());
  CHECK(two->member.create({{.name = "t"}}).at(0).code == ErrorCode::not_controller);
  one->stop();
  REQUIRE(eventually([&] { return two->member.controller.is_active(); }));
  CHECK(two->member.controller.controller() == BrokerId{2});
  CHECK(two->member.create({{.name = "t"}}).at(0).code == ErrorCode::none);
}

TEST_CASE("the controller takes reports of failed log directories out of ZooKeeper and acts on them") {
  Cluster cluster;
  const std::string events = "/log_dir_event_notification";
  // What Apache Kafka's brokers write.
  const auto report = [&](Client& client, int broker) {
    std::vector<Operation> create;
    create.push_back(Create{.path = events + "/log_dir_event_",
                            .data = fmt::format(R"({{"version":1,"broker":{},"event":1}})", broker),
                            .mode = CreateMode::persistent_sequential});
    REQUIRE(client.store.commit(std::move(create)).ok());
  };
  auto one = cluster.broker(1, 9092);
  auto other = cluster.client("/kafka");
  REQUIRE(create_top_level(other->store).ok());
  report(*other, 1);  // to a controller of the past
  REQUIRE(one->member.start().ok());
  REQUIRE(eventually([&] { return other->store.children(events).value.empty(); }));
  REQUIRE(one->member.create({{.name = "t", .partitions = 3}}).at(0).code == ErrorCode::none);

  one->member.broker.lost_partition = 2;
  report(*other, 1);
  report(*other, 7);  // not there any more
  const auto leader_of = [&](int partition) {
    const auto path = paths::partition_state("t", partition);
    return decode_partition_state(path, other->store.get(path).value.data).value().leader;
  };
  REQUIRE(eventually([&] { return leader_of(2) == base::kNoBroker; }));
  REQUIRE(eventually([&] { return other->store.children(events).value.empty(); }));
  CHECK(leader_of(0) == BrokerId{1});
  CHECK(leader_of(1) == BrokerId{1});
  CHECK(other->store.get("/brokers/topics/t/partitions/2/state").value.data ==
        R"({"controller_epoch":1,"leader":-1,"version":1,"leader_epoch":1,"isr":[1]})");

  // Its next life begins with what works again.
  one->stop();
  auto again = cluster.broker(1, 9092);
  REQUIRE(again->member.start().ok());
  REQUIRE(eventually([&] { return leader_of(2) == BrokerId{1}; }));
}
