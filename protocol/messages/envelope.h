// Envelope: a request forwarded to the controller in its client's name.
#pragma once

#include <optional>

#include "protocol/wire/field.h"
#include "protocol/wire/types.h"

namespace protocol {

inline constexpr Api kEnvelope{.key = 58, .name = "Envelope", .versions = {0, 0}, .flexible_since = 0};

struct EnvelopeRequest {
  static constexpr Api api = kEnvelope;

  Bytes request_data;
  std::optional<Bytes> request_principal;
  Bytes client_host_address;

  static void describe(auto& m, auto& visit) {
    visit("request_data", m.request_data);
    visit("request_principal", m.request_principal);
    visit("client_host_address", m.client_host_address);
  }
};

struct EnvelopeResponse {
  static constexpr Api api = kEnvelope;

  std::optional<Bytes> response_data;
  base::ErrorCode error_code = base::ErrorCode::none;

  static void describe(auto& m, auto& visit) {
    visit("response_data", m.response_data);
    visit("error_code", m.error_code);
  }
};

}  // namespace protocol
