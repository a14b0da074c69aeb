// DescribeClientQuotas: quotas that match a filter.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "protocol/wire/field.h"
#include "protocol/wire/types.h"

namespace protocol {

inline constexpr Api kDescribeClientQuotas{
    .key = 48, .name = "DescribeClientQuotas", .versions = {0, 1}, .flexible_since = 1};

struct DescribeClientQuotasRequest {
  static constexpr Api api = kDescribeClientQuotas;

  struct Component {
    std::string entity_type;
    std::int8_t match_type = 0;
    std::optional<std::string> match;

    static void describe(auto& m, auto& visit) {
      visit("entity_type", m.entity_type);
      visit("match_type", m.match_type);
      visit("match", m.match);
    }
  };

  std::vector<Component> components;
  bool strict = false;

  static void describe(auto& m, auto& visit) {
    visit("components", m.components);
    visit("strict", m.strict);
  }
};

struct DescribeClientQuotasResponse {
  static constexpr Api api = kDescribeClientQuotas;

  struct Entry {
    struct Entity {
      std::string entity_type;
      std::optional<std::string> entity_name;

      static void describe(auto& m, auto& visit) {
        visit("entity_type", m.entity_type);
        visit("entity_name", m.entity_name);
      }
    };

    struct Value {
      std::string key;
      double value = 0;

      static void describe(auto& m, auto& visit) {
        visit("key", m.key);
        visit("value", m.value);
      }
    };

    std::vector<Entity> entity;
    std::vector<Value> values;

    static void describe(auto& m, auto& visit) {
      visit("entity", m.entity);
      visit("values", m.values);
    }
  };

  std::int32_t throttle_time_ms = 0;
  base::ErrorCode error_code = base::ErrorCode::none;
  std::optional<std::string> error_message;
  std::optional<std::vector<Entry>> entries;

  static void describe(auto& m, auto& visit) {
    visit("throttle_time_ms", m.throttle_time_ms);
    visit("error_code", m.error_code);
    visit("error_message", m.error_message);
    visit("entries", m.entries);
  }
};

}  // namespace protocol
