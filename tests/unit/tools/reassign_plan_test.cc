// Plans for moving partitions: what users write, which throttles follow from it, how far it is.
#include <catch2/catch.hpp>

#include "tools/reassign/plan.h"

using base::BrokerId;
using base::TopicPartition;
using namespace tools;

namespace {

Replicas ids(std::initializer_list<int> list) {
  Replicas out;
  for (const int id : list) out.push_back(BrokerId{id});
  return out;
}

ReassignmentPlan good_plan(std::string_view json) {
  auto parsed = parse_plan(json);
  REQUIRE(std::holds_alternative<ReassignmentPlan>(parsed));
  return std::get<ReassignmentPlan>(parsed);
}

template <class T>
std::string refusal(const std::variant<T, Failure>& parsed) {
  const auto* failure = std::get_if<Failure>(&parsed);
  return failure ? failure->message : "accepted";
}
std::string refusal(std::string_view json) { return refusal(parse_plan(json)); }
std::string execution_refusal(std::string_view json) {
  const auto refused = refuse_to_execute(good_plan(json));
  return refused ? refused->message : "accepted";
}

}  // namespace

TEST_CASE("a plan names partitions, replicas and, where they matter, directories") {
  const auto plan = good_plan(R"({"version":1,"partitions":[
      {"topic":"b","partition":1,"replicas":[3,1],"log_dirs":["any","/d2"]},
      {"topic":"a","partition":0,"replicas":[2]},
      {"topic":"b","partition":0,"replicas":[1]}]})");
  REQUIRE(plan.partitions.size() == 3);
  CHECK(plan.partitions[0].first == TopicPartition{"b", 1});
  CHECK(plan.partitions[0].second == ids({3, 1}));
  CHECK(plan.topics() == std::vector<std::string>{"b", "a"});
  REQUIRE(plan.directories.size() == 1);
  CHECK(plan.directories.begin()->first.text() == "b-1-1");
  CHECK(plan.directories.begin()->second == "/d2");
  CHECK(!refuse_to_execute(plan));
  CHECK(good_plan("{}").partitions.empty());
  CHECK(good_plan(R"({"partitions":[]})").partitions.empty());
}

TEST_CASE("what is no plan is refused with what is wrong about it") {
  for (const auto text : {"", "{", "[1,", "nonsense", "{\"partitions\":[}"})
    CHECK(refusal(text) == "The input string is not a valid JSON");
  CHECK(refusal("5") == "Expected JSON object, received 5");
  CHECK(refusal(R"({"version":2})") == "Not supported version field value 2");
  CHECK(refusal(R"({"version":"1"})") == "Expected `Int` value, received \"1\"");
  CHECK(refusal(R"({"partitions":{}})") == "Expected JSON array, received {}");
  CHECK(refusal(R"({"partitions":[7]})") == "Expected JSON object, received 7");
  CHECK(refusal(R"({"partitions":[{"partition":0,"replicas":[1]}]})") == "No such field exists: `topic`");
  CHECK(refusal(R"({"partitions":[{"topic":5,"partition":0,"replicas":[1]}]})") ==
        "Expected `String` value, received 5");
  CHECK(refusal(R"({"partitions":[{"topic":"t","partition":99999999999,"replicas":[1]}]})") ==
        "Expected `Int` value, received 99999999999");
  CHECK(refusal(R"({"partitions":[{"topic":"t","partition":0,"replicas":["x"]}]})") ==
        "Expected `Int` value, received \"x\"");
  CHECK(refusal(R"({"partitions":[{"topic":"t","partition":0,"replicas":[1,2],"log_dirs":["any"]}]})") ==
        "Size of replicas list List(1, 2) is different from size of log dirs list List(any) for partition t-0");
}

TEST_CASE("a plan with gaps or repeats is not executed") {
  CHECK(execution_refusal("{}") == "Partition reassignment list cannot be empty");
  CHECK(execution_refusal(R"({"partitions":[{"topic":"t","partition":0,"replicas":[]}]})") ==
        "Partition replica list cannot be empty");
  CHECK(execution_refusal(R"({"partitions":[{"topic":"t","partition":0,"replicas":[1]},
                                            {"topic":"t","partition":0,"replicas":[2]}]})") ==
        "Partition reassignment contains duplicate topic partitions: t-0");
  CHECK(execution_refusal(R"({"partitions":[{"topic":"t","partition":0,"replicas":[1,2,1]},
                                            {"topic":"u","partition":3,"replicas":[4,4,5,5]}]})") ==
        "Partition replica lists may not contain duplicate entries: t-0 contains multiple entries for 1. "
        "u-3 contains multiple entries for 4,5");
}

TEST_CASE("topics to move and brokers to use must be given once each") {
  auto topics = parse_topics_to_move(R"({"version":1,"topics":[{"topic":"foo"},{"topic":"foo1"}]})");
  REQUIRE(std::holds_alternative<std::vector<std::string>>(topics));
  CHECK(std::get<std::vector<std::string>>(topics) == std::vector<std::string>{"foo", "foo1"});
  CHECK(refusal(parse_topics_to_move(R"({"topics":[{"topic":"a"},{"topic":"b"},{"topic":"a"}]})")) ==
        "List of topics to reassign contains duplicate entries: a");
  CHECK(refusal(parse_topics_to_move(R"({"topics":["a"]})")) == "Expected JSON object, received \"a\"");
  CHECK(refusal(parse_topics_to_move("{")) == "The input string is not a valid JSON");

  auto brokers = parse_broker_list("0,11,2");
  REQUIRE(std::holds_alternative<Replicas>(brokers));
  CHECK(std::get<Replicas>(brokers) == ids({0, 11, 2}));
  CHECK(std::get<Replicas>(parse_broker_list("1,2,")) == ids({1, 2}));
  CHECK(refusal(parse_broker_list("1,2,1")) == "Broker list contains duplicate entries: 1");
  CHECK(refusal(parse_broker_list("1,x")) == "For input string: \"x\"");
  CHECK(refusal(parse_broker_list("1,,2")) == "For input string: \"\"");
  CHECK(refusal(parse_broker_list("")) == "For input string: \"\"");
}

