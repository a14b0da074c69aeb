#include "storage/log/admission.h"

#include <catch2/catch.hpp>

#include <map>
#include <set>

#include "base/bytes.h"
#include "config/topic_settings.h"
#include "protocol/records/builder.h"
#include "protocol/records/record.h"
#include "tests/support/storage/golden.h"

using namespace storage;
using base::ErrorCode;
using base::Offset;
using protocol::BatchView;
using protocol::Codec;
using protocol::TimestampType;
using support::from_hex;

namespace {

constexpr std::int64_t kThen = 1'700'000'000'000;

AdmissionRules rules_of(const std::string& topic) {
  AdmissionRules rules;
  rules.compacted = topic == "compact" || topic == "both";
  if (topic == "append") rules.timestamps = TimestampType::log_append_time;
  if (topic == "limits" || topic == "both") rules.before_max = rules.after_max = std::chrono::hours{1};
  const std::map<std::string, Codec> codecs{
      {"gzip", Codec::gzip},         {"lz4", Codec::lz4},        {"snappy", Codec::snappy},  {"zstd", Codec::zstd},
      {"uncompressed", Codec::none}, {"smallgzip", Codec::gzip}, {"smallplain", Codec::none}};
  if (const auto codec = codecs.find(topic); codec != codecs.end()) rules.codec = codec->second;
  if (topic.starts_with("small")) rules.max_batch_bytes = 100;
  if (topic == "segment") rules.segment_bytes = 100;
  return rules;
}

struct Case {
  explicit Case(const std::vector<std::string>& row)
      : topic(row[0]),
        name(row[0] + ": " + row[1]),
        version(static_cast<std::int16_t>(std::stoi(row[2]))),
        records(from_hex(row[3])),
        answer(row[4]),
        message(row[5]),
        record_errors(row[6]),
        now(base::timestamp_from_ms(std::stoll(row[7]))),
        stored(from_hex(row[8])) {}

  std::string topic;
  std::string name;
  std::int16_t version;
  std::vector<std::byte> records;
  std::string answer;
  std::string message;
  std::string record_errors;
  base::Timestamp now;
  std::vector<std::byte> stored;
};

std::string told(const std::vector<RecordError>& errors) {
  std::string text;
  for (const auto& [index, message] : errors) text += fmt::format("{}{}:{}", text.empty() ? "" : "|", index, message);
  return text.empty() ? "-" : text;
}

struct SeenRecord {
  std::int32_t offset_delta;
  std::int64_t ms;
  std::string key, value;
  bool has_key, has_value;
  bool operator==(const SeenRecord&) const = default;
};

std::vector<SeenRecord> records_in(const BatchView& batch) {
  std::vector<SeenRecord> seen;
  protocol::RecordReader reader{batch};
  protocol::RecordView record;
  const auto text = [](const auto& bytes) { return bytes ? std::string{base::as_text(*bytes)} : std::string{}; };
  while (reader.next(record))
    seen.push_back({record.offset_delta, base::to_ms(protocol::timestamp_of(batch, record)), text(record.key),
                    text(record.value), record.key.has_value(), record.value.has_value()});
  CHECK(reader.status().ok());
  return seen;
}

// What was admitted must be what Kafka put into its log: the same bytes, where the codec's own output is not the
// matter; else the same header and records.
void check_stored(Admitted& admitted, const Case& expected) {
  const auto theirs = BatchView::parse(expected.stored);
  REQUIRE((theirs.ok() && theirs->has_value()));
  admitted.batch.stamp((*theirs)->base_offset(), (*theirs)->leader_epoch());
  const auto& ours = admitted.batch;
  CHECK(ours.crc_ok());
  if ((*theirs)->codec() == Codec::none || admitted.rewritten.empty()) {
    if (!admitted.append_time || admitted.rewritten.empty()) CHECK(std::ranges::equal(ours.bytes(), expected.stored));
  }
  CHECK(ours.attributes() == (*theirs)->attributes());
  CHECK(ours.last_offset() == (*theirs)->last_offset());
  CHECK(ours.max_timestamp() == (*theirs)->max_timestamp());
  CHECK(ours.producer_id() == (*theirs)->producer_id());
  CHECK(ours.producer_epoch() == (*theirs)->producer_epoch());
  CHECK(ours.base_sequence() == (*theirs)->base_sequence());
  CHECK(records_in(ours) == records_in(**theirs));
  CHECK(admitted.record_count == (*theirs)->record_count());
  CHECK(admitted.max_timestamp == (*theirs)->max_timestamp());
}

ProducePayload payload_of(Case& row) {
  return {.records = row.records, .version = row.version, .now = row.now, .partition = row.topic};
}

// Where the two releases differ we follow 2.7.1, and 3.9.1 where 2.7.1 closes the connection.
void check_against(const std::string& file, const std::vector<std::set<std::string>>& otherwise) {
  int admitted_count = 0;
  int refused_count = 0;
  for (const auto& fields : support::golden_table(file)) {
    Case row{fields};
    if (row.answer == "closed") continue;
    if (std::ranges::any_of(otherwise, [&](const auto& names) { return names.contains(row.name); })) continue;
    INFO(row.name);
    auto payload = payload_of(row);
    const auto partition = row.topic + "-0";
    payload.partition = partition;
    auto admission = admit(payload, rules_of(row.topic));
    if (auto* admitted = std::get_if<Admitted>(&admission)) {
      CHECK(row.answer == "0");
      if (row.answer == "0") check_stored(*admitted, row);
      ++admitted_count;
    } else {
      const auto& rejection = std::get<Rejection>(admission);
      CHECK(static_cast<int>(rejection.error.code) == std::stoi(row.answer));
      INFO(rejection.error.detail);
      CHECK_FALSE(rejection.error.detail.empty());
      if (row.version >= 8) {
        CHECK(rejection.message.value_or("-") == row.message);
        CHECK(told(rejection.record_errors) == row.record_errors);
      }
      ++refused_count;
    }
  }
  CHECK(admitted_count > 60);
  CHECK(refused_count > 60);
}

base::Buffer batch_of(int records, protocol::BatchSpec spec = {}, std::size_t value_bytes = 10) {
  protocol::BatchBuilder builder{spec};
  const std::string value(value_bytes, 'v');
  for (int i = 0; i < records; ++i)
    builder.add({.timestamp = base::timestamp_from_ms(kThen + i),
                 .key = base::as_bytes("key"),
                 .value = base::as_bytes(value)});
  return std::move(std::move(builder).build().value());
}

ProducePayload from_client(base::Buffer& buffer) {
  return {.records = buffer.bytes(), .version = 9, .now = base::timestamp_from_ms(kThen), .partition = "t-0"};
}

}  // namespace

