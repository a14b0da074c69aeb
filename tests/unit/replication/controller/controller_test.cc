#include "replication/controller/controller.h"

#include <catch2/catch.hpp>

#include "replication/coordination/embedded_store.h"
#include "tests/support/replication/lone_broker.h"
#include "tests/support/replication/refusing_store.h"

using namespace replication;
using namespace test_support;
using base::BrokerId;
using base::ErrorCode;

namespace {

// One life of a broker alone.
struct Life {
  explicit Life(const std::string& directory, ControllerSettings settings = {.broker = BrokerId{0}})
      : embedded(directory + "/" + std::string(kEmbeddedStoreFile), loop, clock) {
    loop.start();
    REQUIRE(embedded.start().ok());
    member =
        std::make_unique<Member>(store, loop, settings, std::vector<Endpoint>{{"PLAINTEXT", "PLAINTEXT", "h", 9092}});
    REQUIRE(member->start().ok());
    REQUIRE(eventually([&] { return member->controller.is_active(); }));
  }
  ~Life() {
    member->stop();
    embedded.stop();
    loop.stop();
  }
  std::string data(const std::string& path) { return member->store.get(path).value.data; }

  base::SystemClock clock;
  base::Loop loop{"coordination"};
  EmbeddedStore embedded;
  RefusingStore store{embedded, loop};
  std::unique_ptr<Member> member;
};

std::string text(const TopicResult& result) { return result.message.value_or("(null)"); }

}  // namespace

TEST_CASE("a broker alone elects itself and writes what Kafka writes") {
  TemporaryDirectory directory;
  Life life(directory.path);
  CHECK(decode_controller("p", life.data("/controller")).value().broker == BrokerId{0});
  CHECK(life.data("/controller_epoch") == "1");
  CHECK(life.data("/feature") == R"({"version":1,"status":1,"features":{}})");
  CHECK(life.member->controller.controller() == BrokerId{0});
  const auto registration = life.member->store.get("/brokers/ids/0").value;
  CHECK(registration.stat.version == 1);
  CHECK(registration.stat.czxid == life.member->membership.epoch());
}

TEST_CASE("whoever becomes controller sets the features as the inter-broker protocol wants them") {
  TemporaryDirectory directory;
  const auto found_and_left = [&](const char* found, FeatureNode wanted) {
    {
      Life before(directory.path);
      REQUIRE(before.member->broker.lines.wait_for_count(1));
      std::vector<Operation> change;
      change.push_back(Set{.path = "/feature", .data = found});
      REQUIRE(before.member->store.commit(std::move(change)).ok());
    }
    Life after(directory.path, {.broker = BrokerId{0}, .features = std::move(wanted)});
    REQUIRE(after.member->broker.lines.wait_for_count(1));  // in office
    return after.data("/feature");
  };
  const std::string enabled = R"({"version":1,"status":1,"features":{}})";
  const std::string disabled = R"({"version":1,"status":0,"features":{}})";
  const std::string newer = R"({"version":2,"status":1,"features":{}})";
  CHECK(found_and_left(R"({"version":1,"status":0,"features":{"f":{}},"x":1})", {}) ==
        R"({"version":1,"status":1,"features":{},"x":1})");
  CHECK(found_and_left(enabled.c_str(), {.enabled = false}) == disabled);
  CHECK(found_and_left(enabled.c_str(), {.version = 2}) == newer);
  CHECK(found_and_left(newer.c_str(), {}) == newer);
  CHECK(found_and_left("garbage", {}) == "garbage");
}

