#include "storage/dirs/checkpoints.h"

#include <catch2/catch.hpp>

#include "base/posix_files.h"
#include "base/random.h"
#include "tests/support/storage/golden.h"
#include "tests/support/storage/temporary_directory.h"

using namespace storage;
using base::Offset;
using base::TopicPartition;
using Catch::Matchers::Contains;
using support::golden;

TEST_CASE("offset checkpoints of Apache Kafka are read") {
  const auto recovery = parse_offset_checkpoint(golden("kafka-3.9.1/recovery-point-offset-checkpoint"));
  REQUIRE(recovery.ok());
  CHECK(*recovery == OffsetCheckpoint{{{"compacted", 0}, Offset{0}},
                                      {{"__transaction_state", 0}, Offset{2}},
                                      {{"__transaction_state", 1}, Offset{7}},
                                      {{"orders", 0}, Offset{11}},
                                      {{"orders", 1}, Offset{3}},
                                      {{"paid", 0}, Offset{9}}});
  CHECK(*parse_offset_checkpoint(golden("kafka-3.9.1/replication-offset-checkpoint")) == *recovery);
  CHECK(*parse_offset_checkpoint(golden("kafka-3.9.1/cleaner-offset-checkpoint")) == OffsetCheckpoint{});
}

TEST_CASE("an offset checkpoint is written byte for byte as Apache Kafka writes it") {
  const auto text = golden("kafka-3.9.1/log-start-offset-checkpoint");
  CHECK(format_offset_checkpoint({{{"orders", 0}, Offset{5}}}) == text);
  CHECK(format_offset_checkpoint({}) == "0\n0\n");
}

TEST_CASE("an offset checkpoint survives writing and reading, with every name a topic may have") {
  OffsetCheckpoint offsets{{{"a.b_c-7", 12}, Offset{0}},
                           {{std::string(249, 'x'), 2147483647}, Offset{9223372036854775807}}};
  CHECK(*parse_offset_checkpoint(format_offset_checkpoint(offsets)) == offsets);
}

TEST_CASE("what does not fit an offset checkpoint is an error that names the line") {
  const auto [text, says] = GENERATE(table<std::string, std::string>({
      {"\n", "line 1: expected version 0, found ''"},
      {"1\n0\n", "line 1: expected version 0, found '1'"},
      {"0 0\n0\n", "line 1"},
      {"0\n", "line 2: expected the number of rows, found ''"},
      {"0\nmany\n", "line 2: 'many' is not a number"},
      {"0\n-1\n", "line 2: '-1' is not a number"},
      {"0\n2\nt 0 1\n", "line 2 promises 2 rows, 1 follow"},
      {"0\n0\nt 0 1\n", "line 2 promises 0 rows, 1 follow"},
      {"0\n999999999999\nt 0 1\n", "line 2 promises 999999999999 rows, 1 follow"},
      {"0\n1\nt 0\n", "line 3: expected 3 fields, found 't 0'"},
      {"0\n2\nt 0 1\nt 1 1 1\n", "line 4: expected 3 fields"},
      {"0\n1\nt 0 1\n\n", "line 4: expected 3 fields, found ''"},
      {"0\n1\nt x 1\n", "line 3: 'x' is not a number"},
      {"0\n1\nt -1 1\n", "line 3: '-1' is not a number"},
      {"0\n1\nt 2147483648 1\n", "line 3: '2147483648' is not a number"},
      {"0\n1\nt 0 9223372036854775808\n", "line 3: '9223372036854775808' is not a number"},
      {"0\n1\nt 0 1x\n", "line 3: '1x' is not a number"},
      {std::string("0\n1\nt 0 \0\x7f\x1b\n", 11),
       "'?"
       "?"
       "?' is not a number"},
  }));
  const auto parsed = parse_offset_checkpoint(text);
  INFO(text);
  REQUIRE_FALSE(parsed.ok());
  CHECK(parsed.error().code == base::ErrorCode::kafka_storage_error);
  CHECK_THAT(parsed.error().detail, Contains(says));
}

