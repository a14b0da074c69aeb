// The console tools' pure parts: lines into records, records into text, Java's settings into librdkafka's.
#include <catch2/catch.hpp>

#include <random>

#include "tools/client/topic_filter.h"
#include "tools/console/client_properties.h"
#include "tools/console/line_reader.h"
#include "tools/console/record_format.h"

using namespace tools;

namespace {

std::vector<std::string> lines_of(const std::vector<std::string>& chunks) {
  LineSplitter splitter;
  std::vector<std::string> lines;
  for (const auto& chunk : chunks) {
    splitter.add(chunk);
    while (auto line = splitter.next(false)) lines.push_back(*line);
  }
  while (auto line = splitter.next(true)) lines.push_back(*line);
  return lines;
}

using Strings = std::vector<std::string>;

std::variant<ConsoleRecord, Failure> read(const config::Texts& properties, const std::string& line) {
  return std::get<LineReader>(LineReader::make(properties)).parse(line);
}
ConsoleRecord record(const config::Texts& properties, const std::string& line) {
  return std::get<ConsoleRecord>(read(properties, line));
}
std::string refusal(const config::Texts& properties, const std::string& line) {
  return std::get<Failure>(read(properties, line)).text();
}

std::string shown(const config::Texts& properties, const ConsumedRecord& record,
                  std::string_view formatter = "kafka.tools.DefaultMessageFormatter") {
  std::string out;
  auto failure = std::get<RecordFormat>(RecordFormat::make(formatter, properties)).print(record, out);
  return failure ? failure->text() : out;
}

std::string setting(const config::Texts& java, Role role, std::string_view name) {
  auto translated = translate(java, role);
  if (auto* failure = std::get_if<Failure>(&translated)) return failure->text();
  for (const auto& [key, value] : std::get<Translated>(translated).settings)
    if (key == name) return value;
  return "(none)";
}

}  // namespace

TEST_CASE("input is cut into lines at \\n, \\r\\n and \\r alone, and the last line needs no end") {
  CHECK(lines_of({"a\nb\r\nc\rd"}) == Strings{"a", "b", "c", "d"});
  CHECK(lines_of({"\n\n", "\r\n"}) == Strings{"", "", ""});
  CHECK(lines_of({""}) == Strings{});
  CHECK(lines_of({"a\r", "\nb"}) == Strings{"a", "b"});
  CHECK(lines_of({"a\r", "b\r"}) == Strings{"a", "b"});
  CHECK(lines_of({std::string("a\0b\n", 4)}) == Strings{std::string("a\0b", 3)});
}

TEST_CASE("how input arrives in pieces does not change its lines") {
  std::mt19937 random(7);
  for (int round = 0; round < 500; ++round) {
    std::string text;
    for (int i = 0; i < 40; ++i) text += "ab\r\n"[random() % 4];
    Strings pieces;
    for (std::size_t at = 0; at < text.size();) {
      std::size_t n = 1 + random() % 5;
      pieces.push_back(text.substr(at, n));
      at += n;
    }
    REQUIRE(lines_of(pieces) == lines_of({text}));
  }
}

TEST_CASE("a line is a value unless keys are asked for") {
  CHECK(record({}, "k\tv").value == "k\tv");
  CHECK_FALSE(record({}, "k\tv").key);
  auto keyed = record({{"parse.key", "TRUE"}}, "k\tv\tw");
  CHECK(keyed.key == "k");
  CHECK(keyed.value == "v\tw");
  CHECK(record({{"parse.key", "true"}, {"key.separator", "::"}}, "::v").key == "");
  CHECK(record({{"parse.key", "true"}, {"ignore.error", "true"}}, "v").value == "v");
  CHECK(refusal({{"parse.key", "true"}}, "nokey") ==
        "org.apache.kafka.common.KafkaException: No key found on line 1: nokey");
}

