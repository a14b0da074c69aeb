#include <catch2/catch.hpp>

#include "replication/coordination/zookeeper_store.h"

using namespace replication;

TEST_CASE("the connect string is hosts and at most one chroot") {
  const auto parse = [](std::string_view text) {
    auto address = parse_zookeeper_connect(text);
    return address.ok() ? address->hosts + "|" + address->chroot : "refused: " + address.error().detail;
  };
  CHECK(parse("h1:2181") == "h1:2181|");
  CHECK(parse("h1:2181,h2:2181/kafka/a") == "h1:2181,h2:2181|/kafka/a");
  CHECK(parse("h1/") == "h1|");
  CHECK(parse("h1:2181/kafka/") == "h1:2181|/kafka");
  CHECK(parse("h1/a,h2/a") == "refused: zookeeper.connect=h1/a,h2/a: one chroot path, after the last host");
  CHECK(parse("h1//a") == "refused: zookeeper.connect=h1//a: the chroot path has an empty part");
  CHECK(parse("") == "refused: zookeeper.connect=: no host");
  CHECK(parse("/a") == "refused: zookeeper.connect=/a: no host");
  CHECK(parse("h1,,h2") == "refused: zookeeper.connect=h1,,h2: an empty host");
  CHECK(parse("h1,") == "refused: zookeeper.connect=h1,: an empty host");
}
