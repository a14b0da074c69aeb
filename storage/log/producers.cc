#include "storage/log/producers.h"

#include <algorithm>
#include <limits>

namespace storage {

using base::ErrorCode;
using base::Offset;
using base::ProducerEpoch;
using base::ProducerId;
using base::Result;
using base::Status;
using base::Timestamp;

namespace {

constexpr std::int64_t kSequences = std::int64_t{std::numeric_limits<std::int32_t>::max()} + 1;

std::int32_t sequence_following(std::int32_t sequence) {
  return sequence == std::numeric_limits<std::int32_t>::max() ? 0 : sequence + 1;
}

}  // namespace

std::int32_t ProducedBatch::first_sequence() const {
  const auto first = std::int64_t{last_sequence} - offset_delta;
  return static_cast<std::int32_t>(first < 0 ? first + kSequences : first);
}

void ProducerState::set_epoch(ProducerEpoch epoch) {
  if (epoch == epoch_) return;
  epoch_ = epoch;
  count_ = 0;
}

void ProducerState::remember(const ProducedBatch& batch) {
  if (count_ == kRememberedBatches)
    std::shift_left(batches_.begin(), batches_.end(), 1);
  else
    ++count_;
  batches_[count_ - 1] = batch;
  last_timestamp_ = batch.timestamp;
}

const ProducerState* Producers::find(ProducerId id) const {
  const auto found = producers_.find(id);
  return found == producers_.end() ? nullptr : &found->second;
}

Result<std::optional<ProducedBatch>> Producers::check(const ProducerClaim& claim, AppendOrigin origin) const {
  const auto* known = origin == AppendOrigin::replication ? nullptr : find(claim.id);
  if (!known) return std::optional<ProducedBatch>{};

  const bool same_epoch = claim.epoch == known->epoch();
  if (origin == AppendOrigin::client && same_epoch) {
    for (const auto& batch : known->batches())
      if (batch.last_sequence == claim.last_sequence && batch.first_sequence() == claim.first_sequence)
        return std::optional{batch};
  }

  if (claim.epoch < known->epoch())
    return base::fail(ErrorCode::invalid_producer_epoch, "producer {} has epoch {}, and {} is known", claim.id,
                      claim.epoch, known->epoch());

  if (origin == AppendOrigin::client) {
    // A snapshot may hold a producer without an epoch: nothing is known of its numbers.
    const bool any = known->epoch() == base::kNoProducerEpoch;
    const auto next = same_epoch ? sequence_following(known->last_sequence()) : 0;
    if (!any && claim.first_sequence != next)
      return base::fail(ErrorCode::out_of_order_sequence_number,
                        "producer {} epoch {} brings sequence {} where {} comes next", claim.id, claim.epoch,
                        claim.first_sequence, next);
  }

  if (known->open_transaction() && !claim.transactional)
    return base::fail(ErrorCode::invalid_txn_state,
                      "producer {} has a transaction open since offset {}, and writes outside of it", claim.id,
                      *known->open_transaction());
  return std::optional<ProducedBatch>{};
}

void Producers::appended(const ProducerClaim& claim, Offset first, Offset last, Timestamp timestamp) {
  auto& state = producers_[claim.id];
  state.set_epoch(claim.epoch);
  state.remember({.last_sequence = claim.last_sequence,
                  .offset_delta = static_cast<std::int32_t>(last - first),
                  .last_offset = last,
                  .timestamp = timestamp});
  if (claim.transactional && state.transaction_ == base::kNoOffset) {
    state.transaction_ = first;
    open_.emplace(first, claim.id);
  }
}

Status Producers::check(const TransactionMarker& marker, AppendOrigin origin) const {
  const auto* known = origin == AppendOrigin::replication ? nullptr : find(marker.id);
  if (!known) return {};
  if (marker.epoch < known->epoch())
    return base::fail(ErrorCode::invalid_producer_epoch, "marker of producer {} has epoch {}, and {} is known",
                      marker.id, marker.epoch, known->epoch());
  if (marker.coordinator_epoch < known->coordinator_epoch())
    return base::fail(ErrorCode::transaction_coordinator_fenced,
                      "marker of producer {} comes from coordinator epoch {}, and {} is known", marker.id,
                      marker.coordinator_epoch, known->coordinator_epoch());
  return {};
}

std::optional<CompletedTransaction> Producers::appended(const TransactionMarker& marker, Offset offset,
                                                        Timestamp timestamp) {
  ++markers_;
  auto& state = producers_[marker.id];
  state.set_epoch(marker.epoch);
  state.coordinator_epoch_ = marker.coordinator_epoch;
  state.last_timestamp_ = timestamp;
  if (state.transaction_ == base::kNoOffset) return std::nullopt;

  const CompletedTransaction completed{marker.id, state.transaction_, offset, !marker.commit};
  open_.erase(state.transaction_);
  unreplicated_.emplace(completed.first, completed);
  state.transaction_ = base::kNoOffset;
  return completed;
}

std::optional<Offset> Producers::first_unstable_offset() const {
  if (open_.empty() && unreplicated_.empty()) return std::nullopt;
  if (unreplicated_.empty()) return open_.begin()->first;
  if (open_.empty()) return unreplicated_.begin()->first;
  return std::min(open_.begin()->first, unreplicated_.begin()->first);
}

Offset Producers::last_stable_offset_after(const CompletedTransaction& completed) const {
  return open_.empty() ? completed.last + 1 : open_.begin()->first;
}

void Producers::high_watermark_moved(Offset high_watermark) {
  std::erase_if(unreplicated_, [&](const auto& entry) { return entry.second.last < high_watermark; });
}

std::size_t Producers::remove_expired(Timestamp now, std::chrono::milliseconds silence) {
  // Compared this way round because clients choose their timestamps: any difference from one may overflow.
  const auto last_heard_by = now - silence;
  return absl::erase_if(producers_, [&](const auto& entry) {
    const ProducerState& state = entry.second;
    return !state.open_transaction() && state.last_timestamp() <= last_heard_by;
  });
}

void Producers::clear() {
  producers_.clear();
  open_.clear();
  unreplicated_.clear();
}

std::vector<ProducerEntry> Producers::entries() const {
  std::vector<ProducerEntry> entries;
  entries.reserve(producers_.size());
  for (const auto& [id, state] : producers_)
    entries.push_back({.id = id,
                       .epoch = state.epoch(),
                       .last_batch = state.batches().empty() ? std::nullopt : std::optional{state.batches().back()},
                       .last_timestamp = state.last_timestamp(),
                       .coordinator_epoch = state.coordinator_epoch(),
                       .open_transaction = state.open_transaction()});
  std::ranges::sort(entries, {}, &ProducerEntry::id);
  return entries;
}

void Producers::restore(std::span<const ProducerEntry> entries) {
  clear();
  for (const auto& entry : entries) {
    auto& state = producers_[entry.id];
    state.set_epoch(entry.epoch);
    if (entry.last_batch) state.remember(*entry.last_batch);
    state.last_timestamp_ = entry.last_timestamp;
    state.coordinator_epoch_ = entry.coordinator_epoch;
    if (entry.open_transaction) {
      state.transaction_ = *entry.open_transaction;
      open_.emplace(state.transaction_, entry.id);
    }
  }
}

}  // namespace storage