TEST_CASE("a created topic has configuration, assignment, state, a leader and an id") {
  TemporaryDirectory directory;
  Life life(directory.path);
  const auto results = life.member->create(
      {{.name = "t", .partitions = 2, .replication_factor = 1, .config = {{"retention.ms", "5"}}}, {.name = "u"}});
  REQUIRE(results.size() == 2);
  CHECK(results[0].code == ErrorCode::none);
  CHECK(results[0].partitions == 2);
  CHECK(results[0].replication_factor == 1);
  CHECK_FALSE(results[0].topic_id.is_zero());
  CHECK(results[1].partitions == 1);

  CHECK(life.data("/config/topics/t") == R"({"version":1,"config":{"retention.ms":"5"}})");
  CHECK(life.data("/config/topics/u") == R"({"version":1,"config":{}})");
  CHECK(life.data("/brokers/topics/t") ==
        R"({"version":3,"partitions":{"0":[0],"1":[0]},"adding_replicas":{},"removing_replicas":{},"topic_id":")" +
            results[0].topic_id.text() + "\"}");
  CHECK(life.data("/brokers/topics/t/partitions/1/state") ==
        R"({"controller_epoch":1,"leader":0,"version":1,"leader_epoch":0,"isr":[0]})");
  const auto metadata = life.member->broker.metadata.snapshot();
  CHECK(metadata->find_topic(results[0].topic_id)->name == "t");
  CHECK(metadata->find_partition("t", 1)->leader == BrokerId{0});
  CHECK(metadata->controller() == BrokerId{0});
  CHECK(metadata->find_broker(BrokerId{0})->epoch == life.member->membership.epoch());

  const auto told = life.member->broker.leaderships.values().back();
  CHECK(told.from.broker_epoch == life.member->membership.epoch());
  CHECK(told.from.controller_epoch == 1);
  CHECK(told.partitions.at(0).is_new);
  CHECK(told.partitions.at(0).topic_id == results[0].topic_id);
  CHECK(told.leaders.at(0).endpoints.at(0).port == 9092);
}

TEST_CASE("topics refused at creation say why in Kafka's words and leave nothing behind") {
  TemporaryDirectory directory;
  Life life(directory.path,
            {.broker = BrokerId{0}, .check_topic_config = [](const ConfigEntries& entries) -> base::Status {
               if (entries.contains("foo"))
                 return base::fail(ErrorCode::invalid_config, "Unknown topic config name: foo");
               return {};
             }});
  REQUIRE(life.member->create({{.name = "f"}, {.name = "my_topic.x"}})[0].code == ErrorCode::none);
  struct Case {
    NewTopic topic;
    ErrorCode code;
    std::string message;
  };
  const ReplicaLists two_of_two{{0, {BrokerId{0}}}, {1, {BrokerId{0}}}};
  const std::vector<Case> cases = {
      {{.name = "f"}, ErrorCode::topic_already_exists, "Topic 'f' already exists."},
      {{.name = "a", .partitions = 0}, ErrorCode::invalid_partitions, "Number of partitions must be larger than 0."},
      {{.name = "a", .partitions = -2}, ErrorCode::invalid_partitions, "Number of partitions must be larger than 0."},
      {{.name = "a", .replication_factor = 0},
       ErrorCode::invalid_replication_factor,
       "Replication factor must be larger than 0."},
      {{.name = "a", .replication_factor = 2},
       ErrorCode::invalid_replication_factor,
       "Replication factor: 2 larger than available brokers: 1."},
      {{.name = "."}, ErrorCode::invalid_topic_exception, "Topic name cannot be \".\" or \"..\""},
      {{.name = "b d"},
       ErrorCode::invalid_topic_exception,
       "Topic name \"b d\" is illegal, it contains a character other than ASCII alphanumerics, '.', '_' and '-'"},
      {{.name = ""}, ErrorCode::invalid_topic_exception, "Topic name is illegal, it can't be empty"},
      {{.name = std::string(250, 'x')},
       ErrorCode::invalid_topic_exception,
       "Topic name is illegal, it can't be longer than 249 characters, topic name: " + std::string(250, 'x')},
      {{.name = "my.topic_x"},
       ErrorCode::invalid_topic_exception,
       "Topic 'my.topic_x' collides with existing topics: my_topic.x"},
      {{.name = "a", .partitions = 1, .assignment = two_of_two},
       ErrorCode::invalid_request,
       "Both numPartitions or replicationFactor and replicasAssignments were set. Both cannot be used at the same "
       "time."},
      {{.name = "a", .assignment = {{0, {BrokerId{0}}}, {2, {BrokerId{0}}}}},
       ErrorCode::invalid_replica_assignment,
       "partitions should be a consecutive 0-based integer sequence"},
      {{.name = "a", .assignment = {{0, {BrokerId{0}}}, {1, {BrokerId{0}, BrokerId{1}}}}},
       ErrorCode::invalid_replica_assignment,
       "All partitions should have the same number of replicas"},
      {{.name = "a", .config = {{"foo", "x"}}}, ErrorCode::invalid_config, "Unknown topic config name: foo"},
      {{.name = "a", .config = {{"retention.ms", std::nullopt}}},
       ErrorCode::invalid_request,
       "Null value not supported for topic configs : retention.ms"},
  };
  for (const auto& one : cases) {
    const auto result = life.member->create({one.topic}).at(0);
    CHECK(result.code == one.code);
    CHECK(text(result) == one.message);
    CHECK(result.partitions == -1);
  }
  const auto twice = life.member->create({{.name = "d"}, {.name = "e"}, {.name = "d"}});
  CHECK(twice[0].code == ErrorCode::invalid_request);
  CHECK(text(twice[2]) == "Found multiple entries for this topic.");
  CHECK(twice[1].code == ErrorCode::none);
  CHECK(life.member->store.children("/brokers/topics").value == std::vector<std::string>{"e", "f", "my_topic.x"});
  CHECK(life.member->store.children("/config/topics").value == std::vector<std::string>{"e", "f", "my_topic.x"});
}

