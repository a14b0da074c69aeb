// What DescribeConfigs and CreateTopics show of settings: the value, where it comes from, what it would be otherwise.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/dynamic.h"
#include "config/value.h"

namespace config {

// Numbers as they travel.
enum class Source : std::int8_t {
  unknown = 0,
  topic = 1,
  dynamic_broker = 2,
  dynamic_default_broker = 3,
  static_broker = 4,
  default_value = 5,
};

struct Synonym {
  std::string name;
  std::optional<std::string> value;
  Source source = Source::unknown;
};

struct DescribedSetting {
  std::string name;
  std::optional<std::string> value{};  // nothing for null, and for what must not be shown
  bool read_only = false;
  Source source = Source::default_value;
  bool sensitive = false;
  std::vector<Synonym> synonyms{};  // best first, the value in force included
  Type type = Type::unknown;
  std::string_view documentation{};

  bool is_default() const { return source == Source::default_value; }
};

// Sorted by name. Stored keys that no release knows appear as sensitive, without a value.
std::vector<DescribedSetting> describe_topic(const Snapshot& settings, const Texts& overrides);
std::vector<DescribedSetting> describe_broker(const Snapshot& settings);
// The broker named "": what is set for all brokers, and nothing else.
std::vector<DescribedSetting> describe_cluster_defaults(const Snapshot& settings);

}  // namespace config
