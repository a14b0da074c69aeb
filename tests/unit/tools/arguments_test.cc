#include "tools/client/arguments.h"

#include <catch2/catch.hpp>

#include <random>

using namespace tools;

namespace {

Program sample() {
  return {
      .name = "sample.sh",
      .purpose = "Does things.",
      .arguments = {{.name = "server", .metavar = "host:port", .required = true},
                    {.name = "count", .type = ArgumentType::integer, .default_text = "-1"}},
      .commands = {
          {"list", "lists", {{.name = "limit", .type = ArgumentType::long_integer}}},
          {"describe", "describes", {{.name = "id", .required = true}, {.name = "all", .type = ArgumentType::flag}}},
          {"describe-all", "describes all", {}}}};
}

Program plain() {
  return {
      .name = "plain",
      .purpose = "Does one thing.",
      .arguments = {{.name = "topic", .required = true},
                    {.name = "throughput", .type = ArgumentType::integer},
                    {.name = "acks", .type = ArgumentType::integer, .default_text = "-1", .choices = {"0", "1", "-1"}},
                    {.name = "new"},
                    {.name = "old"}},
      .one_of = {"new", "old"}};
}

struct Parsed {
  Arguments arguments;
  std::optional<int> code;
};
Parsed parse(Program program, std::vector<const char*> words) {
  words.insert(words.begin(), "program");
  Arguments arguments(std::move(program));
  const auto code = arguments.parse(static_cast<int>(words.size()), words.data());
  return {std::move(arguments), code};
}

}  // namespace

TEST_CASE("a command follows the program's arguments and takes its own") {
  const auto [arguments, code] = parse(sample(), {"--server", "h:1", "--count=7", "list", "--limit", "-5"});
  REQUIRE_FALSE(code);
  CHECK(arguments.command() == "list");
  CHECK(arguments.text("server") == "h:1");
  CHECK(arguments.number("count") == 7);
  CHECK(arguments.number("limit") == -5);
}

TEST_CASE("names and commands may be shortened, and the last value wins") {
  const auto [arguments, code] = parse(sample(), {"--ser", "a:1", "--server=b:2", "l", "--lim=3"});
  REQUIRE_FALSE(code);
  CHECK(arguments.command() == "list");
  CHECK(arguments.text("server") == "b:2");
  CHECK(arguments.number("limit") == 3);
  const auto exact = parse(sample(), {"--server", "a:1", "describe", "--id", "x", "--all"});
  REQUIRE_FALSE(exact.code);
  CHECK(exact.arguments.command() == "describe");
  CHECK(exact.arguments.given("all"));
  CHECK(exact.arguments.number("count") == -1);
}

TEST_CASE("what does not fit ends the program with code 1") {
  for (auto words : std::vector<std::vector<const char*>>{{},
                                                          {"list"},
                                                          {"--server", "a:1"},
                                                          {"--server", "a:1", "nothing"},
                                                          {"--server", "a:1", "desc"},
                                                          {"--server"},
                                                          {"--server", "--count", "1", "list"},
                                                          {"--server", "a:1", "--count", "x", "list"},
                                                          {"--server", "a:1", "--count", "99999999999", "list"},
                                                          {"--server", "a:1", "list", "--count", "1"},
                                                          {"--server", "a:1", "list", "stray"},
                                                          {"--server", "a:1", "list", "--limit", "1.5"},
                                                          {"--server", "a:1", "describe"},
                                                          {"--server", "a:1", "describe", "--id", "x", "--all=1"},
                                                          {"--server", "a:1", "--", "list"},
                                                          {"--unknown", "list"}})
    CHECK(parse(sample(), words).code == 1);
  CHECK(parse(plain(), {"--topic", "t"}).code == 1);
  CHECK(parse(plain(), {"--topic", "t", "--new", "a", "--old", "b"}).code == 1);
  CHECK(parse(plain(), {"--topic", "t", "--new", "a", "--acks", "5"}).code == 1);
  CHECK(parse(plain(), {"--t", "t", "--new", "a"}).code == 1);  // topic or throughput
  CHECK_FALSE(parse(plain(), {"--topic", "t", "--new", "a", "--acks", "-1"}).code);
}

TEST_CASE("help is answered before anything is missed, with code 1, and the version with code 0") {
  CHECK(parse(sample(), {"--help"}).code == 1);
  CHECK(parse(sample(), {"list", "-h"}).code == 1);
  CHECK(parse(sample(), {"--version"}).code == 0);
  CHECK(parse(sample(), {"-v"}).code == 0);
  CHECK(parse(plain(), {"-v"}).code == 1);  // programs without commands have none
}

TEST_CASE("usage and help show every argument in 75 columns") {
  CHECK(parse(sample(), {"--server", "a:1", "list"}).arguments.usage() ==
        "usage: sample.sh --server host:port list [-h] [--limit LIMIT]\n");
  const Arguments program(plain());
  CHECK(program.usage() ==
        "usage: plain [-h] --topic TOPIC [--throughput THROUGHPUT] [--acks ACKS]\n"
        "             (--new NEW | --old OLD)\n");
  const auto help = Arguments(sample()).help();
  for (auto word : {"--server host:port", "--count COUNT", "(default: -1)", "describe-all", "-v, --version"})
    CHECK(help.find(word) != std::string::npos);
  std::string_view rest = help;
  while (!rest.empty()) {
    const auto line = rest.substr(0, rest.find('\n'));
    CHECK(line.size() <= 75);
    rest.remove_prefix(line.size() + 1);
  }
}
