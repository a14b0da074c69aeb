// Batches to write and logs to look at.
#pragma once

#include <string>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "protocol/records/builder.h"
#include "storage/log/loader.h"
#include "storage/log/log.h"
#include "tests/support/storage/faulty_files.h"

namespace storage::testing {

struct BatchOf {
  std::vector<std::string> values;
  base::Timestamp timestamp = base::timestamp_from_ms(1'700'000'000'000);
  protocol::BatchSpec spec = {};
};
base::Buffer make_batch(const BatchOf& what);

struct SeenRecord {
  base::Offset offset;
  std::string value;
  bool operator==(const SeenRecord&) const = default;
};

// All records in the bytes of a slice; whole batches only.
std::vector<SeenRecord> records_in(const base::FileSlice& slice);
// Reads a log as a consumer would, from `from` to the log end, in small fetches.
std::vector<SeenRecord> read_all(Log& log, base::Offset from, std::size_t max_bytes = 200);

// One log on a disk in memory. Background work is kept until run_background().
struct LogBench {
  FaultyFiles files;
  base::ManualClock clock;
  base::SeededRandom random{7};
  std::vector<std::function<void()>> background;
  std::vector<std::string> retired;
  std::shared_ptr<DirectoryHealth> health;
  LogSettings settings;
  base::TopicPartition partition{"orders", 0};
  std::string directory = "/data/orders-0";
  LoadCrew crew{};  // helps load()
  std::unique_ptr<Log> log;

  LogBench();
  LogServices services();
  base::Status create();
  struct Checkpoints {
    bool clean_stop = false;
    std::optional<base::Offset> recovery_point = std::nullopt;
    std::optional<base::Offset> log_start = std::nullopt;
    std::optional<base::Offset> high_watermark = std::nullopt;
    std::optional<base::Offset> cleaned_to = std::nullopt;
  };
  base::Result<LoadedLog> load(const Checkpoints& checkpoints);
  base::Result<AppendInfo> append(const BatchOf& what, base::LeaderEpoch epoch = base::LeaderEpoch{0});
  void run_background();
};

}  // namespace storage::testing
