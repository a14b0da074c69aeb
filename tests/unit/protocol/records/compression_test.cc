#include "protocol/records/compression.h"

#include <catch2/catch.hpp>

#include <string>

#include "base/bytes.h"
#include "base/random.h"

using namespace protocol;
using base::ErrorCode;

namespace {

constexpr std::size_t kMiB = std::size_t{1} << 20;

// Half noise, half repetition, so that every codec has literals and matches to write.
std::string some_text(base::Random& random, std::size_t size) {
  std::string out;
  while (out.size() < size) {
    if (random.below(2) == 0)
      out.append(random.below(200), static_cast<char>(random.below(256)));
    else
      for (auto n = random.below(50); n > 0; --n) out.push_back(static_cast<char>(random.below(256)));
  }
  out.resize(size);
  return out;
}

std::string from_bytes(std::initializer_list<int> bytes) {
  std::string out;
  for (int b : bytes) out.push_back(static_cast<char>(b));
  return out;
}

}  // namespace

TEST_CASE("whatever is compressed comes back, for every codec and size") {
  base::SeededRandom random{42};
  const auto codec = GENERATE(Codec::none, Codec::gzip, Codec::snappy, Codec::lz4, Codec::zstd);
  for (const std::size_t size : {0, 1, 15, 1000, 32768, 32769, 65536, 200'000, 3'000'000}) {
    INFO(name(codec) << " " << size);
    const auto text = some_text(random, size);
    const auto packed = compress(codec, base::as_bytes(text));
    REQUIRE(packed.ok());
    if (codec == Codec::none && size == 0) continue;
    const auto unpacked = decompress(codec, packed->bytes(), size);
    REQUIRE(unpacked.ok());
    CHECK((base::as_text(unpacked->bytes()) == text));
  }
}

TEST_CASE("every compression level Kafka's settings allow is taken") {
  const std::string text(50'000, 'x');
  for (const auto& [codec, lowest, highest] :
       {std::tuple{Codec::gzip, -1, 9}, std::tuple{Codec::lz4, 1, 17}, std::tuple{Codec::zstd, -7, 22}})
    for (int level = lowest; level <= highest; ++level) {
      INFO(name(codec) << " level " << level);
      const auto packed = compress(codec, base::as_bytes(text), level);
      REQUIRE(packed.ok());
      CHECK((base::as_text(decompress(codec, packed->bytes(), kMiB)->bytes()) == text));
    }
  CHECK(compress(Codec::zstd, base::as_bytes(text), -131072).ok());
  CHECK(compress(Codec::gzip, base::as_bytes(text), 10).error().code == ErrorCode::invalid_config);
}

TEST_CASE("a decompression bomb is refused at the limit, and memory stays below it") {
  const std::string zeros(64 * kMiB, '\0');
  const auto codec = GENERATE(Codec::gzip, Codec::snappy, Codec::lz4, Codec::zstd);
  INFO(name(codec));
  const auto packed = compress(codec, base::as_bytes(zeros));
  REQUIRE(packed.ok());
  base::Buffer out;
  const auto status = decompress_into(out, codec, packed->bytes(), kMiB);
  REQUIRE_FALSE(status.ok());
  CHECK(status.error().code == ErrorCode::message_too_large);
  CHECK(out.capacity() <= kMiB + 1);
}

TEST_CASE("the limit itself is allowed, one byte more is not") {
  const std::string text(100'000, 'a');
  const auto codec = GENERATE(Codec::none, Codec::gzip, Codec::snappy, Codec::lz4, Codec::zstd);
  INFO(name(codec));
  const auto packed = compress(codec, base::as_bytes(text));
  CHECK(decompress(codec, packed->bytes(), 100'000).ok());
  CHECK(decompress(codec, packed->bytes(), 99'999).error().code == ErrorCode::message_too_large);
  CHECK(decompress(codec, packed->bytes(), 0).error().code == ErrorCode::message_too_large);
}

TEST_CASE("input cut anywhere never unpacks to something else") {
  base::SeededRandom random{7};
  const auto text = some_text(random, 5000);
  const auto codec = GENERATE(Codec::gzip, Codec::snappy, Codec::lz4, Codec::zstd);
  INFO(name(codec));
  const auto packed = compress(codec, base::as_bytes(text)).value();
  for (std::size_t size = 0; size < packed.size(); ++size) {
    const auto unpacked = decompress(codec, packed.bytes().first(size), kMiB);
    // A snappy stream may end after any block, and has one here; its bare header is an empty stream.
    if (unpacked.ok()) CHECK((codec == Codec::snappy && size == 16 && unpacked->empty()));
  }
}

TEST_CASE("random damage and random bytes are refused or unpacked within the limit") {
  base::SeededRandom random{99};
  const auto codec = GENERATE(Codec::gzip, Codec::snappy, Codec::lz4, Codec::zstd);
  INFO(name(codec));
  constexpr std::size_t kLimit = 300'000;
  for (int round = 0; round < 3000; ++round) {
    auto packed = compress(codec, base::as_bytes(some_text(random, random.below(3000)))).value();
    if (round % 5 == 0) random.fill(packed.bytes());
    for (auto n = 1 + random.below(4); n > 0; --n)
      packed.bytes()[random.below(packed.size())] = static_cast<std::byte>(random.below(256));
    base::Buffer exact(1 + random.below(packed.size()));  // of its own, so that a byte too far is seen
    std::copy_n(packed.data(), exact.size(), exact.data());
    base::Buffer out;
    const auto status =
        decompress_into(out, codec, exact.bytes(), kLimit, round % 2 ? Lz4Header::standard : Lz4Header::as_in_magic_0);
    if (status) CHECK(out.size() <= kLimit);
    CHECK(out.capacity() <= kLimit + 1);
  }
}

TEST_CASE("lengths that lie do not reserve memory") {
  SECTION("a snappy block that claims 4 GiB") {
    const auto lie = from_bytes({0xff, 0xff, 0xff, 0xff, 0x0f, 0x00, 0x41});
    base::Buffer out;
    CHECK(decompress_into(out, Codec::snappy, base::as_bytes(lie), 1024 * kMiB).error().code ==
          ErrorCode::corrupt_message);
    CHECK(out.capacity() <= kMiB);
  }
  SECTION("a zstd frame that claims 1 GiB of content") {
    // magic, frame header: single segment, 4-byte content size; one raw block of no bytes
    const auto lie = from_bytes({0x28, 0xb5, 0x2f, 0xfd, 0xa0, 0, 0, 0, 0x40, 0x01, 0, 0});
    base::Buffer out;
    CHECK_FALSE(decompress_into(out, Codec::zstd, base::as_bytes(lie), 2048 * kMiB).ok());
    CHECK(out.capacity() <= kMiB);
  }
}

TEST_CASE("snappy is read raw, framed, and as several streams") {
  const auto raw = from_bytes({5, 4 << 2, 'h', 'e', 'l', 'l', 'o'});
  CHECK((base::as_text(decompress(Codec::snappy, base::as_bytes(raw), 100)->bytes()) == "hello"));

  const auto stream = from_bytes({0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 7}) + raw;
  CHECK((base::as_text(decompress(Codec::snappy, base::as_bytes(stream), 100)->bytes()) == "hello"));
  CHECK((base::as_text(decompress(Codec::snappy, base::as_bytes(stream + stream), 100)->bytes()) == "hellohello"));
  CHECK(decompress(Codec::snappy, base::as_bytes(stream + stream), 9).error().code == ErrorCode::message_too_large);

  auto negative = stream;
  negative[16] = static_cast<char>(0x80);
  CHECK_FALSE(decompress(Codec::snappy, base::as_bytes(negative), 100).ok());
  auto version_0 = stream;
  version_0[11] = 0;
  CHECK_FALSE(decompress(Codec::snappy, base::as_bytes(version_0), 100).ok());
}

TEST_CASE("gzip members and zstd frames may follow one another") {
  for (const auto codec : {Codec::gzip, Codec::zstd}) {
    INFO(name(codec));
    auto packed = compress(codec, base::as_bytes("first ")).value();
    packed.append(compress(codec, base::as_bytes("second"))->bytes());
    CHECK((base::as_text(decompress(codec, packed.bytes(), 100)->bytes()) == "first second"));
  }
  auto trailing = compress(Codec::gzip, base::as_bytes("first")).value();
  trailing.append(base::as_bytes("padding"));
  CHECK((base::as_text(decompress(Codec::gzip, trailing.bytes(), 100)->bytes()) == "first"));
}

TEST_CASE("an lz4 frame that Java's reader would refuse is refused") {
  auto frame = compress(Codec::lz4, base::as_bytes("text")).value();
  CHECK((frame.bytes()[4] & std::byte{0x20}) == std::byte{0x20});  // written as independent blocks
  frame.bytes()[4] ^= std::byte{0x20};
  CHECK_FALSE(decompress(Codec::lz4, frame.bytes(), 100, Lz4Header::as_in_magic_0).ok());
}

TEST_CASE("a codec nobody knows is an error of its own") {
  for (int raw = 5; raw <= 7; ++raw) {
    const auto codec = static_cast<Codec>(raw);
    CHECK_FALSE(is_known(codec));
    CHECK(decompress(codec, base::as_bytes("x"), 100).error().code == ErrorCode::unsupported_compression_type);
    CHECK(compress(codec, base::as_bytes("x")).error().code == ErrorCode::unsupported_compression_type);
  }
}

TEST_CASE("a scratch buffer keeps its memory for the next one, unless it grew large") {
  const std::byte* first = nullptr;
  {
    ScratchBuffer scratch;
    scratch->resize(100'000);
    first = scratch->data();
  }
  {
    ScratchBuffer again;
    CHECK(again->empty());
    CHECK(again->data() == first);
    ScratchBuffer second;
    CHECK(second->capacity() == 0);
    again->resize(ScratchBuffer::kKeptBytes * 2);
  }
  ScratchBuffer last;
  CHECK(last->capacity() <= ScratchBuffer::kKeptBytes);
}
