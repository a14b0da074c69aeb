#include "storage/log/epochs.h"

#include <algorithm>
#include <iterator>

#include "storage/dirs/checkpoints.h"

namespace storage {

using base::LeaderEpoch;
using base::Offset;
using base::Result;
using base::Status;

bool EpochTable::assign(LeaderEpoch epoch, Offset start) {
  if (epoch.raw < 0 || start.raw < 0) return false;
  if (!entries_.empty() && entries_.back().epoch == epoch && entries_.back().start <= start) return false;
  std::erase_if(entries_, [&](const EpochStart& e) { return e.epoch >= epoch || e.start >= start; });
  entries_.push_back({epoch, start});
  return true;
}

bool EpochTable::truncate_from_end(Offset log_end) {
  return std::erase_if(entries_, [&](const EpochStart& e) { return e.start >= log_end; }) > 0;
}

bool EpochTable::truncate_from_start(Offset log_start) {
  const auto after = std::ranges::upper_bound(entries_, log_start, {}, &EpochStart::start);
  if (after == entries_.begin()) return false;
  const auto holder = std::prev(after);
  if (holder == entries_.begin() && holder->start == log_start) return false;
  holder->start = log_start;
  entries_.erase(entries_.begin(), holder);
  return true;
}

bool EpochTable::clear() {
  const bool changed = !entries_.empty();
  entries_.clear();
  return changed;
}

EpochEnd EpochTable::end_offset_for(LeaderEpoch epoch, Offset log_end) const {
  if (epoch.raw < 0 || entries_.empty()) return {};
  if (entries_.back().epoch == epoch) return {epoch, log_end};
  const auto next = std::ranges::upper_bound(entries_, epoch, {}, &EpochStart::epoch);
  if (next == entries_.end()) return {};
  // Older than all that is left here: those records are gone, and what follows them begins where this log begins.
  if (next == entries_.begin()) return {epoch, next->start};
  return {std::prev(next)->epoch, next->start};
}

std::optional<LeaderEpoch> EpochTable::epoch_at(Offset offset) const {
  const auto after = std::ranges::upper_bound(entries_, offset, {}, &EpochStart::start);
  if (after == entries_.begin()) return std::nullopt;
  return std::prev(after)->epoch;
}

std::optional<EpochStart> EpochTable::latest() const {
  if (entries_.empty()) return std::nullopt;
  return entries_.back();
}

Result<EpochTable> EpochTable::parse(std::string_view text) {
  EpochTable table;
  auto parsed = parse_text_table(text, 2, [&](std::span<const std::string_view> row) -> Status {
    const auto epoch = parse_number<std::int32_t>(row[0]);
    if (!epoch) return epoch.error();
    const auto start = parse_number<std::int64_t>(row[1]);
    if (!start) return start.error();
    table.assign(LeaderEpoch{*epoch}, Offset{*start});
    return {};
  });
  if (!parsed) return parsed.error();
  return table;
}

std::string EpochTable::format() const {
  return format_text_table(entries_.size(), [&](std::string& out) {
    for (const auto& [epoch, start] : entries_) fmt::format_to(std::back_inserter(out), "{} {}\n", epoch, start);
  });
}

Result<LeaderEpochs> LeaderEpochs::load(base::FileSystem& files, std::string path) {
  auto text = read_file_if_there(files, path);
  if (!text) return text.error();
  if (!*text) return LeaderEpochs{files, std::move(path), {}};
  auto table = EpochTable::parse(**text);
  if (!table) return in_file(path, table.error());
  return LeaderEpochs{files, std::move(path), std::move(*table)};
}

Status LeaderEpochs::replace(EpochTable table) {
  const bool changed = table.entries() != table_.entries();
  table_ = std::move(table);
  return save_if(changed);
}

Status LeaderEpochs::save_if(bool changed) {
  if (!changed && !file_is_behind_) return {};
  file_is_behind_ = true;
  if (auto s = base::write_file_atomically(*files_, path_, table_.format()); !s) return s;
  file_is_behind_ = file_has_the_past_ = false;
  return {};
}

}  // namespace storage
