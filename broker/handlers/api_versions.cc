#include "broker/handlers/api_versions.h"

#include <absl/strings/ascii.h>

#include <algorithm>

#include "broker/dispatch/reply.h"
#include "protocol/messages/api_versions.h"

namespace broker {
namespace {

using base::ErrorCode;
using protocol::ApiVersionsRequest;
using protocol::ApiVersionsResponse;

constexpr std::int16_t kSoftwareNameSince = 3;

// KIP-511: letters, digits, '-' and '.'; begins and ends with a letter or digit.
bool is_software_name(std::string_view name) {
  const auto inner = [](char c) { return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '.'; };
  return !name.empty() && std::all_of(name.begin(), name.end(), inner) &&
         absl::ascii_isalnum(static_cast<unsigned char>(name.front())) &&
         absl::ascii_isalnum(static_cast<unsigned char>(name.back()));
}

}  // namespace

void ApiVersionsHandler::operator()(Request& request, AnswerSlot answer) const {
  ApiVersionsResponse out;
  if (!protocol::kApiVersions.versions.contains(request.version())) {
    // The client speaks a later version: told in the oldest one, it asks again with one from the list (KIP-511).
    out.error_code = ErrorCode::unsupported_version;
    const auto& own = protocol::kApiVersions;
    out.api_keys.push_back({own.key, own.versions.min, own.versions.max});
    return answer.fill(protocol::encode_response(request.correlation_id(), 0, out));
  }
  ApiVersionsRequest in;
  if (!read_body(request, answer, in)) return;
  if (request.version() >= kSoftwareNameSince) {
    if (!is_software_name(in.client_software_name) || !is_software_name(in.client_software_version)) {
      out.error_code = ErrorCode::invalid_request;
      return reply(answer, request, out);
    }
    request.session.client_software_name = in.client_software_name;
    request.session.client_software_version = in.client_software_version;
  }
  for (const auto* entry : table_.entries())
    out.api_keys.push_back({entry->api.key, entry->versions.min, entry->versions.max});
  if (const auto epoch = features_.epoch(); epoch >= 0) out.finalized_features_epoch = epoch;
  reply(answer, request, out);
}

}  // namespace broker
