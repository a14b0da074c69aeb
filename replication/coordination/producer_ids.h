// Producer ids, unique in the cluster: taken from the store in blocks of 1000 (/latest_producer_id_block), handed out
// one by one. The next block is fetched while the last tenth of the current one is being used, so that a producer
// rarely waits for the store.
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

class ProducerIds {
 public:
  using Done = std::function<void(base::Result<base::ProducerId>)>;

  ProducerIds(base::BrokerId self, MetadataStore& store, base::Loop& loop);

  // Any thread. `done` is called inside the call when an id is at hand, else later on the coordination loop. What fails
  // may be tried again by the client: `coordinator_not_available`.
  void next(Done done) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  void begin_fetch();
  Task<void> fetch();
  void fetched(base::Result<ProducerIdBlockNode> block) ABSL_LOCKS_EXCLUDED(mutex_);

  const base::BrokerId self_;
  AsyncStore store_;
  base::Loop& loop_;
  const base::Logger log_{"weir.ProducerIds"};

  absl::Mutex mutex_;
  std::deque<ProducerIdBlockNode> blocks_ ABSL_GUARDED_BY(mutex_);  // what is left of the current one, and the next
  std::vector<Done> waiting_ ABSL_GUARDED_BY(mutex_);  // bounded by the connections, each of which waits for one
  bool fetching_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace replication