TEST_CASE("validating only writes nothing") {
  TemporaryDirectory directory;
  Life life(directory.path);
  const auto result = life.member->create({{.name = "t", .partitions = 3}}, {.validate_only = true}).at(0);
  CHECK(result.code == ErrorCode::none);
  CHECK(result.partitions == 3);
  CHECK(life.member->store.children("/brokers/topics").value.empty());
}

TEST_CASE("without a timeout the answer is request_timed_out though the work goes on") {
  TemporaryDirectory directory;
  Life life(directory.path);
  const auto result = life.member->create({{.name = "t"}}, {.timeout = std::chrono::milliseconds(0)}).at(0);
  CHECK(result.code == ErrorCode::request_timed_out);
  CHECK_FALSE(result.message.has_value());
  CHECK(eventually([&] { return life.member->broker.metadata.snapshot()->find_topic("t") != nullptr; }));
}

TEST_CASE("a topic on brokers that do not live waits unseen, and cannot be deleted") {
  TemporaryDirectory directory;
  Life life(directory.path);
  const auto result =
      life.member
          ->create({{.name = "t", .assignment = {{0, {BrokerId{7}}}}}}, {.timeout = std::chrono::milliseconds(50)})
          .at(0);
  CHECK(result.code == ErrorCode::request_timed_out);
  CHECK(life.member->store.get("/brokers/topics/t").ok());
  CHECK(life.member->store.children("/brokers/topics/t").value.empty());
  CHECK(life.member->remove({"t"}).at(0).code == ErrorCode::unknown_topic_or_partition);
}

TEST_CASE("a deleted topic goes step by step: metadata, replicas, directories, nodes, configuration, marker") {
  TemporaryDirectory directory;
  Life life(directory.path);
  const auto created = life.member->create({{.name = "t", .partitions = 2}, {.name = "keep"}});
  const auto before = life.member->broker.lines.values().size();
  const auto results =
      life.member->remove({"t", "unknown", created[0].topic_id, base::Uuid::generate(life.member->random)});
  CHECK(results[0].code == ErrorCode::none);
  CHECK(results[1].code == ErrorCode::unknown_topic_or_partition);
  CHECK(results[2].code == ErrorCode::none);
  CHECK(results[2].name == "t");
  CHECK(results[3].code == ErrorCode::unknown_topic_id);
  REQUIRE(eventually([&] { return life.member->store.exists("/admin/delete_topics/t").code == StoreCode::no_node; }));
  CHECK(life.member->store.exists("/brokers/topics/t").code == StoreCode::no_node);
  CHECK(life.member->store.exists("/config/topics/t").code == StoreCode::no_node);
  auto lines = life.member->broker.lines.values();
  lines.erase(lines.begin(), lines.begin() + static_cast<std::ptrdiff_t>(before));
  CHECK(lines ==
        std::vector<std::string>{"metadata 2 of 1 brokers", "stop t-0", "stop t-1", "remove t-0", "remove t-1"});
  CHECK(life.member->broker.metadata.snapshot()->topic_names() == std::vector<std::string>{"keep"});
  // The name is free again.
  const auto again = life.member->create({{.name = "t"}}).at(0);
  CHECK(again.code == ErrorCode::none);
  CHECK(again.topic_id != created[0].topic_id);
}

