#include "config/properties.h"

#include <catch2/catch.hpp>

#include <map>

#include "base/random.h"

using namespace config;

namespace {

std::vector<Property> parse_all(std::string_view text) {
  auto properties = parse_properties(text);
  REQUIRE(properties.ok());
  return std::move(*properties);
}

// key -> value, the last one counting.
std::map<std::string, std::string> read(std::string_view text) {
  std::map<std::string, std::string> found;
  for (const auto& property : parse_all(text)) found[property.key] = property.value;
  return found;
}

using Map = std::map<std::string, std::string>;

std::string random_text(base::Random& random, std::size_t longest) {
  static const std::vector<std::string> kPieces = {"a", "Z", "0", " ",  "\t", "\n",     "\r",   "\f",        "=",
                                                   ":", "#", "!", "\\", ",",  "\x7f",   "\x01", "\xc3\xa9",  ".",
                                                   "u", "n", "f", "r",  "t",  "\u96c6", "/",    "\U0001F600"};
  std::string text;
  for (auto n = random.below(longest + 1); n > 0; --n) text += kPieces[random.below(kPieces.size())];
  return text;
}

}  // namespace

TEST_CASE("a key ends at the first equals sign, colon or blank") {
  CHECK(read("a=1\nb:2\nc 3\nd\t4\n") == Map{{"a", "1"}, {"b", "2"}, {"c", "3"}, {"d", "4"}});
  CHECK(read("a = 1\nb :2\nc   =   3\nd  4=5") == Map{{"a", "1"}, {"b", "2"}, {"c", "3"}, {"d", "4=5"}});
  CHECK(read("a==1\nb=:2\nc: =3") == Map{{"a", "=1"}, {"b", ":2"}, {"c", "=3"}});
  CHECK(read("a\nb=\nc:\n=x\n") == Map{{"a", ""}, {"b", ""}, {"c", ""}, {"", "x"}});
  CHECK(read("a\\=b=1\nc\\:d:2\ne\\ f 3") == Map{{"a=b", "1"}, {"c:d", "2"}, {"e f", "3"}});
}

TEST_CASE("blank lines and comment lines say nothing, and a comment does not continue") {
  CHECK(read("# a=1\n  ! b=2\n\n \t\f\nc=3") == Map{{"c", "3"}});
  CHECK(read("# a=1\\\nb=2") == Map{{"b", "2"}});
}

TEST_CASE("a backslash joins the next line without its leading blanks") {
  CHECK(read("a=x,\\\n    y,\\\r\n\t z") == Map{{"a", "x,y,z"}});
  CHECK(read("a=x\\\\\nb=y") == Map{{"a", "x\\"}, {"b", "y"}});
  CHECK(read("a=x\\") == Map{{"a", "x"}});
  CHECK(read("a=x\\\n") == Map{{"a", "x"}});
  CHECK(read("a=x\\\n\nb=y") == Map{{"a", "x"}, {"b", "y"}});
  CHECK(read("a=x\\\n#y") == Map{{"a", "x#y"}});
  CHECK(read("a\\\nb=1") == Map{{"ab", "1"}});
  CHECK(read("\\\n\n  \\\n# b=1\na=2").size() == 1);
}

TEST_CASE("lines end with a line feed, a carriage return or both") {
  CHECK(read("a=1\rb=2\r\nc=3\nd=4") == Map{{"a", "1"}, {"b", "2"}, {"c", "3"}, {"d", "4"}});
}

TEST_CASE("escapes stand for the characters Java says") {
  CHECK(read("a=\\t\\n\\r\\f\\\\\\q\\\"") == Map{{"a", "\t\n\r\f\\q\""}});
  CHECK(read("a=\\u0041\\u00e9\\u96C6") == Map{{"a", "A\u00e9\u96c6"}});
  CHECK(read("a=\\ud83d\\uDE00") == Map{{"a", "\U0001F600"}});
  CHECK(read("\\u0061=1") == Map{{"a", "1"}});
  CHECK(read("a=\\ud83dx") == Map{{"a", "\ufffdx"}});
  CHECK(read("a=\\ud83d\\u0041") == Map{{"a", "\ufffdA"}});
  CHECK(read("a=\\ude00") == Map{{"a", "\ufffd"}});
}

TEST_CASE("leading blanks of a value are dropped, trailing ones kept") {
  CHECK(read("a=  x \t") == Map{{"a", "x \t"}});
  CHECK(read("a=\\ x") == Map{{"a", " x"}});
}

