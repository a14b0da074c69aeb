#include "protocol/wire/header.h"

#include <catch2/catch.hpp>

#include <vector>

#include "protocol/messages/fetch.h"

namespace {

std::vector<std::byte> bytes(std::initializer_list<int> values) {
  std::vector<std::byte> out;
  for (const int value : values) out.push_back(static_cast<std::byte>(value));
  return out;
}

}  // namespace

TEST_CASE("the header of an answer has tags in flexible versions only") {
  const auto plain = protocol::parse_response(bytes({0, 0, 0, 7, 9}), protocol::kFetch, 11);
  REQUIRE(plain.ok());
  CHECK(plain->correlation_id == 7);
  CHECK(plain->body_at == 4);

  const auto flexible = protocol::parse_response(bytes({0, 0, 0, 8, 1, 5, 2, 1, 1, 9}), protocol::kFetch, 12);
  REQUIRE(flexible.ok());
  CHECK(flexible->correlation_id == 8);
  CHECK(flexible->body_at == 9);
}

TEST_CASE("the header of an answer that is cut is refused") {
  CHECK(protocol::parse_response(bytes({0, 0, 0}), protocol::kFetch, 11).error().code ==
        base::ErrorCode::corrupt_message);
  CHECK(protocol::parse_response(bytes({0, 0, 0, 8}), protocol::kFetch, 12).error().code ==
        base::ErrorCode::corrupt_message);
}
