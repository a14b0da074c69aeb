// kafka-log-check.sh: reads whole log directories without a broker and says what is wrong with them; mends what can be
// rebuilt. Kafka has no such tool.
//
// Findings on standard output, one a line: <file>[:<position>]: <what>. Everything else on standard error.
// Exit code: 0 nothing is wrong (any more), 1 findings are left, 2 it could not look.
#include <unistd.h>

#include <fmt/format.h>

#include <memory>
#include <string>
#include <thread>

#include "base/clock.h"
#include "base/logging.h"
#include "base/posix_files.h"
#include "config/value.h"
#include "storage/check/directory_check.h"
#include "tools/client/options.h"
#include "tools/log_check/walk.h"

namespace tools {
namespace {

constexpr int kFindingsLeft = 1;
constexpr int kCouldNotLook = 2;

constexpr std::string_view kPurpose =
    "This tool reads log directories while no broker uses them, verifies every checksum, offset, index, snapshot and "
    "checkpoint, and tells what is wrong: one line each, with file and position. Exit code 0: nothing; 1: findings are "
    "left; 2: it could not look.";

Options declare() {
  return Options(kPurpose,
                 {
                     {.name = "log-dirs",
                      .takes = Takes::value,
                      .argument = "dir1, dir2, ...",
                      .description = "REQUIRED: The directories, as log.dirs names them."},
                     {.name = "repair",
                      .description = "Mend what can be rebuilt without losing a valid record: indexes, snapshots, "
                                     "epochs, checkpoints, leftovers of compaction, and what is torn behind the last "
                                     "valid batch. Damage between valid batches is left as it is."},
                     {.name = "threads",
                      .takes = Takes::value,
                      .type = ValueType::integer,
                      .argument = "count",
                      .description = "How many files to read at once. Otherwise one per core."},
                 });
}

class LogCheck {
 public:
  LogCheck(std::vector<std::string> paths, std::size_t threads, bool repair)
      : paths_(std::move(paths)), threads_(threads), repair_(repair) {}

  int run() {
    for (const auto& path : paths_) {
      directories_.push_back(std::make_unique<storage::DirectoryCheck>(files_, path));
      if (auto s = directories_.back()->open(); !s) return refuse(s.error());
    }
    const auto begin = clock_.now();
    if (auto s = look(); !s) return refuse(s.error());
    const auto took = clock_.now() - begin;
    auto findings = report(stdout);
    summarize(findings, took);
    warn_of_damage();
    if (findings == 0 || !repair_) return findings > 0 ? kFindingsLeft : 0;

    // Settling what compaction left may bring to light what was hidden before; a third time finds nothing new.
    for (int round = 0; round < 3 && findings > 0; ++round) {
      auto done = mend();
      if (!done) return refuse(done.error());
      if (*done == 0) break;
      if (auto s = look(); !s) return refuse(s.error());
      findings = count();
    }
    if (findings > 0) {
      fmt::print(stderr, "Left after the repair:\n");
      report(stderr);
    } else {
      fmt::print(stderr, "Nothing is left to repair.\n");
    }
    return findings > 0 ? kFindingsLeft : 0;
  }

 private:
  static int refuse(const base::Error& why) {
    fmt::print(stderr, "{}\n", why.detail);
    return kCouldNotLook;
  }

  base::Status look() {
    std::vector<storage::PartitionCheck*> partitions;
    for (auto& directory : directories_)
      for (auto& partition : directory->partitions()) partitions.push_back(partition.check.get());
    partitions_ = partitions.size();
    const bool terminal = ::isatty(STDERR_FILENO) == 1;
    auto read = walk(partitions, threads_, [&](const WalkProgress& progress) {
      if (terminal) show(progress);
    });
    if (terminal) fmt::print(stderr, "\r\x1b[K");
    if (!read) return read.error();
    bytes_ = *read;
    for (auto& directory : directories_)
      if (auto s = directory->finish(); !s) return s;
    return {};
  }

  static void show(const WalkProgress& progress) {
    constexpr std::size_t kWidth = 40;
    const auto part = progress.bytes_total
                          ? static_cast<double>(progress.bytes_done) / static_cast<double>(progress.bytes_total)
                          : 1.0;
    const auto filled = std::min(kWidth, static_cast<std::size_t>(part * kWidth));
    fmt::print(stderr, "\r[{}{}] {:3.0f} % of {:.1f} GB", std::string(filled, '#'), std::string(kWidth - filled, '.'),
               part * 100, static_cast<double>(progress.bytes_total) / 1e9);
    std::fflush(stderr);
  }

