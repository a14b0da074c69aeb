#include "replication/partition/partition_settings.h"

#include <catch2/catch.hpp>

#include "config/dynamic.h"

using namespace replication;
using std::chrono::milliseconds;

namespace {

PartitionSettings settings_of(config::Texts overrides) {
  config::DynamicSettings settings{config::BrokerSettings(), [] { return std::string("localhost"); }};
  settings.set_topic_overrides("t", std::move(overrides));
  return PartitionSettings::of(*settings.snapshot()->topic("t"));
}

}  // namespace

TEST_CASE("a topic without a word of its own takes records as they come") {
  const auto settings = settings_of({});
  CHECK(settings.admission.max_batch_bytes == 1'048'588);
  CHECK(settings.admission.segment_bytes == std::size_t{1} << 30);
  CHECK_FALSE(settings.admission.compacted);
  CHECK(settings.admission.timestamps == protocol::TimestampType::create_time);
  CHECK_FALSE(settings.admission.codec);
  CHECK(settings.min_insync_replicas == 1);
  CHECK(settings.down_conversion);
  CHECK_FALSE(settings.compresses_zstd);
}

TEST_CASE("every setting a partition asks for follows its topic") {
  const auto settings = settings_of({{"max.message.bytes", "2000"},
                                     {"segment.bytes", "4000"},
                                     {"cleanup.policy", "compact,delete"},
                                     {"message.timestamp.type", "LogAppendTime"},
                                     {"message.timestamp.before.max.ms", "60000"},
                                     {"message.timestamp.after.max.ms", "30000"},
                                     {"min.insync.replicas", "2"},
                                     {"message.downconversion.enable", "false"},
                                     {"file.delete.delay.ms", "77"}});
  CHECK(settings.admission.max_batch_bytes == 2000);
  CHECK(settings.admission.segment_bytes == 4000);
  CHECK(settings.log.segment_bytes == 4000);
  CHECK(settings.log.file_delete_delay == milliseconds(77));
  CHECK(settings.admission.compacted);
  CHECK(settings.admission.timestamps == protocol::TimestampType::log_append_time);
  CHECK(settings.admission.before_max == milliseconds(60000));
  CHECK(settings.admission.after_max == milliseconds(30000));
  CHECK(settings.min_insync_replicas == 2);
  CHECK_FALSE(settings.down_conversion);
}

TEST_CASE("compression.type names the codec, producer none, uncompressed that of no compression") {
  using protocol::Codec;
  const auto codec = [](const std::string& type) { return settings_of({{"compression.type", type}}).admission.codec; };
  CHECK(codec("producer") == std::nullopt);
  CHECK(codec("uncompressed") == Codec::none);
  CHECK(codec("gzip") == Codec::gzip);
  CHECK(codec("snappy") == Codec::snappy);
  CHECK(codec("lz4") == Codec::lz4);
  CHECK(codec("zstd") == Codec::zstd);
  CHECK(settings_of({{"compression.type", "zstd"}}).compresses_zstd);
  CHECK_FALSE(settings_of({{"compression.type", "gzip"}}).compresses_zstd);
}

TEST_CASE("a codec works at the level its topic names") {
  CHECK(settings_of({{"compression.type", "gzip"}, {"compression.gzip.level", "2"}}).admission.level == 2);
  CHECK(settings_of({{"compression.type", "lz4"}, {"compression.lz4.level", "5"}}).admission.level == 5);
  CHECK(settings_of({{"compression.type", "zstd"}, {"compression.zstd.level", "7"}}).admission.level == 7);
}
