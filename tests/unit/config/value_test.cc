#include "config/value.h"

#include <catch2/catch.hpp>

#include <cmath>

#include "base/random.h"

using namespace config;

namespace {

std::string reason(Type type, std::string_view text) {
  const auto value = parse_value(type, text);
  REQUIRE_FALSE(value.ok());
  return value.error().detail;
}

std::string shown(Type type, std::string_view text) {
  const auto value = parse_value(type, text);
  INFO(text);
  REQUIRE(value.ok());
  return text_of(*value).value_or("null");
}

}  // namespace

TEST_CASE("whole numbers are decimal, may have a sign, and fit their type") {
  CHECK(shown(Type::integer, " +5 ") == "5");
  CHECK(shown(Type::integer, "-2147483648") == "-2147483648");
  CHECK(shown(Type::long_integer, "007") == "7");
  for (const auto* wrong : {"", " ", "+", "-", "+-5", "--5", "1.0", "1e3", "0x10", "1k", "2147483648", "1 2", "5L"}) {
    INFO(wrong);
    CHECK(reason(Type::integer, wrong) == "Not a number of type INT");
  }
  CHECK(reason(Type::short_integer, "32768") == "Not a number of type SHORT");
  CHECK(reason(Type::long_integer, "9223372036854775808") == "Not a number of type LONG");
}

TEST_CASE("booleans are true and false in any case, and nothing else") {
  CHECK(shown(Type::boolean, "TRUE ") == "true");
  CHECK(shown(Type::boolean, "False") == "false");
  for (const auto* wrong : {"", "yes", "1", "tru", "truee"})
    CHECK(reason(Type::boolean, wrong) == "Expected value to be either true or false");
}

TEST_CASE("doubles are read and shown as Java does") {
  CHECK(shown(Type::real, "0.5") == "0.5");
  CHECK(shown(Type::real, "1") == "1.0");
  CHECK(shown(Type::real, "10000000") == "1.0E7");
  CHECK(shown(Type::real, "9999999") == "9999999.0");
  CHECK(shown(Type::real, "0.001") == "0.001");
  CHECK(shown(Type::real, "0.0001") == "1.0E-4");
  CHECK(shown(Type::real, "12345678.9") == "1.23456789E7");
  CHECK(shown(Type::real, "1.7976931348623157E308") == "1.7976931348623157E308");
  CHECK(shown(Type::real, "-1.5d") == "-1.5");
  CHECK(shown(Type::real, ".5f") == "0.5");
  CHECK(shown(Type::real, "-0") == "-0.0");
  CHECK(shown(Type::real, "1e999") == "Infinity");
  CHECK(shown(Type::real, "-Infinity") == "-Infinity");
  CHECK(shown(Type::real, "NaN") == "NaN");
  for (const auto* wrong : {"", "+", "e5", "1e", "inf", "nan", "1.0.0", "0x1p3", "--1", "f", "1,5", "+-1"}) {
    INFO(wrong);
    CHECK(reason(Type::real, wrong) == "Not a number of type DOUBLE");
  }
}

TEST_CASE("any double shown reads back as itself") {
  base::SeededRandom random{7};
  for (int i = 0; i < 20'000; ++i) {
    const auto bits = random.next();
    double x = 0;
    std::memcpy(&x, &bits, sizeof x);
    if (std::isnan(x)) continue;
    const auto back = parse_value(Type::real, text_of(x));
    REQUIRE(back.ok());
    REQUIRE(std::get<double>(*back) == x);
  }
}

TEST_CASE("lists are split at commas, without the blanks around them; nothing is an empty list") {
  CHECK(split_list("") == std::vector<std::string>{});
  CHECK(split_list("  ") == std::vector<std::string>{});
  CHECK(split_list(" a , b,c ") == std::vector<std::string>{"a", "b", "c"});
  CHECK(split_list("a,,b,") == std::vector<std::string>{"a", "", "b", ""});
  CHECK(shown(Type::list, "compact , delete") == "compact,delete");
}

TEST_CASE("blanks around a password belong to it") { CHECK(shown(Type::password, " secret ") == " secret "); }
