#include "config/value.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <cstdlib>
#include <limits>

namespace config {
namespace {

base::Error reason(std::string_view why) { return base::fail(base::ErrorCode::invalid_config, "{}", why); }

template <class T>
base::Result<Value> parse_integer(Type type, std::string_view text) {
  auto digits = text;
  if (!digits.empty() && digits.front() == '+') {
    digits.remove_prefix(1);
    if (!digits.empty() && digits.front() == '-') digits = {};
  }
  T x{};
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), x);
  if (digits.empty() || error != std::errc{} || end != digits.data() + digits.size())
    return reason(fmt::format("Not a number of type {}", type_name(type)));
  return Value{x};
}

base::Result<Value> parse_double(std::string_view text) {
  const auto bad = [] { return reason("Not a number of type DOUBLE"); };
  auto number = text;
  const bool negative = number.starts_with('-');
  if (negative || number.starts_with('+')) number.remove_prefix(1);
  if (number == "NaN") return Value{std::numeric_limits<double>::quiet_NaN()};
  if (number == "Infinity") return Value{(negative ? -1 : 1) * std::numeric_limits<double>::infinity()};
  // Java lets a type letter follow the digits.
  if (number.size() > 1 && std::string_view("fFdD").find(number.back()) != std::string_view::npos)
    number.remove_suffix(1);
  if (number.empty() || number.find_first_not_of("0123456789.eE+-") != std::string_view::npos ||
      number.front() == '+' || number.front() == '-')
    return bad();
  const std::string terminated(number);
  char* end = nullptr;
  const double x = std::strtod(terminated.c_str(), &end);
  if (end != terminated.c_str() + terminated.size()) return bad();
  return Value{negative ? -x : x};
}

base::Result<Value> parse_boolean(std::string_view text) {
  const auto word = upper_case(text);
  if (word == "TRUE") return Value{true};
  if (word == "FALSE") return Value{false};
  return reason("Expected value to be either true or false");
}

}  // namespace

std::string_view type_name(Type type) {
  switch (type) {
    case Type::unknown:
      return "UNKNOWN";
    case Type::boolean:
      return "BOOLEAN";
    case Type::string:
      return "STRING";
    case Type::integer:
      return "INT";
    case Type::short_integer:
      return "SHORT";
    case Type::long_integer:
      return "LONG";
    case Type::real:
      return "DOUBLE";
    case Type::list:
      return "LIST";
    case Type::class_name:
      return "CLASS";
    case Type::password:
      return "PASSWORD";
  }
  return "UNKNOWN";
}

base::Result<Value> parse_value(Type type, std::string_view text) {
  const auto trimmed = trim(text);
  switch (type) {
    case Type::boolean:
      return parse_boolean(trimmed);
    case Type::integer:
      return parse_integer<std::int32_t>(type, trimmed);
    case Type::short_integer:
      return parse_integer<std::int16_t>(type, trimmed);
    case Type::long_integer:
      return parse_integer<std::int64_t>(type, trimmed);
    case Type::real:
      return parse_double(trimmed);
    case Type::list:
      return Value{split_list(trimmed)};
    case Type::password:
      return Value{std::string(text)};
    case Type::unknown:
    case Type::string:
    case Type::class_name:
      return Value{std::string(trimmed)};
  }
  return Value{};
}

// Java's Double.toString: the shortest digits that read back equal, plain from 1e-3 up to 1e7, else d.dddEn.
std::string text_of(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value < 0 ? "-Infinity" : "Infinity";
  if (value == 0) return std::signbit(value) ? "-0.0" : "0.0";
  char shortest[64];
  const auto end = std::to_chars(shortest, shortest + sizeof shortest, std::abs(value), std::chars_format::scientific);
  const std::string_view scientific(shortest, static_cast<std::size_t>(end.ptr - shortest));
  const auto e = scientific.find('e');
  int exponent = 0;
  auto power = scientific.substr(e + 1);
  if (power.front() == '+') power.remove_prefix(1);
  std::from_chars(power.data(), power.data() + power.size(), exponent);
  std::string digits(scientific.substr(0, 1));
  if (e > 2) digits += scientific.substr(2, e - 2);

  std::string text = value < 0 ? "-" : "";
  if (exponent >= -3 && exponent < 7) {
    if (exponent < 0) {
      text += "0." + std::string(static_cast<std::size_t>(-exponent - 1), '0') + digits;
    } else {
      const auto whole = static_cast<std::size_t>(exponent) + 1;
      if (digits.size() < whole + 1) digits.append(whole + 1 - digits.size(), '0');
      text += digits.substr(0, whole) + "." + digits.substr(whole);
    }
  } else {
    text += digits.substr(0, 1) + "." + (digits.size() > 1 ? digits.substr(1) : "0") + fmt::format("E{}", exponent);
  }
  return text;
}

std::optional<std::string> text_of(const Value& value) {
  struct Printer {
    std::optional<std::string> operator()(std::monostate) const { return std::nullopt; }
    std::optional<std::string> operator()(bool x) const { return x ? "true" : "false"; }
    std::optional<std::string> operator()(std::int16_t x) const { return std::to_string(x); }
    std::optional<std::string> operator()(std::int32_t x) const { return std::to_string(x); }
    std::optional<std::string> operator()(std::int64_t x) const { return std::to_string(x); }
    std::optional<std::string> operator()(double x) const { return text_of(x); }
    std::optional<std::string> operator()(const std::string& x) const { return x; }
    std::optional<std::string> operator()(const std::vector<std::string>& x) const { return join(x, ","); }
  };
  return std::visit(Printer{}, value);
}

base::Error value_error(std::string_view key, std::string_view value, std::string_view why) {
  return base::fail(base::ErrorCode::invalid_config, "Invalid value {} for configuration {}: {}", value, key, why);
}

std::string_view trim(std::string_view text) {
  const auto blank = [](char c) { return static_cast<unsigned char>(c) <= ' '; };
  while (!text.empty() && blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && blank(text.back())) text.remove_suffix(1);
  return text;
}

std::vector<std::string> split_list(std::string_view text) {
  std::vector<std::string> items;
  text = trim(text);
  if (text.empty()) return items;
  while (true) {
    const auto comma = text.find(',');
    items.emplace_back(trim(text.substr(0, comma)));
    if (comma == std::string_view::npos) return items;
    text.remove_prefix(comma + 1);
  }
}

std::string join(const std::vector<std::string>& items, std::string_view separator) {
  return fmt::format("{}", fmt::join(items, separator));
}

std::string upper_case(std::string_view text) {
  std::string capitals(text);
  for (auto& c : capitals)
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  return capitals;
}

}  // namespace config
