#include "protocol/records/compression.h"

#include <lz4frame.h>
#include <snappy.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <memory>

#include "base/bytes.h"
#include "base/check.h"

namespace protocol {

using base::Buffer;
using base::ErrorCode;
using base::fail;
using base::Result;
using base::Status;
using Bytes = std::span<const std::byte>;

namespace {

constexpr std::size_t kFirstStepBytes = 64 << 10;
constexpr std::size_t kMaxInputBytes = std::numeric_limits<std::int32_t>::max();  // what a batch can hold

Status malformed(Codec codec, std::string_view why) {
  return fail(ErrorCode::corrupt_message, "{} data that does not unpack: {}", name(codec), why);
}
Status beyond(std::size_t limit_bytes) {
  return fail(ErrorCode::message_too_large, "records that unpack to more than {} bytes", limit_bytes);
}

// Output that grows as it fills, up to one byte beyond the limit: that byte is the proof of having passed it.
class Output {
 public:
  Output(Buffer& buffer, std::size_t limit_bytes)
      : buffer_(buffer), limit_(std::min(limit_bytes, std::numeric_limits<std::size_t>::max() / 4)) {
    buffer_.clear();
    buffer_.resize(std::min(std::max(buffer_.capacity(), kFirstStepBytes), limit_ + 1));
  }
  ~Output() { buffer_.resize(used_); }

  std::span<std::byte> room() {
    if (used_ == buffer_.size()) buffer_.resize(std::min(buffer_.size() * 2, limit_ + 1));
    return buffer_.bytes().subspan(used_);
  }
  // For sizes already known to be plausible.
  std::span<std::byte> room(std::size_t bytes) {
    if (used_ + bytes > buffer_.size())
      buffer_.resize(std::max(used_ + bytes, std::min(buffer_.size() * 2, limit_ + 1)));
    return buffer_.bytes().subspan(used_, bytes);
  }
  void wrote(std::size_t bytes) { used_ += bytes; }
  std::size_t left() const { return limit_ - std::min(used_, limit_); }
  bool passed() const { return used_ > limit_; }
  std::size_t limit() const { return limit_; }

