#include "tests/support/storage/golden.h"

#include <catch2/catch.hpp>

#include <fstream>
#include <iterator>
#include <sstream>

namespace support {

std::string golden(const std::string& name) {
  std::ifstream in(std::string{WEIR_TEST_DATA} + "/golden/storage/" + name, std::ios::binary);
  INFO("tests/golden/storage/" << name);
  REQUIRE(in.good());
  return {std::istreambuf_iterator<char>(in), {}};
}

std::vector<std::vector<std::string>> golden_table(const std::string& name) {
  std::vector<std::vector<std::string>> rows;
  std::istringstream lines(golden(name));
  for (std::string line; std::getline(lines, line);) {
    if (line.empty() || line[0] == '#') continue;
    auto& row = rows.emplace_back();
    std::istringstream fields(line);
    for (std::string field; std::getline(fields, field, '\t');) row.push_back(field);
  }
  return rows;
}

std::vector<std::byte> from_hex(std::string_view text) {
  std::vector<std::byte> bytes;
  if (text == "-") return bytes;
  for (std::size_t i = 0; i + 1 < text.size(); i += 2)
    bytes.push_back(static_cast<std::byte>(std::stoi(std::string{text.substr(i, 2)}, nullptr, 16)));
  return bytes;
}

}  // namespace support
