// Before this broker stops it asks the controller to move its leaderships, so that clients find the next leader at once
// instead of after our session's end.
//
// It takes no longer than a supervisor's patience allows: what is not handed over by then is elected anew when we are
// gone, and no acknowledged record depends on it.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>

#include "base/clock.h"
#include "base/error.h"
#include "base/logging.h"

namespace broker {

struct HandOverSettings {
  std::int32_t max_retries = 3;               // controlled.shutdown.max.retries
  std::chrono::milliseconds backoff{5000};    // controlled.shutdown.retry.backoff.ms
  std::chrono::milliseconds time_for_all{0};  // a retry that does not fit in is not waited for
};

struct HandOverReply {
  base::ErrorCode code = base::ErrorCode::none;
  std::size_t remaining = 0;  // partitions led here still
};

// Asks the controller once: answers once, on any thread.
using AskForHandOver = std::function<void(std::chrono::milliseconds timeout, std::function<void(HandOverReply)> done)>;

// Waits, and tells the log what came of it. True: nothing is led here any more that another could lead.
bool hand_over(const HandOverSettings& settings, const AskForHandOver& ask, const base::Clock& clock);

}  // namespace broker
