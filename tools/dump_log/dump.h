// What kafka-dump-log.sh prints of each kind of file, in the words of Apache Kafka 2.7.1 (a delete horizon, which that
// release does not know, in those of 3.9). Results go to standard output as they are found; what is wrong with indexes
// and offsets is gathered in `Findings` and told at the end.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "base/file_system.h"
#include "tools/client/failure.h"
#include "tools/internal_topics/record_text.h"

namespace tools {

enum class IndexCheck { print, verify_only, sanity_only };
enum class Contents { none, plain, group_records, txn_records };
// Java's decoders of keys and payloads.
enum class Decoder { text, integer, long_integer };

struct DumpRequest {
  IndexCheck indexes = IndexCheck::print;
  bool deep = false;  // a line for each record
  Contents contents = Contents::none;
  Decoder key_decoder = Decoder::text;
  Decoder value_decoder = Decoder::text;
  bool skip_record_metadata = false;
  std::int64_t max_bytes = std::numeric_limits<std::int32_t>::max();
};

// Pairs of numbers by file, in the order the files were given.
class PairsByFile {
 public:
  void add(const std::string& file, std::int64_t first, std::int64_t second);
  struct Entry {
    std::string file;
    std::vector<std::pair<std::int64_t, std::int64_t>> pairs;
  };
  // In the order of Kafka's hash table.
  std::vector<Entry> entries() const;

 private:
  std::vector<Entry> entries_;
};

struct Findings {
  PairsByFile index_mismatches;
  PairsByFile not_consecutive;
  PairsByFile timestamp_mismatches;
  PairsByFile timestamps_out_of_order;
  PairsByFile offsets_not_found;

  // On standard error.
  void print() const;
};

class Dump {
 public:
  Dump(base::FileSystem& files, const DumpRequest& request) : files_(files), request_(request) {}

  // A failure is one that ends the program.
  Outcome file(const std::string& path);
  const Findings& findings() const { return findings_; }

 private:
  Outcome log(const std::string& path);
  Outcome offset_index(const std::string& path);
  Outcome time_index(const std::string& path);
  Outcome snapshot(const std::string& path);
  Outcome txn_index(const std::string& path);

  base::FileSystem& files_;
  const DumpRequest& request_;
  Findings findings_;
};

}  // namespace tools