TEST_CASE("line ends of Windows and a missing last newline do no harm") {
  const OffsetCheckpoint one{{{"t", 0}, Offset{1}}};
  CHECK(*parse_offset_checkpoint("0\r\n1\r\nt 0 1\r\n") == one);
  CHECK(*parse_offset_checkpoint("0\n1\nt 0 1") == one);
}

TEST_CASE("random bytes never pass for a checkpoint unless they are one") {
  base::SeededRandom random{3};
  const auto good = golden("kafka-3.9.1/recovery-point-offset-checkpoint");
  for (int i = 0; i < 20'000; ++i) {
    auto text = good;
    for (auto n = random.below(4) + 1; n > 0; --n) text[random.below(text.size())] = static_cast<char>(random.next());
    text.resize(text.size() - random.below(3));
    if (const auto parsed = parse_offset_checkpoint(text); parsed.ok())
      REQUIRE(*parse_offset_checkpoint(format_offset_checkpoint(*parsed)) == *parsed);
  }
}

TEST_CASE("a checkpoint file that is not there is empty, and one that was stored is loaded") {
  base::PosixFiles files;
  const support::TemporaryDirectory directory;
  const auto path = directory.file(std::string{kRecoveryPointCheckpoint});
  CHECK(load_offset_checkpoint(files, path)->empty());

  const OffsetCheckpoint offsets{{{"t", 0}, Offset{1}}};
  REQUIRE(store_offset_checkpoint(files, path, offsets).ok());
  CHECK(*load_offset_checkpoint(files, path) == offsets);
  CHECK(files.list(directory.path())->size() == 1);  // no draft is left

  REQUIRE(base::write_file_atomically(files, path, "0\n1\nt 0\n").ok());
  const auto broken = load_offset_checkpoint(files, path);
  REQUIRE_FALSE(broken.ok());
  CHECK(broken.error().detail == path + ": line 3: expected 3 fields, found 't 0'");
}

TEST_CASE("partition.metadata of Apache Kafka is read, and written byte for byte alike") {
  const auto text = golden("kafka-3.9.1/partition.metadata");
  const auto id = parse_partition_metadata(text);
  REQUIRE(id.ok());
  CHECK(id->text() == "HDi0ajY_Qdea8tnM4h4GEA");
  CHECK(format_partition_metadata(*id) == text);
  CHECK(*parse_partition_metadata(text + "\n") == *id);
}

TEST_CASE("a broken partition.metadata is an error that names the line") {
  const auto [text, says] = GENERATE(table<std::string, std::string>({
      {"", "line 1"},
      {"version: 1\ntopic_id: HDi0ajY_Qdea8tnM4h4GEA", "line 1: expected 'version: 0', found 'version: 1'"},
      {"version: 0\n", "line 2"},
      {"version: 0\ntopic_id: short", "line 2"},
      {"version: 0\ntopic_id: AAAAAAAAAAAAAAAAAAAAAA", "line 2"},  // the zero id stands for none
      {"version: 0\ntopic_id: HDi0ajY_Qdea8tnM4h4GEA\nmore", "line 2"},
  }));
  const auto parsed = parse_partition_metadata(text);
  REQUIRE_FALSE(parsed.ok());
  CHECK_THAT(parsed.error().detail, Contains(says));
}

TEST_CASE("a partition without metadata file has no topic id, and a stored one is loaded") {
  base::PosixFiles files;
  const support::TemporaryDirectory directory;
  const auto path = directory.file(std::string{kPartitionMetadata});
  CHECK_FALSE(load_partition_metadata(files, path)->has_value());
  const auto id = *base::Uuid::from_text("HDi0ajY_Qdea8tnM4h4GEA");
  REQUIRE(store_partition_metadata(files, path, id).ok());
  CHECK(*load_partition_metadata(files, path) == id);
}
