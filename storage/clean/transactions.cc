#include "storage/clean/transactions.h"

#include <algorithm>
#include <utility>

#include "protocol/records/record.h"

namespace storage {

TransactionWalk::TransactionWalk(std::vector<AbortedTxn> aborted) : coming_(std::move(aborted)) {
  std::ranges::sort(coming_, std::greater<>{}, &AbortedTxn::first_offset);
}

void TransactionWalk::begin_up_to(Offset offset) {
  for (; !coming_.empty() && coming_.back().first_offset <= offset; coming_.pop_back())
    aborted_[coming_.back().producer_id] = {coming_.back()};
}

bool TransactionWalk::may_go(const protocol::BatchView& batch) {
  begin_up_to(batch.last_offset());
  if (batch.is_control()) return control_may_go(batch);
  if (!batch.is_transactional()) return false;
  const auto found = aborted_.find(batch.producer_id());
  if (found != aborted_.end() && batch.last_offset() <= found->second.txn.last_offset) {
    found->second.has_data = true;
    return true;
  }
  with_data_.insert(batch.producer_id());
  return false;
}

bool TransactionWalk::control_may_go(const protocol::BatchView& batch) {
  protocol::RecordReader reader(batch);
  protocol::RecordView record;
  if (!reader.next(record)) return reader.status().ok();
  const auto type = protocol::parse_control_key(record.key);
  if (type == protocol::ControlType::commit) return with_data_.erase(batch.producer_id()) == 0;
  if (type != protocol::ControlType::abort) return false;
  const auto found = aborted_.find(batch.producer_id());
  if (found == aborted_.end()) return true;
  const auto aborted = found->second;
  aborted_.erase(found);
  if (aborted.has_data) still_named_.push_back(aborted.txn);
  return !aborted.has_data;
}

std::vector<AbortedTxn> TransactionWalk::take_still_named() { return std::exchange(still_named_, {}); }

}  // namespace storage