TEST_CASE("a deletion that was cut short goes on in the next life") {
  TemporaryDirectory directory;
  {
    Life life(directory.path);
    REQUIRE(life.member->create({{.name = "t", .partitions = 150}}).at(0).code == ErrorCode::none);
    life.member->broker.refuse_stops = true;
    CHECK(life.member->remove({"t"}).at(0).code == ErrorCode::none);
    CHECK(life.member->create({{.name = "t"}}).at(0).code == ErrorCode::topic_already_exists);
    CHECK(life.member->store.exists("/brokers/topics/t").ok());
    CHECK(life.data("/brokers/topics/t/partitions/0/state") ==
          R"({"controller_epoch":1,"leader":-1,"version":1,"leader_epoch":1,"isr":[0]})");
  }
  Life life(directory.path);
  CHECK(eventually([&] { return life.member->store.exists("/admin/delete_topics/t").code == StoreCode::no_node; }));
  CHECK(life.member->store.exists("/brokers/topics/t").code == StoreCode::no_node);
  for (const auto& line : life.member->broker.lines.values()) CHECK(line.find("lead t-") == std::string::npos);
}

TEST_CASE("with deletion disabled markers are dropped") {
  TemporaryDirectory directory;
  Life life(directory.path, {.broker = BrokerId{0}, .delete_topic_enable = false});
  REQUIRE(life.member->create({{.name = "t"}}).at(0).code == ErrorCode::none);
  CHECK(life.member->remove({"t"}).at(0).code == ErrorCode::topic_deletion_disabled);
  REQUIRE(life.member->store.commit({Create{.path = "/admin/delete_topics/t"}}).ok());
  CHECK(eventually([&] { return life.member->store.exists("/admin/delete_topics/t").code == StoreCode::no_node; }));
  CHECK(life.member->store.exists("/brokers/topics/t").ok());
}

TEST_CASE("a topic grows, and keeps its id and what others wrote into its node") {
  TemporaryDirectory directory;
  Life life(directory.path);
  const auto id = life.member->create({{.name = "t"}}).at(0).topic_id;
  const auto grown = life.member->expand({{.topic = "t", .count = 3}}).at(0);
  CHECK(grown.code == ErrorCode::none);
  CHECK(grown.partitions == 3);
  CHECK(decode_topic("p", life.data("/brokers/topics/t")).value().topic_id == id);
  CHECK(life.member->broker.metadata.snapshot()->find_topic("t")->partitions.size() == 3);
  CHECK(life.member->broker.lines.values().at(1) == "lead t-0 0@0 new");

  struct Case {
    MorePartitions request;
    ErrorCode code;
    std::string message;
  };
  const std::vector<Case> cases = {
      {{.topic = "t", .count = 3}, ErrorCode::invalid_partitions, "Topic already has 3 partitions."},
      {{.topic = "t", .count = 0},
       ErrorCode::invalid_partitions,
       "Topic currently has 3 partitions, which is higher than the requested 0."},
      {{.topic = "x", .count = 2}, ErrorCode::unknown_topic_or_partition, "The topic 'x' does not exist."},
      {{.topic = "t", .count = 5, .assignment = {{{BrokerId{0}}}}},
       ErrorCode::invalid_replica_assignment,
       "Increasing the number of partitions by 2 but 1 assignments provided."},
      {{.topic = "t", .count = 4, .assignment = {{{BrokerId{9}}}}},
       ErrorCode::invalid_replica_assignment,
       "Unknown broker(s) in replica assignment: 9."},
  };
  for (const auto& one : cases) {
    const auto result = life.member->expand({one.request}).at(0);
    CHECK(result.code == one.code);
    CHECK(text(result) == one.message);
  }
  CHECK(life.member->expand({{.topic = "t", .count = 5}}, {.validate_only = true}).at(0).partitions == 5);
  CHECK(life.member->broker.metadata.snapshot()->find_topic("t")->partitions.size() == 3);
}

