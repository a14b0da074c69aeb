#include "broker/handlers/config_resources.h"

#include <absl/strings/numbers.h>

namespace broker {

base::Status check_own_id(base::BrokerId self, std::string_view name, std::string_view expected) {
  std::int32_t id = 0;
  if (!absl::SimpleAtoi(absl::string_view(name.data(), name.size()), &id))
    return base::fail(base::ErrorCode::invalid_request, "Broker id must be an integer, but it is: {}", name);
  if (id != self.raw)
    return base::fail(base::ErrorCode::invalid_request, "Unexpected broker id, expected {} but received {}", expected,
                      name);
  return {};
}

}  // namespace broker
