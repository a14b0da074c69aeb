#include "broker/peers/controlled_shutdown.h"

#include <absl/synchronization/mutex.h>

#include <algorithm>
#include <memory>
#include <optional>

namespace broker {

using std::chrono::milliseconds;

namespace {

// An answer that may come after nobody waits for it any more.
class Reply {
 public:
  void set(HandOverReply reply) ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    reply_ = reply;
  }
  std::optional<HandOverReply> wait(milliseconds time) ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    mutex_.AwaitWithTimeout(absl::Condition(
                                +[](std::optional<HandOverReply>* reply) { return reply->has_value(); }, &reply_),
                            absl::Milliseconds(time.count()));
    return reply_;
  }

 private:
  absl::Mutex mutex_;
  std::optional<HandOverReply> reply_ ABSL_GUARDED_BY(mutex_);
};

HandOverReply ask_once(const AskForHandOver& ask, milliseconds time) {
  const auto reply = std::make_shared<Reply>();
  ask(time, [reply](HandOverReply told) { reply->set(told); });
  return reply->wait(time).value_or(HandOverReply{.code = base::ErrorCode::request_timed_out});
}

void pause(milliseconds time) { Reply().wait(time); }

}  // namespace

bool hand_over(const HandOverSettings& settings, const AskForHandOver& ask, const base::Clock& clock) {
  const base::Logger log("kafka.server.KafkaServer");
  log.info("Starting controlled shutdown");
  const auto deadline = clock.now() + settings.time_for_all;
  const auto left = [&] {
    return std::max(milliseconds(0), std::chrono::duration_cast<milliseconds>(deadline - clock.now()));
  };
  HandOverReply reply;
  for (std::int32_t attempt = 0;; ++attempt) {
    reply = ask_once(ask, left());
    if (reply.code == base::ErrorCode::none && reply.remaining == 0) {
      log.info("Controlled shutdown succeeded");
      return true;
    }
    if (attempt >= settings.max_retries || settings.backoff >= left()) break;
    pause(settings.backoff);
  }
  log.warn("Stopping before all leaderships were handed over ({}): {} partitions are led here still",
           reply.code == base::ErrorCode::none ? "no other replica is in sync" : base::error_name(reply.code),
           reply.code == base::ErrorCode::none ? std::to_string(reply.remaining) : "perhaps some");
  return false;
}

}  // namespace broker
