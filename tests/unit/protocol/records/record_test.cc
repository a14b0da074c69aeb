#include "protocol/records/record.h"

#include <catch2/catch.hpp>

#include "base/random.h"
#include "golden.h"
#include "protocol/records/builder.h"
#include "protocol/records/convert.h"
#include "read_everything.h"

using namespace protocol;
using base::ErrorCode;
using base::Offset;
using golden::PlainRecord;

namespace {

BatchView view(const base::Buffer& buffer) { return BatchView::parse(buffer.bytes()).value().value(); }

std::string random_text(base::Random& random, std::size_t below) {
  std::string out(random.below(below), '\0');
  for (char& c : out) c = static_cast<char>('a' + random.below(4));
  return out;
}

golden::OptionalText random_optional(base::Random& random, std::size_t below) {
  return random.below(4) == 0 ? golden::OptionalText() : random_text(random, below);
}

OptionalBytes borrow(const golden::OptionalText& text) {
  return text ? OptionalBytes(base::as_bytes(*text)) : OptionalBytes();
}

struct RandomBatch {
  std::vector<PlainRecord> records;
  base::Buffer bytes;
};

RandomBatch random_batch(base::Random& random, Codec codec) {
  BatchSpec spec{.base_offset = Offset{static_cast<std::int64_t>(random.below(1ull << 60))}, .codec = codec};
  BatchBuilder builder(spec);
  std::vector<PlainRecord> records;
  auto offset = spec.base_offset;
  for (auto n = 1 + random.below(40); n > 0; --n) {
    offset += static_cast<std::int64_t>(random.below(5) == 0 ? random.below(1'000'000) : 0);
    PlainRecord r{offset.raw,
                  static_cast<std::int64_t>(random.below(1ull << 42)) - 1,
                  random_optional(random, 20),
                  random_optional(random, random.below(20) == 0 ? 5000 : 200),
                  {}};
    for (auto headers = random.below(4); headers > 0; --headers)
      r.headers.emplace_back(random_text(random, 80), random_optional(random, 100));
    std::vector<HeaderView> views;
    for (const auto& [key, value] : r.headers) views.push_back({key, borrow(value)});
    builder.add_at(offset, RecordFields{base::timestamp_from_ms(r.timestamp), borrow(r.key), borrow(r.value), views});
    records.push_back(std::move(r));
    offset += 1;
  }
  return {std::move(records), std::move(builder).build().value()};
}

base::Buffer plain_batch(int records) {
  BatchBuilder builder({});
  for (int i = 0; i < records; ++i)
    builder.add({.timestamp = base::timestamp_from_ms(1), .key = base::as_bytes("k"), .value = base::as_bytes("v")});
  return std::move(builder).build().value();
}

// Header of a batch that claims `count` records, with `payload` behind it.
base::Buffer batch_around(std::string_view payload, std::int32_t count) {
  auto bytes = plain_batch(1);
  bytes.resize(kBatchHeaderBytes);
  bytes.append(base::as_bytes(payload));
  base::store_big_endian(bytes.data() + 8, static_cast<std::int32_t>(bytes.size() - 12));
  base::store_big_endian(bytes.data() + 57, count);
  return bytes;
}

ErrorCode code_of(const base::Buffer& batch) {
  RecordReader reader(view(batch));
  RecordView record;
  while (reader.next(record)) {
  }
  return reader.status() ? ErrorCode::none : reader.status().error().code;
}

}  // namespace

TEST_CASE("random batches of every codec read back as they were built") {
  const auto codec = GENERATE(Codec::none, Codec::gzip, Codec::snappy, Codec::lz4, Codec::zstd);
  base::SeededRandom random{static_cast<std::uint64_t>(codec) + 1};
  for (int round = 0; round < 200; ++round) {
    const auto [records, bytes] = random_batch(random, codec);
    const auto batch = view(bytes);
    CHECK(batch.crc_ok());
    CHECK(batch.record_count() == static_cast<std::int32_t>(records.size()));
    CHECK(batch.last_offset() == Offset{records.back().offset});
    CHECK((golden::read_all(bytes.bytes()) == records));

    const auto other = static_cast<Codec>(random.below(5));
    const auto again = recompress(batch, other).value();
    CHECK(view(again).codec() == other);
    CHECK((golden::read_all(again.bytes()) == records));
  }
}

TEST_CASE("random batches survive conversion to old messages but for what those cannot say") {
  const auto codec = GENERATE(Codec::none, Codec::gzip, Codec::snappy, Codec::lz4);
  base::SeededRandom random{static_cast<std::uint64_t>(codec) + 100};
  for (int round = 0; round < 100; ++round) {
    auto [records, bytes] = random_batch(random, codec);
    const std::int8_t magic = round % 2;
    const auto converted = down_convert(bytes.bytes(), {.to_magic = magic}).value();
    for (auto& r : records) {
      r.headers.clear();
      if (magic == 0) r.timestamp = -1;
    }
    // Uncompressed records below the offset asked for are left out, and the default asks for all.
    CHECK((golden::read_all(converted.bytes()) == records));
  }
}