TEST_CASE("what tools write into the store is taken up: topics, partitions, deletions") {
  TemporaryDirectory directory;
  Life life(directory.path);
  auto& store = life.member->store;
  const auto leaders = [&](const char* topic) {
    const auto found = life.member->broker.metadata.snapshot()->find_topic(topic);
    return found ? found->partitions.size() : 0;
  };
  REQUIRE(store.commit({Create{.path = "/brokers/topics/z", .data = R"({"version":1,"partitions":{"0":[0]}})"}}).ok());
  REQUIRE(eventually([&] { return leaders("z") == 1; }));
  const auto id = decode_topic("p", life.data("/brokers/topics/z")).value().topic_id;
  REQUIRE(id.has_value());
  // A tool of 2.7 drops the id: it must come back.
  REQUIRE(
      store.commit({Set{.path = "/brokers/topics/z", .data = R"({"version":2,"partitions":{"0":[0],"1":[0]}})"}}).ok());
  REQUIRE(eventually([&] { return leaders("z") == 2; }));
  REQUIRE(eventually([&] { return decode_topic("p", life.data("/brokers/topics/z")).value().topic_id == id; }));
  REQUIRE(store.commit({Create{.path = "/admin/delete_topics/z"}}).ok());
  REQUIRE(eventually([&] { return store.exists("/admin/delete_topics/z").code == StoreCode::no_node; }));
  CHECK(leaders("z") == 0);
}

TEST_CASE("a broken topic node keeps only that topic away") {
  TemporaryDirectory directory;
  {
    Life life(directory.path);
    REQUIRE(life.member->create({{.name = "good"}}).at(0).code == ErrorCode::none);
    REQUIRE(life.member->store.commit({Create{.path = "/brokers/topics/bad", .data = "{"}}).ok());
  }
  Life life(directory.path);
  REQUIRE(eventually([&] { return life.member->broker.metadata.snapshot()->find_topic("good") != nullptr; }));
  REQUIRE(
      life.member->store.commit({Set{.path = "/brokers/topics/bad", .data = R"({"version":1,"partitions":{"0":[0]}})"}})
          .ok());
  CHECK(eventually([&] { return life.member->broker.metadata.snapshot()->find_topic("bad") != nullptr; }));
}

TEST_CASE(
    "in its next life the controller announces what was, with the same leader epochs and a new controller epoch") {
  TemporaryDirectory directory;
  base::Uuid id;
  {
    Life life(directory.path);
    id = life.member->create({{.name = "t", .partitions = 120}}).at(0).topic_id;
  }
  Life life(directory.path);
  REQUIRE(eventually([&] { return life.member->broker.metadata.snapshot()->topic_count() == 1; }));
  const auto told = life.member->broker.leaderships.values().at(0);
  CHECK(told.from.controller_epoch == 2);
  REQUIRE(told.partitions.size() == 120);
  CHECK(told.partitions[0].leader_epoch == base::LeaderEpoch{0});
  CHECK(told.partitions[0].controller_epoch == 1);
  CHECK_FALSE(told.partitions[0].is_new);
  CHECK(told.partitions[0].topic_id == id);
}

TEST_CASE("a controller whose epoch has moved on writes nothing, resigns, and stands again when the seat is free") {
  TemporaryDirectory directory;
  Life life(directory.path);
  REQUIRE(life.member->create({{.name = "t"}}).at(0).code == ErrorCode::none);
  // Another controller took over, unnoticed.
  REQUIRE(life.member->store.commit({Set{.path = "/controller_epoch", .data = "9"}}).ok());
  CHECK(life.member->create({{.name = "u"}}).at(0).code == ErrorCode::not_controller);
  CHECK(life.member->store.exists("/brokers/topics/u").code == StoreCode::no_node);
  REQUIRE(eventually([&] { return !life.member->controller.is_active(); }));
  CHECK(life.member->create({{.name = "u"}}).at(0).code == ErrorCode::not_controller);
  REQUIRE(life.member->store.commit({Remove{.path = "/controller"}}).ok());
  REQUIRE(eventually([&] { return life.member->controller.is_active(); }));
  CHECK(life.data("/controller_epoch") == "10");
  CHECK(life.member->create({{.name = "u"}}).at(0).code == ErrorCode::none);
}

