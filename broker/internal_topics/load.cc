#include "broker/internal_topics/load.h"

#include <algorithm>

#include "base/buffer.h"
#include "base/logging.h"
#include "protocol/records/legacy.h"

namespace broker {

using base::ErrorCode;
using base::Offset;
using base::Status;

namespace {

class Load {
 public:
  Load(LedPartition& led, const LoadVisitor& visitor, const LoadOptions& options, const base::Clock& clock)
      : led_(led), visitor_(visitor), options_(options), clock_(clock) {}

  base::Result<LoadSummary> run() {
    start_ = at_ = std::max(led_.partition().log_start_offset(), Offset{0});
    for (;;) {
      if (led_.resigned()) return resigned();
      auto more = read_chunk();
      if (!more) return more.error();
      if (!*more) break;
      tell_progress();
    }
    summary_.took = std::chrono::duration_cast<std::chrono::milliseconds>(clock_.now() - began_);
    return summary_;
  }

 private:
  base::Error resigned() const {
    return base::fail(ErrorCode::not_leader_or_follower, "{} was resigned while it was loaded", led_.name());
  }

  // False at the log end.
  base::Result<bool> read_chunk() {
    auto read = led_.partition().read({.from = at_,
                                       .current_leader_epoch = led_.epoch(),
                                       .isolation = replication::Isolation::log_end,
                                       .limits = {.max_bytes = options_.chunk_bytes}});
    if (!read) {
      const auto code = read.error().code;
      const bool led_no_more = code == ErrorCode::fenced_leader_epoch || code == ErrorCode::unknown_leader_epoch;
      return led_no_more ? resigned() : read.error();
    }
    end_ = read->bound;
    const auto& range = read->slice.records;
    if (range.size_bytes == 0) return false;
    buffer_.resize(range.size_bytes);
    auto got = range.file->read_at(range.position, buffer_.bytes());
    if (!got) return got.error();
    buffer_.resize(*got);
    summary_.bytes += *got;
    const auto before = at_;
    if (auto s = deliver(); !s) return s.error();
    if (at_ == before)
      return base::fail(ErrorCode::corrupt_message, "{} has no whole batch at offset {}", led_.name(), at_);
    return true;
  }

  Status deliver() {
    protocol::EntryCursor cursor(buffer_.bytes());
    while (const auto entry = cursor.next()) {
      if (entry->next_offset() <= at_) continue;
      if (!entry->crc_ok())
        return base::fail(ErrorCode::corrupt_message, "{}: a batch at offset {} has a wrong checksum", led_.name(),
                          entry->base_offset());
      auto s = entry->is_batch() ? deliver(entry->batch()) : deliver_messages(*entry);
      if (!s) return base::fail(s.error().code, "{} at offset {}: {}", led_.name(), at_, s.error().detail);
      at_ = entry->next_offset();
    }
    return cursor.status();
  }

  Status deliver(const protocol::BatchView& batch) {
    const LoadedBatch about{.producer_id = batch.producer_id(),
                            .producer_epoch = batch.producer_epoch(),
                            .transactional = batch.is_transactional()};
    protocol::RecordReader reader(batch);
    protocol::RecordView record;
    while (reader.next(record)) {
      ++summary_.records;
      const auto offset = protocol::offset_of(batch, record);
      if (!batch.is_control()) {
        visitor_.record(about, {offset, protocol::timestamp_of(batch, record), record.key, record.value});
      } else if (const auto marker = protocol::parse_txn_marker(record)) {
        visitor_.marker(
            {offset, about.producer_id, about.producer_epoch, marker->type == protocol::ControlType::commit});
      }
    }
    return reader.status();
  }

  Status deliver_messages(const protocol::EntryView& entry) {
    protocol::LegacyReader reader(entry);
    protocol::LegacyRecordView message;
    while (reader.next(message)) {
      ++summary_.records;
      visitor_.record({}, {message.offset, message.timestamp, message.key, message.value});
    }
    return reader.status();
  }

  void tell_progress() {
    const auto now = clock_.now();
    if (now - told_ < options_.progress_every) return;
    told_ = now;
    log_.info("Loading {} at leader epoch {}: {} of {} offsets, {} records so far", led_.name(), led_.epoch(),
              at_ - start_, end_ - start_, summary_.records);
  }

  LedPartition& led_;
  const LoadVisitor& visitor_;
  const LoadOptions& options_;
  const base::Clock& clock_;
  const base::Logger log_{"weir.InternalTopics"};
  const base::Instant began_ = clock_.now();
  base::Instant told_ = began_;
  base::Buffer buffer_;
  Offset start_;
  Offset at_;
  Offset end_;
  LoadSummary summary_;
};

}  // namespace

base::Result<LoadSummary> load(LedPartition& partition, const LoadVisitor& visitor, const LoadOptions& options,
                               const base::Clock& clock) {
  return Load(partition, visitor, options, clock).run();
}

}  // namespace broker