// Java throws what it did not foresee, and says UNKNOWN_SERVER_ERROR; we say that the record is malformed.
const std::set<std::string> kUnforeseen{"plain: magic 0: key beyond", "plain: magic 1: key beyond"};
// Java takes the end of compressed input for the end of the records, and finds too few; we find the input cut.
const std::set<std::string> kCutInput{"plain: zstd empty payload", "plain: gzip stream cut"};

TEST_CASE("produced records are admitted, changed and refused as by Apache Kafka 2.7.1") {
  check_against("admission-2.7.1.tsv", {kUnforeseen, kCutInput});
}

TEST_CASE("what Apache Kafka 2.7.1 only closes the connection for is refused as by 3.9.1") {
  const std::set<std::string> refused_by_2_7{"plain: claims append time", "plain: claims append time, gzip",
                                             "plain: two claim append time", "plain: magic 1: claims append time"};
  const std::set<std::string> overflows_in_3_9{"plain: length 2147483647"};
  const std::set<std::string> success_without_effect{"plain: empty v2"};
  const std::set<std::string> longer_texts{"compact: null key second",  "compact: null keys",
                                           "compact: null key gzip",    "both: old and null key",
                                           "both: null key and future", "both: one bad both ways"};
  check_against("admission-3.9.1.tsv",
                {kUnforeseen, kCutInput, refused_by_2_7, overflows_in_3_9, success_without_effect, longer_texts});
}

TEST_CASE("a plain batch that needs no change is admitted where it lies, unchanged") {
  auto buffer =
      batch_of(3, {.producer_id = base::ProducerId{7}, .producer_epoch = base::ProducerEpoch{2}, .base_sequence = 5});
  const std::vector<std::byte> before(buffer.bytes().begin(), buffer.bytes().end());
  const auto admission = admit(from_client(buffer), {});
  const auto& admitted = std::get<Admitted>(admission);
  CHECK(admitted.batch.bytes().data() == buffer.data());
  CHECK(admitted.rewritten.empty());
  CHECK(std::ranges::equal(buffer.bytes(), before));
  CHECK(admitted.record_count == 3);
  CHECK(admitted.offset_count() == 3);
  CHECK(admitted.max_timestamp == base::timestamp_from_ms(kThen + 2));
  CHECK_FALSE(admitted.append_time);
  REQUIRE(admitted.producer);
  CHECK(admitted.producer->id == base::ProducerId{7});
  CHECK(admitted.producer->epoch == base::ProducerEpoch{2});
  CHECK(admitted.producer->first_sequence == 5);
  CHECK(admitted.producer->last_sequence == 7);
  CHECK_FALSE(admitted.producer->transactional);
}

TEST_CASE("append time is stamped in place and told for the answer") {
  auto buffer = batch_of(3);
  AdmissionRules rules;
  rules.timestamps = TimestampType::log_append_time;
  auto payload = from_client(buffer);
  payload.now = base::timestamp_from_ms(kThen + 999);
  const auto admission = admit(payload, rules);
  const auto& admitted = std::get<Admitted>(admission);
  CHECK(admitted.append_time == payload.now);
  CHECK(admitted.batch.bytes().data() == buffer.data());
  CHECK(admitted.batch.timestamp_type() == TimestampType::log_append_time);
  CHECK(admitted.batch.max_timestamp() == payload.now);
  CHECK(admitted.batch.crc_ok());
}

