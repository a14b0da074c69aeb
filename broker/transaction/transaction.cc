#include "broker/transaction/transaction.h"

#include <algorithm>
#include <limits>

namespace broker {

using base::ErrorCode;
using base::fail;
using base::ProducerEpoch;
using base::Timestamp;

namespace {

base::Error concurrent() { return fail(ErrorCode::concurrent_transactions, "another change is on its way"); }

ProducerEpoch epoch_after(ProducerEpoch epoch) {
  if (epoch.raw == std::numeric_limits<std::int16_t>::max()) return epoch;  // only a damaged record brings it there
  return ProducerEpoch{static_cast<std::int16_t>(epoch.raw + 1)};
}

bool is_over(TxnStatus status) {
  return status == TxnStatus::empty || status == TxnStatus::complete_commit || status == TxnStatus::complete_abort;
}

// What every call of a producer is held against first.
base::Status check_producer(const Transaction* known, const Producer& producer) {
  if (!known || known->producer.id != producer.id)
    return fail(ErrorCode::invalid_producer_id_mapping, "the transactional id does not belong to producer {}",
                producer.id);
  if (known->producer.epoch != producer.epoch)
    return fail(ErrorCode::producer_fenced, "producer {} has epoch {}, not {}", producer.id, known->producer.epoch,
                producer.epoch);
  if (known->pending) return concurrent();
  return {};
}

Transaction emptied(const Transaction& known, const InitRequest& request, Timestamp now) {
  auto next = known;
  next.status = TxnStatus::empty;
  next.timeout = request.timeout;
  next.partitions.clear();
  next.started = base::kNoTimestamp;
  next.updated = now;
  return next;
}

Transaction decided(const Transaction& known, Outcome outcome, Timestamp now) {
  auto next = known;
  next.status = prepared(outcome);
  next.updated = now;
  return next;
}

// Aborts what is ongoing under an epoch above its producer's, which may be alive and must not go on.
Transaction fenced(const Transaction& known, Timestamp now) {
  auto next = decided(known, Outcome::abort, now);
  if (!known.fence_failed) next.producer.epoch = epoch_after(known.producer.epoch);
  next.last.epoch = base::kNoProducerEpoch;
  next.fence_failed = false;
  return next;
}

// Who comes and says who he was: the current producer, or the one whose epochs ran out. To a new id all are the same.
bool is_expected(const Transaction& known, const Producer& producer) {
  return known.producer.epoch == base::kNoProducerEpoch || producer.id == known.producer.id ||
         (producer.id == known.last.id && is_exhausted(producer.epoch));
}

}  // namespace

bool may_follow(TxnStatus before, TxnStatus after) {
  switch (after) {
    case TxnStatus::empty:
    case TxnStatus::dead:
      return is_over(before);
    case TxnStatus::ongoing:
      return before == TxnStatus::ongoing || is_over(before);
    case TxnStatus::prepare_commit:
    case TxnStatus::prepare_abort:
      return before == TxnStatus::ongoing;
    case TxnStatus::complete_commit:
      return before == TxnStatus::prepare_commit;
    case TxnStatus::complete_abort:
      return before == TxnStatus::prepare_abort;
    case TxnStatus::prepare_epoch_fence:
      return false;  // here a fence and the abort it leads to are one step
  }
  return false;
}

std::optional<Outcome> decided_outcome(TxnStatus status) {
  if (status == TxnStatus::prepare_commit) return Outcome::commit;
  if (status == TxnStatus::prepare_abort) return Outcome::abort;
  return std::nullopt;
}

base::Result<std::variant<NeedsProducerId, Transaction>> initialise(const Transaction* known,
                                                                    const InitRequest& request,
                                                                    std::optional<base::ProducerId> fresh,
                                                                    Timestamp now) {
  using Step = std::variant<NeedsProducerId, Transaction>;
  if (!known) {
    if (!fresh) return Step{NeedsProducerId{}};
    Transaction made{.producer = {*fresh, base::kNoProducerEpoch}};
    auto next = emptied(made, request, now);
    next.producer.epoch = ProducerEpoch{0};
    return Step{std::move(next)};
  }
  if (known->pending) return concurrent();
  if (request.expected && !is_expected(*known, *request.expected))
    return fail(ErrorCode::producer_fenced, "producer {} is not the current one, {}", request.expected->id,
                known->producer.id);
  if (decided_outcome(known->status)) return concurrent();
  if (known->status == TxnStatus::ongoing) return Step{fenced(*known, now)};

  auto next = emptied(*known, request, now);
  next.last.id = known->producer.id;
  const auto current = known->producer.epoch;
  if (is_exhausted(current) && (!request.expected || request.expected->epoch == current)) {
    if (!fresh) return Step{NeedsProducerId{}};
    next.producer = {*fresh, ProducerEpoch{0}};
    next.last.epoch = request.expected ? current : base::kNoProducerEpoch;
    return Step{std::move(next)};
  }
  if (!request.expected || current == base::kNoProducerEpoch || request.expected->epoch == current) {
    next.producer.epoch = epoch_after(current);
    next.last.epoch = request.expected ? current : base::kNoProducerEpoch;
    return Step{std::move(next)};
  }
  if (request.expected->epoch == known->last.epoch) {  // the same once more: its answer was lost
    next.last = known->last;
    return Step{std::move(next)};
  }
  return fail(ErrorCode::producer_fenced, "epoch {} is not the current one, {}", request.expected->epoch, current);
}

base::Result<std::optional<Transaction>> add_partitions(const Transaction* known, const Producer& producer,
                                                        const std::set<base::TopicPartition>& partitions,
                                                        Timestamp now) {
  if (auto s = check_producer(known, producer); !s) return s.error();
  if (decided_outcome(known->status)) return concurrent();
  const bool ongoing = known->status == TxnStatus::ongoing;
  if (ongoing &&
      std::includes(known->partitions.begin(), known->partitions.end(), partitions.begin(), partitions.end()))
    return std::optional<Transaction>{};
  auto next = *known;
  next.status = TxnStatus::ongoing;
  next.partitions.insert(partitions.begin(), partitions.end());
  if (!ongoing) next.started = now;
  next.updated = now;
  return std::optional{std::move(next)};
}

base::Result<std::optional<Transaction>> end(const Transaction* known, const Producer& producer, Outcome outcome,
                                             Timestamp now) {
  if (auto s = check_producer(known, producer); !s) return s.error();
  if (known->status == TxnStatus::ongoing) return std::optional{decided(*known, outcome, now)};
  if (known->status == completed(outcome)) return std::optional<Transaction>{};
  if (known->status == prepared(outcome)) return concurrent();
  return fail(ErrorCode::invalid_txn_state, "nothing is ongoing that could be {}",
              outcome == Outcome::commit ? "committed" : "aborted");
}

Transaction complete(const Transaction& known, Timestamp now) {
  const auto outcome = decided_outcome(known.status);
  base::invariant(outcome.has_value(), "only what is decided is completed");
  auto next = known;
  next.status = completed(*outcome);
  next.partitions.clear();
  next.updated = now;
  next.pending.reset();
  return next;
}

ErrorCode verify(const Transaction* known, const Producer& producer, const base::TopicPartition& partition) {
  if (auto s = check_producer(known, producer); !s) return s.error().code;
  if (decided_outcome(known->status)) return ErrorCode::concurrent_transactions;
  return known->partitions.contains(partition) ? ErrorCode::none : ErrorCode::transaction_abortable;
}

std::optional<Transaction> time_out(const Transaction& known, Timestamp now) {
  if (known.pending || known.status != TxnStatus::ongoing || now - known.started <= known.timeout) return std::nullopt;
  return fenced(known, now);
}

bool is_expired(const Transaction& known, Timestamp now, std::chrono::milliseconds silence) {
  return !known.pending && is_over(known.status) && now - known.updated >= silence;
}

}  // namespace broker
