// Frames and headers.
//
//   frame            [ size : i32 ][ payload ]
//   request  v0      [ api key : i16 ][ api version : i16 ][ correlation id : i32 ]       ControlledShutdown v0 only
//            v1      v0 + [ client id : nullable string, never compact ]
//            v2      v1 + [ tags ]                                                         flexible versions
//   response v0      [ correlation id : i32 ]                                              also every ApiVersions
//   answer
//            v1      v0 + [ tags ]                                                         flexible versions
// Source: KIP-482 and RequestHeader.json, ResponseHeader.json of Apache Kafka.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "base/error.h"
#include "protocol/wire/field.h"

namespace protocol {

struct RequestHeader {
  std::int16_t api_key = 0;
  std::int16_t api_version = 0;
  std::int32_t correlation_id = 0;
  std::optional<std::string> client_id;
};

struct ParsedRequest {
  RequestHeader header;
  std::size_t body_at = 0;  // position of the body in the payload
};

// A payload whose first eight bytes are there. An unknown key is not an error here: it is parsed as far as the client
// id. A version above the known ones counts as flexible. `invalid_request` when the header is cut or malformed.
base::Result<ParsedRequest> parse_request(std::span<const std::byte> payload);

struct ParsedResponse {
  std::int32_t correlation_id = 0;
  std::size_t body_at = 0;  // position of the body in the payload
};

// `corrupt_message` when the header is cut or malformed.
base::Result<ParsedResponse> parse_response(std::span<const std::byte> payload, const Api& api, std::int16_t version);

// Header versions by API (ApiVersions and ControlledShutdown are the exceptions).
std::int16_t request_header_version(const Api& api, std::int16_t version);
std::int16_t response_header_version(const Api& api, std::int16_t version);

}  // namespace protocol
