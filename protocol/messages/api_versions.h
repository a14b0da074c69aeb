// ApiVersions: what this broker speaks. The answer's header is never flexible.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "protocol/wire/field.h"
#include "protocol/wire/types.h"

namespace protocol {

inline constexpr Api kApiVersions{.key = 18, .name = "ApiVersions", .versions = {0, 4}, .flexible_since = 3};

struct ApiVersionsRequest {
  static constexpr Api api = kApiVersions;

  std::string client_software_name;
  std::string client_software_version;

  static void describe(auto& m, auto& visit) {
    visit("client_software_name", m.client_software_name, since(3));
    visit("client_software_version", m.client_software_version, since(3));
  }
};

struct ApiVersionsResponse {
  static constexpr Api api = kApiVersions;

  struct ApiKey {
    std::int16_t api_key = 0;
    std::int16_t min_version = 0;
    std::int16_t max_version = 0;

    static void describe(auto& m, auto& visit) {
      visit("api_key", m.api_key);
      visit("min_version", m.min_version);
      visit("max_version", m.max_version);
    }
  };

  struct SupportedFeature {
    std::string name;
    std::int16_t min_version = 0;
    std::int16_t max_version = 0;

    static void describe(auto& m, auto& visit) {
      visit("name", m.name);
      visit("min_version", m.min_version);
      visit("max_version", m.max_version);
    }
  };

  struct FinalizedFeature {
    std::string name;
    std::int16_t max_version_level = 0;
    std::int16_t min_version_level = 0;

    static void describe(auto& m, auto& visit) {
      visit("name", m.name);
      visit("max_version_level", m.max_version_level);
      visit("min_version_level", m.min_version_level);
    }
  };

  base::ErrorCode error_code = base::ErrorCode::none;
  std::vector<ApiKey> api_keys;
  std::int32_t throttle_time_ms = 0;
  std::optional<std::vector<SupportedFeature>> supported_features;
  std::optional<std::int64_t> finalized_features_epoch;
  std::optional<std::vector<FinalizedFeature>> finalized_features;
  std::optional<bool> zk_migration_ready;

  static void describe(auto& m, auto& visit) {
    visit("error_code", m.error_code);
    visit("api_keys", m.api_keys);
    visit("throttle_time_ms", m.throttle_time_ms, since(1));
  }
  static void describe_tags(auto& m, auto& visit) {
    visit(0, "supported_features", m.supported_features, since(3));
    visit(1, "finalized_features_epoch", m.finalized_features_epoch, since(3));
    visit(2, "finalized_features", m.finalized_features, since(3));
    visit(3, "zk_migration_ready", m.zk_migration_ready, since(3));
  }
};

}  // namespace protocol
