#include "storage/clean/filter.h"

#include <algorithm>
#include <limits>

#include "protocol/records/builder.h"
#include "protocol/records/record.h"

namespace storage {
namespace {

using base::ErrorCode;
using base::fail;
using base::Result;
using base::Status;
using base::Timestamp;
using Verdict = Filter::Verdict;

// Enough lookups under way to hide a miss of the cache behind the others, few enough to stay in the cache.
constexpr std::size_t kLookupsAtOnce = 32;

Timestamp later(Timestamp now, std::chrono::milliseconds by) {
  const auto most = Timestamp::max();
  return by >= most - now ? most : now + by;
}

base::Error malformed(const protocol::BatchView& batch, const char* why) {
  return fail(ErrorCode::corrupt_message, "the batch at {} does not read: {}", batch.base_offset(), why);
}

}  // namespace

LastBatches::LastBatches(const Producers& producers) {
  last_.reserve(producers.size());
  producers.for_each([&](base::ProducerId id, const ProducerState& state) {
    const auto batches = state.batches();
    last_[id] = {batches.empty() ? std::nullopt : std::optional(batches.back().last_offset), state.epoch()};
  });
}

bool LastBatches::has(const protocol::BatchView& batch) const {
  if (!batch.has_producer()) return false;
  const auto found = last_.find(batch.producer_id());
  if (found == last_.end()) return false;
  const auto& last = found->second;
  return last.data ? batch.last_offset() == *last.data : batch.is_control() && batch.producer_epoch() == last.epoch;
}

// --- batches ---------------------------------------------------------------------------------------------------------

Result<Verdict> Filter::judge(const protocol::EntryView& entry, base::Buffer& replacement) {
  return entry.is_batch() ? judge_batch(entry.batch(), replacement) : judge_message(entry, replacement);
}

Result<std::span<const std::byte>> Filter::unpack(const protocol::BatchView& batch) {
  if (batch.codec() == protocol::Codec::none) return batch.payload();
  if (auto s = protocol::decompress_into(unpacked_, batch.codec(), batch.payload(), rules_.unpacked_limit_bytes); !s)
    return s.error();
  return std::span<const std::byte>(unpacked_.bytes());
}

void Filter::note_key(Record& record, const protocol::OptionalBytes& key) {
  record.has_key = key.has_value();
  if (!key) return;
  record.hash = rules_.newest.hash(*key);
  rules_.newest.prefetch(record.hash);
}

Status Filter::read_records(const protocol::BatchView& batch, std::span<const std::byte> records) {
  records_.clear();
  auto rest = records;
  protocol::RecordView view;
  for (std::int32_t i = 0; i < batch.record_count(); ++i) {
    Record record{.begin = records.size() - rest.size()};
    if (const char* why = protocol::parse_record(rest, view)) return malformed(batch, why);
    record.end = records.size() - rest.size();
    record.offset = protocol::offset_of(batch, view);
    record.timestamp_delta = view.timestamp_delta;
    record.has_value = view.value.has_value();
    if (!batch.is_control()) note_key(record, view.key);
    records_.push_back(record);
  }
  if (!rest.empty() || batch.record_count() < 0) return malformed(batch, "its records are not as many as it says");
  return {};
}

bool Filter::is_newest(const Record& record) const {
  return record.has_key && record.offset >= rules_.newest.find(record.hash);
}

Result<Verdict> Filter::judge_batch(const protocol::BatchView& batch, base::Buffer& replacement) {
  const bool may_go = transactions_.may_go(batch);
  const auto horizon = batch.delete_horizon();
  const bool over = horizon && *horizon <= rules_.now;
  const bool goes = may_go && (!batch.is_control() || over);
  const bool last_of_producer = rules_.last_batches.has(batch);
  if (goes && !last_of_producer) return Verdict::drop;
  if (!may_go && !batch.is_control() && batch.base_offset() >= rules_.mapped_to) return Verdict::keep;

  auto records = unpack(batch);
  if (!records) return records.error();
  if (auto s = read_records(batch, *records); !s) return s.error();
  Tally tally;
  for (auto& record : records_) {
    if (goes)
      record.stays = false;
    else
      record.stays =
          batch.is_control() || record.offset >= rules_.mapped_to || (is_newest(record) && (record.has_value || !over));
    tally.stay += record.stays;
    tally.tombstones |= record.stays && !record.has_value;
  }
  records_seen_ += records_.size();
  records_kept_ += tally.stay;

  if (tally.stay == 0) {
    if (!last_of_producer) return Verdict::drop;
    if (batch.record_count() == 0) return Verdict::keep;
    replacement = protocol::build_emptied_batch(batch);
    return Verdict::replace;
  }
  const bool sets_horizon = !horizon && (tally.tombstones || (may_go && batch.is_control()));
  if (tally.stay == records_.size() && !sets_horizon) return Verdict::keep;
  auto built = sets_horizon ? with_horizon(batch, *records) : thin_out(batch, *records, tally);
  if (!built) return built.error();
  replacement = std::move(*built);
  return Verdict::replace;
}

// Offsets and timestamps of records count from the batch's, which stay: what is kept is copied as it lies.
Result<base::Buffer> Filter::thin_out(const protocol::BatchView& batch, std::span<const std::byte> records,
                                      const Tally& tally) {
  kept_.clear();
  auto max_timestamp = std::numeric_limits<std::int64_t>::min();
  for (std::size_t i = 0; i < records_.size();) {
    if (!records_[i].stays) {
      ++i;
      continue;
    }
    const auto begin = records_[i].begin;
    auto end = begin;
    for (; i < records_.size() && records_[i].stays; ++i) {
      end = records_[i].end;
      max_timestamp = std::max(
          max_timestamp, protocol::wrapping_add(base::to_ms(batch.base_timestamp()), records_[i].timestamp_delta));
    }
    kept_.append(records.subspan(begin, end - begin));
  }
  return protocol::build_thinned_batch(batch, {.records = kept_.bytes(),
                                               .count = static_cast<std::int32_t>(tally.stay),
                                               .max_timestamp = base::timestamp_from_ms(max_timestamp)});
}

// The horizon stands where the base timestamp was, so every record's timestamp is written anew.
Result<base::Buffer> Filter::with_horizon(const protocol::BatchView& batch, std::span<const std::byte> records) const {
  const bool stamped = batch.timestamp_type() == protocol::TimestampType::log_append_time;
  protocol::BatchBuilder builder({.base_offset = batch.base_offset(),
                                  .leader_epoch = batch.leader_epoch(),
                                  .codec = batch.codec(),
                                  .log_append_time = stamped ? std::optional(batch.max_timestamp()) : std::nullopt,
                                  .producer_id = batch.producer_id(),
                                  .producer_epoch = batch.producer_epoch(),
                                  .base_sequence = batch.base_sequence(),
                                  .transactional = batch.is_transactional(),
                                  .control = batch.is_control(),
                                  .delete_horizon = later(rules_.now, rules_.delete_retention)});
  protocol::RecordView view;
  for (const auto& record : records_) {
    if (!record.stays) continue;
    auto bytes = records.subspan(record.begin, record.end - record.begin);
    base::invariant(protocol::parse_record(bytes, view) == nullptr, "a record that was read before");
    builder.add_at(record.offset, protocol::timestamp_of(batch, view), view);
  }
  builder.set_last_offset(batch.last_offset());
  return std::move(builder).build();
}

// --- messages of magic 0 and 1 ---------------------------------------------------------------------------------------

Result<Verdict> Filter::judge_message(const protocol::EntryView& entry, base::Buffer& replacement) {
  records_.clear();
  protocol::LegacyReader reader(entry, rules_.unpacked_limit_bytes);
  protocol::LegacyRecordView view;
  while (reader.next(view)) {
    Record record{.offset = view.offset, .has_value = view.value.has_value()};
    note_key(record, view.key);
    records_.push_back(record);
  }
  if (!reader.status()) return reader.status().error();
  std::size_t stay = 0;
  for (auto& record : records_) {
    record.stays =
        record.offset >= rules_.mapped_to || (is_newest(record) && (record.has_value || keep_legacy_tombstones_));
    stay += record.stays;
  }
  records_seen_ += records_.size();
  records_kept_ += stay;
  if (stay == 0) return Verdict::drop;
  if (stay == records_.size()) return Verdict::keep;
  auto built = rewrite_messages(entry);
  if (!built) return built.error();
  replacement = std::move(*built);
  return Verdict::replace;
}

Result<base::Buffer> Filter::rewrite_messages(const protocol::EntryView& entry) const {
  const bool stamped = entry.timestamp_type() == protocol::TimestampType::log_append_time;
  protocol::LegacyBuilder builder({.magic = entry.magic(),
                                   .codec = entry.codec(),
                                   .log_append_time = stamped ? std::optional(entry.max_timestamp()) : std::nullopt});
  protocol::LegacyReader reader(entry, rules_.unpacked_limit_bytes);
  protocol::LegacyRecordView view;
  for (std::size_t i = 0; reader.next(view); ++i)
    if (records_[i].stays) builder.add(view.offset, view.timestamp, view.key, view.value);
  if (!reader.status()) return reader.status().error();
  return std::move(builder).build();
}

// --- keys ------------------------------------------------------------------------------------------------------------

bool KeyCollector::put_pending() {
  for (const auto& pending : pending_)
    if (!map_.put(pending.hash, pending.offset)) {
      mapped_to_ = pending.offset;
      return false;
    }
  pending_.clear();
  return true;
}

bool KeyCollector::put(const protocol::OptionalBytes& key, Offset offset) {
  ++records_seen_;
  if (!key || offset < from_) return true;
  const auto hash = map_.hash(*key);
  map_.prefetch(hash);
  pending_.push_back({hash, offset});
  return pending_.size() < kLookupsAtOnce || put_pending();
}

Result<bool> KeyCollector::collect(const protocol::EntryView& entry) {
  pending_.clear();
  bool room = true;
  if (entry.is_batch()) {
    const auto batch = entry.batch();
    if (!transactions_.may_go(batch) && !batch.is_control()) {
      protocol::RecordReader reader(batch);
      protocol::RecordView record;
      while (room && reader.next(record)) room = put(record.key, protocol::offset_of(batch, record));
      if (!reader.status()) return reader.status().error();
    }
  } else {
    protocol::LegacyReader reader(entry);
    protocol::LegacyRecordView record;
    while (room && reader.next(record)) room = put(record.key, record.offset);
    if (!reader.status()) return reader.status().error();
  }
  if (!room || !put_pending()) return false;
  mapped_to_ = std::max(mapped_to_, entry.next_offset());
  return true;
}

}  // namespace storage
