// Data files: a line for each batch, and for each record where asked for.
#include <algorithm>

#include "base/bytes.h"
#include "config/value.h"
#include "protocol/records/legacy.h"
#include "protocol/records/record.h"
#include "storage/segment/entry_scan.h"
#include "tools/dump_log/dump.h"
#include "tools/dump_log/output.h"

namespace tools {
namespace {

using protocol::BatchView;
using protocol::EntryView;
using protocol::OptionalBytes;

// Of magic 0 too, which has no timestamp.
std::string_view timestamp_type(std::int8_t magic, protocol::TimestampType type) {
  if (magic == 0) return "NoTimestampType";
  return type == protocol::TimestampType::create_time ? "CreateTime" : "LogAppendTime";
}

void print_entry(const EntryView& entry, std::uint64_t position) {
  if (entry.is_batch()) {
    const auto batch = entry.batch();
    out("baseOffset: {} lastOffset: {} count: {} baseSequence: {} lastSequence: {} producerId: {} producerEpoch: {} "
        "partitionLeaderEpoch: {} isTransactional: {} isControl: {}",
        batch.base_offset(), batch.last_offset(), batch.record_count(), batch.base_sequence(), batch.last_sequence(),
        batch.producer_id(), batch.producer_epoch(), batch.leader_epoch(), batch.is_transactional(),
        batch.is_control());
    if (const auto horizon = batch.delete_horizon()) out(" deleteHorizonMs: OptionalLong[{}]", base::to_ms(*horizon));
  } else {
    out("offset: {}", entry.last_offset());
  }
  const auto crc = base::load_big_endian<std::uint32_t>(entry.bytes().data() + (entry.is_batch() ? 17 : 12));
  out(" position: {} {}: {} size: {} magic: {} compresscodec: {} crc: {} isvalid: {}\n", position,
      timestamp_type(entry.magic(), entry.timestamp_type()), base::to_ms(entry.max_timestamp()), entry.size_bytes(),
      entry.magic(), config::upper_case(protocol::name(entry.codec())), crc, entry.crc_ok());
}

// Goes over the records of one file.
class RecordPrinter {
 public:
  RecordPrinter(const DumpRequest& request, std::string file, Findings& findings)
      : request_(request), file_(std::move(file)), findings_(findings) {}

  Outcome entry(const EntryView& entry) {
    if (entry.is_batch()) return batch(entry.batch());
    protocol::LegacyReader reader(entry);
    protocol::LegacyRecordView record;
    while (reader.next(record)) {
      follow(record.offset);
      if (!request_.skip_record_metadata) {
        sizes(record.offset, timestamp_type(record.magic, record.timestamp_type), record.timestamp, record.key,
              record.value);
        out(" crc: {} isvalid: {}", base::load_big_endian<std::uint32_t>(record.bytes.data() + 12), record.crc_ok());
      }
      if (auto failure = contents(record.key, record.value)) return failure;
      out_text("\n");
    }
    return unreadable(reader.status());
  }

 private:
  Outcome batch(const BatchView& batch) {
    protocol::RecordReader reader(batch);
    protocol::RecordView record;
    while (reader.next(record)) {
      const auto offset = offset_of(batch, record);
      follow(offset);
      if (!request_.skip_record_metadata) {
        sizes(offset, timestamp_type(2, batch.timestamp_type()), timestamp_of(batch, record), record.key, record.value);
        out(" sequence: {} headerKeys: [",
            batch.base_sequence() < 0 ? -1 : protocol::sequence_after(batch.base_sequence(), record.offset_delta));
        bool first = true;
        for (auto headers = record.headers(); auto header = headers.next(); first = false)
          out("{}{}", first ? "" : ",", header->key);
        out_text("]");
        if (batch.is_control()) control(record);
      }
      if (!batch.is_control())
        if (auto failure = contents(record.key, record.value)) return failure;
      out_text("\n");
    }
    return unreadable(reader.status());
  }

  void follow(base::Offset offset) {
    if (last_ != base::kNoOffset && offset != last_ + 1) findings_.not_consecutive.add(file_, last_.raw, offset.raw);
    last_ = offset;
  }

  static void sizes(base::Offset offset, std::string_view type, base::Timestamp timestamp, const OptionalBytes& key,
                    const OptionalBytes& value) {
    const auto size = [](const OptionalBytes& bytes) {
      return bytes ? static_cast<std::int64_t>(bytes->size()) : std::int64_t{-1};
    };
    out("| offset: {} {}: {} keysize: {} valuesize: {}", offset, type, base::to_ms(timestamp), size(key), size(value));
  }

  static void control(const protocol::RecordView& record) {
    if (const auto marker = protocol::parse_txn_marker(record)) {
      out(" endTxnMarker: {} coordinatorEpoch: {}", marker->type == protocol::ControlType::commit ? "COMMIT" : "ABORT",
          marker->coordinator_epoch);
      return;
    }
    static constexpr std::string_view kNames[] = {
        "ABORT", "COMMIT", "LEADER_CHANGE", "SNAPSHOT_HEADER", "SNAPSHOT_FOOTER", "KRAFT_VERSION", "KRAFT_VOTERS"};
    const auto id = record.key && record.key->size() >= 4 ? base::load_big_endian<std::int16_t>(record.key->data() + 2)
                                                          : std::int16_t{-1};
    const bool known = id >= 0 && static_cast<std::size_t>(id) < std::size(kNames);
    out(" controlType: {}({})", known ? kNames[id] : "UNKNOWN", id);
  }

