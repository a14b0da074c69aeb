#include "tools/client/options.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <limits>

#include "tools/client/version.h"

namespace tools {
namespace {

Failure parse_failure(std::string_view exception, std::string message) {
  return {fmt::format("joptsimple.{}", exception), std::move(message), ""};
}

Failure unrecognized(std::string_view name) {
  return parse_failure("UnrecognizedOptionException", fmt::format("{} is not a recognized option", name));
}

// Java's Integer.valueOf and Long.valueOf: an optional sign and decimal digits.
std::optional<std::int64_t> number_of(std::string_view text, ValueType type) {
  if (text.starts_with('+') && text.size() > 1 && text[1] != '-') text.remove_prefix(1);
  std::int64_t value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  using Int = std::numeric_limits<std::int32_t>;
  if (type == ValueType::integer && (value < Int::min() || value > Int::max())) return std::nullopt;
  return value;
}

bool looks_like_option(std::string_view word) { return word.size() > 1 && word.starts_with('-'); }

}  // namespace

Options::Options(std::string_view purpose, std::vector<Option> table) : purpose_(purpose), table_(std::move(table)) {
  table_.push_back({.name = "help", .description = "Print this table."});
  table_.push_back({.name = "version", .description = "Print the version."});
  std::sort(table_.begin(), table_.end(), [](const Option& a, const Option& b) { return a.name < b.name; });
}

const Option* Options::find(std::string_view name) const {
  for (const Option& option : table_)
    if (option.name == name) return &option;
  return nullptr;
}

Outcome Options::parse(int argc, const char* const* argv) {
  std::vector<std::string_view> words(argv + std::min(argc, 1), argv + argc);
  argument_count_ = static_cast<int>(words.size());
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (words[i] == "--") break;
    if (!looks_like_option(words[i])) continue;
    bool long_form = words[i].starts_with("--");
    std::string_view body = words[i].substr(long_form ? 2 : 1);
    std::string_view name = body.substr(0, body.find('='));
    const Option* option = find(name);
    // Behind one dash an unknown word counts as a cluster of one-letter options, and the first letter is the culprit.
    if (!option) return unrecognized(long_form ? name : name.substr(0, 1));

    std::optional<std::string> value;
    if (option->takes != Takes::nothing) {
      if (name.size() + 1 < body.size()) {
        value = std::string(body.substr(name.size() + 1));
      } else if (option->takes == Takes::value) {
        if (i + 1 == words.size())
          return parse_failure("OptionMissingRequiredArgumentException",
                               fmt::format("Option {} requires an argument", name));
        value = std::string(words[++i]);
      } else if (i + 1 < words.size() && !looks_like_option(words[i + 1])) {
        value = std::string(words[++i]);
      }
    }
    found_.push_back({option->name, std::move(value)});
  }
  return std::nullopt;
}

Outcome Options::check_values() const {
  for (const Option& option : table_) {
    auto values = all(option.name);
    if (values.size() > 1 && !option.repeatable)
      return parse_failure(
          "MultipleArgumentsForOptionException",
          fmt::format("Found multiple arguments for option {}, but you asked for only one", option.name));
    if (option.type == ValueType::text) continue;
    for (const std::string& value : values)
      if (!number_of(value, option.type))
        return parse_failure("OptionArgumentConversionException",
                             fmt::format("Cannot parse argument '{}' of option {}", value, option.name));
  }
  return std::nullopt;
}

bool Options::given(std::string_view name) const {
  return std::any_of(found_.begin(), found_.end(), [&](const Found& found) { return found.name == name; });
}

std::optional<std::string> Options::text(std::string_view name) const {
  for (const Found& found : found_)
    if (found.name == name && found.value) return found.value;
  const Option* option = find(name);
  base::invariant(option != nullptr, "a program asks only for options it declares");
  if (option->default_text.empty()) return std::nullopt;
  return std::string(option->default_text);
}