 private:
  Buffer& buffer_;
  std::size_t limit_;
  std::size_t used_ = 0;
};

// Contexts are made once per thread: an lz4 or zstd context costs more than a small batch.
template <class Context, auto free_context>
struct Freed {
  void operator()(Context* context) const { free_context(context); }
};

LZ4F_dctx* lz4_reader() {
  thread_local const std::unique_ptr<LZ4F_dctx, Freed<LZ4F_dctx, LZ4F_freeDecompressionContext>> context([] {
    LZ4F_dctx* made = nullptr;
    base::invariant(!LZ4F_isError(LZ4F_createDecompressionContext(&made, LZ4F_VERSION)), "an lz4 context can be made");
    return made;
  }());
  LZ4F_resetDecompressionContext(context.get());
  return context.get();
}

LZ4F_cctx* lz4_writer() {
  thread_local const std::unique_ptr<LZ4F_cctx, Freed<LZ4F_cctx, LZ4F_freeCompressionContext>> context([] {
    LZ4F_cctx* made = nullptr;
    base::invariant(!LZ4F_isError(LZ4F_createCompressionContext(&made, LZ4F_VERSION)), "an lz4 context can be made");
    return made;
  }());
  return context.get();
}

ZSTD_CCtx* zstd_writer() {
  thread_local const std::unique_ptr<ZSTD_CCtx, Freed<ZSTD_CCtx, ZSTD_freeCCtx>> context(ZSTD_createCCtx());
  base::invariant(context != nullptr, "a zstd context can be made");
  return context.get();
}

// A frame with a large window makes the context grow; such a context is not kept.
ZSTD_DCtx* zstd_reader() {
  constexpr std::size_t kKeptContextBytes = 4 << 20;
  thread_local std::unique_ptr<ZSTD_DCtx, Freed<ZSTD_DCtx, ZSTD_freeDCtx>> context;
  if (!context || ZSTD_sizeof_DCtx(context.get()) > kKeptContextBytes) context.reset(ZSTD_createDCtx());
  base::invariant(context != nullptr, "a zstd context can be made");
  ZSTD_DCtx_reset(context.get(), ZSTD_reset_session_only);
  return context.get();
}

constexpr int kGzipWindow = 15 + 16;  // 32 KiB window; 16: with the gzip wrapper, and nothing else

struct InflateStream : z_stream {
  InflateStream() : z_stream() { base::invariant(inflateInit2(this, kGzipWindow) == Z_OK, "zlib can be set up"); }
  ~InflateStream() { inflateEnd(this); }
};

struct DeflateStream : z_stream {
  explicit DeflateStream(int level_wanted) : z_stream(), level(level_wanted) {
    constexpr int kMemoryLevel = 8;  // zlib's default
    base::invariant(deflateInit2(this, level, Z_DEFLATED, kGzipWindow, kMemoryLevel, Z_DEFAULT_STRATEGY) == Z_OK,
                    "zlib can be set up");
  }
  ~DeflateStream() { deflateEnd(this); }
  int level;
};

Bytef* zlib_bytes(const std::byte* at) { return reinterpret_cast<Bytef*>(const_cast<std::byte*>(at)); }

bool starts_gzip_member(Bytes in) { return in.size() >= 2 && in[0] == std::byte{0x1f} && in[1] == std::byte{0x8b}; }

// Members may follow one another; other bytes behind a member are ignored, as Java's reader does.
Status unpack_gzip(Bytes in, Output& out) {
  thread_local InflateStream stream;
  inflateReset(&stream);
  stream.next_in = zlib_bytes(in.data());
  stream.avail_in = static_cast<uInt>(in.size());
  for (;;) {
    const auto room = out.room();
    stream.next_out = zlib_bytes(room.data());
    stream.avail_out = static_cast<uInt>(std::min<std::size_t>(room.size(), 1u << 30));
    const auto offered = stream.avail_out;
    const auto code = inflate(&stream, Z_NO_FLUSH);
    out.wrote(offered - stream.avail_out);
    if (out.passed()) return beyond(out.limit());
    if (code == Z_STREAM_END) {
      if (!starts_gzip_member(in.last(stream.avail_in))) return {};
      inflateReset(&stream);
    } else if (code == Z_BUF_ERROR || (code == Z_OK && stream.avail_in == 0 && stream.avail_out > 0)) {
      return malformed(Codec::gzip, "it ends early");
    } else if (code != Z_OK) {
      return malformed(Codec::gzip, stream.msg ? stream.msg : "no gzip header");
    }
  }
}

Status pack_gzip(Bytes in, int level, Buffer& out) {
  thread_local std::unique_ptr<DeflateStream> stream;
  if (level == kDefaultLevel) level = Z_DEFAULT_COMPRESSION;
  if (level < Z_DEFAULT_COMPRESSION || level > Z_BEST_COMPRESSION)
    return fail(ErrorCode::invalid_config, "gzip has no compression level {}", level);
  if (!stream || stream->level != level) stream = std::make_unique<DeflateStream>(level);
  deflateReset(stream.get());
  out.resize(deflateBound(stream.get(), in.size()));
  stream->next_in = zlib_bytes(in.data());
  stream->avail_in = static_cast<uInt>(in.size());
  stream->next_out = zlib_bytes(out.data());
  stream->avail_out = static_cast<uInt>(out.size());
  base::invariant(deflate(stream.get(), Z_FINISH) == Z_STREAM_END, "deflateBound() leaves enough room");
  out.resize(out.size() - stream->avail_out);
  return {};
}

constexpr std::array<std::uint8_t, 8> kSnappyMagic{0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0};
constexpr std::size_t kSnappyHeaderBytes = 16;
constexpr std::size_t kSnappyBlockBytes = 32 << 10;

bool starts_snappy_stream(Bytes in) {
  return in.size() >= kSnappyHeaderBytes && std::memcmp(in.data(), kSnappyMagic.data(), kSnappyMagic.size()) == 0;
}

Status unpack_snappy_block(Bytes in, Output& out) {
  const auto* raw = reinterpret_cast<const char*>(in.data());
  std::size_t size = 0;
  if (!snappy::GetUncompressedLength(raw, in.size(), &size)) return malformed(Codec::snappy, "a block has no length");
  // Snappy's densest element makes 64 bytes of 3, so a claim of more than 22 times the input is a lie.
  if (size > in.size() * 22) return malformed(Codec::snappy, "a block claims to be longer than it can be");
  if (size > out.left()) return beyond(out.limit());
  const auto room = out.room(size);
  if (!snappy::RawUncompress(raw, in.size(), reinterpret_cast<char*>(room.data())))
    return malformed(Codec::snappy, "a broken block");
  out.wrote(size);
  return {};
}

Status unpack_snappy(Bytes in, Output& out) {
  if (!starts_snappy_stream(in)) return unpack_snappy_block(in, out);
  while (!in.empty()) {
    if (starts_snappy_stream(in)) {  // streams may follow one another
      if (base::load_big_endian<std::int32_t>(in.data() + 8) < 1) return malformed(Codec::snappy, "an unknown version");
      in = in.subspan(kSnappyHeaderBytes);
      continue;
    }
    if (in.size() < 4) return malformed(Codec::snappy, "it ends early");
    const auto size = base::load_big_endian<std::int32_t>(in.data());
    in = in.subspan(4);
    if (size < 0 || static_cast<std::size_t>(size) > in.size()) return malformed(Codec::snappy, "it ends early");
    if (auto unpacked = unpack_snappy_block(in.first(static_cast<std::size_t>(size)), out); !unpacked) return unpacked;
    in = in.subspan(static_cast<std::size_t>(size));
  }
  return {};
}

void pack_snappy(Bytes in, Buffer& out) {
  const auto blocks = in.size() / kSnappyBlockBytes + 1;
  out.resize(kSnappyHeaderBytes + blocks * (4 + snappy::MaxCompressedLength(kSnappyBlockBytes)));
  std::memcpy(out.data(), kSnappyMagic.data(), kSnappyMagic.size());
  base::store_big_endian(out.data() + 8, std::int32_t{1});
  base::store_big_endian(out.data() + 12, std::int32_t{1});
  auto* at = out.data() + kSnappyHeaderBytes;
  while (!in.empty()) {
    const auto block = in.first(std::min(in.size(), kSnappyBlockBytes));
    std::size_t size = 0;
    snappy::RawCompress(reinterpret_cast<const char*>(block.data()), block.size(), reinterpret_cast<char*>(at + 4),
                        &size);
    base::store_big_endian(at, static_cast<std::int32_t>(size));
    at += 4 + size;
    in = in.subspan(block.size());
  }
  out.resize(static_cast<std::size_t>(at - out.data()));
}

// lz4 frame header: [ magic : 4 ][ flags : u8 ][ block descriptor : u8 ][ content size : 8, if flagged ][ checksum : u8
// ]
constexpr std::size_t kLz4MagicBytes = 4;
constexpr std::uint8_t kLz4ContentSizeFlag = 0x08;

// XXH32 with seed 0 of fewer than 16 bytes: all a frame header needs, and what liblz4 does not export.
std::uint32_t short_xxh32(Bytes in) {
  base::invariant(in.size() < 16, "a frame header is short");
  std::uint32_t hash = 374761393u + static_cast<std::uint32_t>(in.size());
  for (; in.size() >= 4; in = in.subspan(4))
    hash = std::rotl(hash + base::byte_swap(base::load_big_endian<std::uint32_t>(in.data())) * 3266489917u, 17) *
           668265263u;
  for (; !in.empty(); in = in.subspan(1))
    hash = std::rotl(hash + static_cast<std::uint32_t>(in[0]) * 374761393u, 11) * 2654435761u;
  hash = (hash ^ (hash >> 15)) * 2246822519u;
  hash = (hash ^ (hash >> 13)) * 3266489917u;
  return hash ^ (hash >> 16);
}

std::byte lz4_header_checksum(Bytes covered) { return static_cast<std::byte>(short_xxh32(covered) >> 8); }

Status unpack_lz4_part(LZ4F_dctx* context, Bytes& in, Output& out, std::size_t& expected) {
  while (!in.empty() && expected != 0) {
    const auto room = out.room();
    auto written = room.size();
    auto taken = in.size();
    expected = LZ4F_decompress(context, room.data(), &written, in.data(), &taken, nullptr);
    if (LZ4F_isError(expected)) return malformed(Codec::lz4, LZ4F_getErrorName(expected));
    out.wrote(written);
    in = in.subspan(taken);
    if (out.passed()) return beyond(out.limit());
  }
  return {};
}

// What Kafka's reader refuses is refused here too, or its consumers would stumble over it later: blocks that depend on
// one another, dictionaries, another version. Bytes behind the first frame are ignored, again like Kafka's reader.
Status unpack_lz4(Bytes in, Output& out, Lz4Header header) {
  if (in.size() < kLz4MagicBytes + 3) return malformed(Codec::lz4, "it ends early");
  const auto flags = static_cast<std::uint8_t>(in[kLz4MagicBytes]);
  if ((flags & 0xc3) != 0x40) return malformed(Codec::lz4, "frame flags no Kafka client understands");
  if (!(flags & 0x20)) return malformed(Codec::lz4, "its blocks depend on one another");

  auto* context = lz4_reader();
  std::size_t expected = 1;
  std::array<std::byte, kLz4MagicBytes + 2 + 8 + 1> mended;
  if (header == Lz4Header::as_in_magic_0) {
    const std::size_t size = kLz4MagicBytes + 2 + (flags & kLz4ContentSizeFlag ? 8 : 0) + 1;
    if (in.size() < size) return malformed(Codec::lz4, "it ends early");
    std::copy_n(in.begin(), size, mended.begin());
    mended[size - 1] = lz4_header_checksum(Bytes(mended).subspan(kLz4MagicBytes, size - kLz4MagicBytes - 1));
    Bytes front = Bytes(mended).first(size);
    if (auto read = unpack_lz4_part(context, front, out, expected); !read) return read;
    in = in.subspan(size);
  }
  while (expected != 0) {
    const auto before = in.size();
    if (auto read = unpack_lz4_part(context, in, out, expected); !read) return read;
    if (in.empty() && expected != 0) {
      // All input is taken; what the context still holds comes out when it is called without input.
      const auto room = out.room();
      auto written = room.size();
      std::size_t taken = 0;
      expected = LZ4F_decompress(context, room.data(), &written, in.data(), &taken, nullptr);
      if (LZ4F_isError(expected)) return malformed(Codec::lz4, LZ4F_getErrorName(expected));
      out.wrote(written);
      if (out.passed()) return beyond(out.limit());
      if (expected != 0 && written == 0 && before == 0) return malformed(Codec::lz4, "it ends early");
    }
  }
  return {};
}

Status pack_lz4(Bytes in, int level, Buffer& out, Lz4Header header) {
  constexpr int kKafkaDefault = 9;  // its setting's default, which it takes to mean the fast compressor
  constexpr int kLowestThorough = 3;
  LZ4F_preferences_t preferences{};
  preferences.frameInfo.blockSizeID = LZ4F_max64KB;
  preferences.frameInfo.blockMode = LZ4F_blockIndependent;
  preferences.autoFlush = 1;
  preferences.compressionLevel =
      level == kDefaultLevel || level == kKafkaDefault ? 0 : std::max(level, kLowestThorough);
  auto* context = lz4_writer();
  out.resize(LZ4F_HEADER_SIZE_MAX + LZ4F_compressBound(in.size(), &preferences));
  std::size_t used = 0;
  const auto step = [&](std::size_t written) {
    base::invariant(!LZ4F_isError(written), "LZ4F_compressBound() leaves enough room");
    used += written;
  };
  step(LZ4F_compressBegin(context, out.data(), out.size(), &preferences));
  if (header == Lz4Header::as_in_magic_0)
    out.bytes()[used - 1] = lz4_header_checksum(std::as_const(out).bytes().first(used - 1));
  step(LZ4F_compressUpdate(context, out.data() + used, out.size() - used, in.data(), in.size(), nullptr));
  step(LZ4F_compressEnd(context, out.data() + used, out.size() - used, nullptr));
  out.resize(used);
  return {};
}

// A single frame that tells a plausible size is unpacked in one go, without a window of its own.
bool unpack_zstd_at_once(ZSTD_DCtx* context, Bytes in, Output& out) {
  constexpr std::size_t kPlausibleFactor = 64;
  const auto size = ZSTD_getFrameContentSize(in.data(), in.size());
  if (size == ZSTD_CONTENTSIZE_ERROR || size == ZSTD_CONTENTSIZE_UNKNOWN) return false;
  if (size > out.left() || size > std::max(kFirstStepBytes, in.size() * kPlausibleFactor)) return false;
  if (ZSTD_findFrameCompressedSize(in.data(), in.size()) != in.size()) return false;
  const auto room = out.room(size);
  const auto written = ZSTD_decompressDCtx(context, room.data(), room.size(), in.data(), in.size());
  if (ZSTD_isError(written)) return false;
  out.wrote(written);
  return true;
}

Status unpack_zstd(Bytes in, Output& out) {
  auto* context = zstd_reader();
  if (unpack_zstd_at_once(context, in, out)) return {};
  ZSTD_DCtx_reset(context, ZSTD_reset_session_only);
  ZSTD_inBuffer source{in.data(), in.size(), 0};
  for (;;) {
    const auto room = out.room();
    ZSTD_outBuffer target{room.data(), room.size(), 0};
    const auto taken_before = source.pos;
    const auto expected = ZSTD_decompressStream(context, &target, &source);
    if (ZSTD_isError(expected)) return malformed(Codec::zstd, ZSTD_getErrorName(expected));
    out.wrote(target.pos);
    if (out.passed()) return beyond(out.limit());
    if (expected == 0 && source.pos == source.size) return {};
    if (target.pos == 0 && source.pos == taken_before) return malformed(Codec::zstd, "it ends early");
  }
}

Status pack_zstd(Bytes in, int level, Buffer& out) {
  if (level == kDefaultLevel) level = ZSTD_CLEVEL_DEFAULT;
  out.resize(ZSTD_compressBound(in.size()));
  const auto size = ZSTD_compressCCtx(zstd_writer(), out.data(), out.size(), in.data(), in.size(), level);
  if (ZSTD_isError(size)) return fail(ErrorCode::unknown_server_error, "zstd: {}", ZSTD_getErrorName(size));
  out.resize(size);
  return {};
}

thread_local Buffer spare_buffer;

}  // namespace

std::string_view name(Codec codec) {
  switch (codec) {
    case Codec::none:
      return "none";
    case Codec::gzip:
      return "gzip";
    case Codec::snappy:
      return "snappy";
    case Codec::lz4:
      return "lz4";
    case Codec::zstd:
      return "zstd";
  }
  return "unknown";
}

Status decompress_into(Buffer& buffer, Codec codec, Bytes in, std::size_t limit_bytes, Lz4Header lz4) {
  buffer.clear();
  if (codec == Codec::none) {
    if (in.size() > limit_bytes) return beyond(limit_bytes);
    buffer.append(in);
    return {};
  }
  if (in.empty()) return malformed(codec, "there is none");
  if (in.size() > kMaxInputBytes) return malformed(codec, "it is larger than a batch");
  Output out(buffer, limit_bytes);
  switch (codec) {
    case Codec::gzip:
      return unpack_gzip(in, out);
    case Codec::snappy:
      return unpack_snappy(in, out);
    case Codec::lz4:
      return unpack_lz4(in, out, lz4);
    case Codec::zstd:
      return unpack_zstd(in, out);
    case Codec::none:
      break;
  }
  return fail(ErrorCode::unsupported_compression_type, "records under codec {}", static_cast<int>(codec));
}

Result<Buffer> decompress(Codec codec, Bytes in, std::size_t limit_bytes, Lz4Header lz4) {
  Buffer out;
  if (auto unpacked = decompress_into(out, codec, in, limit_bytes, lz4); !unpacked) return unpacked.error();
  return out;
}

Result<Buffer> compress(Codec codec, Bytes in, int level, Lz4Header lz4) {
  if (in.size() > kMaxInputBytes) return fail(ErrorCode::message_too_large, "{} bytes to compress", in.size());
  Buffer out;
  Status packed;
  switch (codec) {
    case Codec::none:
      out.append(in);
      break;
    case Codec::gzip:
      packed = pack_gzip(in, level, out);
      break;
    case Codec::snappy:
      pack_snappy(in, out);
      break;
    case Codec::lz4:
      packed = pack_lz4(in, level, out, lz4);
      break;
    case Codec::zstd:
      packed = pack_zstd(in, level, out);
      break;
    default:
      return fail(ErrorCode::unsupported_compression_type, "records under codec {}", static_cast<int>(codec));
  }
  if (!packed) return packed.error();
  return out;
}

ScratchBuffer::ScratchBuffer() : buffer_(std::move(spare_buffer)) { buffer_.clear(); }

ScratchBuffer::~ScratchBuffer() {
  if (buffer_.capacity() <= kKeptBytes && buffer_.capacity() > spare_buffer.capacity()) spare_buffer.swap(buffer_);
}

}  // namespace protocol
