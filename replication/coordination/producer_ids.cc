#include "replication/coordination/producer_ids.h"

#include <limits>
#include <optional>

namespace replication {

namespace {
constexpr std::int64_t kBlockSize = 1000;              // Kafka's, which shares the node
constexpr std::int64_t kPrefetchAt = kBlockSize / 10;  // ids left
}  // namespace

ProducerIds::ProducerIds(base::BrokerId self, MetadataStore& store, base::Loop& loop)
    : self_(self), store_(store), loop_(loop) {}

void ProducerIds::next(Done done) {
  std::optional<base::ProducerId> id;
  bool fetch_now = false;
  {
    absl::MutexLock lock(&mutex_);
    if (blocks_.empty()) {
      waiting_.push_back(std::move(done));
    } else {
      auto& block = blocks_.front();
      id = base::ProducerId{block.first++};
      if (block.first > block.last) blocks_.pop_front();
    }
    const bool scarce = blocks_.empty() || (blocks_.size() == 1 && blocks_[0].last - blocks_[0].first < kPrefetchAt);
    if (scarce && !fetching_) fetching_ = fetch_now = true;
  }
  if (fetch_now) loop_.post([this] { begin_fetch(); });
  if (id) done(*id);
}

void ProducerIds::begin_fetch() {
  run(fetch(), [] {});
}

// The write is conditional on the version read, so no two brokers get the same block. A lost answer may cost a block.
Task<void> ProducerIds::fetch() {
  const std::string path(paths::kProducerIdBlock);
  for (;;) {
    const auto current = co_await store_.get(path);
    if (!current.ok()) {
      fetched(store_error(current.code, path));
      co_return;
    }
    ProducerIdBlockNode next{.broker = self_, .first = 0, .last = kBlockSize - 1};
    if (!current.value.data.empty()) {
      const auto taken = decode_producer_id_block(path, current.value.data);
      if (!taken.ok()) {
        fetched(taken.error());
        co_return;
      }
      if (taken->last < -1 || taken->last > std::numeric_limits<std::int64_t>::max() - kBlockSize) {
        fetched(base::fail(base::ErrorCode::unknown_server_error, "{}: no producer ids are left", path));
        co_return;
      }
      next.first = taken->last + 1;
      next.last = taken->last + kBlockSize;
    }
    std::vector<Operation> change;
    change.push_back(Set{.path = path, .data = encode(next), .version = current.value.stat.version});
    const auto written = co_await store_.commit(std::move(change));
    if (written.ok()) {
      fetched(next);
      co_return;
    }
    if (written.code != StoreCode::bad_version && written.code != StoreCode::session_expired) {
      fetched(store_error(written.code, path));
      co_return;
    }
  }
}

void ProducerIds::fetched(base::Result<ProducerIdBlockNode> block) {
  std::vector<Done> waiting;
  {
    absl::MutexLock lock(&mutex_);
    fetching_ = false;
    waiting.swap(waiting_);
    if (block.ok()) blocks_.push_back(*block);
  }
  if (!block.ok()) {
    log_.error("no block of producer ids: {}", block.error().detail);
    for (const auto& done : waiting)
      done(base::fail(base::ErrorCode::coordinator_not_available, "{}", block.error().detail));
    return;
  }
  // More may wait than a block holds: they ask again, in their order.
  for (auto& done : waiting) next(std::move(done));
}

}  // namespace replication
