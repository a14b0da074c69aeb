// How long a broker takes from its start to its first answer, and to stop.
//
//   bench_start <port> [partitions=<n>] -- <command> <argument>...
//
// Prints milliseconds from fork to the first answered ApiVersions, resident memory a moment later, and milliseconds
// from TERM to the end. partitions: creates a topic of that many before stopping.
#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <string_view>

#include "base/clock.h"
#include "protocol/messages/api_versions.h"
#include "protocol/messages/create_topics.h"
#include "tests/bench/wire.h"

namespace {

using bench::die;

const base::SystemClock kClock;

double ms_since(base::Instant begin) { return std::chrono::duration<double, std::milli>(kClock.now() - begin).count(); }

void pause(int ms) { ::poll(nullptr, 0, ms); }

int spawn(char** command) {
  const int child = ::fork();
  if (child != 0) return child;
  const int null = ::open("/dev/null", O_RDWR);
  ::dup2(null, STDOUT_FILENO);
  ::execvp(command[0], command);
  std::_Exit(127);
}

int connect_when_up(std::uint16_t port, int child) {
  for (;;) {
    if (const int fd = bench::try_connect(port); fd >= 0) return fd;
    if (::waitpid(child, nullptr, WNOHANG) != 0) die("the broker ended");
    pause(1);
  }
}

void create_topic(int fd, std::int32_t partitions) {
  protocol::CreateTopicsRequest request;
  request.topics.push_back(
      {.name = "bench-start", .num_partitions = partitions, .replication_factor = 1, .assignments = {}, .configs = {}});
  const auto answer = bench::call<protocol::CreateTopicsResponse>(fd, request, 5);
  if (const auto code = answer.topics.at(0).error_code; code != base::ErrorCode::none)
    die("cannot create the topic: code {}", static_cast<int>(code));
}

}  // namespace

int main(int argc, char** argv) {
  int at = 2, partitions = 0;
  for (; at < argc && std::string_view(argv[at]) != "--"; ++at)
    if (const std::string_view word = argv[at]; word.starts_with("partitions="))
      partitions = std::stoi(std::string(word.substr(word.find('=') + 1)));
  if (at + 1 >= argc) die("usage: bench_start <port> [partitions=<n>] -- <command>...");
  const auto port = static_cast<std::uint16_t>(std::stoi(argv[1]));

  const auto begin = kClock.now();
  const int child = spawn(argv + at + 1);
  const int fd = connect_when_up(port, child);
  bench::call<protocol::ApiVersionsResponse>(fd, protocol::ApiVersionsRequest{}, 0);
  const auto start_ms = ms_since(begin);
  if (partitions > 0) create_topic(fd, partitions);
  pause(500);
  const auto rss = bench::memory_mib_of(child, "VmRSS");
  const auto cpu = bench::cpu_seconds_of(child);
  ::close(fd);

  const auto stopping = kClock.now();
  ::kill(child, SIGTERM);
  int status = 0;
  ::waitpid(child, &status, 0);
  fmt::print("start_ms={:.1f} rss_mib={:.1f} cpu_ms={:.0f} stop_ms={:.0f}\n", start_ms, rss, cpu * 1e3,
             ms_since(stopping));
}
