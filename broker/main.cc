// weir-broker server.properties [--override key=value]... | --version | --help
//
// Runs in the foreground until TERM, INT or QUIT, which all stop it in order. Exit status: 1 when it cannot start or
// cannot go on, 128 + signal after an orderly stop, as a JVM would say.
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <absl/synchronization/mutex.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/logging.h"
#include "base/posix_files.h"
#include "broker/broker.h"
#include "broker/host.h"
#include "broker/version.h"
#include "config/load.h"

namespace {

constexpr char kUsage[] =
    "USAGE: kafka-server-start.sh [-daemon] server.properties [--override property=value]*\n"
    "Option                               Description                                  \n"
    "------                               -----------                                  \n"
    "--help                               Print usage information.                     \n"
    "--override <String>                  Optional property that should override values\n"
    "                                       set in server.properties file              \n"
    "--version                            Print version information and exit.          \n";

struct Arguments {
  std::string file;
  std::vector<std::string> overrides;
};

// The words of Kafka's own start command.
[[noreturn]] void usage_error(const std::string& message) {
  if (!message.empty()) std::fprintf(stderr, "%s\n", message.c_str());
  std::fputs(kUsage, stderr);
  std::exit(1);
}

Arguments parse(int argc, char** argv) {
  Arguments out;
  std::string extra;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word == "--help" || word == "-help" || word == "-h") usage_error("");
    if (word == "--version" || word == "-version") {
      std::puts(broker::kVersionLine);
      std::exit(0);
    }
    if (word == "--override" || word == "-override") {
      if (++i == argc) usage_error("Option override requires an argument");
      out.overrides.push_back(argv[i]);
    } else if (word.starts_with("--override=")) {
      out.overrides.push_back(word.substr(word.find('=') + 1));
    } else if (word.starts_with("-") && word.size() > 1) {
      usage_error(word.substr(word.find_first_not_of('-')) + " is not a recognized option");
    } else if (out.file.empty()) {
      out.file = word;
    } else {
      extra += (extra.empty() ? "" : ",") + word;
    }
  }
  if (!extra.empty()) usage_error("Found non argument parameters: " + extra);
  if (out.file.empty()) usage_error("");
  return out;
}

// Blocked in every thread; the main thread waits for them.
sigset_t block_signals() {
  ::signal(SIGPIPE, SIG_IGN);  // a peer that is gone shows as an error of the call
  sigset_t stops;
  sigemptyset(&stops);
  for (const int number : {SIGTERM, SIGINT, SIGQUIT}) sigaddset(&stops, number);
  pthread_sigmask(SIG_BLOCK, &stops, nullptr);
  return stops;
}

}  // namespace

int main(int argc, char** argv) {
  // Debian builds abseil with its search for deadlocks on: every lock of every thread would pass one more, global lock.
  // The tests keep it.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  const auto arguments = parse(argc, argv);
  const auto stops = block_signals();
  const base::Logger log{"kafka.Kafka$"};

  base::PosixFiles files;
  auto loaded =
      config::load_broker_settings_file(files, arguments.file, arguments.overrides,
                                        {.host_name = broker::canonical_host_name, .file_name = arguments.file});
  if (!loaded) {
    log.error("Exiting Kafka due to fatal exception: {}", loaded.error().detail);
    return 1;
  }
  if (const auto level = base::log_level_from(loaded->settings.weir_log_level)) base::set_log_level(*level);
  log.info("Starting {}", broker::kVersionLine);
  const base::Logger config_log{"kafka.server.KafkaConfig"};
  for (const auto& notice : loaded->notices) {
    if (notice.level >= base::LogLevel::warn)
      config_log.warn("{}", notice.text);
    else
      config_log.info("{}", notice.text);
  }

  static std::atomic<bool> cannot_go_on{false};
  broker::raise_open_files_limit();
  broker::Broker broker(std::move(loaded->settings), broker::canonical_host_name, [] {
    cannot_go_on = true;
    ::kill(::getpid(), SIGTERM);  // wakes the wait below; the exit status tells why
  });
  // Beside us, so that a signal ends also a start that waits for ZooKeeper.
  base::Status started;
  std::atomic<bool> start_failed{false};
  std::thread starting([&] {
    started = broker.start();
    if (started.ok()) return;
    start_failed = true;
    ::kill(::getpid(), SIGTERM);
  });
  int number = 0;
  sigwait(&stops, &number);
  const bool asked = !start_failed;
  if (asked)
    log.info("Received {}, shutting down", number == SIGINT ? "SIGINT" : number == SIGQUIT ? "SIGQUIT" : "SIGTERM");
  broker.interrupt();
  starting.join();
  if (!asked) log.error("Exiting Kafka due to fatal exception: {}", started.error().detail);
  broker.stop();
  if (!asked) return 1;
  const base::Logger server_log{"kafka.server.KafkaServer"};
  server_log.info("[KafkaServer id={}] shut down completed", broker.id());
  base::flush_log();
  return cannot_go_on ? 1 : 128 + number;
}
