// Producer ids, unique in the cluster: taken in blocks of 1000 (/latest_producer_id_block), handed out one by one. The
// next block is fetched while the last tenth of the current one is being used, so that a producer rarely waits for it.
#pragma once

#include <absl/synchronization/mutex.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <vector>

#include "base/error.h"
#include "base/ids.h"
#include "base/logging.h"
#include "base/loop.h"
#include "replication/coordination/async_store.h"
#include "replication/coordination/znodes.h"

namespace replication {

// The next block for that broker. The write is conditional on the version read, so nobody else gets the same; a lost
// answer may cost a block.
Task<base::Result<ProducerIdBlockNode>> take_producer_id_block(AsyncStore store, base::BrokerId broker);

// Where blocks come from: the store, or the controller (AllocateProducerIds). Called on any thread; answers once, on
// any, and not inside the call.
using ProducerIdBlocks = std::function<void(std::function<void(base::Result<ProducerIdBlockNode>)>)>;
// Each broker for itself: inter.broker.protocol.version below 3.0. Answers on the store's loop.
ProducerIdBlocks stored_producer_ids(base::BrokerId self, MetadataStore& store, base::Loop& loop);

class ProducerIds {
 public:
  using Done = std::function<void(base::Result<base::ProducerId>)>;

  // `while_none`: what a client is told that may come again.
  ProducerIds(ProducerIdBlocks blocks, base::ErrorCode while_none)
      : take_block_(std::move(blocks)), while_none_(while_none) {}

  // Any thread. `done` is called inside the call when an id is at hand, else later where blocks come from.
  void next(Done done) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  void fetched(base::Result<ProducerIdBlockNode> block) ABSL_LOCKS_EXCLUDED(mutex_);

  const ProducerIdBlocks take_block_;
  const base::ErrorCode while_none_;
  const base::Logger log_{"weir.ProducerIds"};

  absl::Mutex mutex_;
  std::deque<ProducerIdBlockNode> blocks_ ABSL_GUARDED_BY(mutex_);  // what is left of the current one, and the next
  std::vector<Done> waiting_ ABSL_GUARDED_BY(mutex_);  // bounded by the connections, each of which waits for one
  bool fetching_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace replication
