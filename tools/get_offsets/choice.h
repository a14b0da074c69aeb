// Which partitions, and which of their offsets, kafka-get-offsets.sh is asked for. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/ids.h"
#include "tools/client/failure.h"
#include "tools/client/topic_filter.h"

namespace tools {

// A union of rules "these topics, these partitions of them".
class PartitionChoice {
 public:
  // --topic and --partitions: an expression (nothing: all) and "0,1,2" (nothing: all).
  static std::variant<PartitionChoice, Failure> from_options(const std::optional<std::string>& topics,
                                                             const std::optional<std::string>& partitions);
  // --topic-partitions: rules separated by commas, each "expression", "expression:3", ":0-3" (up to 2), ":5-", ":-3".
  static std::variant<PartitionChoice, Failure> from_rules(std::string_view rules);

  bool has(const base::TopicPartition& partition) const;

 private:
  struct Rule {
    TopicFilter topics;
    std::optional<std::set<base::PartitionIndex>> only;
    std::int64_t from = 0;   // inclusive
    std::int64_t until = 0;  // exclusive
  };
  static std::variant<Rule, Failure> parse_rule(std::string_view text);

  std::vector<Rule> rules_;
};

// "latest", "-1", "1700000000000", ... as ListOffsets wants it.
std::variant<std::int64_t, Failure> parse_time(std::string_view text);

}  // namespace tools
