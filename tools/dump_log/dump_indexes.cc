// Index files, transaction indexes and producer snapshots.
#include <algorithm>

#include "base/bytes.h"
#include "base/crc32c.h"
#include "protocol/records/legacy.h"
#include "protocol/records/record.h"
#include "storage/log/producer_snapshot.h"
#include "storage/segment/entry_scan.h"
#include "storage/segment/offset_index.h"
#include "storage/segment/time_index.h"
#include "storage/segment/txn_index.h"
#include "tools/dump_log/dump.h"
#include "tools/dump_log/output.h"

namespace tools {
namespace {

using base::load_big_endian;

Failure io_failure(const base::Error& error) { return {"java.io.IOException", error.detail, ""}; }

struct OffsetEntry {
  std::int64_t offset = 0;
  std::uint64_t position = 0;
};
struct TimeEntry {
  std::int64_t timestamp = 0;
  std::int64_t offset = 0;
};

// All whole entries of an index file, zeros of preallocated space included. A missing file has none.
template <class Entry>
std::variant<std::vector<Entry>, Failure> read_entries(base::FileSystem& files, const std::string& path,
                                                       std::int64_t base_offset) {
  auto there = files.exists(path);
  if (!there) return io_failure(there.error());
  std::vector<Entry> entries;
  if (!*there) return entries;
  auto contents = base::read_file(files, path);
  if (!contents) return io_failure(contents.error());
  const auto* at = base::as_bytes(*contents).data();
  constexpr bool kTime = std::is_same_v<Entry, TimeEntry>;
  constexpr std::size_t kBytes = kTime ? storage::TimeIndex::kEntryBytes : storage::OffsetIndex::kEntryBytes;
  for (std::size_t left = contents->size() / kBytes; left > 0; --left, at += kBytes) {
    if constexpr (kTime)
      entries.push_back({load_big_endian<std::int64_t>(at), base_offset + load_big_endian<std::int32_t>(at + 8)});
    else
      entries.push_back({base_offset + load_big_endian<std::int32_t>(at), load_big_endian<std::uint32_t>(at + 4)});
  }
  return entries;
}

// The data file beside an index, and how far it goes.
struct Data {
  std::unique_ptr<base::File> file;
  std::uint64_t size = 0;
};
std::variant<Data, Failure> open_data(base::FileSystem& files, const std::string& index_path) {
  auto opened = open_file(files, sibling(index_path, ".log"));
  if (auto* failure = std::get_if<Failure>(&opened)) return *failure;
  Data data{.file = std::get<std::unique_ptr<base::File>>(std::move(opened)), .size = 0};
  auto size = data.file->size();
  if (!size) return io_failure(size.error());
  data.size = *size;
  return data;
}

// An index with its data.
template <class Entry>
struct Index {
  std::int64_t base_offset = 0;
  std::uint64_t size = 0;
  std::vector<Entry> entries;
  Data log;
};
template <class Entry>
std::variant<Index<Entry>, Failure> open_index(base::FileSystem& files, const std::string& path) {
  auto named = base_offset_of(path);
  if (auto* failure = std::get_if<Failure>(&named)) return *failure;
  const auto base_offset = std::get<std::int64_t>(named);
  auto data = open_data(files, path);
  if (auto* failure = std::get_if<Failure>(&data)) return *failure;
  auto info = files.info(path);
  if (!info) return Failure{"java.nio.file.NoSuchFileException", path, ""};
  auto entries = read_entries<Entry>(files, path, base_offset);
  if (auto* failure = std::get_if<Failure>(&entries)) return *failure;
  return Index<Entry>{.base_offset = base_offset,
                      .size = info->size_bytes,
                      .entries = std::get<std::vector<Entry>>(std::move(entries)),
                      .log = std::get<Data>(std::move(data))};
}

// Of all records of an entry; -1 when it has none.
std::variant<std::int64_t, Failure> largest_timestamp(const base::File& file, const storage::HeaderScan::Found& found) {
  base::Buffer bytes(found.header.size_bytes);
  auto got = file.read_at(found.position, bytes.bytes());
  if (!got) return io_failure(got.error());
  auto entry = protocol::EntryView::parse(std::span<const std::byte>(bytes.bytes().first(*got)));
  if (!entry || !*entry) return Failure{"org.apache.kafka.common.InvalidRecordException", "", ""};
  std::int64_t largest = -1;
  if ((*entry)->is_batch()) {
    const auto batch = (*entry)->batch();
    protocol::RecordReader reader(batch);
    protocol::RecordView record;
    while (reader.next(record)) largest = std::max(largest, base::to_ms(timestamp_of(batch, record)));
  } else {
    protocol::LegacyReader reader(**entry);
    protocol::LegacyRecordView record;
    while (reader.next(record)) largest = std::max(largest, base::to_ms(record.timestamp));
  }
  return largest;
}

Outcome passed(const std::string& path) {
  out("{} passed sanity check.\n", path);
  return std::nullopt;
}

Failure corrupt_index(std::string text) { return {"kafka.log.CorruptIndexException", std::move(text), ""}; }

Outcome sanity_of_offset_index(const std::string& path, std::uint64_t size, std::int64_t base_offset,
                               const std::vector<OffsetEntry>& entries) {
  if (!entries.empty() && entries.back().offset < base_offset)
    return corrupt_index(
        fmt::format("Corrupt index found, index file ({}) has non-zero size but the last offset is {} which is less "
                    "than the base offset {}.",
                    absolute(path), entries.back().offset, base_offset));
  if (size % storage::OffsetIndex::kEntryBytes != 0)
    return corrupt_index(
        fmt::format("Index file {} is corrupt, found {} bytes which is neither positive nor a multiple of 8.",
                    absolute(path), size));
  return passed(path);
}

Outcome sanity_of_time_index(const std::string& path, std::uint64_t size, std::int64_t base_offset,
                             const std::vector<TimeEntry>& entries) {
  if (!entries.empty() && entries.back().timestamp < entries.front().timestamp)
    return corrupt_index(
        fmt::format("Corrupt time index found, time index file ({}) has non-zero size but the last timestamp is {} "
                    "which is less than the first timestamp {}",
                    absolute(path), entries.back().timestamp, entries.front().timestamp));
  if (!entries.empty() && entries.back().offset < base_offset)
    return corrupt_index(
        fmt::format("Corrupt time index found, time index file ({}) has non-zero size but the last offset is {} which "
                    "is less than the first offset {}",
                    absolute(path), entries.back().offset, base_offset));
  if (size % storage::TimeIndex::kEntryBytes != 0)
    return corrupt_index(
        fmt::format("Time index file {} is corrupt, found {} bytes which is neither positive nor a multiple of 12.",
                    absolute(path), size));
  return passed(path);
}

}  // namespace

Outcome Dump::offset_index(const std::string& path) {
  auto opened = open_index<OffsetEntry>(files_, path);
  if (auto* failure = std::get_if<Failure>(&opened)) return *failure;
  const auto& [base_offset, size, entries, log] = std::get<Index<OffsetEntry>>(opened);
  if (request_.indexes == IndexCheck::sanity_only) return sanity_of_offset_index(path, size, base_offset, entries);

  for (std::size_t i = 0; i < entries.size(); ++i) {
    const auto& entry = entries[i];
    if (i > 0 && entry.offset == base_offset) break;  // preallocated space
    storage::HeaderScan scan(*log.file, entry.position, log.size);
    auto batch = scan.next();
    if (!batch || !*batch)
      return Failure{
          "java.util.NoSuchElementException", "",
          fmt::format("java.io.IOException: no batch at position {} of {}", entry.position, sibling(path, ".log"))};
    if (const auto last = (*batch)->header.last_offset.raw; last != entry.offset)
      findings_.index_mismatches.add(absolute(path), entry.offset, last);
    if (request_.indexes != IndexCheck::verify_only) out("offset: {} position: {}\n", entry.offset, entry.position);
  }
  return std::nullopt;
}

Outcome Dump::time_index(const std::string& path) {
  auto opened = open_index<TimeEntry>(files_, path);
  if (auto* failure = std::get_if<Failure>(&opened)) return *failure;
  const auto& [base_offset, size, entries, log] = std::get<Index<TimeEntry>>(opened);
  if (request_.indexes == IndexCheck::sanity_only) return sanity_of_time_index(path, size, base_offset, entries);

  auto found_offsets = read_entries<OffsetEntry>(files_, sibling(path, ".index"), base_offset);
  if (auto* failure = std::get_if<Failure>(&found_offsets)) return *failure;
  const auto& offsets = std::get<std::vector<OffsetEntry>>(found_offsets);
  const auto position_of = [&](std::int64_t offset) {
    const auto behind = std::partition_point(offsets.begin(), offsets.end(),
                                             [&](const OffsetEntry& entry) { return entry.offset <= offset; });
    return behind == offsets.begin() ? std::uint64_t{0} : std::prev(behind)->position;
  };

  const auto file = absolute(path);
  std::int64_t previous = -1;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const auto& entry = entries[i];
    if (i > 0 && entry.offset == base_offset) break;  // preallocated space
    storage::HeaderScan scan(*log.file, position_of(entry.offset), log.size);
    auto batch = scan.next();
    while (batch && *batch && (*batch)->header.last_offset.raw < entry.offset) batch = scan.next();
    const auto reached = batch && *batch ? (*batch)->header.last_offset.raw : -1;
    if (reached != entry.offset) {
      findings_.offsets_not_found.add(file, entry.offset, reached);
    } else {
      auto largest = largest_timestamp(*log.file, **batch);
      if (auto* failure = std::get_if<Failure>(&largest)) return *failure;
      if (const auto in_log = std::get<std::int64_t>(largest); in_log != entry.timestamp)
        findings_.timestamp_mismatches.add(file, entry.timestamp, in_log);
      if (previous >= entry.timestamp) findings_.timestamps_out_of_order.add(file, entry.timestamp, previous);
    }
    if (request_.indexes != IndexCheck::verify_only) out("timestamp: {} offset: {}\n", entry.timestamp, entry.offset);
    previous = entry.timestamp;
  }
  return std::nullopt;
}