TEST_CASE("a coordinator may write what a client may not") {
  auto marker = protocol::build_txn_marker({.offset = Offset{0},
                                            .timestamp = base::timestamp_from_ms(kThen),
                                            .producer_id = base::ProducerId{4},
                                            .producer_epoch = base::ProducerEpoch{1},
                                            .marker = {}});
  auto payload = from_client(marker);
  CHECK(std::get<Rejection>(admit(payload, {})).error.code == ErrorCode::invalid_record);
  payload.origin = AppendOrigin::coordinator;
  const auto admission = admit(payload, {});
  CHECK(std::get<Admitted>(admission).producer->id == base::ProducerId{4});
}

TEST_CASE("a compressed batch that unfolds beyond the limit is refused") {
  auto buffer = batch_of(200, {.codec = GENERATE(Codec::gzip, Codec::snappy, Codec::lz4, Codec::zstd)}, 1000);
  AdmissionRules rules;
  rules.unpacked_limit_bytes = 100'000;
  CHECK(std::get<Rejection>(admit(from_client(buffer), rules)).error.code == ErrorCode::message_too_large);
  rules.unpacked_limit_bytes = 300'000;
  CHECK(std::holds_alternative<Admitted>(admit(from_client(buffer), rules)));
}

TEST_CASE("of very many bad records a bounded number is told") {
  protocol::BatchBuilder builder{{.codec = Codec::gzip}};
  for (int i = 0; i < 5'000; ++i) builder.add({.value = base::as_bytes("v")});
  auto buffer = std::move(std::move(builder).build().value());
  AdmissionRules rules;
  rules.compacted = true;
  const auto admission = admit(from_client(buffer), rules);
  const auto& rejection = std::get<Rejection>(admission);
  CHECK(rejection.record_errors.size() == kMaxRecordErrors);
  CHECK(rejection.record_errors.back().batch_index == static_cast<std::int32_t>(kMaxRecordErrors) - 1);
  CHECK_THAT(rejection.error.detail, Catch::Matchers::Contains("5000 of 5000 records in t-0 refused"));
}

TEST_CASE("limits of time hold at their edges, and timestamps at the ends of time do not overflow") {
  AdmissionRules rules;
  rules.before_max = std::chrono::milliseconds{10};
  rules.after_max = std::chrono::milliseconds{20};
  const auto fits = [&](std::int64_t ms) {
    protocol::BatchBuilder builder{{}};
    builder.add({.timestamp = base::timestamp_from_ms(ms), .value = base::as_bytes("v")});
    auto buffer = std::move(std::move(builder).build().value());
    return std::holds_alternative<Admitted>(admit(from_client(buffer), rules));
  };
  CHECK(fits(kThen - 10));
  CHECK_FALSE(fits(kThen - 11));
  CHECK(fits(kThen + 20));
  CHECK_FALSE(fits(kThen + 21));
  CHECK(fits(-1));
  CHECK_FALSE(fits(std::numeric_limits<std::int64_t>::max()));
  CHECK_FALSE(fits(std::numeric_limits<std::int64_t>::min()));
}

TEST_CASE("rules follow the topic's settings") {
  const config::BrokerSettings broker;
  const auto plain = admission_rules(config::TopicSettings{broker});
  CHECK(plain.max_batch_bytes == 1'048'588);
  CHECK(plain.segment_bytes == std::size_t{1} << 30);
  CHECK_FALSE(plain.compacted);
  CHECK(plain.timestamps == TimestampType::create_time);
  CHECK(plain.before_max == std::chrono::milliseconds::max());
  CHECK(plain.after_max == std::chrono::milliseconds::max());
  CHECK_FALSE(plain.codec);

  const auto set = admission_rules(config::TopicSettings::with(broker, {{"max.message.bytes", "1000"},
                                                                        {"segment.bytes", "5000"},
                                                                        {"cleanup.policy", "compact"},
                                                                        {"message.timestamp.type", "LogAppendTime"},
                                                                        {"message.timestamp.difference.max.ms", "60"},
                                                                        {"compression.type", "zstd"},
                                                                        {"compression.zstd.level", "7"}}));
  CHECK(set.max_batch_bytes == 1000);
  CHECK(set.segment_bytes == 5000);
  CHECK(set.compacted);
  CHECK(set.timestamps == TimestampType::log_append_time);
  CHECK(set.before_max == std::chrono::milliseconds{60});
  CHECK(set.after_max == std::chrono::milliseconds{60});
  CHECK(set.codec == Codec::zstd);
  CHECK(set.level == 7);

  CHECK(admission_rules(config::TopicSettings::with(broker, {{"compression.type", "uncompressed"}})).codec ==
        Codec::none);
  CHECK(admission_rules(config::TopicSettings::with(broker, {{"compression.type", "lz4"}})).level ==
        protocol::kDefaultLevel);
}
