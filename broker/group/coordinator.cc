#include "broker/group/coordinator.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "broker/group/coordinator_parts.h"
#include "broker/internal_topics/names.h"
#include "protocol/internal/java_hash.h"

namespace broker {
namespace {

using base::ErrorCode;
using std::chrono::milliseconds;

// What a string of a stored record can hold; only clients of the newest versions can send more.
constexpr std::size_t kLongestText = 32767;
constexpr std::size_t kUuidText = 36;

// 8-4-4-4-12 hexadecimal digits, version 4.
std::string uuid_text(base::Random& random) {
  std::uint64_t high = random.next();
  std::uint64_t low = random.next();
  high = (high & ~std::uint64_t{0xF000}) | 0x4000;
  low = (low & ~(std::uint64_t{3} << 62)) | (std::uint64_t{2} << 62);
  return fmt::format("{:08x}-{:04x}-{:04x}-{:04x}-{:012x}", high >> 32, (high >> 16) & 0xFFFF, high & 0xFFFF, low >> 48,
                     low & 0xFFFF'FFFF'FFFF);
}

// What clients call themselves, in a line of the log.
std::string shown(std::string_view text) {
  constexpr std::size_t kEnough = 300;
  std::string out(text.substr(0, kEnough));
  for (char& c : out)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
  return out;
}

JoinAnswer refused_join(ErrorCode code, std::string member_id) {
  JoinAnswer answer;
  answer.error = code;
  answer.member_id = std::move(member_id);
  return answer;
}
SyncAnswer refused_sync(ErrorCode code) {
  SyncAnswer answer;
  answer.error = code;
  return answer;
}

bool can_be_stored(const JoinCall& call) {
  return call.member_id.size() <= kLongestText && call.protocol_type.size() <= kLongestText &&
         (!call.instance_id || call.instance_id->size() + 1 + kUuidText <= kLongestText) &&
         std::all_of(call.protocols.begin(), call.protocols.end(),
                     [](const GroupProtocol& one) { return one.name.size() <= kLongestText; });
}

}  // namespace

GroupSettings GroupSettings::from(const config::BrokerSettings& s) {
  GroupSettings out;
  out.limits.initial_rebalance_delay = milliseconds(s.group_initial_rebalance_delay_ms);
  out.limits.max_size = static_cast<std::size_t>(s.group_max_size);
  out.min_session_timeout = milliseconds(s.group_min_session_timeout_ms);
  out.max_session_timeout = milliseconds(s.group_max_session_timeout_ms);
  out.max_metadata_bytes =
      static_cast<std::size_t>(std::clamp<std::int64_t>(s.offset_metadata_max_bytes, 0, kLongestText));
  out.commit_timeout = milliseconds(s.offsets_commit_timeout_ms);
  out.acks = s.offsets_commit_required_acks < 0 ? replication::Acks::all : replication::Acks::leader;
  out.load_buffer_bytes = static_cast<std::size_t>(s.offsets_load_buffer_size);
  out.retention = std::chrono::minutes(s.offsets_retention_minutes);
  out.retention_check_interval = milliseconds(s.offsets_retention_check_interval_ms);
  out.codec = static_cast<protocol::Codec>(s.offsets_topic_compression_codec);
  out.versions = GroupRecordVersions::of(s.protocol_version());
  return out;
}

GroupCoordinator::GroupCoordinator(GroupSettings settings, Parts parts)
    : settings_(settings), parts_(parts), records_(settings.versions, settings.codec) {}

GroupCoordinator::~GroupCoordinator() {
  absl::MutexLock lock(&shards_mutex_);
  for (const auto& [index, shard] : shards_) {
    absl::MutexLock in_shard(&shard->mutex);
    shard->groups.clear();  // they hold their shard
  }
}

void GroupCoordinator::start() {
  parts_.loop.post([this] {
    timer_ = parts_.loop.make_timer();
    sweep_timer_ = parts_.loop.make_timer();
    arm();
    plan_sweep();
  });
}

void GroupCoordinator::stop() { gate_.close(); }

// ---- finding -------------------------------------------------------------------------------------------------------

GroupCoordinator::Found GroupCoordinator::find(std::string_view group, EmptyId empty_id) {
  Found found;
  if ((group.empty() && empty_id == EmptyId::refused) || group.size() > kLongestText) {
    found.error = ErrorCode::invalid_group_id;
    return found;
  }
  found.error = ErrorCode::not_coordinator;
  const auto topic = parts_.metadata.snapshot()->find_topic(kGroupsTopic);
  if (!topic) return found;
  const auto partition = protocol::internal_partition(group, topic->partitions.back().index + 1);
  {
    absl::ReaderMutexLock lock(&shards_mutex_);
    const auto shard = shards_.find(partition);
    if (shard == shards_.end()) return found;
    found.shard = shard->second;
  }
  absl::MutexLock lock(&found.shard->mutex);
  found.error = found.shard->loading ? ErrorCode::coordinator_load_in_progress : ErrorCode::none;
  if (const auto entry = found.shard->groups.find(group); entry != found.shard->groups.end())
    found.entry = entry->second;
  return found;
}

GroupCoordinator::EntryPtr GroupCoordinator::find_or_make(const ShardPtr& shard, std::string_view group) {
  absl::MutexLock lock(&shard->mutex);
  if (shard->gone) return nullptr;
  auto& entry = shard->groups[std::string(group)];
  if (!entry) entry = std::make_shared<Entry>(std::string(group), shard, Group(settings_.limits, moment()));
  return entry;
}

std::vector<GroupCoordinator::EntryPtr> GroupCoordinator::all_entries(bool* loading) {
  std::vector<ShardPtr> shards;
  {
    absl::ReaderMutexLock lock(&shards_mutex_);
    for (const auto& [index, shard] : shards_) shards.push_back(shard);
  }
  std::vector<EntryPtr> out;
  for (const auto& shard : shards) {
    absl::MutexLock lock(&shard->mutex);
    if (loading) *loading |= shard->loading;
    for (const auto& [id, entry] : shard->groups) out.push_back(entry);
  }
  return out;
}

// ---- what follows from an event ------------------------------------------------------------------------------------

void GroupCoordinator::take(const EntryPtr& entry, Effects& effects, Outbox& out) {
  entry->mutex.AssertHeld();
  for (auto& store : effects.stores) write_state(entry, std::move(store));
  for (auto& answer : effects.joins) {
    auto waiting = entry->joins.extract(answer.ticket);
    base::invariant(!waiting.empty(), "a join is answered once");
    out.joins.emplace_back(std::move(waiting.mapped()), std::move(answer));
  }
  for (auto& answer : effects.syncs) {
    auto waiting = entry->syncs.extract(answer.ticket);
    base::invariant(!waiting.empty(), "a sync is answered once");
    out.syncs.emplace_back(std::move(waiting.mapped()), std::move(answer));
  }
  out.generations = std::move(effects.generations);
  out.gone = std::move(effects.gone);
  schedule(entry);
}

void GroupCoordinator::send(const EntryPtr& entry, Outbox& out) {
  for (const auto& one : out.gone)
    log_.info("Member {} ({}) of group {} is gone: {}", shown(one.member_id), shown(one.client), shown(entry->id),
              shown(one.why));
  for (const auto& one : out.generations)
    log_.info("Group {} is in generation {} with {} members, {} before, after {} ms. The rebalance began because {}",
              shown(entry->id), one.generation, one.members_after, one.members_before,
              std::chrono::duration_cast<milliseconds>(one.took).count(), shown(one.reason));
  for (const auto& [done, answer] : out.joins) done(answer);
  for (const auto& [done, answer] : out.syncs) done(answer);
}

void GroupCoordinator::write_state(const EntryPtr& entry, StoreGroup store) {
  auto stored = [this, entry, number = store.number](const base::Result<base::Offset>& outcome) {
    const auto code = outcome ? ErrorCode::none : outcome.error().code;
    if (!outcome) log_.warn("The state of group {} could not be stored: {}", shown(entry->id), outcome.error().text());
    with(entry, [&](Entry& e, Effects& effects) {
      e.mutex.AssertHeld();
      e.group.stored(number, code, moment(), effects);
    });
  };
  auto batch = records_.state(entry->id, store.value, parts_.clock.wall());
  if (!batch) return parts_.loop.post([stored, why = batch.error()] { stored(why); });
  entry->shard->led->append(std::move(*batch), settings_.commit_timeout, std::move(stored), settings_.acks);
}

void GroupCoordinator::retire(Entry& entry) {
  entry.mutex.AssertHeld();
  absl::MutexLock lock(&entry.shard->mutex);
  const auto known = entry.shard->groups.find(entry.id);
  if (known != entry.shard->groups.end() && known->second.get() == &entry) entry.shard->groups.erase(known);
}

// A group that never came to be leaves no trace.
void GroupCoordinator::retire_if_unused(Entry& entry) {
  entry.mutex.AssertHeld();
  if (entry.group.state() != GroupState::empty || entry.group.generation() != 0 || entry.group.pending_count() != 0)
    return;
  if (entry.group.protocol_type() || !entry.offsets.empty()) return;
  Effects nothing;
  entry.group.kill(ErrorCode::coordinator_not_available, nothing);
  retire(entry);
}

// ---- members -------------------------------------------------------------------------------------------------------

void GroupCoordinator::join(std::string_view group, JoinCall call, JoinDone done) {
  auto found = find(group, EmptyId::refused);
  if (found.error != ErrorCode::none) return done(refused_join(found.error, std::move(call.member_id)));
  if (call.session_timeout < settings_.min_session_timeout || call.session_timeout > settings_.max_session_timeout)
    return done(refused_join(ErrorCode::invalid_session_timeout, std::move(call.member_id)));
  if (!can_be_stored(call)) return done(refused_join(ErrorCode::invalid_request, {}));
  if (!found.entry) {
    if (!call.member_id.empty()) return done(refused_join(ErrorCode::unknown_member_id, std::move(call.member_id)));
    found.entry = find_or_make(found.shard, group);
    if (!found.entry) return done(refused_join(ErrorCode::not_coordinator, {}));
  }
  if (call.member_id.empty()) {
    call.fresh_id = uuid_text(parts_.random);
    call.client_id.resize(std::min(call.client_id.size(), kLongestText - 1 - kUuidText));
  }
  with(found.entry, [&](Entry& entry, Effects& effects) {
    entry.mutex.AssertHeld();
    call.ticket = ++entry.last_ticket;
    entry.joins.emplace(call.ticket, std::move(done));
    entry.group.join(std::move(call), moment(), effects);
    retire_if_unused(entry);
  });
}

void GroupCoordinator::sync(std::string_view group, SyncCall call, SyncDone done) {
  const auto found = find(group, EmptyId::refused);
  // Whatever rebalance there was is lost with the load; older clients do not expect to hear of loading here.
  if (found.error == ErrorCode::coordinator_load_in_progress)
    return done(refused_sync(ErrorCode::rebalance_in_progress));
  if (found.error != ErrorCode::none) return done(refused_sync(found.error));
  if (!found.entry) return done(refused_sync(ErrorCode::unknown_member_id));
  with(found.entry, [&](Entry& entry, Effects& effects) {
    entry.mutex.AssertHeld();
    call.ticket = ++entry.last_ticket;
    entry.syncs.emplace(call.ticket, std::move(done));
    entry.group.sync(std::move(call), moment(), effects);
  });
}

ErrorCode GroupCoordinator::heartbeat(std::string_view group, const MemberCall& call) {
  const auto found = find(group, EmptyId::refused);
  if (found.error == ErrorCode::coordinator_load_in_progress) return ErrorCode::none;
  if (found.error != ErrorCode::none) return found.error;
  if (!found.entry) return ErrorCode::unknown_member_id;
  absl::MutexLock lock(&found.entry->mutex);
  const auto code = found.entry->group.heartbeat(call, moment());
  schedule(found.entry);
  return code;
}

LeaveOutcome GroupCoordinator::leave(std::string_view group, const std::vector<LeaveCall>& calls) {
  LeaveOutcome outcome;
  const auto found = find(group, EmptyId::refused);
  outcome.error = found.error;
  if (outcome.error != ErrorCode::none) return outcome;
  if (!found.entry) {
    outcome.members.assign(calls.size(), ErrorCode::unknown_member_id);
    return outcome;
  }
  with(found.entry, [&](Entry& entry, Effects& effects) {
    entry.mutex.AssertHeld();
    if (entry.group.state() == GroupState::dead) {
      outcome.error = ErrorCode::coordinator_not_available;
      return;
    }
    for (const auto& call : calls) outcome.members.push_back(entry.group.leave(call, moment(), effects));
  });
  return outcome;
}

// ---- administration ------------------------------------------------------------------------------------------------

GroupCoordinator::Listings GroupCoordinator::list() {
  Listings out;
  bool loading = false;
  for (const auto& entry : all_entries(&loading)) {
    absl::MutexLock lock(&entry->mutex);
    out.groups.push_back({entry->id, entry->group.protocol_type().value_or(""), entry->group.state()});
  }
  if (loading) out.error = ErrorCode::coordinator_load_in_progress;
  return out;
}

GroupDescription GroupCoordinator::describe(std::string_view group) {
  GroupDescription out;
  const auto found = find(group, EmptyId::allowed);
  out.error = found.error;
  if (!found.entry) return out;
  absl::MutexLock lock(&found.entry->mutex);
  out.state = found.entry->group.state();
  if (out.state == GroupState::dead) return out;
  out.protocol_type = found.entry->group.protocol_type().value_or("");
  if (out.state == GroupState::stable) out.protocol = found.entry->group.protocol().value_or("");
  out.members = found.entry->group.members();
  return out;
}

// ---- time ----------------------------------------------------------------------------------------------------------

void GroupCoordinator::schedule(const EntryPtr& entry) {
  entry->mutex.AssertHeld();
  const auto next = entry->group.next_deadline();
  if (!next || (entry->scheduled && *entry->scheduled <= *next)) return;
  entry->scheduled = next;
  absl::MutexLock lock(&due_mutex_);
  const bool first = due_.empty() || *next < due_.top().at;
  due_.push({*next, entry});
  if (!first || std::exchange(arming_, true)) return;
  parts_.loop.post([this] { arm(); });
}

void GroupCoordinator::arm() {
  absl::MutexLock lock(&due_mutex_);
  arming_ = false;
  if (due_.empty() || !timer_) return;
  timer_->arm(std::max(due_.top().at - parts_.clock.now(), base::Duration::zero()), [this] { look_at_due(); });
}

void GroupCoordinator::look_at_due() {
  const auto now = parts_.clock.now();
  std::vector<Due> due;
  {
    absl::MutexLock lock(&due_mutex_);
    for (; !due_.empty() && due_.top().at <= now; due_.pop()) due.push_back(due_.top());
  }
  for (const auto& one : due) {
    const auto entry = one.entry.lock();
    if (!entry) continue;
    with(entry, [&](Entry& e, Effects& effects) {
      e.mutex.AssertHeld();
      if (e.scheduled && *e.scheduled <= now) e.scheduled.reset();
      e.group.expire(moment(), effects);
    });
  }
  arm();
}

void GroupCoordinator::plan_sweep() {
  sweep_timer_->arm(settings_.retention_check_interval, [this] {
    parts_.loading.submit([this] {
      if (const auto pass = gate_.enter()) remove_expired();
    });
    plan_sweep();
  });
}

}  // namespace broker
