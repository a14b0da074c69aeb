// Our readers and writers against bytes of Kafka's own.
#include "golden.h"

#include <catch2/catch.hpp>

#include "protocol/records/builder.h"
#include "protocol/records/convert.h"

using namespace protocol;
using base::Offset;
using golden::Golden;

namespace {

const Golden& all() {
  static const Golden golden = Golden::load();
  return golden;
}

BatchView batch_at(const golden::Sample& sample) { return BatchView::parse(sample.span()).value().value(); }

BatchSpec spec_of(const BatchView& batch) {
  BatchSpec spec{.base_offset = batch.base_offset(),
                 .leader_epoch = batch.leader_epoch(),
                 .codec = batch.codec(),
                 .producer_id = batch.producer_id(),
                 .producer_epoch = batch.producer_epoch(),
                 .base_sequence = batch.base_sequence(),
                 .transactional = batch.is_transactional(),
                 .control = batch.is_control(),
                 .delete_horizon = batch.delete_horizon()};
  if (batch.timestamp_type() == TimestampType::log_append_time) spec.log_append_time = batch.max_timestamp();
  return spec;
}

// Reads a batch record by record and writes each again.
base::Buffer rewritten(const BatchView& batch) {
  BatchBuilder builder(spec_of(batch));
  RecordReader reader(batch);
  RecordView record;
  bool copy = false;
  while (reader.next(record)) {
    const auto timestamp =
        base::timestamp_from_ms(base::to_ms(batch.base_timestamp()) + record.timestamp_delta);  // as the client sent it
    std::vector<HeaderView> headers;
    auto cursor = record.headers();
    while (const auto header = cursor.next()) headers.push_back(*header);
    if (copy)
      builder.add_at(offset_of(batch, record), timestamp, record);
    else
      builder.add_at(offset_of(batch, record), RecordFields{timestamp, record.key, record.value, headers});
    copy = !copy;
  }
  REQUIRE(reader.status().ok());
  return std::move(builder).build().value();
}

// Old messages with compressed values replaced by what they hold: two compressors may differ, what they pack may not.
std::string unpacked_messages(std::span<const std::byte> entries) {
  std::string out;
  EntryCursor cursor(entries);
  while (const auto entry = cursor.next()) {
    if (entry->codec() == Codec::none) {
      out += base::as_text(entry->bytes());
      continue;
    }
    const std::size_t value_at = entry->magic() == 0 ? 26 : 34;
    out += base::as_text(entry->bytes().first(8));
    out += base::as_text(entry->bytes().subspan(16, value_at - 20));
    const auto lz4 = entry->magic() == 0 ? Lz4Header::as_in_magic_0 : Lz4Header::standard;
    out += base::as_text(decompress(entry->codec(), entry->bytes().subspan(value_at), 1 << 20, lz4)->bytes());
  }
  REQUIRE(cursor.at_end());
  return out;
}

}  // namespace

TEST_CASE("every golden sample reads to the records Java reads") {
  REQUIRE(all().samples.size() >= 40);
  for (const auto& [name, sample] : all().samples) {
    INFO(name);
    EntryCursor cursor(sample.span());
    const auto first = cursor.next();
    REQUIRE(first);
    CHECK(first->magic() == sample.magic);
    CHECK(protocol::name(first->codec()) == sample.codec);
    CHECK(golden::read_all(sample.span()) == sample.records);
  }
}

TEST_CASE("uncompressed batches are written byte for byte as Java writes them") {
  int compared = 0;
  for (const auto& [name, sample] : all().samples) {
    if (sample.magic != 2 || sample.codec != "none" || sample.records.empty() || name.starts_with("log-")) continue;
    INFO(name);
    const auto bytes = rewritten(batch_at(sample));
    CHECK((base::as_text(bytes.bytes()) == sample.bytes));
    ++compared;
  }
  CHECK(compared >= 10);
}

TEST_CASE("compressed batches hold, once unpacked, the same bytes as Java's") {
  for (const auto& [name, sample] : all().samples) {
    if (sample.magic != 2 || sample.codec == "none" || name.starts_with("log-")) continue;
    INFO(name);
    const auto java = batch_at(sample);
    const auto bytes = rewritten(java);
    const auto ours = BatchView::parse(bytes.bytes()).value().value();
    CHECK(ours.crc_ok());
    CHECK(ours.attributes() == java.attributes());
    const auto unpacked = decompress(ours.codec(), ours.payload(), 1 << 20);
    CHECK((base::as_text(unpacked->bytes()) ==
           base::as_text(decompress(java.codec(), java.payload(), 1 << 20)->bytes())));
    CHECK(golden::read_all(bytes.bytes()) == sample.records);
  }
}

TEST_CASE("transaction markers are written and read as Java does") {
  for (const auto type : {ControlType::abort, ControlType::commit}) {
    const auto& sample = all().samples.at(type == ControlType::abort ? "v2-marker-abort" : "v2-marker-commit");
    const auto bytes = build_txn_marker({.offset = Offset{55},
                                         .leader_epoch = base::LeaderEpoch{6},
                                         .timestamp = base::timestamp_from_ms(1700000000000),
                                         .producer_id = base::ProducerId{7000},
                                         .producer_epoch = base::ProducerEpoch{3},
                                         .marker = {type, 9}});
    CHECK(bytes.size() == 78);
    CHECK((base::as_text(bytes.bytes()) == sample.bytes));
    const auto batch = batch_at(sample);
    CHECK(batch.is_control());
    CHECK(batch.is_transactional());
    CHECK(batch.base_sequence() == -1);
    CHECK(batch.last_sequence() == -1);
    RecordReader reader(batch);
    RecordView record;
    REQUIRE(reader.next(record));
    const auto marker = parse_txn_marker(record);
    REQUIRE(marker);
    CHECK(marker->type == type);
    CHECK(marker->coordinator_epoch == 9);
  }
}