TEST_CASE("headers stand before the key, and the null marker makes nulls") {
  config::Texts all = {{"parse.key", "true"}, {"parse.headers", "true"}, {"null.marker", "NUL"}};
  auto full = record(all, "h1:v1,h2:NUL,h3:\tk\tNUL");
  REQUIRE(full.headers.size() == 3);
  CHECK(full.headers[0] == std::pair<std::string, std::optional<std::string>>{"h1", "v1"});
  CHECK_FALSE(full.headers[1].second);
  CHECK(full.headers[2].second == "");
  CHECK(full.key == "k");
  CHECK_FALSE(full.value);
  CHECK(refusal(all, "x") ==
        "org.apache.kafka.common.KafkaException: No headers delimiter found on line number 1: 'x'");
  CHECK(refusal(all, "h1\tk\tv") ==
        "org.apache.kafka.common.KafkaException: No header key separator found in pair 'h1' on line number 1");
  CHECK(refusal(all, "NUL:1\tk\tv").find("null marker") != std::string::npos);
  CHECK(std::holds_alternative<Failure>(LineReader::make({{"parse.headers", "true"}, {"headers.separator", "\t"}})));
}

TEST_CASE("a record shows the fields asked for, in Kafka's order") {
  ConsumedRecord full{.partition = 3,
                      .offset = 7,
                      .timestamp_kind = TimestampKind::create_time,
                      .timestamp_ms = 12,
                      .key = "k",
                      .value = "v",
                      .headers = {{"h1", "v1"}, {"h2", std::nullopt}}};
  config::Texts all = {{"print.timestamp", "true"},
                       {"print.partition", "true"},
                       {"print.offset", "true"},
                       {"print.headers", "true"},
                       {"print.key", "true"}};
  CHECK(shown({}, full) == "v\n");
  CHECK(shown(all, full) == "CreateTime:12\tPartition:3\tOffset:7\th1:v1,h2:null\tk\tv\n");
  ConsumedRecord bare;
  bare.offset = 1;
  CHECK(shown(all, bare) == "NO_TIMESTAMP\tPartition:0\tOffset:1\tNO_HEADERS\tnull\tnull\n");
  bare.timestamp_kind = TimestampKind::log_append_time;
  CHECK(shown({{"print.timestamp", "true"}, {"print.value", "false"}}, bare) == "LogAppendTime:-1\n");
  CHECK(shown({{"print.value", "false"}}, bare) == "");
  CHECK(shown({{"print.key", "true"}, {"key.separator", "|"}, {"line.separator", ";"}, {"null.literal", "NIL"}},
              bare) == "NIL|NIL;");
  CHECK(shown({}, full, "org.apache.kafka.tools.consumer.LoggingMessageFormatter") == "v\n");
  CHECK(shown({}, full, "kafka.tools.NoOpMessageFormatter") == "");
  CHECK(std::get<Failure>(RecordFormat::make("foo.Bar", {})).text() == "java.lang.ClassNotFoundException: foo.Bar");
}

TEST_CASE("Java's deserializers show numbers, and refuse bytes that are none") {
  auto value = [](std::string_view type, std::string_view bytes) {
    ConsumedRecord record;
    record.value = bytes;
    return shown({{"value.deserializer", fmt::format("org.apache.kafka.common.serialization.{}Deserializer", type)},
                  {"line.separator", ""}},
                 record);
  };
  using namespace std::string_view_literals;
  CHECK(value("Long", "\0\0\0\0\0\0\1\2"sv) == "258");
  CHECK(value("Integer", "\xff\xff\xff\xff"sv) == "-1");
  CHECK(value("Short", "\0\5"sv) == "5");
  CHECK(value("Double", "\x3f\xf8\0\0\0\0\0\0"sv) == "1.5");
  CHECK(value("Float", "\x3d\xcc\xcc\xcd"sv) == "0.1");
  CHECK(value("Bytes", "\xff\0x"sv) == "\xff\0x"sv);
  CHECK(value("Long", "abc") ==
        "org.apache.kafka.common.errors.SerializationException: Size of data received by LongDeserializer is not 8");
}