TEST_CASE("a record with anything wrong in it is malformed") {
  // length 6: attributes, timestamp delta, offset delta, key -1, value -1, no headers
  const std::string good("\x0c\0\0\0\x01\x01\0", 7);
  CHECK(code_of(batch_around(good, 1)) == ErrorCode::none);

  CHECK(code_of(batch_around(good, 0)) == ErrorCode::invalid_record);                  // bytes behind the last record
  CHECK(code_of(batch_around(good, 2)) == ErrorCode::invalid_record);                  // fewer than claimed
  CHECK(code_of(batch_around(good, -1)) == ErrorCode::invalid_record);                 // a negative count
  CHECK(code_of(batch_around(good + "x", 1)) == ErrorCode::invalid_record);            // a byte left over
  CHECK(code_of(batch_around("", 1)) == ErrorCode::invalid_record);                    // nothing at all
  CHECK(code_of(batch_around("", 0)) == ErrorCode::none);                              // an emptied batch
  CHECK(code_of(batch_around("\x01", 1)) == ErrorCode::invalid_record);                // length -1
  CHECK(code_of(batch_around(std::string("\0", 1), 1)) == ErrorCode::invalid_record);  // length 0
  for (std::size_t size = 1; size < good.size(); ++size)
    CHECK(code_of(batch_around(good.substr(0, size), 1)) == ErrorCode::invalid_record);

  const auto changed = [&](std::size_t at, char to) {
    auto bad = good;
    bad[at] = to;
    return code_of(batch_around(bad, 1));
  };
  CHECK(changed(0, 0x0a) == ErrorCode::invalid_record);                     // shorter than its content
  CHECK(changed(4, 0x08) == ErrorCode::invalid_record);                     // a key of 4 bytes where 2 are left
  CHECK(changed(5, 0x08) == ErrorCode::invalid_record);                     // a value that long
  CHECK(changed(6, 0x02) == ErrorCode::invalid_record);                     // a header that is not there
  CHECK(changed(6, 0x01) == ErrorCode::invalid_record);                     // -1 headers
  CHECK(changed(3, static_cast<char>(0x80)) == ErrorCode::invalid_record);  // varints that swallow the rest

  const std::string null_header_key("\x10\0\0\0\x01\x01\x02\x01\x01", 9);
  CHECK(code_of(batch_around(null_header_key, 1)) == ErrorCode::invalid_record);
  const std::string two_billion_headers("\x14\0\0\0\x01\x01\xfe\xff\xff\xff\x0f", 11);
  CHECK(code_of(batch_around(two_billion_headers, 1)) == ErrorCode::invalid_record);
}

TEST_CASE("a payload that does not unpack is told from malformed records") {
  auto bytes = batch_around("not gzip at all", 1);
  bytes.bytes()[22] = std::byte{1};
  CHECK(code_of(bytes) == ErrorCode::corrupt_message);
  bytes.bytes()[22] = std::byte{6};
  CHECK(code_of(bytes) == ErrorCode::unsupported_compression_type);
}

