// What DescribeConfigs and the two AlterConfigs speak about.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/error.h"
#include "base/ids.h"

namespace broker {

// ConfigResource.Type of Kafka's clients.
inline constexpr std::int8_t kTopicResource = 2;
inline constexpr std::int8_t kBrokerResource = 4;
inline constexpr std::int8_t kLoggerResource = 8;

// One level governs all our log lines, so there is one logger.
inline constexpr std::string_view kRootLogger = "root";

// Whether the resource named by a broker's id is this broker; `expected` is how the refusal names what is.
base::Status check_own_id(base::BrokerId self, std::string_view name, std::string_view expected);

}  // namespace broker