TEST_CASE("settings of Java clients are said to librdkafka in its own words and units") {
  CHECK(setting({}, Role::producer, "partitioner") == "murmur2_random");
  CHECK(setting({{"buffer.memory", "33554432"}}, Role::producer, "queue.buffering.max.kbytes") == "32768");
  CHECK(setting({{"send.buffer.bytes", "-1"}}, Role::producer, "socket.send.buffer.bytes") == "0");
  CHECK(setting({{"linger.ms", " 5 "}}, Role::producer, "linger.ms") == "5");
  CHECK(setting({{"fetch.max.wait.ms", "7"}}, Role::consumer, "fetch.wait.max.ms") == "7");
  CHECK(setting({{"partition.assignment.strategy", "org.apache.kafka.clients.consumer.RangeAssignor"}}, Role::consumer,
                "partition.assignment.strategy") == "range");
  CHECK(setting({{"ssl.truststore.location", "/ca.pem"}}, Role::consumer, "ssl.ca.location") == "/ca.pem");
  config::Texts jaas = {
      {"sasl.jaas.config",
       "org.apache.kafka.common.security.plain.PlainLoginModule required username=\"a\" password=\"b\";"}};
  CHECK(setting(jaas, Role::consumer, "sasl.username") == "a");
  CHECK(setting({{"linger.ms", "x"}}, Role::producer, "") ==
        "org.apache.kafka.common.config.ConfigException: Invalid value x for configuration linger.ms: Not a number of "
        "type LONG");
  CHECK(
      setting({{"acks", "2"}}, Role::producer, "") ==
      "org.apache.kafka.common.config.ConfigException: Invalid value 2 for configuration acks: String must be one of: "
      "all, -1, 0, 1");
}

TEST_CASE("every translated default is one librdkafka accepts") {
  config::Texts producer = {{"bootstrap.servers", "h:1"},
                            {"acks", "1"},
                            {"linger.ms", "1000"},
                            {"retries", "3"},
                            {"retry.backoff.ms", "100"},
                            {"request.timeout.ms", "1500"},
                            {"batch.size", "16384"},
                            {"buffer.memory", "33554432"},
                            {"send.buffer.bytes", "102400"},
                            {"metadata.max.age.ms", "300000"},
                            {"max.block.ms", "60000"},
                            {"client.id", "c"},
                            {"delivery.timeout.ms", "120000"},
                            {"key.serializer", "x"}};
  config::Texts consumer = {{"auto.offset.reset", "earliest"},
                            {"isolation.level", "read_committed"},
                            {"enable.auto.commit", "false"},
                            {"max.partition.fetch.bytes", "1048576"},
                            {"fetch.min.bytes", "1"},
                            {"session.timeout.ms", "10000"},
                            {"allow.auto.create.topics", "true"}};
  CHECK(std::holds_alternative<Conf>(make_conf(producer, Role::producer)));
  CHECK(std::holds_alternative<Conf>(make_conf(consumer, Role::consumer)));
}

TEST_CASE("topics are chosen by whole names, and a list is an alternative") {
  auto list = TopicFilter::from_list(" \"a1, b.*\" ");
  REQUIRE(list);
  CHECK(list->matches("a1"));
  CHECK(list->matches("bcd"));
  CHECK_FALSE(list->matches("a12"));
  CHECK_FALSE(list->matches("xa1"));
  CHECK(TopicFilter::from_regex("\\Qa.b\\E\\d++")->matches("a.b12"));
  CHECK_FALSE(TopicFilter::from_regex("a,b")->matches("a"));
  CHECK_FALSE(TopicFilter::from_list("a["));
  CHECK_FALSE(TopicFilter::from_regex("(*"));
}
