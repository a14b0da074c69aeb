#include "base/base64.h"

#include <absl/strings/escaping.h>

namespace base {

std::string base64_url_encode(std::string_view bytes) {
  std::string out = absl::WebSafeBase64Escape({bytes.data(), bytes.size()});
  return out.substr(0, out.find('='));
}

std::optional<std::string> base64_url_decode(std::string_view text) {
  std::string out;
  if (!absl::WebSafeBase64Unescape({text.data(), text.size()}, &out)) return std::nullopt;
  return out;
}

}  // namespace base
