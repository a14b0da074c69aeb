// What the verifiable producer and consumer share around their work.
#pragma once

#include <string>

#include "tools/client/arguments.h"
#include "tools/verifiable/events.h"

namespace tools {

// The pair of arguments of which one must be given.
Argument bootstrap_server_argument();
Argument broker_list_argument();
std::string servers_of(const Arguments& arguments);

// Like Java's programs: called without arguments they explain themselves, with exit code 0.
bool called_bare(const Arguments& arguments, int argc);

// Writes the line at once. False when nobody reads it any more.
bool print(const Event& event);

}  // namespace tools
