#include "base/uuid.h"

#include <algorithm>

#include "base/base64.h"
#include "base/random.h"

namespace base {

std::string Uuid::text() const {
  return base64_url_encode({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

std::optional<Uuid> Uuid::from_text(std::string_view text) {
  auto raw = base64_url_decode(text);
  if (!raw || raw->size() != 16) return std::nullopt;
  Uuid id;
  std::copy(raw->begin(), raw->end(), id.bytes.begin());
  return id;
}

Uuid Uuid::generate(Random& random) {
  for (;;) {
    Uuid id;
    random.fill({reinterpret_cast<std::byte*>(id.bytes.data()), id.bytes.size()});
    id.bytes[6] = static_cast<std::uint8_t>((id.bytes[6] & 0x0f) | 0x40);
    id.bytes[8] = static_cast<std::uint8_t>((id.bytes[8] & 0x3f) | 0x80);
    if (id.text().front() != '-') return id;
  }
}

}  // namespace base
