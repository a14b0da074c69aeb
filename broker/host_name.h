// This machine's name as others can resolve it, advertised for listeners that name no address. Asks the resolver.
#pragma once

#include <string>

namespace broker {

std::string canonical_host_name();

}  // namespace broker
