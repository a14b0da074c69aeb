// What all administrative programs do before their own work: from the command line to the settings of the admin client.
#pragma once

#include <optional>
#include <string>
#include <variant>

#include "tools/client/admin.h"
#include "tools/client/options.h"

namespace tools {

// Sends log lines to standard error, reads the command line, and answers a call without arguments, --help and
// --version. The exit code when there is no more to do; a syntax error ends the program as an uncaught exception does.
std::optional<int> begin_program(Options& options, int argc, char** argv);

// By --bootstrap-server and the file of --command-config, where that is given.
std::variant<AdminSettings, Failure> admin_settings(const Options& options);
// The same with servers from elsewhere.
std::variant<AdminSettings, Failure> admin_settings(const Options& options, const std::string& servers);
// The contents of the settings file, where there is one.
std::variant<AdminSettings, Failure> admin_settings_with_file(const std::optional<std::string>& config_file,
                                                              const std::string& servers);

// Whether each of a list of servers is host:port; what a program says that asks for it.
bool valid_servers(const std::string& list);
inline constexpr char kInvalidServers[] = "Please provide valid host:port like host1:9091,host2:9092\n ";

}  // namespace tools
