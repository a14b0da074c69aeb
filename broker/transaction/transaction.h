// The life of one transactional id: what may happen to it next. Pure; time is passed in.
//
// Each function takes what is known and answers with what shall be: a Transaction to be written to the log first and
// to become the truth when it is there. Until then (`pending`) every other call is told CONCURRENT_TRANSACTIONS.
//
//   Empty ─────> Ongoing ──> PrepareCommit ──> CompleteCommit ─┐
//     ^  ^         ^ └─────> PrepareAbort ───> CompleteAbort ──┤
//     │  │         └───────────────── adding partitions <──────┤
//     │  └──────────────── a new epoch or producer id <────────┘
//     └ made                                   (and silence for long: forgotten, a tombstone)
//
// Prepare* is the decision: once it is in the log the outcome stands, and markers are written until every partition has
// one. Source: TransactionCoordinator and TransactionMetadata of Apache Kafka (KIP-98, KIP-360, KIP-890 part 1).
#pragma once

#include <chrono>
#include <optional>
#include <set>
#include <variant>

#include "base/error.h"
#include "base/ids.h"
#include "broker/internal_topics/producer.h"
#include "protocol/internal/txn_records.h"

namespace broker {

using protocol::TxnStatus;

// The last epoch but one is never given to a producer: aborting its transaction for it takes one more.
inline constexpr base::ProducerEpoch kLastUsableEpoch{32766};
constexpr bool is_exhausted(base::ProducerEpoch epoch) { return epoch >= kLastUsableEpoch; }

struct Transaction {
  Producer producer{};  // epoch -1: was never in the log
  // Who the producer was before its latest InitProducerId, if that said so: the same request once more is answered with
  // the same. Not in the log, so lost when the coordinator moves.
  Producer last{};
  std::chrono::milliseconds timeout{0};
  TxnStatus status = TxnStatus::empty;
  std::set<base::TopicPartition> partitions{};
  base::Timestamp started = base::kNoTimestamp;
  base::Timestamp updated = base::kNoTimestamp;

  // Of the memory only: decided, and on its way to the log or, for Complete*, waiting for its markers.
  std::optional<TxnStatus> pending{};
  // The epoch was raised to fence a producer, but that did not get into the log; it need not be raised again.
  bool fence_failed = false;

  bool operator==(const Transaction&) const = default;
};

// Whether the first may be followed by the second.
bool may_follow(TxnStatus before, TxnStatus after);

enum class Outcome { abort, commit };
constexpr TxnStatus prepared(Outcome outcome) {
  return outcome == Outcome::commit ? TxnStatus::prepare_commit : TxnStatus::prepare_abort;
}
constexpr TxnStatus completed(Outcome outcome) {
  return outcome == Outcome::commit ? TxnStatus::complete_commit : TxnStatus::complete_abort;
}
// Of a transaction in Prepare*.
std::optional<Outcome> decided_outcome(TxnStatus status);

// `known` is null for an id that nobody has used; everything but initialise() then answers
// `invalid_producer_id_mapping`.

struct InitRequest {
  std::chrono::milliseconds timeout{0};
  std::optional<Producer> expected{};  // who the producer believes to be (InitProducerId v3+)
};
struct NeedsProducerId {};
// A Transaction in PrepareAbort: somebody else's transaction is aborted first, under an epoch above his; the producer
// is told CONCURRENT_TRANSACTIONS and comes again. Otherwise it is Empty, and its producer is the answer.
base::Result<std::variant<NeedsProducerId, Transaction>> initialise(const Transaction* known,
                                                                    const InitRequest& request,
                                                                    std::optional<base::ProducerId> fresh,
                                                                    base::Timestamp now);

// Nothing to write: all are in it already.
base::Result<std::optional<Transaction>> add_partitions(const Transaction* known, const Producer& producer,
                                                        const std::set<base::TopicPartition>& partitions,
                                                        base::Timestamp now);

// Nothing to write: that was its end already.
base::Result<std::optional<Transaction>> end(const Transaction* known, const Producer& producer, Outcome outcome,
                                             base::Timestamp now);

// Every partition has its marker.
Transaction complete(const Transaction& known, base::Timestamp now);

// Whether the producer may write to the partition: `none`, or `transaction_abortable` when that is no part of its
// ongoing transaction.
base::ErrorCode verify(const Transaction* known, const Producer& producer, const base::TopicPartition& partition);

// Aborted, when it is ongoing for longer than its timeout.
std::optional<Transaction> time_out(const Transaction& known, base::Timestamp now);

// Nothing has happened for so long that the id may be forgotten.
bool is_expired(const Transaction& known, base::Timestamp now, std::chrono::milliseconds silence);

}  // namespace broker
