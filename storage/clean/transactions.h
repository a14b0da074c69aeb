// What a walk over a log's batches, in order, knows of transactions: whose data was aborted, and whether a marker still
// has data to speak for. All of the log below the last stable offset is decided, so the walk never meets an open one.
//
// Plain values; one walk each.
#pragma once

#include <absl/container/flat_hash_map.h>
#include <absl/container/flat_hash_set.h>

#include <optional>
#include <vector>

#include "protocol/records/batch.h"
#include "storage/segment/txn_index.h"

namespace storage {

class TransactionWalk {
 public:
  // `aborted`: the transaction indexes' entries that reach into the walk.
  explicit TransactionWalk(std::vector<AbortedTxn> aborted);

  // True for a batch of an aborted transaction, and for a marker before which the walk met no data of its transaction;
  // an emptied control batch speaks for nothing. For every batch, once, in order.
  bool may_go(const protocol::BatchView& batch);

  // Aborted transactions whose marker the walk has passed and of which it met data: those the new transaction index
  // goes on naming, because the marker stays too. In marker order, since the last call.
  std::vector<AbortedTxn> take_still_named();

 private:
  struct Aborted {
    AbortedTxn txn;
    bool has_data = false;
  };
  void begin_up_to(Offset offset);
  bool control_may_go(const protocol::BatchView& batch);

  std::vector<AbortedTxn> coming_;                          // by falling first offset
  absl::flat_hash_map<base::ProducerId, Aborted> aborted_;  // begun, marker not passed
  absl::flat_hash_set<base::ProducerId> with_data_;         // data met that is not aborted, marker not passed
  std::vector<AbortedTxn> still_named_;
};

}  // namespace storage
