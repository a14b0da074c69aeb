// The fact sheets of Kafka's configuration, tests/data/*-configs.tsv, as rows of named columns.
#pragma once

#include <map>
#include <string>
#include <vector>

namespace test {

using Row = std::map<std::string, std::string>;

// Fails the running test when the file cannot be read.
std::vector<Row> read_table(const std::string& path);

std::string read_text(const std::string& path);

// Where releases differ a cell lists them, oldest first: "2.7.1=127000; 30000 from 2.8". Returns the newest.
std::string newest(const std::string& cell);

}  // namespace test
