// The tables of kafka-consumer-groups.sh. The expected texts are Apache Kafka 2.7.1's, and 3.9.1's for types.
#include <catch2/catch.hpp>

#include "tools/consumer_groups/tables.h"

using base::Offset;
using namespace tools;

namespace {

GroupMember member(std::string id, std::vector<base::TopicPartition> assigned, std::string instance = "") {
  return {std::move(id), std::move(instance), "cid", "/127.0.0.1", std::move(assigned)};
}

}  // namespace

TEST_CASE("owned partitions come first, busy members before others, then what only has an offset") {
  GroupDescription group{"g1", "Stable", "range", {}, {}};
  group.members = {member("m-one", {{"t1", 2}}), member("m-two", {{"t1", 1}, {"t1", 0}}), member("m-idle", {})};
  const Offsets committed{{{"t1", 0}, Offset{1}}, {{"t1", 2}, Offset{4}}, {{"gone", 0}, Offset{7}}};
  const Offsets ends{{{"t1", 0}, Offset{10}}, {{"t1", 1}, Offset{3}}, {{"t1", 2}, Offset{4}}};
  CHECK(offsets_table("g1", offset_rows(group, committed, ends)) == R"(
GROUP           TOPIC           PARTITION  CURRENT-OFFSET  LOG-END-OFFSET  LAG             CONSUMER-ID     HOST            CLIENT-ID
g1              t1              0          1               10              9               m-two           /127.0.0.1      cid
g1              t1              1          -               3               -               m-two           /127.0.0.1      cid
g1              t1              2          4               4               0               m-one           /127.0.0.1      cid
g1              gone            0          7               -               -               -               -               -
)");
}

TEST_CASE("columns grow with what they hold") {
  GroupDescription group{"a-group-of-many-words", "Stable", "range", {}, {}};
  group.members = {member("consumer-with-a-long-identifier", {{"a.topic.with.a.long.name", 0}})};
  const auto table = offsets_table(group.group, offset_rows(group, {}, {}));
  CHECK(table.find("a-group-of-many-words a.topic.with.a.long.name 0          -               -               -        "
                   "       consumer-with-a-long-identifier /127.0.0.1      cid\n") != std::string::npos);
}

TEST_CASE("members are shown with what is assigned to them, and instance ids only where there are any") {
  GroupDescription group{"g1", "Stable", "range", {}, {}};
  group.members = {member("m-one", {{"t1", 2}, {"t1", 10}, {"a", 0}}), member("m-idle", {})};
  CHECK(members_table(group, false) ==
        "\nGROUP           CONSUMER-ID     HOST            CLIENT-ID       #PARTITIONS     \n"
        "g1              m-one           /127.0.0.1      cid             3               \n"
        "g1              m-idle          /127.0.0.1      cid             0               \n");
  CHECK(members_table(group, true) ==
        "\nGROUP           CONSUMER-ID     HOST            CLIENT-ID       #PARTITIONS     ASSIGNMENT\n"
        "g1              m-one           /127.0.0.1      cid             3               a(0), t1(2,10)\n"
        "g1              m-idle          /127.0.0.1      cid             0               -\n");
  group.members[1] = member("m-idle", {}, "i");
  CHECK(members_table(group, false) ==
        "\nGROUP           CONSUMER-ID     GROUP-INSTANCE-ID HOST            CLIENT-ID       #PARTITIONS     \n"
        "g1              m-one                             /127.0.0.1      cid             3               \n"
        "g1              m-idle          i                 /127.0.0.1      cid             0               \n");
}

TEST_CASE("a group's state names its coordinator") {
  GroupDescription group{"g1", "Stable", "range", {member("m", {})}, {base::BrokerId{0}, {"127.0.0.1", 19271}}};
  CHECK(state_table(group) ==
        "\nGROUP                     COORDINATOR (ID)          ASSIGNMENT-STRATEGY  STATE           #MEMBERS\n"
        "g1                        127.0.0.1:19271 (0)       range                Stable          1\n");
}

TEST_CASE("lists of groups have the columns asked for") {
  const std::vector<GroupListing> groups{{"g0", "Empty", "classic"}, {"a-group-of-many-words", "Stable", "consumer"}};
  CHECK(groups_with_state(groups) ==
        "GROUP                 STATE\ng0                    Empty\na-group-of-many-words Stable\n");
  CHECK(groups_with_type({groups[0]}, false) ==
        "GROUP                     TYPE                \ng0                        Classic             \n");
  CHECK(groups_with_type({groups[0]}, true) ==
        "GROUP                     TYPE                 STATE               \n"
        "g0                        Classic              Empty               \n");
}

TEST_CASE("new offsets stand in a table of fixed widths") {
  CHECK(reset_table({}) == "");
  CHECK(reset_table({{"g", {{{"t1", 0}, Offset{5}}}}, {"none", {}}}) ==
        "\nGROUP                          TOPIC                          PARTITION  NEW-OFFSET     \n"
        "g                              t1                             0          5              \n");
}

TEST_CASE("what is said of a group follows its state") {
  const auto note = [](const std::string& state, std::size_t rows) {
    return std::get<StateNote>(state_note("g", state, rows));
  };
  CHECK(note("Dead", 3).to_output == "\nError: Consumer group 'g' does not exist.\n");
  CHECK_FALSE(note("Dead", 3).show_rows);
  CHECK(note("Empty", 3).to_error == "\nConsumer group 'g' has no active members.\n");
  CHECK(note("Empty", 3).show_rows);
  CHECK_FALSE(note("Empty", 0).show_rows);
  CHECK(note("PreparingRebalance", 1).to_error == "\nWarning: Consumer group 'g' is rebalancing.\n");
  CHECK(note("CompletingRebalance", 1).to_error == "\nWarning: Consumer group 'g' is rebalancing.\n");
  CHECK(note("Stable", 1).to_error.empty());
  CHECK(std::get<Failure>(state_note("g", "Odd", 1)).message ==
        "Expected a valid consumer group state, but found 'Odd'.");
}
