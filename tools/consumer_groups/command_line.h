// The command line of kafka-consumer-groups.sh: its options, which of them go together, and the words some of them
// take. Refusals are those of Apache Kafka 2.7.1, the order of checks included.
#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "tools/client/options.h"

namespace tools {

Options declare_group_options();

// Options that mean nothing without others; the parser itself refuses them.
Outcome unavailable_options(const Options& options);
// The sentence for options that do not go together, or nothing. Warns of a reset that says neither --dry-run nor
// --execute.
std::optional<std::string> refused_group_options(const Options& options);

// "Stable, Empty" into states, which must be spelled as brokers do.
std::variant<std::vector<std::string>, Failure> parse_states(const std::string& text);
// "Classic" into types: taken in any case; brokers want small letters.
std::variant<std::vector<std::string>, Failure> parse_types(const std::string& text);

}  // namespace tools
