#include "tools/consumer_groups/reset_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <limits>

namespace tools {
namespace {

template <class Number>
std::optional<Number> number_of(std::string_view text) {
  if (text.starts_with('+')) text.remove_prefix(1);
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// The cells of one line; quotes are doubled inside quotes. Nothing when a quote is left open.
std::optional<std::vector<std::string>> cells_of(std::string_view line) {
  std::vector<std::string> cells(1);
  bool quoted = false;
  for (std::size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (quoted && c == '"' && i + 1 < line.size() && line[i + 1] == '"')
      cells.back() += line[++i];
    else if (c == '"' && (quoted || cells.back().empty()))
      quoted = !quoted;
    else if (c == ',' && !quoted)
      cells.emplace_back();
    else
      cells.back() += c;
  }
  if (quoted) return std::nullopt;
  return cells;
}

struct Row {
  std::string group;
  base::TopicPartition partition;
  base::Offset offset;
};

std::optional<Row> row_of(std::string_view line, const std::optional<std::string>& group) {
  auto cells = cells_of(line);
  const std::size_t first = group ? 0 : 1;
  if (!cells || cells->size() != first + 3) return std::nullopt;
  const auto partition = number_of<base::PartitionIndex>((*cells)[first + 1]);
  const auto offset = number_of<std::int64_t>((*cells)[first + 2]);
  if (!partition || !offset || (*cells)[first].empty()) return std::nullopt;
  return Row{group ? *group : (*cells)[0], {(*cells)[first], *partition}, base::Offset{*offset}};
}

// Quoted as by Jackson, which writes Kafka's files: wherever a character stands before the hyphen in ASCII, the comma
// and the quote among them, and every text that is long.
std::string cell(const std::string& text) {
  const auto plain = [](char c) { return static_cast<unsigned char>(c) > ','; };
  if (text.size() <= 24 && std::all_of(text.begin(), text.end(), plain)) return text;
  std::string out = "\"";
  for (const char c : text) out += c == '"' ? std::string("\"\"") : std::string(1, c);
  return out + '"';
}

}  // namespace

std::variant<TopicChoice, Failure> parse_topic_choice(std::string_view text) {
  const auto colon = text.find(':');
  if (colon == std::string_view::npos) return TopicChoice{std::string(text), std::nullopt};
  TopicChoice choice{std::string(text.substr(0, colon)), std::vector<base::PartitionIndex>()};
  std::string_view list = text.substr(colon + 1);
  list = list.substr(0, list.find(':'));
  while (true) {
    const auto word = list.substr(0, list.find(','));
    const auto number = number_of<base::PartitionIndex>(word);
    if (!number) return Failure{"java.lang.NumberFormatException", fmt::format("For input string: \"{}\"", word), ""};
    choice.partitions->push_back(*number);
    if (word.size() == list.size()) return choice;
    list.remove_prefix(word.size() + 1);
  }
}

base::Offset shifted(base::Offset from, std::int64_t by) {
  std::int64_t sum = 0;
  if (__builtin_add_overflow(from.raw, by, &sum))
    return base::Offset{by < 0 ? std::numeric_limits<std::int64_t>::min() : std::numeric_limits<std::int64_t>::max()};
  return base::Offset{sum};
}

Clamped clamp(const base::TopicPartition& partition, base::Offset wanted, LogRange range) {
  if (wanted > range.end)
    return {range.end, fmt::format("New offset ({}) is higher than latest offset for topic partition {}. Value will be "
                                   "set to {}",
                                   wanted, partition, range.end)};
  if (wanted < range.start)
    return {range.start, fmt::format("New offset ({}) is lower than earliest offset for topic partition {}. Value will "
                                     "be set to {}",
                                     wanted, partition, range.start)};
  return {wanted, ""};
}

std::variant<ResetPlan, Failure> parse_plan(std::string_view csv, const std::optional<std::string>& only_group) {
  ResetPlan plan;
  std::optional<std::string> group = only_group;
  bool first = true;
  int number = 0;
  while (!csv.empty()) {
    auto line = csv.substr(0, csv.find('\n'));
    csv.remove_prefix(std::min(csv.size(), line.size() + 1));
    ++number;
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty()) continue;
    if (std::exchange(first, false) && group && !row_of(line, group)) group.reset();
    auto row = row_of(line, group);
    if (!row)
      return Failure{
          "com.fasterxml.jackson.databind.exc.MismatchedInputException",
          fmt::format("line {} is not \"{}topic,partition,offset\": {}", number, group ? "" : "group,", line), ""};
    plan[row->group][row->partition] = row->offset;
  }
  return plan;
}

std::string export_plan(const ResetPlan& plan, bool with_groups) {
  std::string out;
  for (const auto& [group, offsets] : plan)
    for (const auto& [partition, offset] : offsets)
      out += fmt::format("{}{},{},{}\n", with_groups ? cell(group) + ',' : "", cell(partition.topic),
                         partition.partition, offset);
  return out;
}

}  // namespace tools
