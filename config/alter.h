// What (Incremental)AlterConfigs makes of stored overrides: changed as asked, and checked. The words and codes are
// those of Kafka 2.7.1, except where that release fails by accident. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "config/dynamic.h"
#include "config/value.h"

namespace config {

struct Alteration {
  enum : std::int8_t { set = 0, remove = 1, append = 2, subtract = 3 };  // as they travel

  std::string name;
  std::int8_t operation = set;
  std::optional<std::string> value{};  // of no use to `remove`
};

// What can be said without knowing the overrides: no key twice, no operation without its value.
base::Status check_alterations(const std::vector<Alteration>& alterations);

// IncrementalAlterConfigs: what becomes of the resource's overrides. Appending to a list that is not set appends to its
// default. `name` of a broker is its id, or empty for the defaults of all.
base::Result<Texts> alter_topic(const BrokerSettings& broker, std::string_view name, Texts overrides,
                                const std::vector<Alteration>& alterations);
base::Result<Texts> alter_broker(std::string_view name, Texts overrides, const std::vector<Alteration>& alterations);

}  // namespace config
