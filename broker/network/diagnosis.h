// What probably went wrong when bytes arrive that are not a Kafka request we serve. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "protocol/wire/field.h"

namespace broker {

// Each cause has its own rate limit in the log.
enum class Cause {
  tls_bytes,
  http_bytes,
  zookeeper_bytes,
  bad_size,
  unknown_api,
  unsupported_version,
  refused_request,
  connection_limit,
};
inline constexpr std::size_t kCauses = 8;

struct Diagnosis {
  Cause cause = Cause::refused_request;
  std::string text;  // likely cause and remedy; the log adds who and where
};

// The first bytes of a connection, at least four of them; nothing when they may be Kafka's.
std::optional<Diagnosis> diagnose_first_bytes(std::span<const std::byte> bytes);

struct FrameSize {
  std::int32_t announced_bytes = 0;
  std::size_t max_bytes = 0;
  bool first_on_connection = false;
};
// `bytes` begin with the size.
std::optional<Diagnosis> diagnose_frame_size(FrameSize size, std::span<const std::byte> bytes);

struct RefusedApi {
  std::int16_t api_key = 0;
  std::int16_t api_version = 0;
  std::string_view known_name;                   // as the protocol calls the key; empty when no release defines it
  std::optional<protocol::VersionRange> served;  // nothing: not served at all
  std::string_view client_id;
};
Diagnosis diagnose_api(const RefusedApi& refused);

}  // namespace broker
