#include "config/setting.h"

#include <absl/strings/ascii.h>
#include <fmt/format.h>

#include <algorithm>
#include <type_traits>

#include "config/protocol_version.h"

namespace config {
namespace {

double as_number(const Value& value) {
  return std::visit(
      [](const auto& x) -> double {
        if constexpr (std::is_arithmetic_v<std::decay_t<decltype(x)>>)
          return static_cast<double>(x);
        else
          return 0;
      },
      value);
}

std::string plain(double bound) {
  return bound == static_cast<double>(static_cast<std::int64_t>(bound))
             ? fmt::format("{}", static_cast<std::int64_t>(bound))
             : text_of(bound);
}

bool is_word(std::string_view words, std::string_view word) {
  const auto choices = split_list(words);
  return std::find(choices.begin(), choices.end(), word) != choices.end();
}

bool is_replica_pair(std::string_view item) {
  const auto colon = item.find(':');
  const auto number = [](std::string_view text) {
    return !text.empty() && std::all_of(text.begin(), text.end(), absl::ascii_isdigit);
  };
  return item.empty() ||
         (colon != std::string_view::npos && number(item.substr(0, colon)) && number(item.substr(colon + 1)));
}

base::Status check_range(const Setting& setting, const Value& value) {
  const auto& [kind, low, high, words] = setting.bounds;
  const auto number = as_number(value);
  const auto shown = *text_of(value);
  if (kind == Bounds::Kind::level) {
    if (number == -1) return {};
    if (high && (number < *low || number > *high))
      return value_error(setting.name, shown,
                         fmt::format("Value must be between {} and {} or equal to -1", plain(*low), plain(*high)));
    if (number < *low)
      return value_error(setting.name, shown, fmt::format("Value must be -1 or at least {}", plain(*low)));
    return {};
  }
  // Written so that NaN passes neither comparison, and is refused.
  if (low && !(number >= *low))
    return value_error(setting.name, shown, fmt::format("Value must be at least {}", plain(*low)));
  if (high && !(number <= *high))
    return value_error(setting.name, shown, fmt::format("Value must be no more than {}", plain(*high)));
  return {};
}

base::Status check_list(const Setting& setting, const std::vector<std::string>& items) {
  if (setting.bounds.kind == Bounds::Kind::each_of) {
    for (const auto& item : items)
      if (!is_word(setting.bounds.words, item))
        return value_error(setting.name, item, fmt::format("String must be one of: {}", setting.bounds.words));
    return {};
  }
  const bool everything = !items.empty() && items.front() == "*";
  if (setting.bounds.kind == Bounds::Kind::throttled_replicas && !everything &&
      !std::all_of(items.begin(), items.end(), is_replica_pair))
    return value_error(setting.name, fmt::format("[{}]", join(items, ", ")),
                       fmt::format("{} must be the literal '*' or a list of replicas in the following format: "
                                   "[partitionId]:[brokerId],[partitionId]:[brokerId],...",
                                   setting.name));
  return {};
}

base::Status check_text(const Setting& setting, const std::string& text) {
  switch (setting.bounds.kind) {
    case Bounds::Kind::one_of:
      if (is_word(setting.bounds.words, text)) return {};
      return value_error(setting.name, text, fmt::format("String must be one of: {}", setting.bounds.words));
    case Bounds::Kind::one_of_any_case:
      if (is_word(setting.bounds.words, upper_case(text))) return {};
      return value_error(setting.name, text,
                         fmt::format("String must be one of (case insensitive): {}", setting.bounds.words));
    case Bounds::Kind::non_empty:
      if (!text.empty()) return {};
      return value_error(setting.name, text, "String must be non-empty");
    case Bounds::Kind::protocol_version:
      if (find_protocol_version(text)) return {};
      return value_error(setting.name, text, fmt::format("Version `{}` is not a valid version", text));
    default:
      return {};
  }
}

}  // namespace

base::Result<Value> parse(const Setting& setting, std::string_view text) {
  auto value = parse_value(setting.type, text);
  if (!value) return value_error(setting.name, setting.sensitive() ? "[hidden]" : text, value.error().detail);
  base::Status checked;
  if (const auto* items = std::get_if<std::vector<std::string>>(&*value))
    checked = check_list(setting, *items);
  else if (const auto* word = std::get_if<std::string>(&*value))
    checked = check_text(setting, *word);
  else if (setting.bounds.kind != Bounds::Kind::anything)
    checked = check_range(setting, *value);
  if (!checked) return checked.error();
  return value;
}

std::string allowed(const Setting& setting) {
  const auto& [kind, low, high, words] = setting.bounds;
  switch (kind) {
    case Bounds::Kind::one_of:
    case Bounds::Kind::one_of_any_case:
      return fmt::format("one of {}", words);
    case Bounds::Kind::each_of:
      return fmt::format("a list of {}", words);
    case Bounds::Kind::non_empty:
      return "a text that is not empty";
    case Bounds::Kind::protocol_version:
      return "a Kafka release such as 2.7 or 2.7-IV2";
    case Bounds::Kind::throttled_replicas:
      return "* or a list of <partition>:<broker>";
    case Bounds::Kind::anything:
    case Bounds::Kind::range:
    case Bounds::Kind::level:
      break;
  }
  std::string text;
  switch (setting.type) {
    case Type::boolean:
      return "true or false";
    case Type::integer:
    case Type::short_integer:
    case Type::long_integer:
      text = "a whole number";
      break;
    case Type::real:
      text = "a number";
      break;
    case Type::list:
      return "a list separated by commas";
    default:
      return "a text";
  }
  if (low && high)
    text += fmt::format(" from {} to {}", plain(*low), plain(*high));
  else if (low)
    text += fmt::format(" of at least {}", plain(*low));
  if (kind == Bounds::Kind::level) text += ", or -1";
  return text;
}

}  // namespace config
