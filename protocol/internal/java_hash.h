// The hash code by which Kafka places keys of the internal topics, and walks its tables. Pure.
#pragma once

#include <cstdint>
#include <string_view>

namespace protocol {

// java.lang.String.hashCode of a text in UTF-8: over its UTF-16 units, wrapping at 32 bits.
std::int32_t java_hash(std::string_view text);

// Which partition of __consumer_offsets a group, and of __transaction_state a transactional id, belongs to.
// Source: Utils.abs of Apache Kafka: the one number without a positive counterpart counts as 0.
std::int32_t internal_partition(std::string_view key, std::int32_t partition_count);

}  // namespace protocol
