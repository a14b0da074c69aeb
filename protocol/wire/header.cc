#include "protocol/wire/header.h"

#include "protocol/messages/registry.h"
#include "protocol/wire/reader.h"

namespace protocol {
namespace {
constexpr std::int16_t kControlledShutdown = 7;
constexpr std::int16_t kApiVersions = 18;
}  // namespace

std::int16_t request_header_version(const Api& api, std::int16_t version) {
  if (api.key == kControlledShutdown && version == 0) return 0;
  return version >= api.flexible_since ? 2 : 1;
}

std::int16_t response_header_version(const Api& api, std::int16_t version) {
  // A client that does not yet know what we speak must be able to read the answer to its first question (KIP-511).
  if (api.key == kApiVersions) return 0;
  return version >= api.flexible_since ? 1 : 0;
}

base::Result<ParsedRequest> parse_request(std::span<const std::byte> payload) {
  Reader reader(payload, Version{});
  ParsedRequest out;
  auto& header = out.header;
  reader("api_key", header.api_key);
  reader("api_version", header.api_version);
  reader("correlation_id", header.correlation_id);
  const Api* api = find_api(header.api_key);
  const auto header_version = api ? request_header_version(*api, header.api_version) : std::int16_t{1};
  if (header_version >= 1) reader("client_id", header.client_id);
  if (header_version >= 2) reader.skip_tags();
  if (!reader.ok())
    return base::fail(base::ErrorCode::invalid_request, "request header of api key {} v{}: cannot read {}",
                      header.api_key, header.api_version, reader.failed_at().empty() ? "tags" : reader.failed_at());
  out.body_at = payload.size() - reader.rest().size();
  return out;
}

base::Result<ParsedResponse> parse_response(std::span<const std::byte> payload, const Api& api, std::int16_t version) {
  Reader reader(payload, Version{});
  ParsedResponse out;
  reader("correlation_id", out.correlation_id);
  if (response_header_version(api, version) >= 1) reader.skip_tags();
  if (!reader.ok())
    return base::fail(base::ErrorCode::corrupt_message, "the header of an answer to {} v{} is cut or malformed",
                      api.name, version);
  out.body_at = payload.size() - reader.rest().size();
  return out;
}

}  // namespace protocol
