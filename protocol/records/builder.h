// Writing v2 batches: the broker's own records (group state, transaction state, markers), the cleaner's survivors,
// up-converted messages, and what the tools and tests produce.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "base/buffer.h"
#include "base/error.h"
#include "base/ids.h"
#include "protocol/records/batch.h"
#include "protocol/records/record.h"

namespace protocol {

struct BatchSpec {
  base::Offset base_offset{0};
  base::LeaderEpoch leader_epoch{-1};
  Codec codec = Codec::none;
  int level = kDefaultLevel;
  // Set: the batch bears log append time, and this is it.
  std::optional<base::Timestamp> log_append_time = std::nullopt;
  base::ProducerId producer_id{-1};
  base::ProducerEpoch producer_epoch{-1};
  std::int32_t base_sequence = -1;
  bool transactional = false;
  bool control = false;
  // Set: written where the base timestamp stands; record timestamps count from it.
  std::optional<base::Timestamp> delete_horizon = std::nullopt;
};

struct RecordFields {
  base::Timestamp timestamp = base::kNoTimestamp;
  OptionalBytes key = std::nullopt;
  OptionalBytes value = std::nullopt;
  std::span<const HeaderView> headers = {};
};

class BatchBuilder {
 public:
  explicit BatchBuilder(BatchSpec spec);

  // At the offset behind the last record's.
  void add(const RecordFields& record);
  // Offsets must rise and stay within 2^31 of the base offset; build() refuses when they did not, since records copied
  // from elsewhere may bring any offset.
  void add_at(base::Offset offset, const RecordFields& record);
  // A record taken from another batch, headers included.
  void add_at(base::Offset offset, base::Timestamp timestamp, const RecordView& record);

  // The batch reaches to here although its last records are gone (compaction).
  void set_last_offset(base::Offset offset) { last_offset_ = offset; }

  std::int32_t record_count() const { return count_; }
  std::size_t size_bytes() const { return bytes_.size(); }  // before compression
  base::Offset next_offset() const { return base::Offset{wrapping_add(last_offset_.raw, 1)}; }

  // At least one record must have been added. Fails as said above, when a codec does, or beyond the 2 GiB that a length
  // field can tell.
  base::Result<base::Buffer> build() &&;

 private:
  struct Headers;
  void write(base::Offset offset, base::Timestamp timestamp, const OptionalBytes& key, const OptionalBytes& value,
             const Headers& headers);
  void write_batch_header(base::Buffer& out) const;

  BatchSpec spec_;
  base::Buffer bytes_;  // room for the batch header, then the records
  std::int32_t count_ = 0;
  bool offsets_broken_ = false;
  base::Offset last_offset_;
  base::Timestamp base_timestamp_ = base::kNoTimestamp;
  base::Timestamp max_timestamp_ = base::kNoTimestamp;
};

// The 78 bytes that end a transaction in a partition.
struct TxnMarkerSpec {
  base::Offset offset{0};
  base::LeaderEpoch leader_epoch{-1};
  base::Timestamp timestamp;
  base::ProducerId producer_id{-1};
  base::ProducerEpoch producer_epoch{-1};
  TxnMarker marker;
};
base::Buffer build_txn_marker(const TxnMarkerSpec& spec);

// What compaction leaves of a batch that has lost all its records, but still holds its producer's last sequence.
base::Buffer build_emptied_batch(const BatchView& batch);

// What it leaves of a batch that has lost some: the rest as they lay in it, unpacked. They are packed in the batch's
// own codec; every header field but length, count, largest timestamp and checksum stays.
struct ThinnedRecords {
  std::span<const std::byte> records;
  std::int32_t count = 0;
  base::Timestamp max_timestamp;  // not used when the batch bears log append time
};
base::Result<base::Buffer> build_thinned_batch(const BatchView& batch, const ThinnedRecords& kept);

// The same records under another codec; every header field but codec, length and checksum stays.
base::Result<base::Buffer> recompress(const BatchView& batch, Codec codec, int level = kDefaultLevel,
                                      std::size_t limit_bytes = kDefaultUnpackedLimitBytes);

}  // namespace protocol
