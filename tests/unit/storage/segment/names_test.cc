#include "storage/segment/names.h"

#include <catch2/catch.hpp>

#include "base/random.h"

using namespace storage;

TEST_CASE("file names carry their offset in twenty digits, both directions") {
  CHECK(file_name(Offset{0}, FileKind::data) == "00000000000000000000.log");
  CHECK(file_name(Offset{42}, FileKind::time_index, FileSuffix::swap) == "00000000000000000042.timeindex.swap");
  for (const auto kind :
       {FileKind::data, FileKind::offset_index, FileKind::time_index, FileKind::txn_index, FileKind::snapshot})
    for (const auto suffix : {FileSuffix::none, FileSuffix::deleted, FileSuffix::cleaned, FileSuffix::swap})
      for (const auto offset : {Offset{0}, Offset{7}, Offset{9223372036854775807}})
        CHECK(parse_file_name(file_name(offset, kind, suffix)) == PartitionFile{offset, kind, suffix});
}

TEST_CASE("other files of a partition directory are not taken for segments") {
  for (const auto* name : {"", "partition.metadata", "leader-epoch-checkpoint", "0.log", "00000000000000000000",
                           "00000000000000000000.lo", "00000000000000000000.log2", "00000000000000000000.log.swapped",
                           "-0000000000000000001.log", "99999999999999999999.log", "000000000000000000001.log"})
    CHECK_FALSE(parse_file_name(name));
}

TEST_CASE("a partition directory splits at its last dash") {
  CHECK(parse_directory_name("a-b-12") == PartitionDirectory{{"a-b", 12}, DirectoryKind::live});
  CHECK(parse_directory_name("__consumer_offsets-49")->partition.topic == "__consumer_offsets");
  for (const auto* name : {"", "foo", "foo-", "foo-bar", "-1", "foo--", "lost+found", "foo-99999999999", "a b-0",
                           "foo-0-delete", "foo-bar.abc-delete", "foo-0.-delete"})
    CHECK_FALSE(parse_directory_name(name));
  CHECK_FALSE(parse_directory_name(std::string(250, 'x') + "-0"));
}

TEST_CASE("directories on their way out or in tell their partition and are never named alike") {
  base::SeededRandom random{3};
  const TopicPartition partition{"orders.v1", 3};
  for (const auto kind : {DirectoryKind::deleted, DirectoryKind::future}) {
    const auto name = directory_name(partition, kind, random);
    CHECK(parse_directory_name(name) == PartitionDirectory{partition, kind});
    CHECK(name != directory_name(partition, kind, random));
  }
  const auto longest = directory_name({std::string(249, 't'), 1000}, DirectoryKind::deleted, random);
  CHECK(longest.size() == 255);
  CHECK(parse_directory_name(longest)->kind == DirectoryKind::deleted);
  CHECK(parse_directory_name("orders-0.1de-stray")->kind == DirectoryKind::stray);
}
