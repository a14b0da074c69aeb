// SaslHandshake: choose the sign-in mechanism.
#pragma once

#include <string>
#include <vector>

#include "protocol/wire/field.h"
#include "protocol/wire/types.h"

namespace protocol {

inline constexpr Api kSaslHandshake{.key = 17, .name = "SaslHandshake", .versions = {0, 1}};

struct SaslHandshakeRequest {
  static constexpr Api api = kSaslHandshake;

  std::string mechanism;

  static void describe(auto& m, auto& visit) { visit("mechanism", m.mechanism); }
};

struct SaslHandshakeResponse {
  static constexpr Api api = kSaslHandshake;

  base::ErrorCode error_code = base::ErrorCode::none;
  std::vector<std::string> mechanisms;

  static void describe(auto& m, auto& visit) {
    visit("error_code", m.error_code);
    visit("mechanisms", m.mechanisms);
  }
};

}  // namespace protocol
