// Settings files of clients (--command-config, --producer.config, ...): Java properties.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "config/value.h"
#include "tools/client/failure.h"

namespace tools {

std::variant<config::Texts, Failure> read_config_file(const std::string& path);

// "key=value" pairs of --property and the like, later ones winning. A pair without = has an empty value.
std::variant<config::Texts, Failure> read_pairs(const std::vector<std::string>& pairs);

}  // namespace tools
