#include "tests/support/config/tables.h"

#include <catch2/catch.hpp>

#include <fstream>
#include <regex>
#include <sstream>

namespace test {
namespace {

std::vector<std::string> cells(const std::string& line) {
  std::vector<std::string> found(1);
  for (const char c : line) {
    if (c == '\t')
      found.emplace_back();
    else
      found.back().push_back(c);
  }
  return found;
}

}  // namespace

std::string read_text(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  REQUIRE(in);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

std::vector<Row> read_table(const std::string& path) {
  std::istringstream in(read_text(path));
  std::string line;
  REQUIRE(std::getline(in, line));
  const auto names = cells(line);
  std::vector<Row> rows;
  while (std::getline(in, line)) {
    const auto values = cells(line);
    REQUIRE(values.size() == names.size());
    Row row;
    for (std::size_t i = 0; i < names.size(); ++i) row[names[i]] = values[i];
    rows.push_back(std::move(row));
  }
  return rows;
}

std::string newest(const std::string& cell) {
  auto last = cell.substr(cell.rfind("; ") == std::string::npos ? 0 : cell.rfind("; ") + 2);
  last = std::regex_replace(last, std::regex(R"(^[0-9]+\.[0-9x.]+=)"), "");
  last = std::regex_replace(last, std::regex(R"( (from [0-9.]+|\(.*\))$)"), "");
  last = std::regex_replace(last, std::regex(R"( \(.*$)"), "");
  return last;
}

}  // namespace test
