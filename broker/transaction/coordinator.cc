#include "broker/transaction/coordinator.h"

#include <utility>

#include "broker/internal_topics/load.h"
#include "broker/internal_topics/names.h"
#include "broker/transaction/store.h"

namespace broker {

using base::ErrorCode;
using base::fail;
using std::chrono::milliseconds;

// ---- leadership -----------------------------------------------------------------------------------------------------

CoordinatorCalls TransactionCoordinator::calls() {
  return {
      .became_leader = [this](std::shared_ptr<LedPartition> led) { became_leader(std::move(led)); },
      .resigned =
          [this](const std::shared_ptr<LedPartition>& led) {
            absl::MutexLock lock(&mutex_);
            const auto found = shards_.find(led->index());
            if (found != shards_.end() && found->second->led == led) shards_.erase(found);
          },
      .transaction_ended = nullptr,
  };
}

void TransactionCoordinator::became_leader(std::shared_ptr<LedPartition> led) {
  auto shard = std::make_shared<Shard>(std::move(led));
  {
    absl::MutexLock lock(&mutex_);
    shards_[shard->led->index()] = shard;
  }
  parts_.loading.submit([this, shard] { load(shard); });
}

void TransactionCoordinator::load(const ShardPtr& shard) {
  base::StringMap<Transaction> transactions;
  const auto& name = shard->led->name();
  const LoadVisitor visitor{
      .record =
          [&](const LoadedBatch&, const LoadedRecord& record) {
            auto stored = read_transaction(record.key, record.value);
            if (!stored) {
              log_.error("{} at offset {} is left out, which may leave a transaction open for ever: {}", name,
                         record.offset, stored.error().detail);
            } else if (stored->transaction) {
              transactions.insert_or_assign(std::move(stored->transactional_id), std::move(*stored->transaction));
            } else {
              transactions.erase(stored->transactional_id);
            }
          },
      .marker = [](const LoadedMarker&) {},
  };
  const auto chunk =
      static_cast<std::size_t>(parts_.settings.snapshot()->broker->transaction_state_log_load_buffer_size);
  const auto result = broker::load(*shard->led, visitor, {.chunk_bytes = chunk}, parts_.clock);
  if (!result) {
    if (result.error().code != ErrorCode::not_leader_or_follower)
      log_.error("{} cannot be loaded, so nobody can use the transactional ids in it: {}", name, result.error().text());
    return give_up(shard);
  }
  if (!transactions.empty())
    log_.info("Finished loading {} transactional ids from {} at leader epoch {} in {}ms", transactions.size(), name,
              shard->led->epoch(), result->took.count());
  parts_.loop.post(
      [this, shard, transactions = std::move(transactions)]() mutable { loaded(shard, std::move(transactions)); });
}

void TransactionCoordinator::give_up(const ShardPtr& shard) {
  absl::MutexLock lock(&mutex_);
  const auto found = shards_.find(shard->led->index());
  if (found != shards_.end() && found->second == shard) shards_.erase(found);
}

// What was decided before is carried out now.
void TransactionCoordinator::loaded(const ShardPtr& shard, base::StringMap<Transaction> transactions) {
  std::vector<std::pair<std::string, Transaction>> decided;
  {
    absl::MutexLock lock(&shard->mutex);
    shard->transactions = std::move(transactions);
    shard->loaded = true;
    for (auto& [id, transaction] : shard->transactions) {
      const auto outcome = decided_outcome(transaction.status);
      if (!outcome) continue;
      transaction.pending = completed(*outcome);
      decided.emplace_back(id, transaction);
    }
  }
  for (const auto& [id, transaction] : decided) send_markers(shard, id, transaction);
}

// ---- finding --------------------------------------------------------------------------------------------------------

base::Result<TransactionCoordinator::ShardPtr> TransactionCoordinator::find(std::string_view id) const {
  if (id.empty()) return fail(ErrorCode::invalid_request, "an empty transactional id");
  const auto partition = parts_.topics.partition_of(kTransactionsTopic, id);
  absl::MutexLock lock(&mutex_);
  const auto found = partition ? shards_.find(*partition) : shards_.end();
  if (found == shards_.end()) return fail(ErrorCode::not_coordinator, "'{}' is not coordinated here", id);
  return found->second;
}

std::vector<TransactionCoordinator::ShardPtr> TransactionCoordinator::shards() const {
  absl::MutexLock lock(&mutex_);
  std::vector<ShardPtr> all;
  for (const auto& [index, shard] : shards_) all.push_back(shard);
  return all;
}

milliseconds TransactionCoordinator::append_timeout() const {
  return milliseconds(parts_.settings.snapshot()->broker->request_timeout_ms);
}

// ---- calls ----------------------------------------------------------------------------------------------------------

void TransactionCoordinator::initialise(const std::string& id, const InitRequest& request, InitDone done) {
  const auto longest = milliseconds(parts_.settings.snapshot()->broker->transaction_max_timeout_ms);
  if (!id.empty() && (request.timeout <= milliseconds(0) || request.timeout > longest))
    return done(fail(ErrorCode::invalid_transaction_timeout, "{}ms, where at most {}ms are allowed",
                     request.timeout.count(), longest.count()));
  initialise_with(id, request, std::nullopt, std::move(done));
}

void TransactionCoordinator::initialise_with(const std::string& id, const InitRequest& request,
                                             std::optional<base::ProducerId> fresh, InitDone done) {
  const auto found = find(id);
  if (!found) return done(found.error());
  const auto& shard = *found;
  std::optional<base::Error> refused;
  {
    absl::MutexLock lock(&shard->mutex);
    auto step = shard->loaded ? broker::initialise(shard->find(id), request, fresh, parts_.clock.wall())
                              : fail(shard->refusal(), "{} is being loaded", shard->led->name());
    if (!step) {
      refused = step.error();
    } else if (auto* next = std::get_if<Transaction>(&*step)) {
      // The caller of a fence learns only that he has to come again, when the transaction he ends is over.
      const auto code = next->status == TxnStatus::empty ? ErrorCode::none : ErrorCode::concurrent_transactions;
      const auto producer = next->producer;
      return write(shard, id, std::move(*next), [done = std::move(done), code, producer](ErrorCode failure) {
        const auto verdict = failure == ErrorCode::none ? code : failure;
        if (verdict == ErrorCode::none) return done(producer);
        done(fail(verdict, "not initialised"));
      });
    }
  }
  if (refused) return done(std::move(*refused));
  parts_.ids.next([this, id, request, done = std::move(done)](const base::Result<base::ProducerId>& next) {
    if (!next) return done(next.error());
    initialise_with(id, request, *next, done);
  });
}

template <class Rule>
void TransactionCoordinator::change(const std::string& id, const Rule& rule, Done done) {
  const auto found = find(id);
  if (!found) return done(found.error().code);
  const auto& shard = *found;
  auto code = ErrorCode::none;
  {
    absl::MutexLock lock(&shard->mutex);
    code = shard->refusal();
    if (code == ErrorCode::none) {
      auto next = rule(shard->find(id));
      if (next && *next) return write(shard, id, std::move(**next), std::move(done));
      if (!next) code = next.error().code;
    }
  }
  done(code);
}

void TransactionCoordinator::add_partitions(const std::string& id, const Producer& producer,
                                            const std::set<base::TopicPartition>& partitions, Done done) {
  change(
      id,
      [&](const Transaction* known) {
        return broker::add_partitions(known, producer, partitions, parts_.clock.wall());
      },
      std::move(done));
}

void TransactionCoordinator::end(const std::string& id, const Producer& producer, Outcome outcome, Done done) {
  change(
      id, [&](const Transaction* known) { return broker::end(known, producer, outcome, parts_.clock.wall()); },
      std::move(done));
}

ErrorCode TransactionCoordinator::verify(const std::string& id, const Producer& producer,
                                         const base::TopicPartition& partition) const {
  const auto found = find(id);
  if (!found) return found.error().code;
  auto& shard = **found;
  absl::MutexLock lock(&shard.mutex);
  return shard.loaded ? broker::verify(shard.find(id), producer, partition) : shard.refusal();
}

base::Result<Transaction> TransactionCoordinator::describe(const std::string& id) const {
  const auto found = find(id);
  if (!found) return found.error();
  auto& shard = **found;
  absl::MutexLock lock(&shard.mutex);
  if (!shard.loaded) return fail(shard.refusal(), "{} is being loaded", shard.led->name());
  const auto* known = shard.find(id);
  if (!known || known->producer.epoch == base::kNoProducerEpoch)
    return fail(ErrorCode::transactional_id_not_found, "'{}' is not in use", id);
  return *known;
}

base::Result<std::vector<TransactionCoordinator::Listed>> TransactionCoordinator::list(
    const std::function<bool(const Transaction&)>& wanted) const {
  std::vector<Listed> out;
  for (const auto& shard : shards()) {
    absl::MutexLock lock(&shard->mutex);
    if (!shard->loaded) return fail(shard->refusal(), "{} is being loaded", shard->led->name());
    for (const auto& [id, transaction] : shard->transactions)
      if (transaction.producer.epoch != base::kNoProducerEpoch && wanted(transaction))
        out.push_back({id, transaction.producer.id, transaction.status});
  }
  return out;
}

// ---- from decision to truth -----------------------------------------------------------------------------------------

void TransactionCoordinator::write(const ShardPtr& shard, const std::string& id, Transaction next, Then then) {
  auto* known = shard->find(id);
  if (!known) {  // stands in for what is not in the log yet
    Transaction unwritten{.producer = {next.producer.id, base::kNoProducerEpoch}};
    known = &shard->transactions.emplace(id, std::move(unwritten)).first->second;
  }
  base::invariant(may_follow(known->status, next.status), "a transaction changes as it may");
  known->pending = next.status;
  next.pending.reset();
  auto batch = transaction_batch(id, &next, parts_.clock.wall());
  shard->led->append(
      std::move(batch), append_timeout(),
      [this, shard, id, next = std::move(next), then = std::move(then)](const base::Result<base::Offset>& outcome) {
        const auto code = outcome ? ErrorCode::none : outcome.error().code;
        written(shard, id, next, code_of_failed_write(code), then);
      });
}

void TransactionCoordinator::written(const ShardPtr& shard, const std::string& id, const Transaction& next,
                                     ErrorCode code, const Then& then) {
  const auto outcome = decided_outcome(next.status);
  {
    absl::MutexLock lock(&shard->mutex);
    auto* known = shard->find(id);
    base::invariant(known && known->pending == next.status, "nobody changes what is pending");
    if (code == ErrorCode::none) {
      *known = next;
      if (outcome) known->pending = completed(*outcome);
    } else if (known->producer.epoch == base::kNoProducerEpoch) {
      shard->transactions.erase(id);
    } else {
      known->pending.reset();
      // The producer that was to be fenced stays so, although the log does not say it.
      if (next.status == TxnStatus::prepare_abort && next.producer.epoch != known->producer.epoch) {
        known->producer.epoch = next.producer.epoch;
        known->last.epoch = base::kNoProducerEpoch;
        known->fence_failed = true;
      }
    }
  }
  then(code);
  if (code == ErrorCode::none && outcome) send_markers(shard, id, next);
}

void TransactionCoordinator::send_markers(const ShardPtr& shard, const std::string& id, const Transaction& decided) {
  parts_.markers.send({.transactional_id = id,
                       .end = {.producer = decided.producer,
                               .outcome = *decided_outcome(decided.status),
                               .coordinator_epoch = shard->led->epoch().raw},
                       .left = decided.partitions,
                       .led = shard->led,
                       .timeout = append_timeout(),
                       .done = [this, shard, id] { write_completion(shard, id); }});
}

// The markers are there; that the log says so too is a matter of time.
void TransactionCoordinator::write_completion(const ShardPtr& shard, const std::string& id) {
  absl::MutexLock lock(&shard->mutex);
  auto* known = shard->find(id);
  base::invariant(known && decided_outcome(known->status), "what is decided stays so until it is complete");
  write(shard, id, complete(*known, parts_.clock.wall()), [this, shard, id](ErrorCode code) {
    if (code == ErrorCode::none || code == ErrorCode::not_coordinator) return;
    {
      absl::MutexLock again(&shard->mutex);
      if (auto* waiting = shard->find(id)) waiting->pending = completed(*decided_outcome(waiting->status));
    }
    parts_.markers.try_later(shard->led, [this, shard, id] { write_completion(shard, id); });
  });
}

// ---- time -----------------------------------------------------------------------------------------------------------

void TransactionCoordinator::start() {
  parts_.loop.post([this] {
    const auto settings = parts_.settings.snapshot()->broker;
    abort_timer_ = parts_.loop.make_timer();
    forget_timer_ = parts_.loop.make_timer();
    every(abort_timer_, milliseconds(settings->transaction_abort_timed_out_transaction_cleanup_interval_ms),
          &TransactionCoordinator::abort_timed_out);
    every(forget_timer_, milliseconds(settings->transaction_remove_expired_transaction_cleanup_interval_ms),
          &TransactionCoordinator::forget_expired);
  });
}

void TransactionCoordinator::every(std::unique_ptr<base::Timer>& timer, milliseconds period,
                                   void (TransactionCoordinator::*work)()) {
  timer->arm(period, [this, &timer, period, work] {
    (this->*work)();
    every(timer, period, work);
  });
}

void TransactionCoordinator::abort_timed_out() {
  const auto now = parts_.clock.wall();
  for (const auto& shard : shards()) {
    absl::MutexLock lock(&shard->mutex);
    std::vector<std::pair<std::string, Transaction>> late;
    for (const auto& [id, transaction] : shard->transactions)
      if (auto next = time_out(transaction, now)) late.emplace_back(id, std::move(*next));
    for (auto& [id, next] : late) {
      log_.info(
          "Aborting the transaction of {}: producer {} epoch {}, open for {}ms where {}ms are allowed, {} "
          "partitions. Its producer is fenced.",
          id, next.producer.id, shard->find(id)->producer.epoch, (now - next.started).count(), next.timeout.count(),
          next.partitions.size());
      write(shard, id, std::move(next), [](ErrorCode) {});  // what failed is found again
    }
  }
}

void TransactionCoordinator::forget_expired() {
  const auto now = parts_.clock.wall();
  const auto silence = milliseconds(parts_.settings.snapshot()->broker->transactional_id_expiration_ms);
  for (const auto& shard : shards()) {
    absl::MutexLock lock(&shard->mutex);
    std::vector<std::string> unused;
    for (const auto& [id, transaction] : shard->transactions)
      if (is_expired(transaction, now, silence)) unused.push_back(id);
    for (const auto& id : unused) forget(shard, id);
  }
}

void TransactionCoordinator::forget(const ShardPtr& shard, const std::string& id) {
  shard->find(id)->pending = TxnStatus::dead;
  shard->led->append(transaction_batch(id, nullptr, parts_.clock.wall()), append_timeout(),
                     [shard, id](const base::Result<base::Offset>& outcome) {
                       absl::MutexLock lock(&shard->mutex);
                       if (outcome)
                         shard->transactions.erase(id);
                       else
                         shard->find(id)->pending.reset();
                     });
}

}  // namespace broker
