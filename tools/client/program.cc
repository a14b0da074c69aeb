#include "tools/client/program.h"

#include <algorithm>

#include "base/logging.h"
#include "tools/client/config_file.h"

namespace tools {

std::optional<int> begin_program(Options& options, int argc, char** argv) {
  base::log_to_standard_error();
  base::set_log_level(base::LogLevel::warn);
  if (auto failure = options.parse(argc, argv)) return die_uncaught(*failure);
  return answer_help_or_version(options);
}

std::variant<AdminSettings, Failure> admin_settings_with_file(const std::optional<std::string>& config_file,
                                                              const std::string& servers) {
  config::Texts given;
  if (config_file) {
    auto read = read_config_file(*config_file);
    if (auto* failure = std::get_if<Failure>(&read)) return *failure;
    given = std::move(std::get<config::Texts>(read));
  }
  return admin_settings(servers, given);
}

std::variant<AdminSettings, Failure> admin_settings(const Options& options, const std::string& servers) {
  return admin_settings_with_file(options.text("command-config"), servers);
}

std::variant<AdminSettings, Failure> admin_settings(const Options& options) {
  return admin_settings(options, options.text("bootstrap-server").value_or(""));
}

bool valid_servers(const std::string& list) {
  const auto servers = config::split_list(list);
  return !servers.empty() && std::all_of(servers.begin(), servers.end(),
                                         [](const auto& each) { return parse_host_port(each).has_value(); });
}

}  // namespace tools
