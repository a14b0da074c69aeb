// Releases as inter.broker.protocol.version and message.format.version name them: "2.7", "2.7-IV2", "2.7.1".
#pragma once

#include <compare>
#include <optional>
#include <string_view>

namespace config {

// One step of the inter-broker protocol; later steps compare greater.
struct ProtocolVersion {
  int rank = 0;
  auto operator<=>(const ProtocolVersion&) const = default;

  std::string_view tag() const;  // "2.7-IV2", "0.9.0"
  // The record batch version that release writes: 0, 1 or 2.
  int record_version() const;
};

// Only the first two segments count (three when it starts with "0."), and a release without a step means its last one,
// so 2.7, 2.7.1 and 2.7-IV2 are the same. Nothing for what no release defines.
std::optional<ProtocolVersion> find_protocol_version(std::string_view text);

// The first release whose brokers can exchange batches of that record version: "0.11.0" for 2.
std::string_view first_release_with_record_version(int record_version);

}  // namespace config
