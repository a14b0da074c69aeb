// DescribeConfigs: settings of topics, brokers and loggers.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "protocol/wire/field.h"
#include "protocol/wire/types.h"

namespace protocol {

inline constexpr Api kDescribeConfigs{.key = 32, .name = "DescribeConfigs", .versions = {0, 4}, .flexible_since = 4};

struct DescribeConfigsRequest {
  static constexpr Api api = kDescribeConfigs;

  struct Resource {
    std::int8_t resource_type = 0;
    std::string resource_name;
    std::optional<std::vector<std::string>> configuration_keys;

    static void describe(auto& m, auto& visit) {
      visit("resource_type", m.resource_type);
      visit("resource_name", m.resource_name);
      visit("configuration_keys", m.configuration_keys);
    }
  };

  std::vector<Resource> resources;
  bool include_synonyms = false;
  bool include_documentation = false;

  static void describe(auto& m, auto& visit) {
    visit("resources", m.resources);
    visit("include_synonyms", m.include_synonyms, since(1));
    visit("include_documentation", m.include_documentation, since(3));
  }
};

struct DescribeConfigsResponse {
  static constexpr Api api = kDescribeConfigs;

  struct Result {
    struct Config {
      struct Synonym {
        std::string name;
        std::optional<std::string> value;
        std::int8_t source = 0;

        static void describe(auto& m, auto& visit) {
          visit("name", m.name);
          visit("value", m.value);
          visit("source", m.source);
        }
      };

      std::string name;
      std::optional<std::string> value;
      bool read_only = false;
      std::int8_t config_source = -1;
      bool is_default = false;
      bool is_sensitive = false;
      std::vector<Synonym> synonyms;
      std::int8_t config_type = 0;
      std::optional<std::string> documentation;

      static void describe(auto& m, auto& visit) {
        visit("name", m.name);
        visit("value", m.value);
        visit("read_only", m.read_only);
        visit("config_source", m.config_source, since(1));
        visit("is_default", m.is_default, until(0));
        visit("is_sensitive", m.is_sensitive);
        visit("synonyms", m.synonyms, since(1));
        visit("config_type", m.config_type, since(3));
        visit("documentation", m.documentation, since(3));
      }
    };

    base::ErrorCode error_code = base::ErrorCode::none;
    std::optional<std::string> error_message;
    std::int8_t resource_type = 0;
    std::string resource_name;
    std::vector<Config> configs;

    static void describe(auto& m, auto& visit) {
      visit("error_code", m.error_code);
      visit("error_message", m.error_message);
      visit("resource_type", m.resource_type);
      visit("resource_name", m.resource_name);
      visit("configs", m.configs);
    }
  };

  std::int32_t throttle_time_ms = 0;
  std::vector<Result> results;

  static void describe(auto& m, auto& visit) {
    visit("throttle_time_ms", m.throttle_time_ms);
    visit("results", m.results);
  }
};

}  // namespace protocol
