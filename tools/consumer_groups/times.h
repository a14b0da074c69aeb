// Points in time as --by-duration and --to-datetime take them. Pure.
//
// What is accepted, and the words of refusals: java.time.Duration.parse and org.apache.kafka.common.utils.Utils
// .getDateTime, on which Kafka's tool stands.
#pragma once

#include <chrono>
#include <string_view>
#include <variant>

#include "base/ids.h"
#include "tools/client/failure.h"

namespace tools {

// ISO 8601: "P3DT4H5M6.789S", "PT36H", "-PT1M", in any case. Parts of a millisecond are dropped.
std::variant<std::chrono::milliseconds, Failure> parse_duration(std::string_view text);

// "2026-11-22T13:00:00.000", with "Z", "+02", "+0200" or "+02:00" behind it, or nothing for UTC. Milliseconds are
// mandatory; dates that do not exist are refused.
std::variant<base::Timestamp, Failure> parse_date_time(std::string_view text);

}  // namespace tools
