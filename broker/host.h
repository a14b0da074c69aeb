// What the machine can tell of itself and of this process. Asks the resolver and the kernel; any thread may call.
#pragma once

#include <cstddef>
#include <string>

namespace broker {

// This machine's name as others can resolve it, advertised for listeners that name no address.
std::string canonical_host_name();

// How many files this process may have open. raise_... takes what the administrator allows, as a JVM does.
std::size_t open_files_limit();
void raise_open_files_limit();

// The file this process was started from.
std::string program_file();

}  // namespace broker
