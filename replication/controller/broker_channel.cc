#include "replication/controller/broker_channel.h"

#include <utility>

namespace replication {

namespace {

using base::ErrorCode;

bool is_network(ErrorCode code) {
  return code == ErrorCode::network_exception || code == ErrorCode::request_timed_out ||
         code == ErrorCode::corrupt_message;
}

template <class... Cases>
struct Overloaded : Cases... {
  using Cases::operator()...;
};
template <class... Cases>
Overloaded(Cases...) -> Overloaded<Cases...>;

}  // namespace

BrokerChannel::BrokerChannel(Settings settings, base::Loop& loop, Announcements calls, std::function<void()> reconnect,
                             Hooks hooks)
    : settings_(settings),
      loop_(loop),
      calls_(std::move(calls)),
      reconnect_(std::move(reconnect)),
      hooks_(std::move(hooks)),
      retry_(loop.make_timer()) {}

void BrokerChannel::push(Announcement announcement) {
  if (behind_) return drop(announcement);
  if (queue_.size() >= settings_.max_waiting) {
    behind_ = true;
    log_.warn(
        "broker {} does not answer its controller: {} announcements are dropped, and it is told everything anew "
        "when it does",
        settings_.broker, queue_.size());
    while (queue_.size() > 1) {
      drop(queue_.back());
      queue_.pop_back();
    }
    return drop(announcement);
  }
  queue_.push_back(std::move(announcement));
  pump();
}

void BrokerChannel::drop(const Announcement& announcement) {
  hooks_.answered(settings_.broker, announcement, {.code = ErrorCode::network_exception});
}

void BrokerChannel::clear() {
  queue_.clear();
  forgotten_ = in_flight_;
  behind_ = false;
  retry_->cancel();
}

void BrokerChannel::use(Announcements calls, std::function<void()> reconnect) {
  calls_ = std::move(calls);
  reconnect_ = std::move(reconnect);
  retry_->cancel();
  if (in_flight_) call();
}

void BrokerChannel::pump() {
  if (in_flight_ || queue_.empty()) return;
  in_flight_ = true;
  call();
}

void BrokerChannel::call() {
  // Answers come from any thread, and perhaps after this channel is gone.
  const auto number = ++attempts_;
  const auto done = [&loop = loop_, weak = weak_from_this(), number](AnnouncementReply reply) {
    loop.post([weak, number, reply = std::move(reply)] {
      if (const auto channel = weak.lock()) channel->answered(number, reply);
    });
  };
  std::visit(Overloaded{[&](const LeaderAndIsr& request) { calls_.leader_and_isr(request, done); },
                        [&](const UpdateMetadata& request) { calls_.update_metadata(request, done); },
                        [&](const StopReplica& request) { calls_.stop_replica(request, done); }},
             queue_.front());
}

void BrokerChannel::answered(std::uint64_t number, const AnnouncementReply& reply) {
  if (number != attempts_) return;
  if (reconnect_ && is_network(reply.code) && !forgotten_) {
    if (!std::exchange(failing_, true))
      log_.warn("broker {} cannot be told what its controller has decided ({}); trying again until it leaves",
                settings_.broker, base::error_name(reply.code));
    reconnect_();
    retry_->arm(kRetry, [this] { call(); });
    return;
  }
  if (std::exchange(failing_, false)) log_.info("broker {} answers its controller again", settings_.broker);
  in_flight_ = false;
  if (!std::exchange(forgotten_, false)) {
    const Announcement done = std::move(queue_.front());
    queue_.pop_front();
    hooks_.answered(settings_.broker, done, reply);
    if (std::exchange(behind_, false)) hooks_.fell_behind(settings_.broker);
  }
  pump();
}

}  // namespace replication
