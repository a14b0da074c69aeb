// The tables of kafka-transactions.sh: every cell as wide as the widest of its column, a tab behind each. Pure.
#pragma once

#include <string>
#include <vector>

namespace tools {

std::string padded_table(const std::vector<std::string>& header, const std::vector<std::vector<std::string>>& rows);

}  // namespace tools
