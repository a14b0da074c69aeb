// URL-safe base64 without padding (RFC 4648, section 5), as Kafka writes cluster ids and topic ids.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace base {

std::string base64_url_encode(std::string_view bytes);
std::optional<std::string> base64_url_decode(std::string_view text);

}  // namespace base
