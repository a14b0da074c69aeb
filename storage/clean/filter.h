// What a cleaning leaves of one entry. Pure.
//
// A record stays when it lies above what the key map covers, or is the newest of its key and no tombstone whose time is
// over. Records without a key go, and so do those of aborted transactions. Rules of Apache Kafka (KIP-98, KIP-534):
//   tombstones    of a v2 batch: the first cleaning that meets one writes the delete horizon (now +
//   delete.retention.ms)
//                 into the batch; the first at or after the horizon drops them. Of magic 0 and 1: dropped in segments
//                 older than the last clean segment less delete.retention.ms, by modification time.
//   markers       stay while data of their transaction is met; after that they wait for a horizon as tombstones do
//   a producer's last batch stays, emptied if need be: it holds the sequence number, or as a marker the epoch, that the
//                 producer's state is rebuilt from
// Base offset, last offset delta, sequence and producer of a batch never change, so offsets are what they were.
#pragma once

#include <absl/container/flat_hash_map.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/buffer.h"
#include "base/error.h"
#include "protocol/records/batch.h"
#include "protocol/records/legacy.h"
#include "storage/clean/key_map.h"
#include "storage/clean/transactions.h"
#include "storage/log/producers.h"

namespace storage {

// The last batch of every producer the log remembers.
class LastBatches {
 public:
  explicit LastBatches(const Producers& producers);
  bool has(const protocol::BatchView& batch) const;

 private:
  struct Last {
    std::optional<Offset> data;  // nothing: only a marker is known
    base::ProducerEpoch epoch;
  };
  absl::flat_hash_map<base::ProducerId, Last> last_;
};

struct FilterRules {
  const KeyMap& newest;
  Offset mapped_to;  // behind the last offset that `newest` covers
  base::Timestamp now;
  std::chrono::milliseconds delete_retention;
  const LastBatches& last_batches;
  std::size_t unpacked_limit_bytes = protocol::kDefaultUnpackedLimitBytes;
};

// Walks the entries of a log in order. Not thread-safe; allocates per batch that changes, never per record.
class Filter {
 public:
  Filter(const FilterRules& rules, TransactionWalk& transactions) : rules_(rules), transactions_(transactions) {}

  enum class Verdict { drop, keep, replace };
  // For magic 0 and 1: whether tombstones of the segment at hand stay.
  void keep_legacy_tombstones(bool keep) { keep_legacy_tombstones_ = keep; }
  // `replacement` is what takes the entry's place when the verdict says so. The entry's checksum has been checked.
  // Fails for an entry that cannot be read: `corrupt_message`, `invalid_record`, `message_too_large`, ...
  base::Result<Verdict> judge(const protocol::EntryView& entry, base::Buffer& replacement);

  std::uint64_t records_seen() const { return records_seen_; }
  std::uint64_t records_kept() const { return records_kept_; }

 private:
  struct Record {  // one of the batch at hand
    std::size_t begin = 0;
    std::size_t end = 0;
    Offset offset{};
    std::int64_t timestamp_delta = 0;
    KeyHash hash{};
    bool has_key = false;
    bool has_value = false;
    bool stays = false;
  };
  struct Tally {
    std::size_t stay = 0;
    bool tombstones = false;  // among those that stay
  };

  base::Result<Verdict> judge_batch(const protocol::BatchView& batch, base::Buffer& replacement);
  base::Result<Verdict> judge_message(const protocol::EntryView& entry, base::Buffer& replacement);
  base::Result<std::span<const std::byte>> unpack(const protocol::BatchView& batch);
  base::Status read_records(const protocol::BatchView& batch, std::span<const std::byte> records);
  void note_key(Record& record, const protocol::OptionalBytes& key);
  bool is_newest(const Record& record) const;
  base::Result<base::Buffer> thin_out(const protocol::BatchView& batch, std::span<const std::byte> records,
                                      const Tally& tally);
  base::Result<base::Buffer> with_horizon(const protocol::BatchView& batch, std::span<const std::byte> records) const;
  base::Result<base::Buffer> rewrite_messages(const protocol::EntryView& entry) const;

  FilterRules rules_;
  TransactionWalk& transactions_;
  bool keep_legacy_tombstones_ = true;
  std::vector<Record> records_;
  base::Buffer unpacked_;
  base::Buffer kept_;
  std::uint64_t records_seen_ = 0;
  std::uint64_t records_kept_ = 0;
};

// Notes the newest offset of every key in the entry, from `from` on. False: the map is full, and `mapped_to` is the
// first offset it does not cover.
class KeyCollector {
 public:
  KeyCollector(KeyMap& map, TransactionWalk& transactions, Offset from)
      : map_(map), transactions_(transactions), from_(from), mapped_to_(from) {}

  base::Result<bool> collect(const protocol::EntryView& entry);
  Offset mapped_to() const { return mapped_to_; }
  std::uint64_t records_seen() const { return records_seen_; }

 private:
  struct Pending {
    KeyHash hash;
    Offset offset;
  };
  bool put(const protocol::OptionalBytes& key, Offset offset);
  bool put_pending();

  KeyMap& map_;
  TransactionWalk& transactions_;
  Offset from_;
  Offset mapped_to_;
  std::vector<Pending> pending_;
  std::uint64_t records_seen_ = 0;
};

}  // namespace storage
