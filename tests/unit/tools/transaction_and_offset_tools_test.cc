// The pure parts of kafka-get-offsets.sh, kafka-transactions.sh and the verifiable clients.
#include <catch2/catch.hpp>

#include "tools/client/partition_offsets.h"
#include "tools/get_offsets/choice.h"
#include "tools/transactions/padded_table.h"
#include "tools/transactions/transaction_admin.h"
#include "tools/verifiable/events.h"

using namespace tools;

namespace {

PartitionChoice rules(std::string_view text) { return std::get<PartitionChoice>(PartitionChoice::from_rules(text)); }
template <class T>
std::string refusal(const std::variant<T, Failure>& parsed) {
  const auto* failure = std::get_if<Failure>(&parsed);
  return failure ? failure->message : "accepted";
}

}  // namespace

TEST_CASE("partitions are chosen by expressions and numbers") {
  const auto all = std::get<PartitionChoice>(PartitionChoice::from_options(std::nullopt, std::nullopt));
  CHECK(all.has({"anything", 99}));
  const auto some = std::get<PartitionChoice>(PartitionChoice::from_options("t.*,u", "0,3"));
  CHECK(some.has({"t1", 0}));
  CHECK(some.has({"u", 3}));
  CHECK_FALSE(some.has({"t1", 1}));
  CHECK_FALSE(some.has({"ux", 0}));
  CHECK(refusal(PartitionChoice::from_options("[", std::nullopt)) == "[ is an invalid regex.");
  for (auto bad : {"x", "1,x", "1, 2", "99999999999"})
    CHECK(refusal(PartitionChoice::from_options(std::nullopt, bad)) ==
          fmt::format("--partitions expects a comma separated list of numeric partition ids, but received: {}", bad));
}

TEST_CASE("rules choose single partitions and ranges whose upper bound does not count") {
  CHECK(rules("t").has({"t", 5}));
  CHECK_FALSE(rules("t").has({"tt", 5}));
  CHECK(rules("t:3").has({"t", 3}));
  CHECK_FALSE(rules("t:3").has({"t", 4}));
  CHECK(rules(":3").has({"whatever", 3}));
  CHECK(rules("t:1-3").has({"t", 1}));
  CHECK(rules("t:1-3").has({"t", 2}));
  CHECK_FALSE(rules("t:1-3").has({"t", 3}));
  CHECK(rules("t:2-").has({"t", 200}));
  CHECK_FALSE(rules("t:2-").has({"t", 1}));
  CHECK(rules("t:-2").has({"t", 0}));
  CHECK_FALSE(rules("t:-2").has({"t", 2}));
  CHECK(rules("t:").has({"t", 7}));
  CHECK(rules("a:0,b:1").has({"b", 1}));
  CHECK_FALSE(rules("a:0,b:1").has({"b", 0}));
  for (auto bad : {"t:x", "t:1-2-3", "t:1:2", "t:99999999999", "t:1-99999999999"})
    CHECK(refusal(PartitionChoice::from_rules(bad)) == fmt::format("Invalid rule specification: {}", bad));
}

TEST_CASE("times are words or numbers") {
  const auto time = [](std::string_view text) { return std::get<std::int64_t>(parse_time(text)); };
  CHECK(time("latest") == kLatestOffset);
  CHECK(time("-1") == kLatestOffset);
  CHECK(time("earliest") == kEarliestOffset);
  CHECK(time("max-timestamp") == -3);
  CHECK(time("earliest-local") == -4);
  CHECK(time("latest-tiered") == -5);
  CHECK(time("1700000000000") == 1'700'000'000'000);
  for (auto bad : {"", "foo", "1.5", "Latest", "99999999999999999999"})
    CHECK(refusal(parse_time(bad)).starts_with(fmt::format("Malformed time argument {}. Please use", bad)));
}

TEST_CASE("every cell is as wide as its column, with a tab behind it") {
  CHECK(padded_table({"TransactionalId", "Coordinator"}, {{"tx1", "0"}, {"a-very-long-identifier", "1"}}) ==
        "TransactionalId       \tCoordinator\t\n"
        "tx1                   \t0          \t\n"
        "a-very-long-identifier\t1          \t\n");
  CHECK(padded_table({"A", "B"}, {}) == "A\tB\t\n");
}

TEST_CASE("a transaction hangs when no coordinator will end it on its partition") {
  const auto open = [](std::int64_t producer, std::string topic, std::int32_t partition) {
    OpenTransaction made;
    made.partition = {std::move(topic), partition};
    made.producer.producer_id = base::ProducerId{producer};
    return made;
  };
  TransactionState ongoing;
  ongoing.topics = {{"t", {0, 1}}};
  const std::map<std::int64_t, std::string> ids{{1, "one"}, {2, "two"}};
  const std::map<std::string, TransactionState> states{{"one", ongoing}};
  const auto found =
      hanging_ones({open(1, "t", 0), open(1, "t", 2), open(1, "u", 0), open(2, "t", 0), open(3, "t", 0)}, ids, states);
  REQUIRE(found.size() == 4);
  CHECK(found[0].partition == base::TopicPartition{"t", 2});  // not, or no longer, a part of it
  CHECK(found[1].partition == base::TopicPartition{"u", 0});
  CHECK(found[2].producer.producer_id.raw == 2);  // its id has expired
  CHECK(found[3].producer.producer_id.raw == 3);  // nobody knows it
}

TEST_CASE("events are lines of JSON in Java's order of fields") {
  const auto at = base::timestamp_from_ms(1700000000000);
  CHECK(Event("startup_complete", at).line() == "{\"timestamp\":1700000000000,\"name\":\"startup_complete\"}\n");
  CHECK(Event("producer_send_success", at)
            .add_nullable("key", std::nullopt)
            .add("value", "say \"hi\"\n")
            .add("offset", std::int64_t{7})
            .line() ==
        "{\"timestamp\":1700000000000,\"name\":\"producer_send_success\",\"key\":null,\"value\":\"say \\\"hi\\\"\\n\","
        "\"offset\":7}\n");
  CHECK(Event("offsets_committed", at)
            .add("offsets", std::vector<Event::Row>{{{"t", 0}, {{"offset", 2}}}, {{"t", 1}, {{"offset", 3}}}})
            .add("success", true)
            .line() ==
        "{\"timestamp\":1700000000000,\"name\":\"offsets_committed\",\"offsets\":[{\"topic\":\"t\",\"partition\":0,"
        "\"offset\":2},{\"topic\":\"t\",\"partition\":1,\"offset\":3}],\"success\":true}\n");
  CHECK(Event("tool_data", at).add_real("avg_throughput", 12.5).add_real("x", 1e7).line() ==
        "{\"timestamp\":1700000000000,\"name\":\"tool_data\",\"avg_throughput\":12.5,\"x\":1.0E7}\n");
}

TEST_CASE("sends are spaced evenly when there is a rate") {
  CHECK_FALSE(due_after(10, -1));
  CHECK(due_after(0, 100) == 0);
  CHECK(due_after(1, 100) == 10);
  CHECK(due_after(250, 100) == 2500);
  CHECK(due_after(std::int64_t{1} << 60, 1));
}