TEST_CASE("a batch that unpacks beyond the limit is refused") {
  BatchBuilder builder({.codec = Codec::zstd});
  const std::string zeros(1 << 20, '\0');
  for (int i = 0; i < 8; ++i) builder.add({.value = base::as_bytes(zeros)});
  const auto bytes = std::move(builder).build().value();
  CHECK(bytes.size() < 10'000);
  RecordReader refused(view(bytes), 4 << 20);
  RecordView record;
  CHECK_FALSE(refused.next(record));
  CHECK(refused.status().error().code == ErrorCode::message_too_large);
  RecordReader allowed(view(bytes), 9 << 20);
  while (allowed.next(record)) {
  }
  CHECK(allowed.status().ok());
  CHECK(allowed.position() == 8);
}

TEST_CASE("many compressed messages in one set share the limit") {
  LegacyBuilder builder({.magic = 1, .codec = Codec::gzip});
  builder.add(Offset{0}, base::timestamp_from_ms(1), std::nullopt, base::as_bytes(std::string(500'000, '\0')));
  const auto one = std::move(builder).build().value();
  base::Buffer set;
  for (int i = 0; i < 4; ++i) set.append(one.bytes());
  CHECK(up_convert(set.bytes(), {}, 3'000'000).ok());
  CHECK(up_convert(set.bytes(), {}, 1'100'000).error().code == ErrorCode::message_too_large);
}

TEST_CASE("two readers on one thread do not share memory") {
  base::SeededRandom random{5};
  const auto a = random_batch(random, Codec::lz4);
  const auto b = random_batch(random, Codec::zstd);
  RecordReader first(view(a.bytes));
  RecordReader second(view(b.bytes));
  RecordView record;
  std::size_t i = 0, j = 0;
  while (first.next(record)) {
    CHECK(golden::text(record.value) == a.records[i++].value);
    if (second.next(record)) CHECK(golden::text(record.value) == b.records[j++].value);
  }
  CHECK(i == a.records.size());
}

TEST_CASE("control keys we do not know are nothing, not a guess") {
  const auto key = [](std::string_view text) { return parse_control_key(OptionalBytes(base::as_bytes(text))); };
  CHECK(key({"\0\0\0\0", 4}) == ControlType::abort);
  CHECK(key({"\0\0\0\1", 4}) == ControlType::commit);
  CHECK(key({"\0\0\0\2", 4}) == ControlType::leader_change);
  CHECK_FALSE(key({"\0\1\0\1", 4}));
  CHECK_FALSE(key({"\0\0\0\7", 4}));
  CHECK_FALSE(key({"\0\0\xff\xff", 4}));
  CHECK_FALSE(key({"\0\0\0", 3}));
  CHECK_FALSE(parse_control_key(std::nullopt));
}

TEST_CASE("a builder refuses offsets that do not rise or lie too far away") {
  BatchBuilder falling({.base_offset = Offset{10}});
  falling.add_at(Offset{12}, RecordFields{});
  falling.add_at(Offset{12}, RecordFields{});
  CHECK(std::move(falling).build().error().code == ErrorCode::corrupt_message);
  BatchBuilder far({.base_offset = Offset{10}});
  far.add_at(Offset{10 + (std::int64_t{1} << 31)}, RecordFields{});
  CHECK_FALSE(std::move(far).build().ok());
}

TEST_CASE("damaged golden samples are read without harm") {
  base::SeededRandom random{2024};
  const auto golden = golden::Golden::load();
  for (const auto& [name, sample] : golden.samples) {
    INFO(name);
    const int rounds = sample.bytes.size() > 4000 ? 20 : 200;
    for (int round = 0; round < rounds; ++round) {
      base::Buffer bytes;
      bytes.append(sample.span());
      // Most damage spares the length and magic, or nothing behind them would ever be reached.
      const std::size_t spared = round % 4 == 0 ? 0 : 21;
      for (auto n = random.below(6); n > 0; --n)
        bytes.bytes()[spared + random.below(bytes.size() - spared)] =
            static_cast<std::byte>(random.below(3) == 0 ? 0xff : random.below(256));
      base::Buffer exact(round % 3 == 0 ? 1 + random.below(bytes.size()) : bytes.size());
      std::copy_n(bytes.data(), exact.size(), exact.data());
      if (round % 3 == 0 && exact.size() > 30)  // cut, but claiming to be whole
        base::store_big_endian(exact.data() + 8, static_cast<std::int32_t>(exact.size() - 12));
      read_everything(exact.bytes());
    }
  }
}

TEST_CASE("damaged records inside a valid compression are read without harm") {
  base::SeededRandom random{77};
  for (int round = 0; round < 2000; ++round) {
    const auto source = random_batch(random, Codec::none);
    base::Buffer payload;
    payload.append(view(source.bytes).payload());
    for (auto n = 1 + random.below(4); n > 0; --n)
      payload.bytes()[random.below(payload.size())] = static_cast<std::byte>(random.below(256));
    payload.resize(1 + random.below(payload.size()));
    const auto codec = static_cast<Codec>(random.below(5));
    const auto packed = compress(codec, payload.bytes()).value();
    auto bytes = batch_around(base::as_text(packed.bytes()), static_cast<std::int32_t>(source.records.size()));
    bytes.bytes()[22] = static_cast<std::byte>(codec);
    read_everything(bytes.bytes());
  }
}

TEST_CASE("random bytes behind a plausible header are read without harm") {
  base::SeededRandom random{31};
  for (int round = 0; round < 20'000; ++round) {
    base::Buffer bytes(kBatchHeaderBytes + random.below(300));
    random.fill(bytes.bytes());
    base::store_big_endian(bytes.data() + 8, static_cast<std::int32_t>(bytes.size() - 12));
    bytes.bytes()[16] = static_cast<std::byte>(round % 3);
    if (round % 2) base::store_big_endian(bytes.data() + 57, static_cast<std::int32_t>(random.below(20)));
    if (round % 3 < 2) bytes.bytes()[17] = static_cast<std::byte>(random.below(4));
    read_everything(bytes.bytes());
  }
}
