// ListClientMetricsResources: KRaft only. Known so that captures can be shown; not served.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "protocol/wire/field.h"
#include "protocol/wire/types.h"

namespace protocol {

inline constexpr Api kListClientMetricsResources{
    .key = 74, .name = "ListClientMetricsResources", .versions = {0, 0}, .flexible_since = 0};

struct ListClientMetricsResourcesRequest {
  static constexpr Api api = kListClientMetricsResources;

  static void describe(auto&, auto&) {}
};

struct ListClientMetricsResourcesResponse {
  static constexpr Api api = kListClientMetricsResources;

  struct ClientMetricsResource {
    std::string name;

    static void describe(auto& m, auto& visit) { visit("name", m.name); }
  };

  std::int32_t throttle_time_ms = 0;
  base::ErrorCode error_code = base::ErrorCode::none;
  std::vector<ClientMetricsResource> client_metrics_resources;

  static void describe(auto& m, auto& visit) {
    visit("throttle_time_ms", m.throttle_time_ms);
    visit("error_code", m.error_code);
    visit("client_metrics_resources", m.client_metrics_resources);
  }
};

}  // namespace protocol
