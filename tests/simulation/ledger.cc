#include "tests/simulation/ledger.h"

#include <fmt/format.h>

#include <algorithm>

namespace simulation {

void Ledger::fail(std::string what) {
  if (failure_.empty()) failure_ = std::move(what);
}

void Ledger::stands_at(const base::TopicPartition& partition, base::Offset offset, const std::string& value) {
  const auto [known, is_new] = partitions_[partition].at.try_emplace(offset, value);
  if (!is_new && known->second != value)
    fail(fmt::format("{} offset {}: {} was there, and now it is {}", partition, offset, known->second, value));
}

void Ledger::acknowledged(const base::TopicPartition& partition, base::Offset offset, const std::string& value) {
  ++acknowledgements_;
  auto& where = partitions_[partition].acknowledged.try_emplace(value, offset).first->second;
  if (offset == base::kNoOffset) return;
  if (where != base::kNoOffset && where != offset)
    fail(fmt::format("{}: {} was acknowledged at offset {} and again at {}", partition, value, where, offset));
  where = offset;
  stands_at(partition, offset, value);
}

void Ledger::read(const base::TopicPartition& partition, base::Offset offset, const std::string& value) {
  ++reads_;
  stands_at(partition, offset, value);
  saw_end(partition, offset + 1);
}

void Ledger::saw_end(const base::TopicPartition& partition, base::Offset end) {
  auto& known = partitions_[partition].end;
  known = std::max(known, end);
}

void Ledger::forget_topic(const std::string& topic) {
  std::erase_if(partitions_, [&](const auto& entry) { return entry.first.topic == topic; });
}

}  // namespace simulation
