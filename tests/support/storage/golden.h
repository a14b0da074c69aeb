// Files that Apache Kafka wrote or answers that it gave, kept under tests/golden/storage.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace support {

std::string golden(const std::string& name);

// The tab-separated fields of each line that is neither empty nor a comment.
std::vector<std::vector<std::string>> golden_table(const std::string& name);

// "-" is nothing.
std::vector<std::byte> from_hex(std::string_view text);

}  // namespace support