TEST_CASE("a plan is written in the form in which it is read") {
  const ReplicasByPartition partitions{{{"t", 10}, ids({1})}, {{"t", 2}, ids({3, 2})}};
  const auto text = plan_json(partitions);
  CHECK(text == R"({"version":1,"partitions":[{"topic":"t","partition":2,"replicas":[3,2],"log_dirs":["any","any"]},)"
                R"({"topic":"t","partition":10,"replicas":[1],"log_dirs":["any"]}]})");
  CHECK(good_plan(text).by_partition() == partitions);
  CHECK(good_plan(text).directories.empty());
}

TEST_CASE("throttles name the sources of a partition and the brokers it goes to") {
  const ReplicasByPartition proposed{{{"t", 0}, ids({2, 3})}, {{"t", 1}, ids({1, 2})}, {{"u", 0}, ids({4, 5})}};
  const ReplicasByPartition current{{{"t", 0}, ids({1, 2})}, {{"t", 1}, ids({1, 2})}, {{"u", 0}, ids({9})}};
  // u-0 is on its way from 1 to 4 already, and so is another topic's partition that the plan does not name.
  const ReassigningPartitions running{{{"u", 0}, {ids({4, 1}), ids({4}), ids({1})}},
                                      {{"other", 7}, {ids({6, 7}), ids({7}), {}}}};
  const auto found = moves_of(running, proposed, current);
  REQUIRE(std::holds_alternative<Moves>(found));
  const auto& moves = std::get<Moves>(found);
  auto throttled = throttled_replicas(moves);
  CHECK(throttled["t"].leaders == "0:1,0:2,1:1,1:2");
  CHECK(throttled["t"].followers == "0:3");
  CHECK(throttled["u"].leaders == "0:1");
  CHECK(throttled["u"].followers == "0:4,0:5");
  CHECK(throttled["other"].leaders == "7:6");
  CHECK(throttled["other"].followers == "7:7");
  const auto brokers = brokers_of(moves);
  CHECK(Replicas(brokers.begin(), brokers.end()) == ids({1, 2, 3, 4, 5, 6, 7}));

  CHECK(refusal(moves_of({}, {{{"gone", 3}, ids({1})}}, {})) ==
        "Trying to reassign a topic partition gone-3 with 0 replicas");
}

TEST_CASE("the report of partitions tells what is done, under way, and other than wanted") {
  CHECK(partition_report({{{"t", 0}, {ids({1, 2}), ids({1, 2}), true}},
                          {{"t", 1}, {ids({1, 2, 3}), ids({1, 2}), false}},
                          {{"t", 2}, {ids({1, 2}), ids({2, 1}), true}},
                          {{"u", 0}, {{}, ids({3}), true}}}) ==
        "Status of partition reassignment:\n"
        "Reassignment of partition t-0 is complete.\n"
        "Reassignment of partition t-1 is still in progress.\n"
        "There is no active reassignment of partition t-2, but replica set is 1,2 rather than 2,1.\n"
        "There is no active reassignment of partition u-0, but replica set is  rather than 3.");
}

TEST_CASE("the report of directories tells where each replica is and where it goes") {
  const auto at = [](int broker, int partition) { return PartitionReplica{BrokerId{broker}, {"t", partition}}; };
  const DirectoryMoves moves{{at(1, 0), {"/b", {"/b", ""}}},
                             {at(1, 1), {"/b", {"/a", "/b"}}},
                             {at(0, 9), {"/b", {"/a", "/c"}}},
                             {at(2, 0), {"/b", {"/a", ""}}},
                             {at(2, 1), {"/b", {"", ""}}}};
  CHECK(directory_report(moves) ==
        "Partition t-9 on broker 0 is being moved to log dir /c instead of /b.\n"
        "Reassignment of replica t-0-1 completed successfully.\n"
        "Reassignment of replica t-1-1 is still in progress.\n"
        "Partition t-0 on broker 2 is not being moved from log dir /a to /b.\n"
        "Partition t-1 is not found in any live log dir on broker 2. There is likely an offline log directory on the "
        "broker.");
  CHECK(directory_report({}).empty());
  // Throttles stay while anything moves, or cannot be found.
  CHECK(moves.at(at(1, 0)).done());
  CHECK(!moves.at(at(1, 1)).done());
  CHECK(moves.at(at(2, 0)).done());
  CHECK(!moves.at(at(2, 1)).done());
  CHECK(moves.at(at(1, 1)).active());
  CHECK(!moves.at(at(2, 1)).active());
}

TEST_CASE("the list of moves shows what is added and removed") {
  CHECK(running_report({}) == "No partition reassignments found.");
  CHECK(running_report({{{"man", 0}, {ids({2, 1, 3}), ids({1}), ids({3})}}, {{"man", 1}, {ids({2}), {}, {}}}}) ==
        "Current partition reassignments:\nman-0: replicas: 2,1,3. adding: 1. removing: 3.\nman-1: replicas: 2.");
}
