#include "tools/client/options.h"

#include <catch2/catch.hpp>

using tools::Option;
using tools::Options;
using tools::Takes;
using tools::ValueType;

namespace {

Options sample() {
  return Options("Does things.",
                 {
                     {.name = "topic", .takes = Takes::value, .argument = "topic"},
                     {.name = "list"},
                     {.name = "partitions", .takes = Takes::value, .type = ValueType::integer},
                     {.name = "wait", .takes = Takes::value, .type = ValueType::long_integer, .default_text = "100"},
                     {.name = "codec", .takes = Takes::maybe_value},
                     {.name = "config", .takes = Takes::value, .repeatable = true},
                 });
}

tools::Outcome parse(Options& options, std::vector<const char*> words) {
  words.insert(words.begin(), "program");
  return options.parse(static_cast<int>(words.size()), words.data());
}

std::string refusal(std::vector<const char*> words) {
  Options options = sample();
  if (auto failure = parse(options, std::move(words))) return failure->text();
  auto failure = options.check_values();
  return failure ? failure->text() : "";
}

}  // namespace

TEST_CASE("an option's value follows it or stands behind =, and one dash does for two") {
  for (auto words : std::vector<std::vector<const char*>>{
           {"--topic", "t"}, {"--topic=t"}, {"-topic", "t"}, {"-topic=t"}, {"stray", "--topic", "t", "words"}}) {
    Options options = sample();
    REQUIRE_FALSE(parse(options, words));
    CHECK(options.text("topic") == "t");
    CHECK_FALSE(options.given("list"));
  }
}

TEST_CASE("a value may look like an option, and a flag's value is dropped") {
  Options options = sample();
  REQUIRE_FALSE(parse(options, {"--topic", "--list", "--list=true"}));
  CHECK(options.text("topic") == "--list");
  CHECK(options.given("list"));
}

TEST_CASE("an optional value is taken unless the next word is an option") {
  Options bare = sample(), valued = sample(), last = sample();
  REQUIRE_FALSE(parse(bare, {"--codec", "--list"}));
  CHECK(bare.given("codec"));
  CHECK_FALSE(bare.text("codec"));
  CHECK(bare.given("list"));
  REQUIRE_FALSE(parse(valued, {"--codec", "zstd"}));
  CHECK(valued.text("codec") == "zstd");
  REQUIRE_FALSE(parse(last, {"--codec"}));
  CHECK(last.given("codec"));
}

TEST_CASE("nothing behind two dashes alone is an option") {
  Options options = sample();
  REQUIRE_FALSE(parse(options, {"--", "--list"}));
  CHECK_FALSE(options.given("list"));
}

TEST_CASE("refusals read as jopt-simple's") {
  CHECK(refusal({"--foo"}) == "joptsimple.UnrecognizedOptionException: foo is not a recognized option");
  CHECK(refusal({"--lis"}) == "joptsimple.UnrecognizedOptionException: lis is not a recognized option");
  CHECK(refusal({"-foo"}) == "joptsimple.UnrecognizedOptionException: f is not a recognized option");
  CHECK(refusal({"--topic"}) == "joptsimple.OptionMissingRequiredArgumentException: Option topic requires an argument");
  CHECK(refusal({"--topic="}) ==
        "joptsimple.OptionMissingRequiredArgumentException: Option topic requires an argument");
  CHECK(refusal({"--partitions", "x"}) ==
        "joptsimple.OptionArgumentConversionException: Cannot parse argument 'x' of option partitions");
  CHECK(refusal({"--partitions", "2147483648"}) ==
        "joptsimple.OptionArgumentConversionException: Cannot parse argument '2147483648' of option partitions");
  CHECK(refusal({"--topic", "a", "--topic", "b"}) ==
        "joptsimple.MultipleArgumentsForOptionException: Found multiple arguments for option topic, but you asked for "
        "only one");
  CHECK(refusal({"--wait", "2147483648", "--partitions", "+5", "--config", "a", "--config", "b", "--list", "--list"}) ==
        "");
}

TEST_CASE("defaults stand in for absent options but do not count as given") {
  Options options = sample();
  REQUIRE_FALSE(parse(options, {"--partitions", "-3"}));
  CHECK(options.number("wait") == 100);
  CHECK(options.number("partitions") == -3);
  CHECK_FALSE(options.given("wait"));
  CHECK_FALSE(options.text("topic"));
}

TEST_CASE("missing and excluded companions are named in brackets") {
  Options options = sample();
  REQUIRE_FALSE(parse(options, {"--list", "--config", "a=b"}));
  CHECK(options.missing({"list", "topic"}) == "Missing required argument \"[topic]\"");
  CHECK_FALSE(options.missing({"list"}));
  CHECK(options.excluded("config", {"topic", "list"}) == "Option \"[config]\" can't be used with option \"[list]\"");
  CHECK_FALSE(options.excluded("topic", {"list"}));
}

TEST_CASE("the table has two columns of 39 characters, sorted, with long texts folded") {
  Options options("Does things.", {{.name = "zone", .description = "Short."},
                                   {.name = "bootstrap-server",
                                    .takes = Takes::value,
                                    .argument = "server to connect to",
                                    .description = "REQUIRED: The brokers to ask first, as host:port,host:port."},
                                   {.name = "codec",
                                    .takes = Takes::maybe_value,
                                    .argument = "codec",
                                    .default_text = "none",
                                    .description = "A kafka.tools.ConsoleProducer of its kind."}});
  // Kafka's own table ends its lines with blanks; they are shown here as dots.
  std::string table = options.table();
  std::string shown;
  for (std::size_t i = 0; i < table.size(); ++i) {
    std::size_t next = table.find_first_not_of(' ', i);
    shown += table[i] == ' ' && table[next] == '\n' ? '.' : table[i];
  }
  CHECK(shown ==
        "Option                                   Description............................\n"
        "------                                   -----------............................\n"
        "--bootstrap-server <String: server to    REQUIRED: The brokers to ask first, as.\n"
        "  connect to>                              host:port,host:port..................\n"
        "--codec [String: codec]                  A kafka.tools.ConsoleProducer of its...\n"
        "                                           kind. (default: none)................\n"
        "--help                                   Print this table.......................\n"
        "--version                                Print the version......................\n"
        "--zone                                   Short..................................\n");
}