Outcome Dump::snapshot(const std::string& path) {
  auto opened = open_file(files_, path);
  if (auto* failure = std::get_if<Failure>(&opened)) return *failure;
  auto contents = base::read_file(files_, path);
  if (!contents) return io_failure(contents.error());
  const auto bytes = base::as_bytes(*contents);
  auto producers = storage::parse_producer_snapshot(bytes);
  if (!producers) {
    const auto stored = bytes.size() >= 10 ? load_big_endian<std::uint32_t>(bytes.data() + 2) : 0;
    const auto computed = bytes.size() >= 10 ? base::crc32c(bytes.subspan(6)) : 0;
    if (stored != computed)
      fmt::print(stderr, "Snapshot is corrupt (CRC is no longer valid). Stored crc: {}. Computed crc: {}\n", stored,
                 computed);
    else
      fmt::print(stderr, "Snapshot is corrupt: {}\n", producers.error().detail);
    return std::nullopt;
  }
  for (const auto& producer : *producers) {
    out("producerId: {} producerEpoch: {} coordinatorEpoch: {} currentTxnFirstOffset: {} ", producer.id, producer.epoch,
        producer.coordinator_epoch,
        producer.open_transaction ? fmt::format("Some({})", *producer.open_transaction) : "None");
    if (const auto& batch = producer.last_batch)
      out("firstSequence: {} lastSequence: {} lastOffset: {} offsetDelta: {} timestamp: {}", batch->first_sequence(),
          batch->last_sequence, batch->last_offset, batch->offset_delta, base::to_ms(batch->timestamp));
    out_text("\n");
  }
  return std::nullopt;
}

Outcome Dump::txn_index(const std::string& path) {
  auto opened = open_file(files_, path);
  if (auto* failure = std::get_if<Failure>(&opened)) return *failure;
  auto contents = base::read_file(files_, path);
  if (!contents) return io_failure(contents.error());
  const auto bytes = base::as_bytes(*contents);
  constexpr auto kBytes = storage::TxnIndex::kEntryBytes;
  for (std::size_t at = 0; at + kBytes <= bytes.size(); at += kBytes) {
    const auto* entry = bytes.data() + at;
    const auto version = load_big_endian<std::int16_t>(entry);
    if (version > 0)
      return Failure{"org.apache.kafka.common.KafkaException",
                     fmt::format("Unexpected aborted transaction version {} in transaction index {}, current version "
                                 "is 0",
                                 version, absolute(path)),
                     ""};
    out("version: {} producerId: {} firstOffset: {} lastOffset: {} lastStableOffset: {}\n", version,
        load_big_endian<std::int64_t>(entry + 2), load_big_endian<std::int64_t>(entry + 10),
        load_big_endian<std::int64_t>(entry + 18), load_big_endian<std::int64_t>(entry + 26));
  }
  return std::nullopt;
}

}  // namespace tools
