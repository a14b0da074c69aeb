#include "tests/simulation/checker.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <optional>
#include <set>

#include "base/bytes.h"
#include "protocol/records/batch.h"
#include "protocol/records/record.h"
#include "replication/partition/partition.h"

namespace simulation {

namespace {

// All whole entries from `from` below `to`.
std::string read_log(storage::Log& log, base::Offset from, base::Offset to) {
  std::string bytes;
  while (from < to) {
    auto slice = log.read(from, to, {.max_bytes = 1 << 24, .at_least_one_batch = true, .may_wait = true});
    if (!slice || slice->records.size_bytes == 0) break;
    std::string piece(slice->records.size_bytes, '\0');
    const auto got = slice->records.file->read_at(slice->records.position, std::as_writable_bytes(std::span(piece)));
    if (!got || *got != piece.size()) break;
    protocol::EntryCursor cursor(base::as_bytes(piece));
    auto next = from;
    while (const auto entry = cursor.next()) next = entry->next_offset();
    if (next <= from) break;
    from = next;
    bytes += piece;
  }
  return bytes;
}

}  // namespace

void Checker::look(const std::vector<Observed>& brokers) {
  for (const auto& broker : brokers) {
    auto partitions = broker.partitions->all();
    std::ranges::sort(partitions, {}, [](const auto& partition) { return partition->name(); });
    for (const auto& partition : partitions) look_at(broker, *partition);
  }
}

void Checker::look_at(const Observed& broker, replication::Partition& partition) {
  const bool leads = partition.is_leader();
  const auto epoch = partition.leader_epoch();
  partition.with_log([&](storage::Log& log) {
    const Key key{partition.name(), log.topic_id() ? log.topic_id()->text() : std::string()};
    if (leads) {
      const auto leader = leaders_.try_emplace({key, epoch}, broker.id).first->second;
      if (leader != broker.id)
        ledger_.fail(
            fmt::format("{}: brokers {} and {} both led in leader epoch {}", key.first, leader, broker.id, epoch));
    }
    auto& checked = checked_[{broker.id, broker.life, key}];
    if (const auto self = partition.shared_from_this(); checked.replica.lock() != self) checked = {.replica = self};
    if (leads && checked.epoch == epoch && log.high_watermark() < checked.high_watermark)
      ledger_.fail(fmt::format("{}: the high watermark of leader {} went back from {} to {} in leader epoch {}",
                               key.first, broker.id, checked.high_watermark, log.high_watermark(), epoch));
    checked.epoch = leads ? epoch : base::kNoLeaderEpoch;
    checked.high_watermark = log.high_watermark();
    compare(key, broker, log, checked);
  });
}

void Checker::compare(const Key& key, const Observed& broker, storage::Log& log, Checked& checked) {
  auto& committed = committed_[key].entries;
  if (log.log_end_offset() < checked.to)
    ledger_.fail(fmt::format("{}: broker {} has cut committed records: it held them up to {}, now it ends at {}",
                             key.first, broker.id, checked.to, log.log_end_offset()));
  const auto from = std::max(checked.to, log.log_start_offset());
  const auto to = log.high_watermark();
  if (from >= to) return;
  const auto bytes = read_log(log, from, to);
  protocol::EntryCursor cursor(base::as_bytes(bytes));
  while (const auto entry = cursor.next()) {
    if (entry->next_offset() > to) break;
    const auto hash = std::hash<std::string_view>()(base::as_text(entry->bytes()));
    const auto [known, is_new] = committed.try_emplace(entry->base_offset(), Entry{entry->next_offset(), hash});
    if (!is_new && (known->second.next != entry->next_offset() || known->second.hash != hash))
      ledger_.fail(fmt::format(
          "{}: broker {} holds another batch at {} (to {}, epoch {}) than was committed there (to {})", key.first,
          broker.id, entry->base_offset(), entry->next_offset(), entry->leader_epoch(), known->second.next));
    checked.to = entry->next_offset();
  }
}

void Checker::check_final(const base::TopicPartition& name, const std::vector<Observed>& replicas) {
  std::optional<std::string> first;
  for (const auto& replica : replicas) {
    const auto partition = replica.partitions->find(name.topic, name.partition);
    if (!partition) return ledger_.fail(fmt::format("{}: broker {} has no replica", name, replica.id));
    partition->with_log([&](storage::Log& log) {
      if (log.high_watermark() != log.log_end_offset())
        ledger_.fail(fmt::format("{}: all is quiet, but the high watermark of broker {} is {} and its log ends at {}",
                                 name, replica.id, log.high_watermark(), log.log_end_offset()));
      auto bytes = read_log(log, log.log_start_offset(), log.log_end_offset());
      if (!first)
        first = std::move(bytes);
      else if (*first != bytes)
        ledger_.fail(fmt::format("{}: the logs of brokers {} and {} differ", name, replicas.front().id, replica.id));
    });
  }
  if (first) check_promises(name, *first);
}

void Checker::check_promises(const base::TopicPartition& name, const Observed& leader) {
  const auto partition = leader.partitions->find(name.topic, name.partition);
  if (!partition) return;
  partition->with_log(
      [&](storage::Log& log) { check_promises(name, read_log(log, log.log_start_offset(), log.log_end_offset())); });
}

void Checker::check_promises(const base::TopicPartition& name, const std::string& log) {
  const auto told = ledger_.partitions().find(name);
  if (told == ledger_.partitions().end()) return;

  std::map<std::string, base::Offset> where;
  std::map<std::string, std::int64_t> last_of;  // by producer
  base::Offset end{};
  protocol::EntryCursor cursor(base::as_bytes(log));
  while (const auto entry = cursor.next()) {
    if (entry->base_offset() != end)
      ledger_.fail(fmt::format("{}: the log has a hole from {} to {}", name, end, entry->base_offset()));
    end = entry->next_offset();
    const auto batch = entry->batch();
    protocol::RecordReader reader(batch);
    protocol::RecordView record;
    while (reader.next(record)) {
      const auto offset = batch.base_offset() + record.offset_delta;
      const std::string value(base::as_text(*record.value));
      if (!where.try_emplace(value, offset).second)
        ledger_.fail(fmt::format("{}: {} is there twice, at {} and {}", name, value, where[value], offset));
      const auto slash = value.find('/');
      const auto number = std::stoll(value.substr(slash + 1));
      const auto [last, is_first] = last_of.try_emplace(value.substr(0, slash), -1);
      if (number != last->second + 1)
        ledger_.fail(
            fmt::format("{}: {} at offset {} follows number {} of its producer", name, value, offset, last->second));
      last->second = number;
    }
  }
  for (const auto& [value, offset] : told->second.acknowledged) {
    const auto found = where.find(value);
    if (found == where.end())
      ledger_.fail(fmt::format("{}: {} was acknowledged (offset {}) and is lost", name, value, offset));
    else if (offset != base::kNoOffset && found->second != offset)
      ledger_.fail(fmt::format("{}: {} was acknowledged at {} and is at {}", name, value, offset, found->second));
  }
  for (const auto& value : told->second.overtaken)
    if (!where.contains(value))
      ledger_.fail(fmt::format("{}: {} is out of order for ever, and not there", name, value));
  for (const auto& [offset, value] : told->second.at) {
    const auto found = where.find(value);
    if (found == where.end() || found->second != offset)
      ledger_.fail(fmt::format("{}: {} was read at {} and is not there any more", name, value, offset));
  }
  if (told->second.end > end)
    ledger_.fail(fmt::format("{}: a consumer saw the end at {}, the log ends at {}", name, told->second.end, end));
}

}  // namespace simulation
