// The fields of every message and version, as we describe them, against what a running Apache Kafka 3.9.1 printed
// (tests/data/wire-messages.tsv).
#include <absl/strings/ascii.h>
#include <absl/strings/str_split.h>
#include <catch2/catch.hpp>

#include <fstream>
#include <map>

#include "protocol/messages/registry.h"
#include "protocol/wire/header.h"

using namespace protocol;

namespace {

const ApiRow* row_of(std::int16_t key) {
  for (const auto& row : all_apis())
    if (row.api.key == key) return &row;
  return nullptr;
}

}  // namespace

TEST_CASE("every field of every message and version has the name and type Apache Kafka prints") {
  std::ifstream file(WEIR_TEST_DATA "/data/wire-messages.tsv");
  REQUIRE(file);
  std::string line;
  std::getline(file, line);
  std::map<std::pair<int, std::string>, std::string> previous;
  int rows = 0;
  while (std::getline(file, line)) {
    const std::vector<std::string> column = absl::StrSplit(line, '\t');
    REQUIRE(column.size() == 6);
    const auto key = static_cast<std::int16_t>(std::stoi(column[0]));
    const auto version = static_cast<std::int16_t>(std::stoi(column[3]));
    auto& expected = previous[{key, column[2]}];
    if (column[5] != "(same)") expected = std::string(absl::StripAsciiWhitespace(column[5]));
    INFO(line);
    const ApiRow* row = row_of(key);
    REQUIRE(row);
    CHECK(row->api.versions.contains(version));
    const bool request = column[2] == "req";
    CHECK((request ? row->request_schema : row->response_schema)(version) == expected);
    const auto header =
        request ? request_header_version(row->api, version) : response_header_version(row->api, version);
    CHECK(fmt::format("h{}", header) == column[4]);
    ++rows;
  }
  CHECK(rows == 582);
}

TEST_CASE("the registry lists APIs by rising key and finds each") {
  std::int16_t last = -1;
  for (const auto& row : all_apis()) {
    CHECK(row.api.key > last);
    last = row.api.key;
    CHECK(find_api(row.api.key) == &row.api);
  }
  CHECK(find_api(52) == nullptr);
  CHECK(find_api(-1) == nullptr);
}
