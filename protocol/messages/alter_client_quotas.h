// AlterClientQuotas: set and remove quotas.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "protocol/wire/field.h"
#include "protocol/wire/types.h"

namespace protocol {

inline constexpr Api kAlterClientQuotas{
    .key = 49, .name = "AlterClientQuotas", .versions = {0, 1}, .flexible_since = 1};

struct AlterClientQuotasRequest {
  static constexpr Api api = kAlterClientQuotas;

  struct Entry {
    struct Entity {
      std::string entity_type;
      std::optional<std::string> entity_name;

      static void describe(auto& m, auto& visit) {
        visit("entity_type", m.entity_type);
        visit("entity_name", m.entity_name);
      }
    };

    struct Op {
      std::string key;
      double value = 0;
      bool remove = false;

      static void describe(auto& m, auto& visit) {
        visit("key", m.key);
        visit("value", m.value);
        visit("remove", m.remove);
      }
    };

    std::vector<Entity> entity;
    std::vector<Op> ops;

    static void describe(auto& m, auto& visit) {
      visit("entity", m.entity);
      visit("ops", m.ops);
    }
  };

  std::vector<Entry> entries;
  bool validate_only = false;

  static void describe(auto& m, auto& visit) {
    visit("entries", m.entries);
    visit("validate_only", m.validate_only);
  }
};

struct AlterClientQuotasResponse {
  static constexpr Api api = kAlterClientQuotas;

  struct Entry {
    struct Entity {
      std::string entity_type;
      std::optional<std::string> entity_name;

      static void describe(auto& m, auto& visit) {
        visit("entity_type", m.entity_type);
        visit("entity_name", m.entity_name);
      }
    };

    base::ErrorCode error_code = base::ErrorCode::none;
    std::optional<std::string> error_message;
    std::vector<Entity> entity;

    static void describe(auto& m, auto& visit) {
      visit("error_code", m.error_code);
      visit("error_message", m.error_message);
      visit("entity", m.entity);
    }
  };

  std::int32_t throttle_time_ms = 0;
  std::vector<Entry> entries;

  static void describe(auto& m, auto& visit) {
    visit("throttle_time_ms", m.throttle_time_ms);
    visit("entries", m.entries);
  }
};

}  // namespace protocol