TEST_CASE("bytes that are not UTF-8 are Latin-1") {
  CHECK(read("a=\xe9") == Map{{"a", "\u00e9"}});
  CHECK(read("a=\u96c6\nb=\xc0\x80") == Map{{"a", "\u96c6"}, {"b", "\u00c0\u0080"}});
  CHECK(read("a=\xed\xa0\x80") == Map{{"a", "\u00ed\u00a0\u0080"}});
  CHECK(read("a=\xf8") == Map{{"a", "\u00f8"}});
  CHECK(read("a=\xe9\xe9") == Map{{"a", "\u00e9\u00e9"}});
  CHECK(read("\xef\xbb\xbf"
             "a=1") == Map{{"a", "1"}});
}

TEST_CASE("an escape without four hexadecimal digits is refused with its line") {
  for (const auto* wrong : {"\n\na=\\u", "\n\na=\\u12", "\n\na=\\u12g4", "\n\n\\uxyzw=1"}) {
    const auto properties = parse_properties(wrong);
    REQUIRE_FALSE(properties.ok());
    CHECK(properties.error().code == base::ErrorCode::invalid_config);
    CHECK(properties.error().detail.find("line 3:") == 0);
  }
}

TEST_CASE("every entry knows the line it begins on, and duplicates stay in order") {
  const auto properties = parse_all("# note\na=1\\\n2\n\nb=3\na=4\n");
  REQUIRE(properties.size() == 3);
  CHECK(properties[0].line == 2);
  CHECK(properties[0].value == "12");
  CHECK(properties[1].line == 5);
  CHECK(properties[2].key == "a");
  CHECK(properties[2].line == 6);
}

TEST_CASE("a blank and a hash end a value, a hash alone does not") {
  const auto one = [](std::string_view text) {
    const auto properties = parse_all(text);
    REQUIRE(properties.size() == 1);
    return std::pair(properties[0].value, properties[0].comment_dropped);
  };
  CHECK(one("a=1   #note") == std::pair(std::string("1"), true));
  CHECK(one("a=1\t# note # more") == std::pair(std::string("1"), true));
  CHECK(one("a=1#note") == std::pair(std::string("1#note"), false));
  CHECK(one("a=#1") == std::pair(std::string("#1"), false));
  CHECK(one("a= # nothing") == std::pair(std::string(""), true));
  CHECK(one("a #note") == std::pair(std::string(""), true));
  CHECK(one("a=1 \\# 2") == std::pair(std::string("1 # 2"), false));
  CHECK(one("a=1\\ #2") == std::pair(std::string("1 #2"), false));
  CHECK(one("a=1 ! note") == std::pair(std::string("1 ! note"), false));
  CHECK(one("a=x\\\n  #y") == std::pair(std::string("x#y"), false));
  CHECK(one("a=x \\\n  #y") == std::pair(std::string("x"), true));
}

TEST_CASE("a secret keeps its hash") {
  const auto properties =
      parse_properties("password=a #b\nother=a #b", [](std::string_view key) { return key == "password"; });
  REQUIRE(properties.ok());
  CHECK((*properties)[0].value == "a #b");
  CHECK_FALSE((*properties)[0].comment_dropped);
  CHECK((*properties)[1].value == "a");
}

TEST_CASE("what is written reads back equal, whatever it holds") {
  const auto seed = GENERATE(range(1u, 21u));
  base::SeededRandom random{seed};
  INFO("seed " << seed);
  for (int round = 0; round < 50; ++round) {
    Map expected;
    std::string text;
    for (auto n = random.below(20); n > 0; --n) {
      const auto key = random_text(random, 8);
      const auto value = random_text(random, 20);
      expected[key] = value;
      text += write_property(key, value) + (random.below(2) ? "\n" : "\r\n");
      if (random.below(4) == 0) text += "# " + std::to_string(random.next()) + "\n";
    }
    INFO(text);
    REQUIRE(read(text) == expected);
  }
}

TEST_CASE("random bytes are read or refused, never worse") {
  const auto seed = GENERATE(range(100u, 110u));
  base::SeededRandom random{seed};
  for (int round = 0; round < 500; ++round) {
    std::string text(random.below(200), '\0');
    for (auto& c : text)
      c = random.below(3) ? "\\u#!=: \t\r\n\fa0"[random.below(13)] : static_cast<char>(random.below(256));
    const auto properties = parse_properties(text);
    if (!properties) {
      CHECK(properties.error().detail.find("line ") == 0);
      continue;
    }
    int line = 0;
    for (const auto& property : *properties) {
      REQUIRE(property.line > line);
      line = property.line;
    }
  }
}
