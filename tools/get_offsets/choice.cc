#include "tools/get_offsets/choice.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <limits>

#include "tools/client/partition_offsets.h"

namespace tools {
namespace {

using base::PartitionIndex;

// Failures of this program are shown by their message alone.
Failure terse(std::string message) { return {"org.apache.kafka.tools.TerseException", std::move(message), ""}; }

template <class Number>
std::optional<Number> number_of(std::string_view text) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

constexpr std::int64_t kNoLimit = std::numeric_limits<std::int64_t>::max();

}  // namespace

std::variant<PartitionChoice, Failure> PartitionChoice::from_options(const std::optional<std::string>& topics,
                                                                     const std::optional<std::string>& partitions) {
  auto filter = TopicFilter::from_list(topics.value_or(".*"));
  if (!filter) return terse(fmt::format("{} is an invalid regex.", *topics));
  Rule rule{std::move(*filter), std::nullopt, 0, kNoLimit};
  if (partitions && !partitions->empty()) {
    rule.only.emplace();
    std::string_view rest = *partitions;
    while (!rest.empty()) {
      const auto word = rest.substr(0, rest.find(','));
      const auto number = number_of<PartitionIndex>(word);
      if (!number)
        return terse(fmt::format(
            "--partitions expects a comma separated list of numeric partition ids, but received: {}", *partitions));
      rule.only->insert(*number);
      rest.remove_prefix(std::min(rest.size(), word.size() + 1));
    }
  }
  PartitionChoice choice;
  choice.rules_.push_back(std::move(rule));
  return choice;
}

std::variant<PartitionChoice::Rule, Failure> PartitionChoice::parse_rule(std::string_view text) {
  const auto refused = [&] { return terse(fmt::format("Invalid rule specification: {}", text)); };
  const auto colon = text.find(':');
  const auto expression = text.substr(0, colon);
  auto filter = TopicFilter::from_list(expression.empty() ? ".*" : expression);
  if (!filter) return terse(fmt::format("{} is an invalid regex.", expression));
  Rule rule{std::move(*filter), std::nullopt, 0, kNoLimit};
  if (colon == std::string_view::npos) return rule;
  const auto range = text.substr(colon + 1);
  if (range.find_first_not_of("0123456789-") != std::string_view::npos) return refused();
  const auto dash = range.find('-');
  if (dash == std::string_view::npos) {
    if (range.empty()) return rule;
    const auto number = number_of<PartitionIndex>(range);
    if (!number) return refused();
    rule.only = {*number};
    return rule;
  }
  const auto low = range.substr(0, dash), high = range.substr(dash + 1);
  const auto from = low.empty() ? std::optional<PartitionIndex>(0) : number_of<PartitionIndex>(low);
  const auto until = number_of<PartitionIndex>(high);
  if (!from || (!until && !high.empty()) || high.find('-') != std::string_view::npos) return refused();
  rule.from = *from;
  if (until) rule.until = *until;
  return rule;
}

std::variant<PartitionChoice, Failure> PartitionChoice::from_rules(std::string_view rules) {
  PartitionChoice choice;
  while (true) {
    const auto text = rules.substr(0, rules.find(','));
    auto rule = parse_rule(text);
    if (auto* failure = std::get_if<Failure>(&rule)) return *failure;
    choice.rules_.push_back(std::move(std::get<Rule>(rule)));
    if (text.size() == rules.size()) return choice;
    rules.remove_prefix(text.size() + 1);
  }
}

bool PartitionChoice::has(const base::TopicPartition& partition) const {
  return std::any_of(rules_.begin(), rules_.end(), [&](const Rule& rule) {
    const bool wanted = rule.only ? rule.only->contains(partition.partition)
                                  : partition.partition >= rule.from && partition.partition < rule.until;
    return wanted && rule.topics.matches(partition.topic);
  });
}

std::variant<std::int64_t, Failure> parse_time(std::string_view text) {
  constexpr std::pair<std::string_view, std::int64_t> kWords[] = {{"latest", kLatestOffset},
                                                                  {"earliest", kEarliestOffset},
                                                                  {"max-timestamp", kMaxTimestampOffset},
                                                                  {"earliest-local", kEarliestLocalOffset},
                                                                  {"latest-tiered", kLatestTieredOffset}};
  for (const auto& [word, timestamp] : kWords)
    if (text == word) return timestamp;
  if (const auto number = number_of<std::int64_t>(text.starts_with('+') ? text.substr(1) : text)) return *number;
  return terse(
      fmt::format("Malformed time argument {}. Please use -1 or latest / -2 or earliest / -3 or max-timestamp / -4 or "
                  "earliest-local / -5 or latest-tiered, or a specified long format timestamp",
                  text));
}

}  // namespace tools
