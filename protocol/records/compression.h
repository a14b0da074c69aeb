// gzip, snappy, lz4 and zstd behind one bounded call: whatever a client sends, memory stays below the limit.
//
//   gzip    RFC 1952, one or more members
//   snappy  the framing of snappy-java:
//             [ 82 'SNAPPY' 00 ][ version : i32 = 1 ][ oldest reader : i32 = 1 ]  then blocks of at most 32 KiB of
//             input [ compressed size : i32 ][ raw snappy ]
//           Raw snappy without framing (librdkafka, sarama and others send it) is read, never written.
//   lz4     one frame of independent blocks, as Kafka's own reader insists on.
//           Messages of magic 0 carry a header checksum over magic number and descriptor instead of the descriptor
//           alone: Kafka's first writer was wrong, and its readers of that age check for the wrong value (KAFKA-3160).
//   zstd    one or more frames
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string_view>

#include "base/buffer.h"
#include "base/error.h"

namespace protocol {

// The low three bits of a batch's or message's attributes. 5, 6 and 7 mean nothing yet, but can arrive.
enum class Codec : std::uint8_t { none = 0, gzip = 1, snappy = 2, lz4 = 3, zstd = 4 };

constexpr Codec codec_of(std::uint16_t attributes) { return static_cast<Codec>(attributes & 0x07); }
constexpr bool is_known(Codec codec) { return codec <= Codec::zstd; }

// "none", "gzip", ...: the names of the setting compression.type; "unknown" for 5, 6 and 7.
std::string_view name(Codec codec);

enum class Lz4Header { standard, as_in_magic_0 };

// Kafka's level setting of the codec, or this for Kafka's default (gzip 6, zstd 3, lz4 the fast compressor).
inline constexpr int kDefaultLevel = std::numeric_limits<int>::min();

// What one batch may unfold to when the caller has no better idea.
inline constexpr std::size_t kDefaultUnpackedLimitBytes = std::size_t{256} << 20;

// `corrupt_message` for bytes the codec does not accept, `message_too_large` when the output would pass the limit,
// `unsupported_compression_type` for a codec nobody knows. Lengths found in the input are never trusted: the output
// grows as bytes arrive. Codec::none copies.
base::Result<base::Buffer> decompress(Codec codec, std::span<const std::byte> in, std::size_t limit_bytes,
                                      Lz4Header lz4 = Lz4Header::standard);

// The same into a buffer that may be used again and again; its contents are replaced.
base::Status decompress_into(base::Buffer& out, Codec codec, std::span<const std::byte> in, std::size_t limit_bytes,
                             Lz4Header lz4 = Lz4Header::standard);

base::Result<base::Buffer> compress(Codec codec, std::span<const std::byte> in, int level = kDefaultLevel,
                                    Lz4Header lz4 = Lz4Header::standard);

// A buffer for unpacked records, borrowed from the thread that asks, so that validating a compressed batch does not
// allocate. Taking two at once is allowed; the second starts empty. What grew beyond kKeptBytes is given back to the
// allocator, so one large batch does not stay in memory for ever.
class ScratchBuffer {
 public:
  static constexpr std::size_t kKeptBytes = std::size_t{2} << 20;

  ScratchBuffer();
  ~ScratchBuffer();
  ScratchBuffer(ScratchBuffer&& other) noexcept = default;
  ScratchBuffer& operator=(ScratchBuffer&& other) noexcept = default;

  base::Buffer& operator*() { return buffer_; }
  base::Buffer* operator->() { return &buffer_; }

 private:
  base::Buffer buffer_;
};

}  // namespace protocol
