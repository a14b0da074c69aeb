// What a partition remembers of each idempotent producer: its epoch, its last five batches, its open transaction.
//
// Rules of Apache Kafka (KIP-98, KIP-360), in the order they are asked; all look at one (partition, producer id):
//   1. same epoch, and exactly the sequences of one of the last five batches: a repetition, answered with what the
//      first one was given
//   2. an epoch below the known one: invalid_producer_epoch
//   3. an epoch above the known one must begin at sequence 0
//   4. the same epoch must go on where it stopped; 2^31 - 1 is followed by 0
//   5. a producer not known at all may begin anywhere: its state may have expired, or its records been deleted
//   6. known from a transaction marker alone: nothing was written yet, so sequence 0 comes next
// Whatever breaks 3, 4 or 6 is out_of_order_sequence_number; so is a repetition of a batch older than the last five.
//
// Thousands of partitions have no such producer: an empty Producers allocates nothing.
#pragma once

#include <absl/container/flat_hash_map.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <vector>

#include "base/error.h"
#include "base/ids.h"

namespace storage {

// Who brings records. Clients must number their batches; coordinators write for themselves; what replicas copy and
// recovery reads has been decided by a leader already.
enum class AppendOrigin { client, coordinator, replication };

// What a batch says of its producer.
struct ProducerClaim {
  base::ProducerId id = base::kNoProducerId;
  base::ProducerEpoch epoch = base::kNoProducerEpoch;
  std::int32_t first_sequence = -1;
  std::int32_t last_sequence = -1;
  bool transactional = false;
};

// One batch that was appended.
struct ProducedBatch {
  std::int32_t last_sequence = -1;
  std::int32_t offset_delta = 0;  // last offset - first offset
  base::Offset last_offset = base::kNoOffset;
  base::Timestamp timestamp =
      base::kNoTimestamp;  // the batch's max timestamp; its append time where the topic stamps that

  base::Offset first_offset() const { return last_offset - offset_delta; }
  std::int32_t first_sequence() const;

  bool operator==(const ProducedBatch&) const = default;
};

// The content of a transaction marker.
struct TransactionMarker {
  base::ProducerId id;
  base::ProducerEpoch epoch;
  std::int32_t coordinator_epoch = -1;
  bool commit = false;
};

// A transaction some marker ended: [first, last], where `last` is the marker.
struct CompletedTransaction {
  base::ProducerId id;
  base::Offset first;
  base::Offset last;
  bool aborted = false;

  bool operator==(const CompletedTransaction&) const = default;
};

class ProducerState {
 public:
  static constexpr std::size_t kRememberedBatches = 5;

  base::ProducerEpoch epoch() const { return epoch_; }
  std::int32_t coordinator_epoch() const { return coordinator_epoch_; }
  base::Timestamp last_timestamp() const { return last_timestamp_; }
  std::optional<base::Offset> open_transaction() const {
    return transaction_ == base::kNoOffset ? std::nullopt : std::optional{transaction_};
  }
  // Oldest first; empty when the producer is known from a marker alone.
  std::span<const ProducedBatch> batches() const { return {batches_.data(), count_}; }
  std::int32_t last_sequence() const { return count_ ? batches_[count_ - 1].last_sequence : -1; }

 private:
  friend class Producers;

  void set_epoch(base::ProducerEpoch epoch);
  void remember(const ProducedBatch& batch);

  std::array<ProducedBatch, kRememberedBatches> batches_;
  std::uint8_t count_ = 0;
  base::ProducerEpoch epoch_ = base::kNoProducerEpoch;
  std::int32_t coordinator_epoch_ = -1;
  base::Timestamp last_timestamp_ = base::kNoTimestamp;
  base::Offset transaction_ = base::kNoOffset;
};

// One producer as a snapshot keeps it: of the batches only the last.
struct ProducerEntry {
  base::ProducerId id;
  base::ProducerEpoch epoch;
  std::optional<ProducedBatch> last_batch = std::nullopt;
  base::Timestamp last_timestamp = base::kNoTimestamp;
  std::int32_t coordinator_epoch = -1;
  std::optional<base::Offset> open_transaction = std::nullopt;

  bool operator==(const ProducerEntry&) const = default;
};

// Guarded by the lock of the partition that owns the log.
class Producers {
 public:
  // May this batch be appended? Nothing: yes. A batch: it already was, and this is what became of it.
  base::Result<std::optional<ProducedBatch>> check(const ProducerClaim& claim, AppendOrigin origin) const;
  // It was appended. Takes what is, checked or not: a replica follows its leader.
  void appended(const ProducerClaim& claim, base::Offset first, base::Offset last, base::Timestamp timestamp);

  // May this marker be appended?
  base::Status check(const TransactionMarker& marker, AppendOrigin origin) const;
  // It was, at `offset`. Nothing when the producer had no open transaction here.
  std::optional<CompletedTransaction> appended(const TransactionMarker& marker, base::Offset offset,
                                               base::Timestamp timestamp);

  // Readers of committed data stop here: the first offset of the oldest transaction that is open, or whose marker is
  // not below the high watermark yet.
  std::optional<base::Offset> first_unstable_offset() const;
  // The last stable offset right behind the marker of a transaction just completed, as the transaction index keeps it.
  base::Offset last_stable_offset_after(const CompletedTransaction& completed) const;
  void high_watermark_moved(base::Offset high_watermark);

  // Forgets producers that were silent for `silence` and have no open transaction; returns how many.
  std::size_t remove_expired(base::Timestamp now, std::chrono::milliseconds silence);
  void clear();

  // For snapshots: all producers by rising id, and back. Replaces what is known.
  std::vector<ProducerEntry> entries() const;
  void restore(std::span<const ProducerEntry> entries);

  // How many markers were appended since this was made: whoever looked at a transaction before, elsewhere, and finds
  // another number has to look again.
  std::uint64_t markers() const { return markers_; }

  const ProducerState* find(base::ProducerId id) const;
  bool empty() const { return producers_.empty(); }
  std::size_t size() const { return producers_.size(); }
  // Every (id, state), in no order: f(ProducerId, const ProducerState&). For DescribeProducers.
  template <class F>
  void for_each(F&& f) const {
    for (const auto& [id, state] : producers_) f(id, state);
  }

 private:
  absl::flat_hash_map<base::ProducerId, ProducerState> producers_;
  std::map<base::Offset, base::ProducerId> open_;              // by first offset
  std::map<base::Offset, CompletedTransaction> unreplicated_;  // by first offset; marker at or above high watermark
  std::uint64_t markers_ = 0;
};

}  // namespace storage
