#include "storage/log/producer_snapshot.h"

#include <limits>

#include "base/bytes.h"
#include "base/crc32c.h"
#include "storage/dirs/checkpoints.h"

namespace storage {

using base::ErrorCode;
using base::load_big_endian;
using base::Offset;
using base::Result;
using base::store_big_endian;

namespace {

constexpr std::int16_t kVersion = 1;
constexpr std::size_t kCrcAt = 2;
constexpr std::size_t kCountAt = 6;
constexpr std::size_t kHeaderBytes = 10;
constexpr std::size_t kEntryBytes = 46;

ProducerEntry parse_entry(const std::byte* at) {
  ProducerEntry entry;
  entry.id = base::ProducerId{load_big_endian<std::int64_t>(at)};
  entry.epoch = base::ProducerEpoch{load_big_endian<std::int16_t>(at + 8)};
  entry.last_timestamp = base::timestamp_from_ms(load_big_endian<std::int64_t>(at + 26));
  entry.coordinator_epoch = load_big_endian<std::int32_t>(at + 34);
  const Offset last_offset{load_big_endian<std::int64_t>(at + 14)};
  if (last_offset.raw >= 0)
    entry.last_batch = ProducedBatch{.last_sequence = load_big_endian<std::int32_t>(at + 10),
                                     .offset_delta = load_big_endian<std::int32_t>(at + 22),
                                     .last_offset = last_offset,
                                     .timestamp = entry.last_timestamp};
  const Offset transaction{load_big_endian<std::int64_t>(at + 38)};
  if (transaction.raw >= 0) entry.open_transaction = transaction;
  return entry;
}

void write_entry(std::byte* at, const ProducerEntry& entry) {
  const auto batch = entry.last_batch.value_or(ProducedBatch{});
  store_big_endian(at, entry.id.raw);
  store_big_endian(at + 8, entry.epoch.raw);
  store_big_endian(at + 10, batch.last_sequence);
  store_big_endian(at + 14, batch.last_offset.raw);
  store_big_endian(at + 22, batch.offset_delta);
  store_big_endian(at + 26, base::to_ms(entry.last_timestamp));
  store_big_endian(at + 34, entry.coordinator_epoch);
  store_big_endian(at + 38, entry.open_transaction.value_or(base::kNoOffset).raw);
}

}  // namespace

Result<std::vector<ProducerEntry>> parse_producer_snapshot(std::span<const std::byte> bytes) {
  if (bytes.size() < kHeaderBytes)
    return base::fail(ErrorCode::corrupt_message, "a producer snapshot of {} bytes", bytes.size());
  if (const auto version = load_big_endian<std::int16_t>(bytes.data()); version != kVersion)
    return base::fail(ErrorCode::corrupt_message, "a producer snapshot of version {}", version);
  if (load_big_endian<std::uint32_t>(bytes.data() + kCrcAt) != base::crc32c(bytes.subspan(kCountAt)))
    return base::fail(ErrorCode::corrupt_message, "a producer snapshot with a wrong checksum");
  const auto count = load_big_endian<std::int32_t>(bytes.data() + kCountAt);
  if (count < 0 || bytes.size() != kHeaderBytes + static_cast<std::size_t>(count) * kEntryBytes)
    return base::fail(ErrorCode::corrupt_message, "a producer snapshot of {} bytes claims {} entries", bytes.size(),
                      count);

  std::vector<ProducerEntry> entries;
  entries.reserve(static_cast<std::size_t>(count));
  for (const auto* at = bytes.data() + kHeaderBytes; at < bytes.data() + bytes.size(); at += kEntryBytes) {
    entries.push_back(parse_entry(at));
    const auto& batch = entries.back().last_batch;
    if (batch && (batch->offset_delta < 0 || batch->offset_delta > batch->last_offset.raw))
      return base::fail(ErrorCode::corrupt_message, "a producer snapshot where producer {} wrote {} offsets up to {}",
                        entries.back().id, std::int64_t{batch->offset_delta} + 1, batch->last_offset);
  }
  return entries;
}

std::string format_producer_snapshot(std::span<const ProducerEntry> entries) {
  std::string out(kHeaderBytes + entries.size() * kEntryBytes, '\0');
  auto* const begin = reinterpret_cast<std::byte*>(out.data());
  store_big_endian(begin, kVersion);
  store_big_endian(begin + kCountAt, static_cast<std::int32_t>(entries.size()));
  for (std::size_t i = 0; i < entries.size(); ++i) write_entry(begin + kHeaderBytes + i * kEntryBytes, entries[i]);
  store_big_endian(begin + kCrcAt, base::crc32c(base::as_bytes(out).subspan(kCountAt)));
  return out;
}

Result<std::vector<ProducerEntry>> load_producer_snapshot(base::FileSystem& files, const std::string& path) {
  auto contents = base::read_file(files, path);
  if (!contents) return contents.error();
  auto entries = parse_producer_snapshot(base::as_bytes(*contents));
  if (!entries) return in_file(path, entries.error());
  return entries;
}

base::Status store_producer_snapshot(base::FileSystem& files, const std::string& path,
                                     std::span<const ProducerEntry> entries) {
  return base::write_file_atomically(files, path, format_producer_snapshot(entries));
}

}  // namespace storage