TEST_CASE("a persistent /controller of a KRaft migration is respected") {
  TemporaryDirectory directory;
  Life life(directory.path);
  REQUIRE(life.member->store
              .commit({Remove{.path = "/controller"},
                       Create{.path = "/controller",
                              .data = R"({"version":2,"brokerid":3000,"timestamp":"1","kraftControllerEpoch":4})"}})
              .ok());
  CHECK(eventually([&] { return !life.member->controller.is_active(); }));
  CHECK(eventually([&] { return life.member->controller.controller() == BrokerId{3000}; }));
  CHECK(life.member->create({{.name = "u"}}).at(0).code == ErrorCode::not_controller);
}

TEST_CASE("requests that wait are answered when the controller stops") {
  TemporaryDirectory directory;
  Life life(directory.path);
  life.member->broker.deaf = true;
  Collected<TopicResults> answers;
  life.member->controller.create_topics({{.name = "t"}}, {.timeout = std::chrono::minutes(5)},
                                        [&](TopicResults results) { answers.add(std::move(results)); });
  REQUIRE(eventually([&] { return life.member->store.exists("/brokers/topics/t").ok(); }));
  life.member->controller.stop();
  REQUIRE(answers.wait_for_count(1));
  CHECK(answers.values()[0][0].code == ErrorCode::not_controller);
  CHECK(life.member->create({{.name = "u"}}).at(0).code == ErrorCode::not_controller);
}

TEST_CASE("what a full store would not take is written when it has room again") {
  TemporaryDirectory directory;
  Life life(directory.path);
  life.store.refuses_states = true;
  Collected<TopicResults> answers;
  life.member->controller.create_topics({{.name = "t"}}, {.timeout = std::chrono::minutes(1)},
                                        [&](TopicResults results) { answers.add(std::move(results)); });
  REQUIRE(eventually([&] { return life.store.refused >= 2; }));  // it is tried again
  CHECK(answers.values().empty());
  life.store.refuses_states = false;
  REQUIRE(answers.wait_for_count(1));
  CHECK(answers.values()[0][0].code == ErrorCode::none);
}

TEST_CASE("a failed log directory takes its partitions out of service until the broker starts anew") {
  TemporaryDirectory directory;
  const auto state_of = [](Life& life, int partition) {
    const auto path = paths::partition_state("t", partition);
    return decode_partition_state(path, life.data(path)).value();
  };
  {
    Life life(directory.path);
    REQUIRE(life.member->create({{.name = "t", .partitions = 3}}).at(0).code == ErrorCode::none);
    auto& broker = life.member->broker;
    broker.lost_partition = 1;
    std::vector<Operation> reports;
    for (const auto& data : {encode(LogDirEventNode{.broker = BrokerId{0}}), std::string("garbage")})
      reports.push_back(
          Create{.path = paths::log_dir_event_prefix(), .data = data, .mode = CreateMode::persistent_sequential});
    REQUIRE(life.member->store.commit(std::move(reports)).ok());
    REQUIRE(eventually([&] { return broker.metadata.snapshot()->find_partition("t", 1)->leader == base::kNoBroker; }));
    CHECK(state_of(life, 1).leader == base::kNoBroker);
    CHECK(state_of(life, 1).leader_epoch == base::LeaderEpoch{1});
    CHECK(state_of(life, 1).isr == std::vector{BrokerId{0}});
    CHECK(state_of(life, 0).leader == BrokerId{0});
    CHECK(state_of(life, 0).leader_epoch == base::LeaderEpoch{0});
    CHECK(broker.metadata.snapshot()->find_partition("t", 1)->offline == std::vector{BrokerId{0}});
    REQUIRE(eventually([&] { return life.member->store.children("/log_dir_event_notification").value.empty(); }));
  }
  {
    Life still_dead(directory.path);
    still_dead.member->broker.lost_partition = 1;
    auto& broker = still_dead.member->broker;
    REQUIRE(eventually([&] { return broker.metadata.snapshot()->find_partition("t", 0) != nullptr; }));
  }
  Life mended(directory.path);
  auto& metadata = mended.member->broker.metadata;
  REQUIRE(eventually([&] {
    const auto cluster = metadata.snapshot();
    const auto* partition = cluster->find_partition("t", 1);
    return partition && partition->leader == BrokerId{0};
  }));
  CHECK(state_of(mended, 1).leader_epoch >= base::LeaderEpoch{2});
}
