#include "broker/network/answers.h"

#include <catch2/catch.hpp>

#include "tests/support/broker/loopback.h"

using namespace broker;

TEST_CASE("a slot hands over one answer and is empty then") {
  std::vector<Answer> got;
  auto slot = answer_to([&](Answer answer) { got.push_back(std::move(answer)); });
  CHECK(slot);
  CHECK(slot.wanted());
  slot.fill(test::frame_of(5, {}));
  CHECK_FALSE(slot);
  CHECK_FALSE(slot.wanted());
  REQUIRE(got.size() == 1);
  CHECK(got[0].kind == Answer::Kind::frame);
  CHECK(got[0].frame.size_bytes() == 8);
}

TEST_CASE("a slot that dies or is overwritten unanswered says so once") {
  int closed = 0;
  const auto count = [&](Answer answer) { closed += answer.kind == Answer::Kind::close; };
  { auto slot = answer_to(count); }
  CHECK(closed == 1);
  auto first = answer_to(count);
  auto second = answer_to(count);
  first = std::move(second);
  CHECK(closed == 2);
  first.skip();
  CHECK(closed == 2);
}
