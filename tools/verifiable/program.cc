#include "tools/verifiable/program.h"

#include <fmt/format.h>

#include <cstdio>

namespace tools {

Argument bootstrap_server_argument() {
  return {.name = "bootstrap-server",
          .metavar = "HOST1:PORT1[,HOST2:PORT2[...]]",
          .help = "REQUIRED unless --broker-list is given. The brokers to ask first."};
}

Argument broker_list_argument() {
  return {.name = "broker-list",
          .metavar = "HOST1:PORT1[,HOST2:PORT2[...]]",
          .help = "DEPRECATED, the older name of --bootstrap-server."};
}

std::string servers_of(const Arguments& arguments) {
  return arguments.text("bootstrap-server").value_or(arguments.text("broker-list").value_or(""));
}

bool called_bare(const Arguments& arguments, int argc) {
  if (argc > 1) return false;
  fmt::print("{}", arguments.help());
  return true;
}

bool print(const Event& event) {
  const auto line = event.line();
  std::fwrite(line.data(), 1, line.size(), stdout);
  return std::fflush(stdout) == 0 && !std::ferror(stdout);
}

}  // namespace tools