  template <class F>
  void for_each_finding(F&& f) const {
    for (std::size_t i = 0; i < directories_.size(); ++i) {
      for (const auto& finding : directories_[i]->findings()) f(finding);
      // Two directories of one broker must say so.
      const auto &first = directories_[0]->identity(), &mine = directories_[i]->identity();
      if (first && mine && (first->broker_id != mine->broker_id || first->cluster_id != mine->cluster_id))
        f(storage::Finding{directories_[i]->path() + "/meta.properties", std::nullopt,
                           "another broker or cluster than that of " + directories_[0]->path(), storage::Remedy::none});
      for (const auto& partition : directories_[i]->partitions())
        for (const auto& finding : partition.check->findings()) f(finding);
    }
  }

  std::size_t count() const {
    std::size_t n = 0;
    for_each_finding([&](const storage::Finding&) { ++n; });
    return n;
  }

  std::size_t report(std::FILE* to) const {
    for_each_finding([&](const storage::Finding& finding) { fmt::print(to, "{}\n", finding.text()); });
    std::fflush(to);
    return count();
  }

  void summarize(std::size_t findings, base::Duration took) const {
    const auto seconds = std::max(1e-9, std::chrono::duration<double>(took).count());
    fmt::print(stderr, "{} partitions, {} bytes of records read in {:.1f} s ({:.2f} GB/s): {} findings\n", partitions_,
               bytes_, seconds, static_cast<double>(bytes_) / seconds / 1e9, findings);
  }

  void warn_of_damage() const {
    for (const auto& directory : directories_)
      for (const auto& partition : directory->partitions())
        if (partition.check->damaged_inside())
          fmt::print(stderr,
                     "{}: damage between valid records is left as it is. A broker that has to recover this log after "
                     "a kill ends it there and drops what follows: copy the directory first\n",
                     partition.check->directory());
  }

  // How much was done.
  base::Result<std::size_t> mend() {
    std::size_t n = 0;
    const auto tell = [&](const std::vector<std::string>& done) {
      for (const auto& each : done) fmt::print(stderr, "repaired {}\n", each);
      n += done.size();
    };
    for (auto& directory : directories_) {
      for (auto& partition : directory->partitions()) {
        auto done = partition.check->repair();
        if (!done) return done.error();
        tell(*done);
      }
      auto done = directory->repair();
      if (!done) return done.error();
      tell(*done);
    }
    return n;
  }

  base::PosixFiles files_;
  base::SystemClock clock_;
  std::vector<std::string> paths_;
  std::size_t threads_;
  bool repair_;
  std::vector<std::unique_ptr<storage::DirectoryCheck>> directories_;
  std::size_t partitions_ = 0;
  std::uint64_t bytes_ = 0;
};

// Usage errors are "could not look" here: 1 says that something is wrong with the logs.
int usage(const Options& options, std::string_view message) {
  (void)refuse_usage(options, message);
  return kCouldNotLook;
}

int run(int argc, char** argv) {
  base::log_to_standard_error();
  base::set_log_level(base::LogLevel::warn);
  Options options = declare();
  if (auto failure = options.parse(argc, argv)) return usage(options, failure->message);
  if (options.empty_command_line() || options.given("help")) return usage(options, kPurpose);
  if (auto code = answer_help_or_version(options)) return *code;
  if (auto text = options.missing({"log-dirs"})) return usage(options, *text);
  if (auto failure = options.check_values()) return usage(options, failure->message);
  const auto threads = options.number("threads").value_or(std::max(1u, std::thread::hardware_concurrency()));
  auto paths = config::split_list(*options.text("log-dirs"));
  for (auto& path : paths)
    while (path.size() > 1 && path.back() == '/') path.pop_back();
  return LogCheck(std::move(paths), static_cast<std::size_t>(std::max<std::int64_t>(1, threads)),
                  options.given("repair"))
      .run();
}

}  // namespace
}  // namespace tools

int main(int argc, char** argv) { return tools::run(argc, argv); }