  Outcome contents(const OptionalBytes& key, const OptionalBytes& value) {
    if (request_.contents == Contents::none) return std::nullopt;
    if (request_.contents == Contents::plain) {
      auto shown_key = field("key", request_.key_decoder, key);
      if (auto* failure = std::get_if<Failure>(&shown_key)) return *failure;
      auto shown_value = field("payload", request_.value_decoder, value);
      if (auto* failure = std::get_if<Failure>(&shown_value)) return *failure;
      if (request_.skip_record_metadata && key) out_text("|");  // without a key 3.9 prints no bar either
      out_text(std::get<std::string>(shown_key));
      out_text(std::get<std::string>(shown_value));
      return std::nullopt;
    }
    auto shown =
        request_.contents == Contents::group_records ? dump_group_record(key, value) : dump_txn_record(key, value);
    if (auto* failure = std::get_if<Failure>(&shown)) return *failure;
    const auto& record = std::get<DumpedRecord>(shown);
    out("{} key: {} payload: {}", request_.skip_record_metadata ? "|" : "", record.key, record.payload);
    return std::nullopt;
  }

  static std::variant<std::string, Failure> field(std::string_view name, Decoder decoder, const OptionalBytes& bytes) {
    if (!bytes) return std::string();
    const auto number = [&]<class T>(T) -> std::variant<std::string, Failure> {
      if (bytes->size() < sizeof(T)) return Failure{"java.nio.BufferUnderflowException", "", ""};
      return fmt::format(" {}: {}", name, base::load_big_endian<T>(bytes->data()));
    };
    if (decoder == Decoder::integer) return number(std::int32_t{});
    if (decoder == Decoder::long_integer) return number(std::int64_t{});
    return fmt::format(" {}: {}", name, base::as_text(*bytes));
  }

  static Outcome unreadable(const base::Status& status) {
    if (status.ok()) return std::nullopt;
    return Failure{"org.apache.kafka.common.InvalidRecordException", "Found invalid record structure",
                   "org.apache.kafka.common.errors.CorruptRecordException: " + status.error().detail};
  }

  const DumpRequest& request_;
  std::string file_;
  Findings& findings_;
  base::Offset last_ = base::kNoOffset;
};

}  // namespace

Outcome Dump::log(const std::string& path) {
  auto base_offset = base_offset_of(path);
  if (auto* failure = std::get_if<Failure>(&base_offset)) return *failure;
  out("Starting offset: {}\n", std::get<std::int64_t>(base_offset));
  auto opened = open_file(files_, path);
  if (auto* failure = std::get_if<Failure>(&opened)) return *failure;
  const auto& file = *std::get<std::unique_ptr<base::File>>(opened);
  auto size = file.size();
  if (!size) return Failure{"java.io.IOException", size.error().detail, ""};
  const auto end = std::min(*size, static_cast<std::uint64_t>(request_.max_bytes));

  RecordPrinter records(request_, absolute(path), findings_);
  Outcome failure;
  auto scanned =
      storage::scan_entries(file, 0, end, [&](const EntryView& entry, std::uint64_t position) -> base::Status {
        print_entry(entry, position);
        if (request_.deep) failure = records.entry(entry);
        return failure ? base::Status(base::fail(base::ErrorCode::invalid_record, "{}", failure->message))
                       : base::Status();
      });
  if (failure) return failure;
  if (!scanned) return Failure{"java.io.IOException", scanned.error().detail, ""};
  if (scanned->position == end) return std::nullopt;
  // What is merely cut short counts as rubbish at the end; where no entry can begin, Kafka's tool stops.
  std::byte prefix[protocol::kBatchHeaderBytes];
  auto got = file.read_at(scanned->position, prefix);
  if (!got) return Failure{"java.io.IOException", got.error().detail, ""};
  const std::span<const std::byte> front(prefix, std::min<std::uint64_t>(*got, end - scanned->position));
  if (auto header = protocol::EntryHeader::parse(front); !header) {
    const auto length = base::load_big_endian<std::int32_t>(front.data() + 8);
    return Failure{
        "org.apache.kafka.common.errors.CorruptRecordException",
        length < 14
            ? fmt::format("Found record size {} smaller than minimum record overhead (14) in file {}.", length, path)
            : fmt::format("Found {} at position {} in file {}.", header.error().detail, scanned->position, path),
        ""};
  }
  if (request_.max_bytes == std::numeric_limits<std::int32_t>::max())
    out("Found {} invalid bytes at the end of {}\n", end - scanned->position, path.substr(path.find_last_of('/') + 1));
  return std::nullopt;
}

}  // namespace tools
