// UpdateFeatures: finalized feature levels.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "protocol/wire/field.h"
#include "protocol/wire/types.h"

namespace protocol {

inline constexpr Api kUpdateFeatures{.key = 57, .name = "UpdateFeatures", .versions = {0, 1}, .flexible_since = 0};

struct UpdateFeaturesRequest {
  static constexpr Api api = kUpdateFeatures;

  struct FeatureUpdate {
    std::string feature;
    std::int16_t max_version_level = 0;
    std::int8_t upgrade_type = 1;
    bool allow_downgrade = false;

    static void describe(auto& m, auto& visit) {
      visit("feature", m.feature);
      visit("max_version_level", m.max_version_level);
      visit("upgrade_type", m.upgrade_type, since(1));
      visit("allow_downgrade", m.allow_downgrade, until(0));
    }
  };

  std::int32_t timeout_ms = 60000;
  std::vector<FeatureUpdate> feature_updates;
  bool validate_only = false;

  static void describe(auto& m, auto& visit) {
    visit("timeout_ms", m.timeout_ms);
    visit("feature_updates", m.feature_updates);
    visit("validate_only", m.validate_only, since(1));
  }
};

struct UpdateFeaturesResponse {
  static constexpr Api api = kUpdateFeatures;

  struct Result {
    std::string feature;
    base::ErrorCode error_code = base::ErrorCode::none;
    std::optional<std::string> error_message;

    static void describe(auto& m, auto& visit) {
      visit("feature", m.feature);
      visit("error_code", m.error_code);
      visit("error_message", m.error_message);
    }
  };

  std::int32_t throttle_time_ms = 0;
  base::ErrorCode error_code = base::ErrorCode::none;
  std::optional<std::string> error_message;
  std::vector<Result> results;

  static void describe(auto& m, auto& visit) {
    visit("throttle_time_ms", m.throttle_time_ms);
    visit("error_code", m.error_code);
    visit("error_message", m.error_message);
    visit("results", m.results);
  }
};

}  // namespace protocol
