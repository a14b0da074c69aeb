#include "broker/dispatch/router.h"

#include <catch2/catch.hpp>

#include "base/bytes.h"
#include "tests/support/broker/loopback.h"

using namespace broker;

namespace {

struct Fixture {
  ApiTable table;
  DiagnosisLog diagnosis;
  std::shared_ptr<MemoryBudget> budget = std::make_shared<MemoryBudget>(-1);
  Router router{table, diagnosis, budget};
  Session session;
  std::vector<Answer> answers;

  ReadAhead handle(std::string frame) {
    Frame request({reinterpret_cast<std::byte*>(frame.data()) + 4, frame.size() - 4});
    return router.handle(session, request, base::Instant{},
                         answer_to([&](Answer answer) { answers.push_back(std::move(answer)); }));
  }
};

ApiEntry entry(std::int16_t key, protocol::VersionRange versions, Handler handler) {
  ApiEntry out;
  out.api = {.key = key, .name = "Toy", .versions = versions};
  out.versions = versions;
  out.handler = std::move(handler);
  return out;
}

}  // namespace

TEST_CASE("a handler sees header, session and a body it may change") {
  Fixture f;
  std::string seen;
  f.table.add(entry(0, {2, 8}, [&](Request& request, AnswerSlot slot) {
    CHECK(request.header.api_key == 0);
    CHECK(request.version() == 3);
    CHECK(request.correlation_id() == 77);
    CHECK(request.session.client_id == "test");
    request.body()[0] = std::byte{'J'};
    seen = base::as_text(request.body());
    slot.skip();
  }));
  CHECK(f.handle(test::request_frame(0, 77, "hello", 3)) == ReadAhead::allowed);
  CHECK(seen == "Jello");
  REQUIRE(f.answers.size() == 1);
  CHECK(f.answers[0].kind == Answer::Kind::none);
}

TEST_CASE("a kept frame has moved out of the receive buffer") {
  Fixture f;
  std::shared_ptr<const void> frame;
  std::span<const std::byte> body;
  f.table.add(entry(0, {0, 0}, [&](Request& request, AnswerSlot slot) {
    const auto* before = request.body().data();
    frame = request.keep_frame();
    body = request.body();
    CHECK(body.data() != before);
    CHECK(request.keep_frame() == frame);
    slot.skip();
  }));
  f.handle(test::request_frame(0, 1, "stay"));
  CHECK(base::as_text(body) == "stay");
}

TEST_CASE("versions outside the table, unknown keys and broken headers close without an answer") {
  Fixture f;
  f.table.add(entry(0, {1, 2}, [](Request&, AnswerSlot) { FAIL("must not be called"); }));
  for (const auto& frame :
       {test::request_frame(0, 1, "", 0), test::request_frame(0, 1, "", 3), test::request_frame(1, 1, ""),
        test::request_frame(-1, 1, ""), test::request_frame(30000, 1, ""), test::int32_text(2) + "ab",
        // a client id longer than the frame
        test::int32_text(12) + std::string("\0\0\0\1\0\0\0\1\0\x7f"
                                           "ab",
                                           12)}) {
    f.answers.clear();
    f.handle(frame);
    REQUIRE(f.answers.size() == 1);
    CHECK(f.answers[0].kind == Answer::Kind::close);
  }
}

TEST_CASE("the table tells what it serves in order of keys") {
  ApiTable table;
  for (const std::int16_t key : {18, 0, 3}) table.add(entry(key, {0, 1}, [](Request&, AnswerSlot) {}));
  std::vector<int> keys;
  for (const auto* one : table.entries()) keys.push_back(one->api.key);
  CHECK(keys == std::vector<int>{0, 3, 18});
  CHECK(table.find(3) != nullptr);
  CHECK(table.find(1) == nullptr);
  CHECK(table.find(-1) == nullptr);
  CHECK(table.find(500) == nullptr);
}
