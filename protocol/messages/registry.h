// One row per API: key, name, versions, flexibility, and entry points that need no knowledge of the type (for tools
// that show captured frames, and for tests).
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "base/error.h"
#include "protocol/wire/field.h"

namespace protocol {

struct ApiRow {
  Api api;
  std::string (*request_schema)(std::int16_t version);
  std::string (*response_schema)(std::int16_t version);
  base::Result<std::string> (*print_request)(std::span<const std::byte> body, std::int16_t version);
  base::Result<std::string> (*print_response)(std::span<const std::byte> body, std::int16_t version);
};

// Rising by key.
std::span<const ApiRow> all_apis();
// nullptr when no release that we know defines it.
const Api* find_api(std::int16_t key);

}  // namespace protocol
