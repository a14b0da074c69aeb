// Stopping a console program by SIGINT or SIGTERM: what is under way is finished first.
#pragma once

namespace tools {

// Until now received: 0, or the signal's number. A second signal ends the process at once.
int stop_signal();
// Also makes writing to a closed pipe an error instead of a death.
void catch_stop_signals();

}  // namespace tools
