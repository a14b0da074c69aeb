#include "broker/peers/controlled_shutdown.h"

#include <catch2/catch.hpp>

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

using namespace broker;
using base::ErrorCode;
using std::chrono::milliseconds;

namespace {

// Answers in turn, the last one for ever; nothing: never.
struct Controller {
  explicit Controller(std::vector<std::optional<HandOverReply>> to_say) : replies(std::move(to_say)) {}
  const std::vector<std::optional<HandOverReply>> replies;
  std::size_t asked = 0;
  base::SystemClock clock;

  bool hand_over(HandOverSettings settings) {
    return broker::hand_over(
        settings,
        [this](milliseconds, const std::function<void(HandOverReply)>& done) {
          const auto& reply = replies[std::min(asked++, replies.size() - 1)];
          if (reply) done(*reply);
        },
        clock);
  }
};

constexpr HandOverSettings kPatient{.max_retries = 3, .backoff = milliseconds(1), .time_for_all = milliseconds(60'000)};

}  // namespace

TEST_CASE("leaderships are handed over in one round where the controller can move them all") {
  Controller controller({HandOverReply{}});
  CHECK(controller.hand_over(kPatient));
  CHECK(controller.asked == 1);
}

TEST_CASE("the controller is asked again while it refuses, or something is led here still") {
  Controller controller(
      {HandOverReply{.code = ErrorCode::not_controller}, HandOverReply{.remaining = 2}, HandOverReply{}});
  CHECK(controller.hand_over(kPatient));
  CHECK(controller.asked == 3);
}

TEST_CASE("after its retries the broker stops all the same") {
  Controller controller({HandOverReply{.remaining = 1}});
  CHECK_FALSE(controller.hand_over(kPatient));
  CHECK(controller.asked == 4);
}

TEST_CASE("a pause that does not fit into the time to stop is not made") {
  Controller controller({HandOverReply{.remaining = 1}});
  CHECK_FALSE(
      controller.hand_over({.max_retries = 3, .backoff = milliseconds(5000), .time_for_all = milliseconds(2000)}));
  CHECK(controller.asked == 1);
}

TEST_CASE("a controller that says nothing holds nobody up") {
  Controller controller({std::nullopt});
  CHECK_FALSE(controller.hand_over({.max_retries = 0, .backoff = milliseconds(1), .time_for_all = milliseconds(20)}));
  CHECK(controller.asked == 1);
}
