#include "tools/console/signals.h"

#include <csignal>

namespace tools {
namespace {

volatile std::sig_atomic_t g_signal = 0;

void note(int number) { g_signal = number; }

}  // namespace

int stop_signal() { return g_signal; }

void catch_stop_signals() {
  struct sigaction action {};
  action.sa_handler = note;
  action.sa_flags = static_cast<int>(SA_RESETHAND);  // without SA_RESTART: a blocked read returns
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
}

}  // namespace tools