TEST_CASE("an emptied batch keeps its offsets and its producer as Java's does") {
  const auto& java = all().samples.at("v2-empty");
  BatchBuilder full({.base_offset = Offset{300},
                     .leader_epoch = base::LeaderEpoch{6},
                     .producer_id = base::ProducerId{7000},
                     .producer_epoch = base::ProducerEpoch{3},
                     .base_sequence = 20,
                     .transactional = true});
  for (int i = 0; i < 6; ++i) full.add({.timestamp = base::timestamp_from_ms(1700000000000)});
  const auto bytes = std::move(full).build().value();
  const auto emptied = build_emptied_batch(BatchView::parse(bytes.bytes()).value().value());
  CHECK((base::as_text(emptied.bytes()) == java.bytes));
  CHECK(batch_at(java).last_sequence() == 25);
}

TEST_CASE("a delete horizon is told, and record timestamps count from it") {
  const auto batch = batch_at(all().samples.at("v2-delete-horizon"));
  CHECK(batch.delete_horizon() == base::timestamp_from_ms(1700000000000 + 86400000));
}

TEST_CASE("old messages are written as Java writes them") {
  for (const auto& [name, sample] : all().samples) {
    if (sample.magic == 2) continue;
    INFO(name);
    const auto first = EntryView::parse(sample.span()).value().value();
    LegacySpec spec{.magic = first.magic(), .codec = first.codec()};
    if (first.timestamp_type() == TimestampType::log_append_time) spec.log_append_time = first.max_timestamp();
    LegacyBuilder builder(spec);
    for (const auto& r : sample.records) {
      const auto bytes = [](const golden::OptionalText& t) {
        return t ? OptionalBytes(base::as_bytes(*t)) : OptionalBytes();
      };
      builder.add(Offset{r.offset}, base::timestamp_from_ms(r.timestamp), bytes(r.key), bytes(r.value));
    }
    const auto ours = std::move(builder).build().value();
    CHECK((unpacked_messages(ours.bytes()) == unpacked_messages(sample.span())));
    CHECK(golden::read_all(ours.bytes()) == sample.records);
    if (first.codec() == Codec::none) CHECK((base::as_text(ours.bytes()) == sample.bytes));
    const auto last = EntryView::parse(ours.bytes()).value().value();
    CHECK(last.last_offset() == first.last_offset());
    CHECK(first_offset(first).value() == Offset{sample.records.front().offset});
  }
}

TEST_CASE("lz4 frames in messages of magic 0 carry the header checksum of Kafka's first writer") {
  const auto& sample = all().samples.at("v0-mixed-lz4");
  const auto java = EntryView::parse(sample.span()).value().value().bytes().subspan(26);
  const auto ours = compress(Codec::lz4, base::as_bytes("any"), kDefaultLevel, Lz4Header::as_in_magic_0).value();
  CHECK((base::as_text(ours.bytes()).substr(0, 7) == base::as_text(java).substr(0, 7)));
  CHECK_FALSE(decompress(Codec::lz4, java, 1 << 20).ok());
  CHECK(decompress(Codec::lz4, java, 1 << 20, Lz4Header::as_in_magic_0).ok());
}

TEST_CASE("batches and messages are converted down as Java does for an old fetch") {
  REQUIRE(all().conversions.size() == 20);
  for (const auto& conversion : all().conversions) {
    INFO(conversion.name);
    const DownConversion wanted{.to_magic = static_cast<std::int8_t>(conversion.to_magic),
                                .first_offset = Offset{conversion.first_offset}};
    const auto ours = down_convert(all().samples.at(conversion.from).span(), wanted);
    REQUIRE(ours.ok());
    CHECK((unpacked_messages(ours->bytes()) == unpacked_messages(base::as_bytes(conversion.bytes))));
    CHECK(golden::read_all(ours->bytes()) == golden::read_all(base::as_bytes(conversion.bytes)));
  }
}

TEST_CASE("old messages of every codec become one batch with the same records") {
  for (const auto& [name, sample] : all().samples) {
    if (sample.magic == 2) continue;
    INFO(name);
    const auto codec = EntryView::parse(sample.span()).value().value().codec();
    const auto bytes = up_convert(sample.span(), {.base_offset = Offset{77}, .codec = codec}).value();
    auto expected = sample.records;
    for (std::size_t i = 0; i < expected.size(); ++i) expected[i].offset = 77 + static_cast<std::int64_t>(i);
    CHECK(golden::read_all(bytes.bytes()) == expected);
    const auto batch = BatchView::parse(bytes.bytes()).value().value();
    CHECK(batch.size_bytes() == bytes.size());
    CHECK(batch.codec() == codec);
    if (sample.magic == 0) CHECK(batch.max_timestamp() == base::kNoTimestamp);
  }
}

TEST_CASE("converting down leaves newer codecs and torn tails behind") {
  const auto& zstd = all().samples.at("v2-mixed-zstd");
  CHECK(down_convert(zstd.span(), {.to_magic = 1}).error().code == base::ErrorCode::unsupported_compression_type);
  const auto& plain = all().samples.at("v2-mixed-none");
  const auto torn = plain.bytes + plain.bytes.substr(0, 90);
  const auto converted = down_convert(base::as_bytes(torn), {.to_magic = 1}).value();
  CHECK(golden::read_all(converted.bytes()).size() == 4);
  CHECK(down_convert(plain.span().first(50), {.to_magic = 1})->empty());
}
