#include "replication/peers/versions.h"

#include <catch2/catch.hpp>

#include <string>

using namespace replication;

namespace {

config::ProtocolVersion release(const std::string& text) { return config::find_protocol_version(text).value(); }

}  // namespace

// Told by running Apache Kafka 2.7.1 and 3.9.1 clusters, not by our own table.
TEST_CASE("requests between brokers have the versions of the release that is configured") {
  struct Fact {
    std::string release;
    PeerVersions versions;
  };
  const auto fact = GENERATE(Fact{"0.8.2", {0, 0, 0, 0, 0, 0, -1, -1}},   //
                             Fact{"0.10.2", {0, 3, 0, 1, 3, 1, -1, -1}},  //
                             Fact{"0.11.0", {0, 3, 0, 1, 5, 2, 0, 0}},    //
                             Fact{"1.0", {1, 4, 0, 1, 5, 2, 0, 0}},       //
                             Fact{"1.1", {1, 4, 0, 1, 7, 2, 0, 0}},       //
                             Fact{"2.0-IV0", {1, 4, 0, 1, 7, 2, 1, 0}},   //
                             Fact{"2.0", {1, 4, 0, 1, 8, 3, 1, 0}},       //
                             Fact{"2.1-IV1", {1, 4, 0, 1, 8, 4, 2, 0}},   //
                             Fact{"2.1", {1, 4, 0, 1, 10, 4, 2, 0}},      //
                             Fact{"2.2-IV0", {2, 5, 1, 2, 10, 4, 2, 0}},  //
                             Fact{"2.2", {2, 5, 1, 2, 10, 5, 2, 0}},      //
                             Fact{"2.3-IV0", {2, 5, 1, 2, 10, 5, 2, 0}},  //
                             Fact{"2.3", {2, 5, 1, 2, 11, 5, 3, 0}},      //
                             Fact{"2.4-IV0", {3, 5, 1, 2, 11, 5, 3, 0}},  //
                             Fact{"2.4", {4, 6, 2, 3, 11, 5, 3, 0}},      //
                             Fact{"2.5", {4, 6, 2, 3, 11, 5, 3, 0}},      //
                             Fact{"2.6", {4, 6, 3, 3, 11, 5, 3, 0}},      //
                             Fact{"2.7-IV0", {4, 6, 3, 3, 11, 5, 3, 0}},  //
                             Fact{"2.7-IV2", {4, 6, 3, 3, 12, 5, 3, 0}},  //
                             Fact{"2.8-IV0", {4, 6, 3, 3, 12, 6, 4, 1}},  //
                             Fact{"2.8", {5, 7, 3, 3, 12, 6, 4, 1}},      //
                             Fact{"3.0-IV0", {5, 7, 3, 3, 12, 6, 4, 1}},  //
                             Fact{"3.0", {5, 7, 3, 3, 12, 7, 4, 1}},      //
                             Fact{"3.1", {5, 7, 3, 3, 13, 7, 4, 1}},      //
                             Fact{"3.3", {6, 7, 3, 3, 13, 7, 4, 1}},      //
                             Fact{"3.4", {7, 8, 4, 3, 13, 7, 4, 1}},      //
                             Fact{"3.5-IV0", {7, 8, 4, 3, 14, 8, 4, 1}},  //
                             Fact{"3.6", {7, 8, 4, 3, 15, 8, 4, 1}},      //
                             Fact{"3.7-IV3", {7, 8, 4, 3, 15, 8, 4, 1}},  //
                             Fact{"3.8", {7, 8, 4, 3, 16, 8, 4, 1}},      //
                             Fact{"3.9-IV0", {7, 8, 4, 3, 17, 9, 4, 1}});
  INFO(fact.release);
  CHECK(PeerVersions::of(release(fact.release)) == fact.versions);
}

TEST_CASE("a fetch in which a topic has no id names them all") {
  CHECK(fetch_version(PeerVersions::of(release("3.9")), true) == 17);
  CHECK(fetch_version(PeerVersions::of(release("3.9")), false) == 12);
  CHECK(fetch_version(PeerVersions::of(release("2.4")), false) == 11);
}

TEST_CASE("AlterPartition names topics by id where the release knows ids and every topic has one") {
  CHECK(alter_partition_versions(release("3.9"), true) == protocol::VersionRange{0, 3});
  CHECK(alter_partition_versions(release("3.9"), false) == protocol::VersionRange{0, 1});
  CHECK(alter_partition_versions(release("2.7-IV2"), true) == protocol::VersionRange{0, 1});
}
