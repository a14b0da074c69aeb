// Topics in which the coordinators keep their state. Clients may read them, not write them.
#pragma once

#include <string_view>

namespace broker {

inline constexpr std::string_view kGroupsTopic = "__consumer_offsets";
inline constexpr std::string_view kTransactionsTopic = "__transaction_state";

constexpr bool is_internal_topic(std::string_view topic) {
  return topic == kGroupsTopic || topic == kTransactionsTopic;
}

}  // namespace broker
