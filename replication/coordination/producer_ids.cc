#include "replication/coordination/producer_ids.h"

#include <limits>
#include <optional>
#include <utility>

namespace replication {

namespace {
constexpr std::int64_t kBlockSize = 1000;              // Kafka's, which shares the node
constexpr std::int64_t kPrefetchAt = kBlockSize / 10;  // ids left
}  // namespace

Task<base::Result<ProducerIdBlockNode>> take_producer_id_block(AsyncStore store, base::BrokerId broker) {
  const std::string path(paths::kProducerIdBlock);
  for (;;) {
    const auto current = co_await store.get(path);
    if (!current.ok()) co_return store_error(current.code, path);
    ProducerIdBlockNode next{.broker = broker, .first = 0, .last = kBlockSize - 1};
    if (!current.value.data.empty()) {
      const auto taken = decode_producer_id_block(path, current.value.data);
      if (!taken.ok()) co_return taken.error();
      if (taken->last < -1 || taken->last > std::numeric_limits<std::int64_t>::max() - kBlockSize)
        co_return base::fail(base::ErrorCode::unknown_server_error, "{}: no producer ids are left", path);
      next.first = taken->last + 1;
      next.last = taken->last + kBlockSize;
    }
    std::vector<Operation> change;
    change.push_back(Set{.path = path, .data = encode(next), .version = current.value.stat.version});
    const auto written = co_await store.commit(std::move(change));
    if (written.ok()) co_return next;
    if (written.code != StoreCode::bad_version && written.code != StoreCode::session_expired)
      co_return store_error(written.code, path);
  }
}

namespace {
Task<void> take_and_tell(AsyncStore store, base::BrokerId broker,
                         std::function<void(base::Result<ProducerIdBlockNode>)> done) {
  auto block = co_await take_producer_id_block(store, broker);
  done(std::move(block));
}
}  // namespace

ProducerIdBlocks stored_producer_ids(base::BrokerId self, MetadataStore& store, base::Loop& loop) {
  return [self, &store, &loop](std::function<void(base::Result<ProducerIdBlockNode>)> done) {
    loop.post([self, &store, done = std::move(done)]() mutable {
      run(take_and_tell(AsyncStore(store), self, std::move(done)), [] {});
    });
  };
}

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
  if (fetch_now) take_block_([this](base::Result<ProducerIdBlockNode> block) { fetched(std::move(block)); });
  if (id) done(*id);
}

void ProducerIds::fetched(base::Result<ProducerIdBlockNode> block) {
  if (block.ok() && block->first > block->last)
    block = base::fail(base::ErrorCode::unknown_server_error, "a block without ids");
  std::vector<Done> waiting;
  {
    absl::MutexLock lock(&mutex_);
    fetching_ = false;
    waiting.swap(waiting_);
    if (block.ok()) blocks_.push_back(*block);
  }
  if (!block.ok()) {
    log_.error("no block of producer ids: {}", block.error().detail);
    for (const auto& done : waiting) done(base::fail(while_none_, "{}", block.error().detail));
    return;
  }
  // More may wait than a block holds: they ask again, in their order.
  for (auto& done : waiting) next(std::move(done));
}

}  // namespace replication
