// A log on a disk in memory, a cleaner for it, and a model of what readers must go on seeing.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "storage/clean/cleaner.h"
#include "tests/support/storage/batches.h"
#include "tests/support/storage/keyed_log.h"

namespace storage::testing {

struct CleanBench : LogBench {
  CleanSettings clean_settings;
  CleanerMemory memory{.key_bytes = 1 << 20, .load_factor = 0.9, .buffer_bytes = 1024};
  std::function<bool(std::size_t)> go_on = [](std::size_t) { return true; };

  // Everything that was ever appended, by offset; what an aborted transaction wrote is taken out again by its marker.
  std::map<base::Offset, KeyedRecord> written;
  std::map<std::int64_t, std::vector<base::Offset>> open;  // by producer
  std::map<std::int64_t, std::int32_t> next_sequence;

  CleanBench();
  void start();  // a new log

  struct Writer {
    std::int64_t producer = -1;
    bool transactional = false;
    protocol::Codec codec = protocol::Codec::none;
  };
  void write(const std::vector<KeyedFields>& records, const Writer& writer);
  void write(const std::vector<KeyedFields>& records) { write(records, Writer{}); }
  void write_old(std::int8_t magic, protocol::Codec codec, const std::vector<KeyedFields>& records);
  void end_transaction(std::int64_t producer, protocol::ControlType type);
  void roll();
  void flush_all();

  CleanOutcome clean();
  // What a reader of committed records sees, from the log start.
  std::vector<KeyedRecord> committed();
  // Every visible record is one that was written, at its offset.
  void require_only_written();
  // And the newest of each key is the model's. A key whose newest is a tombstone may be gone altogether.
  void require_as_written();
  std::vector<std::string> names_with(const std::string& part);
};

}  // namespace storage::testing
