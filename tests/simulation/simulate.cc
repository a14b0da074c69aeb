// Runs simulated clusters from seeds:
//   simulate --seeds 1..1000          prints what failed, and a summary
//   simulate --seed 17 --verbose      one of them, with everything that happens and the brokers' own log lines
#include <signal.h>
#include <unistd.h>

#include <fmt/format.h>

#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/logging.h"
#include "tests/simulation/cluster.h"

namespace {

std::uint64_t current_seed = 0;

// A broken invariant ends the process; the seed must not go with it.
extern "C" void tell_seed(int signal_number) {
  char text[64];
  const int size =
      std::snprintf(text, sizeof text, "seed %llu ended the process\n", static_cast<unsigned long long>(current_seed));
  if (write(STDOUT_FILENO, text, static_cast<std::size_t>(size)) < 0) _exit(2);
  signal(signal_number, SIG_DFL);
  raise(signal_number);
}

struct Arguments {
  std::uint64_t first = 1;
  std::uint64_t last = 100;
  bool verbose = false;
  bool stop_at_failure = false;
};

std::uint64_t number_in(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) {
    fmt::print(stderr, "'{}' is no number\n", text);
    std::exit(2);
  }
  return number;
}

Arguments parse(int argc, char** argv) {
  Arguments out;
  for (int i = 1; i < argc; ++i) {
    const std::string_view name = argv[i];
    const std::string_view value = i + 1 < argc ? argv[i + 1] : "";
    if (name == "--seed") {
      out.first = out.last = number_in(value);
      ++i;
    } else if (name == "--seeds" && value.find("..") != std::string_view::npos) {
      out.first = number_in(value.substr(0, value.find("..")));
      out.last = number_in(value.substr(value.find("..") + 2));
      ++i;
    } else if (name == "--verbose") {
      out.verbose = true;
    } else if (name == "--stop-at-failure") {
      out.stop_at_failure = true;
    } else {
      fmt::print(stderr, "usage: simulate [--seeds A..B | --seed N] [--verbose] [--stop-at-failure]\n");
      std::exit(2);
    }
  }
  return out;
}

}  // namespace

int main(int argc, char** argv) {
  const auto arguments = parse(argc, argv);
  base::set_log_level(arguments.verbose ? base::LogLevel::debug : base::LogLevel::off);
  setvbuf(stdout, nullptr, _IOLBF, 1 << 16);
  signal(SIGABRT, tell_seed);
  signal(SIGSEGV, tell_seed);
  const base::SystemClock clock;
  const auto began = clock.now();
  std::uint64_t runs = 0, failures = 0, acknowledged = 0, read = 0, events = 0, fingerprint = 0;
  std::map<std::string, std::uint64_t> faults;
  for (auto seed = arguments.first; seed <= arguments.last; ++seed) {
    current_seed = seed;
    simulation::Cluster cluster(seed, {.verbose = arguments.verbose});
    const auto outcome = cluster.run();
    ++runs;
    acknowledged += outcome.acknowledged;
    read += outcome.read;
    events += outcome.events;
    fingerprint = fingerprint * 31 + outcome.fingerprint;
    for (const auto& [kind, count] : outcome.faults) faults[kind] += count;
    if (arguments.verbose)
      fmt::print("seed {}: fingerprint {:016x}, {} events, {} acknowledged, {} read\n", seed, outcome.fingerprint,
                 outcome.events, outcome.acknowledged, outcome.read);
    if (outcome.failure.empty()) continue;
    ++failures;
    fmt::print("seed {} FAILED: {}\n", seed, outcome.failure);
    if (arguments.stop_at_failure) break;
  }
  const auto took = std::chrono::duration<double>(clock.now() - began).count();
  std::string kinds;
  for (const auto& [kind, count] : faults) kinds += fmt::format("{}{} {}", kinds.empty() ? "" : ", ", count, kind);
  fmt::print("{} runs, {} failed; {} records acknowledged, {} read; {} events\n", runs, failures, acknowledged, read,
             events);
  fmt::print("faults: {}\nfingerprint of all: {:016x}\n", kinds, fingerprint);
  fmt::print(stderr, "{:.1f} s, {:.1f} runs per second\n", took, static_cast<double>(runs) / took);
  return failures == 0 ? 0 : 1;
}
