// Producer state from what lies on disk: snapshots, and the batches behind them.
#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/file_system.h"
#include "protocol/records/batch.h"
#include "storage/log/producers.h"
#include "storage/segment/segment_list.h"

namespace storage {

// What a batch says of its producer: nothing, the numbers of its records, or how a transaction ended.
using ProducerWord = std::variant<std::monostate, ProducerClaim, TransactionMarker>;
ProducerWord producer_word(const protocol::BatchView& batch);

// What has to be remembered of a batch to note it later.
struct AppendedBatch {
  ProducerWord word{};
  Offset base_offset{};
  Offset last_offset{};
  Timestamp max_timestamp{};
};
AppendedBatch appended_batch(const protocol::BatchView& batch);

// `batch` is in the log: what follows for the producers, and for the transaction index of its segment.
std::optional<AbortedTxn> note_appended(Producers& producers, const AppendedBatch& batch);
std::optional<AbortedTxn> note_appended(Producers& producers, const protocol::BatchView& batch);

// Offsets of the snapshots in a partition's directory, rising.
base::Result<std::vector<Offset>> list_snapshots(base::FileSystem& files, const std::string& directory);
std::string snapshot_path(const std::string& directory, Offset at);
// Removes the snapshots above `offset`: they speak of records that are gone.
base::Status remove_snapshots_above(base::FileSystem& files, const std::string& directory, Offset offset);
// Those that no replay can begin with, because the first segment is above them.
base::Status remove_snapshots_below(base::FileSystem& files, const std::string& directory, Offset offset);

// The state at `end`: the newest good snapshot at or below it, then every batch in between. Damaged snapshots are
// removed. `segments` may be read up to `end`.
base::Status rebuild_producers(base::FileSystem& files, const std::string& directory, const SegmentList& segments,
                               Offset end, Producers& producers);

}  // namespace storage
