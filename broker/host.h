// What the machine can tell of itself and of this process. Asks the resolver and the kernel; any thread may call.
#pragma once

#include <string>

namespace broker {

// This machine's name as others can resolve it, advertised for listeners that name no address.
std::string canonical_host_name();

// The file this process was started from.
std::string program_file();

}  // namespace broker