std::optional<std::int64_t> Options::number(std::string_view name) const {
  auto value = text(name);
  return value ? number_of(*value, find(name)->type) : std::nullopt;
}

std::vector<std::string> Options::all(std::string_view name) const {
  std::vector<std::string> values;
  for (const Found& found : found_)
    if (found.name == name && found.value) values.push_back(*found.value);
  return values;
}

std::vector<std::string_view> Options::in_given_order() const {
  std::vector<std::string_view> names;
  for (const Found& found : found_) names.push_back(found.name);
  return names;
}

std::optional<std::string> Options::missing(std::initializer_list<std::string_view> required) const {
  for (std::string_view name : required)
    if (!given(name)) return fmt::format("Missing required argument \"[{}]\"", name);
  return std::nullopt;
}

std::optional<std::string> Options::excluded(std::string_view name, const std::vector<std::string_view>& others) const {
  if (!given(name)) return std::nullopt;
  for (std::string_view other : others)
    if (given(other)) return fmt::format("Option \"[{}]\" can't be used with option \"[{}]\"", name, other);
  return std::nullopt;
}

namespace {

constexpr std::size_t kColumn = 39;  // two columns and two blanks between them: 80 in all

// Where a line may end: behind a blank, a hyphen, or a dot between letters.
bool may_break_after(std::string_view text, std::size_t i) {
  if (i + 1 == text.size()) return true;
  if (text[i] == ' ' || text[i] == '-') return text[i + 1] != ' ';
  return text[i] == '.' && std::isalpha(static_cast<unsigned char>(text[i + 1]));
}

// One line of text cut to the column; continuations are indented by two. A newline in the text begins a new line.
std::vector<std::string> fold(std::string_view text) {
  std::vector<std::string> lines;
  std::string line;
  std::size_t start = 0;
  auto finish = [&] {
    line.erase(line.find_last_not_of(' ') + 1);
    lines.push_back(line);
  };
  for (std::size_t i = 0; i < text.size(); ++i) {
    bool ends = text[i] == '\n';
    if (!ends && !may_break_after(text, i)) continue;
    std::string_view word = text.substr(start, i + (ends ? 0 : 1) - start);
    if (line.size() + word.size() > kColumn) {
      finish();
      line = "  ";
    }
    line += word;
    start = i + 1;
    if (ends) {
      finish();
      line.clear();
    }
  }
  if (!line.empty()) finish();
  return lines;
}

std::string left_column(const Option& option) {
  std::string out = fmt::format("--{}", option.name);
  if (option.takes == Takes::nothing) return out;
  std::string_view type = option.type == ValueType::text      ? "String"
                          : option.type == ValueType::integer ? "Integer"
                                                              : "Long";
  std::string inside = option.argument.empty() ? std::string(type) : fmt::format("{}: {}", type, option.argument);
  return out + (option.takes == Takes::value ? fmt::format(" <{}>", inside) : fmt::format(" [{}]", inside));
}

}  // namespace

std::string Options::table() const {
  std::string out;
  auto row = [&](std::string_view left, std::string_view right) {
    out += fmt::format("{:<39}  {:<39}\n", left, right);
  };
  row("Option", "Description");
  row("------", "-----------");
  for (const Option& option : table_) {
    std::string description(option.description);
    if (!option.default_text.empty()) description += fmt::format(" (default: {})", option.default_text);
    auto left = fold(left_column(option));
    auto right = fold(description);
    for (std::size_t i = 0; i < std::max(left.size(), right.size()); ++i)
      row(i < left.size() ? left[i] : "", i < right.size() ? right[i] : "");
  }
  return out;
}

int refuse_usage(const Options& options, std::string_view message) {
  fmt::print(stderr, "{}\n{}", message, options.table());
  return 1;
}

std::optional<int> answer_help_or_version(const Options& options) {
  if (options.empty_command_line() || options.given("help")) return refuse_usage(options, options.purpose());
  if (!options.given("version")) return std::nullopt;
  fmt::print("{}\n", kVersion);
  return 0;
}

}  // namespace tools
