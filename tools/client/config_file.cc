#include "tools/client/config_file.h"

#include <fstream>
#include <iterator>

#include "config/properties.h"

namespace tools {

std::variant<config::Texts, Failure> read_config_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return Failure{"java.nio.file.NoSuchFileException", path, ""};
  std::string text{std::istreambuf_iterator<char>(file), {}};
  // A # behind a blank stays part of a client's value: these files hold passwords and class arguments.
  auto parsed = config::parse_properties(text, [](auto) { return true; });
  if (!parsed) return illegal_argument("{}: {}", path, parsed.error().detail);
  config::Texts values;
  for (auto& each : *parsed) values[each.key] = each.value;
  return values;
}

std::variant<config::Texts, Failure> read_pairs(const std::vector<std::string>& pairs) {
  config::Texts values;
  for (const std::string& pair : pairs) {
    std::size_t equals = pair.find('=');
    std::string key = pair.substr(0, equals);
    if (key.empty()) return illegal_argument("Invalid command line properties: {}", pair);
    values[key] = equals == std::string::npos ? "" : pair.substr(equals + 1);
  }
  return values;
}

}  // namespace tools
