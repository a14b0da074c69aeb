#include "broker/network/diagnosis.h"

#include <catch2/catch.hpp>

#include "base/bytes.h"

using namespace broker;
using namespace std::string_literals;

namespace {

std::optional<Cause> cause_of(const std::string& bytes) {
  const auto found = diagnose_first_bytes(base::as_bytes(bytes));
  return found ? std::optional(found->cause) : std::nullopt;
}

}  // namespace

TEST_CASE("TLS, HTTP and ZooKeeper are told by their first bytes") {
  CHECK(cause_of("\x16\x03\x01\x00\xf5"s) == Cause::tls_bytes);
  CHECK(cause_of("\x16\x03\x03\x02\x00"s) == Cause::tls_bytes);
  CHECK(cause_of("GET / HTTP/1.1"s) == Cause::http_bytes);
  CHECK(cause_of("POST /x HTTP/1.1"s) == Cause::http_bytes);
  CHECK(cause_of("PRI * HTTP/2.0"s) == Cause::http_bytes);
  CHECK(cause_of("ruok"s) == Cause::zookeeper_bytes);
  CHECK(cause_of("mntr\n"s) == Cause::zookeeper_bytes);
  const auto session = "\0\0\0\x2d"s + std::string(24, '\0') + "\0\0\0\x10"s + std::string(17, '\0');
  CHECK(cause_of(session) == Cause::zookeeper_bytes);
}

TEST_CASE("what may be Kafka is left alone") {
  CHECK_FALSE(cause_of("\0\0\0\x2d\0\x12\0\x03"s));
  CHECK_FALSE(cause_of("\0\0\0\x2d"s + std::string(45, '\0')));
  CHECK_FALSE(cause_of("\0\0\0"s));
  CHECK_FALSE(cause_of(""s));
}

TEST_CASE("sizes within the limit pass, others are named with the setting that refuses them") {
  const auto sent = "\0\0\0\1abc"s;
  const auto bytes = base::as_bytes(sent);
  CHECK_FALSE(diagnose_frame_size({.announced_bytes = 1, .max_bytes = 100, .first_on_connection = true}, bytes));
  CHECK_FALSE(diagnose_frame_size({.announced_bytes = 100, .max_bytes = 100, .first_on_connection = false}, bytes));
  const auto over =
      diagnose_frame_size({.announced_bytes = 101, .max_bytes = 100, .first_on_connection = false}, bytes);
  REQUIRE(over);
  CHECK(over->cause == Cause::bad_size);
  CHECK_THAT(over->text, Catch::Contains("socket.request.max.bytes=100"));
  CHECK(diagnose_frame_size({.announced_bytes = 0, .max_bytes = 100, .first_on_connection = false}, bytes));
  CHECK(diagnose_frame_size({.announced_bytes = -5, .max_bytes = 100, .first_on_connection = true}, bytes));
}

TEST_CASE("a refused API is named as far as it is known, and hostile client ids are made printable") {
  CHECK_THAT(
      diagnose_api(
          {.api_key = 4242, .api_version = 1, .known_name = {}, .served = std::nullopt, .client_id = "a\nb\x1b[31m"})
          .text,
      Catch::Contains("API key 4242 version 1") && Catch::Contains("'a?b?[31m'"));
  CHECK_THAT(diagnose_api({.api_key = 68,
                           .api_version = 0,
                           .known_name = "ConsumerGroupHeartbeat",
                           .served = std::nullopt,
                           .client_id = ""})
                 .text,
             Catch::Contains("ConsumerGroupHeartbeat") && Catch::Contains("a client without client id"));
  const auto version = diagnose_api({.api_key = 0,
                                     .api_version = 40,
                                     .known_name = "Produce",
                                     .served = protocol::VersionRange{0, 11},
                                     .client_id = "x"});
  CHECK(version.cause == Cause::unsupported_version);
  CHECK_THAT(version.text, Catch::Contains("version 40") && Catch::Contains("0 to 11"));
}
