#include "replication/partition/log_moves.h"

#include <algorithm>

namespace replication {

using base::ErrorCode;
using base::fail;
using base::Offset;

namespace {

constexpr std::size_t kBytesPerStep = 1 << 20;
// So much may be left when the lock is taken for the exchange: otherwise a log that is written all the time would never
// be caught up with.
constexpr std::size_t kTailBytes = 1 << 20;
constexpr std::size_t kTailSegments = 16;

// How often the log was cut.
std::uint64_t cuts_of(const storage::Log& log) { return log.marks()->recovery_point.ticket().generation; }

// The bytes of a slice, in `buffer`.
base::Result<std::span<const std::byte>> read_slice(const base::FileSlice& slice, base::Buffer& buffer) {
  if (buffer.size() < slice.size_bytes) buffer = base::Buffer(slice.size_bytes);
  const auto room = buffer.bytes().first(slice.size_bytes);
  const auto got = slice.file->read_at(slice.position, room);
  if (!got) return got.error();
  return std::span<const std::byte>(room.first(*got));
}

base::Status append_slice(storage::Log& copy, const storage::LogSlice& slice, base::Buffer& buffer) {
  // A copy begins where the log does, which may move up while nothing or too little has been copied.
  if (copy.size_bytes() == 0 && copy.log_end_offset() != slice.first_offset)
    if (auto s = copy.truncate_fully_and_start_at(slice.first_offset); !s) return s;
  const auto bytes = read_slice(slice.records, buffer);
  if (!bytes) return bytes.error();
  const auto appended = copy.append_as_follower(*bytes);
  if (!appended) return appended.error();
  if (!*appended)
    return fail(ErrorCode::corrupt_message, "no whole batch at offset {} of {}", slice.first_offset, copy.partition());
  return {};
}

// All from `from` on; nothing when it is too much.
base::Result<std::optional<std::vector<storage::LogSlice>>> read_tail(storage::Log& log, Offset from) {
  std::vector<storage::LogSlice> tail;
  std::size_t size = 0;
  const auto end = log.log_end_offset();
  const auto& segments = log.segments();
  while (from < end) {
    auto slice = log.read(from, end, {.max_bytes = kTailBytes + 1, .at_least_one_batch = true});
    if (!slice) return slice.error();
    if (slice->records.size_bytes == 0) break;
    size += slice->records.size_bytes;
    if (size > kTailBytes || tail.size() == kTailSegments) return std::optional<std::vector<storage::LogSlice>>{};
    from = segments.upper_bound(segments.find(slice->segment_base), end);
    tail.push_back(std::move(*slice));
  }
  return std::optional(std::move(tail));
}

// What no record shows: which epoch has begun, where readers may begin, how far all is committed.
base::Status match_ends(const storage::Log& log, storage::Log& copy) {
  if (const auto end = log.log_end_offset(); copy.log_end_offset() < end)
    if (auto s = copy.skip_to(end); !s) return s;
  if (const auto latest = log.latest_epoch(); latest && latest != copy.latest_epoch())
    if (auto s = copy.begin_leader_epoch(*latest); !s) return s;
  if (log.topic_id())
    if (auto s = copy.set_topic_id(*log.topic_id()); !s) return s;
  copy.set_high_watermark(log.high_watermark());
  return copy.advance_log_start(log.log_start_offset());
}

}  // namespace

base::Status LogMoves::move(const std::shared_ptr<Partition>& partition, std::shared_ptr<storage::DirectoryHealth> to) {
  const auto& name = partition->name();
  const auto place = partition->describe_log();
  if (!place) return fail(ErrorCode::not_leader_or_follower, "{} is being removed", name);
  bool elsewhere = false;
  {
    absl::MutexLock lock(&mutex_);
    if (const auto found = moves_.find(name); found != moves_.end()) {
      if (found->second->to == to) return {};
      elsewhere = true;
    }
  }
  const bool there = place->directory == to->path();
  if (elsewhere || there) cancel(name);
  if (there) return {};
  if (auto s = to->check(); !s) return s;

  auto move = std::make_shared<Move>(Move{.partition = partition, .to = to, .marks = nullptr, .copy = nullptr});
  move->working = true;
  {
    absl::MutexLock lock(&mutex_);
    if (stopped_) return fail(ErrorCode::kafka_storage_error, "this broker is being stopped");
    if (!moves_.emplace(name, move).second) return {};  // somebody was faster
  }
  storage::LogSet::CopyOf what{.partition = name};
  const bool has_log = partition->with_log([&](storage::Log& log) {
    what.settings = log.settings();
    what.topic_id = log.topic_id();
    move->seen_cuts = cuts_of(log);
    move->cleaned_to = log.marks()->cleaned_to;
  });
  auto copy = has_log ? logs_.create_copy(what, to)
                      : base::Result<std::unique_ptr<storage::Log>>(
                            fail(ErrorCode::not_leader_or_follower, "{} is being removed", name));
  absl::MutexLock lock(&mutex_);
  move->working = false;
  if (!copy) {
    moves_.erase(name);
    return copy.error();
  }
  move->copy = std::move(*copy);
  move->marks = move->copy->marks();
  log_.info("Moving {} from {} to {}", name, place->directory, to->path());
  submit(move);
  return {};
}

void LogMoves::resume(const std::shared_ptr<Partition>& partition) {
  const auto to = logs_.interrupted_move_of(partition->name());
  if (!to) return;
  pool_.submit([this, partition, to] {
    if (auto s = move(partition, to); !s)
      log_.warn("The move of {} to {} cannot go on: {}", partition->name(), to->path(), s.error().text());
  });
}

void LogMoves::cancel(const base::TopicPartition& partition) {
  std::shared_ptr<Move> move;
  {
    absl::MutexLock lock(&mutex_);
    if (const auto found = moves_.find(partition); found != moves_.end()) {
      move = found->second;
      move->cancelled = true;
      mutex_.Await(absl::Condition(
          +[](Move* one) { return !one->working; }, move.get()));
      if (const auto now = moves_.find(partition); now != moves_.end() && now->second == move) moves_.erase(now);
    }
  }
  if (move && move->copy) (void)logs_.remove_copy(std::move(move->copy));
  logs_.forget_interrupted_moves(partition);
}

void LogMoves::look_again() {
  absl::MutexLock lock(&mutex_);
  for (const auto& [name, move] : moves_)
    if (!move->working) submit(move);
}

void LogMoves::stop() {
  {
    absl::MutexLock lock(&mutex_);
    if (stopped_) return;
    stopped_ = true;
  }
  pool_.stop();
  absl::MutexLock lock(&mutex_);
  for (const auto& [name, move] : moves_)
    if (move->copy) move->copy->abandon();
  moves_.clear();
}

std::vector<LogMoves::Copy> LogMoves::copies() const {
  std::vector<std::shared_ptr<Move>> moves;
  std::vector<Copy> out;
  {
    absl::MutexLock lock(&mutex_);
    for (const auto& [name, move] : moves_) {
      if (!move->marks) continue;
      moves.push_back(move);
      out.push_back({.partition = name, .place = {move->to->path(), move->copied_bytes, 0}});
    }
  }
  for (std::size_t i = 0; i < moves.size(); ++i) {
    const auto copied = moves[i]->marks->log_end.load();
    moves[i]->partition->with_log([&](storage::Log& log) { out[i].place.offset_lag = log.log_end_offset() - copied; });
  }
  return out;
}

void LogMoves::limit(std::int64_t bytes_per_second) {
  absl::MutexLock lock(&mutex_);
  if (bytes_per_second == bytes_per_second_) return;
  bytes_per_second_ = bytes_per_second;
  throttle_ = storage::Throttle(static_cast<double>(bytes_per_second));
}

// Whoever waits here keeps a thread that could only wait for the same.
bool LogMoves::spend(const Move& move, std::size_t bytes) {
  absl::MutexLock lock(&mutex_);
  const auto wait = throttle_.spend(bytes, clock_.now());
  struct Waiting {
    const bool& stopped;
    const bool& cancelled;
    const std::int64_t& rate;
    std::int64_t seen;
  } waiting{stopped_, move.cancelled, bytes_per_second_, bytes_per_second_};
  mutex_.AwaitWithTimeout(absl::Condition(
                              +[](Waiting* w) { return w->stopped || w->cancelled || w->rate != w->seen; }, &waiting),
                          absl::FromChrono(wait));
  return !stopped_ && !move.cancelled;
}

void LogMoves::submit(const std::shared_ptr<Move>& move) {
  if (stopped_ || move->cancelled || !move->copy) return;
  move->working = true;
  pool_.submit([this, move] { work_on(move); });
}

void LogMoves::work_on(const std::shared_ptr<Move>& move) {
  const auto& name = move->partition->name();
  {
    absl::MutexLock lock(&mutex_);
    if (stopped_ || move->cancelled) {
      move->working = false;
      return;
    }
  }
  const auto next = step(*move);
  if (next && *next == Step::done) {
    log_.info("{} is in {} now", name, move->to->path());
    // The old directory's files must not speak of it any more, the new one's must.
    logs_.checkpoint_recovery_points();
    logs_.checkpoint_log_starts();
    logs_.checkpoint_high_watermarks();
    logs_.checkpoint_cleaned();
  }
  if (!next) {
    log_.error("The move of {} to {} is given up: {}", name, move->to->path(), next.error().text());
    if (move->copy) (void)logs_.remove_copy(std::move(move->copy));
  }
  absl::MutexLock lock(&mutex_);
  move->working = false;
  if (move->copy) move->copied_bytes = move->copy->size_bytes();
  if (!next || *next == Step::done) {
    if (const auto found = moves_.find(name); found != moves_.end() && found->second == move) moves_.erase(found);
  } else if (*next == Step::more) {
    submit(move);
  }
}

base::Result<LogMoves::Step> LogMoves::step(Move& move) {
  auto& copy = *move.copy;
  base::Result<storage::LogSlice> slice = storage::LogSlice{};
  auto start = Offset{0};
  bool useless = false;
  bool near = false;
  const bool has_log = move.partition->with_log([&](storage::Log& log) {
    start = log.log_start_offset();
    // Retention was faster than the copying, or the log was cut and may hold other records now.
    useless = copy.log_end_offset() < start || cuts_of(log) != move.seen_cuts;
    move.seen_cuts = cuts_of(log);
    if (useless) move.cleaned_to = log.marks()->cleaned_to;
    const auto from = useless ? start : copy.log_end_offset();
    slice = log.read(from, log.high_watermark(), {.max_bytes = kBytesPerStep, .at_least_one_batch = true});
    const auto tail = read_tail(log, from);
    near = tail && tail->has_value();
  });
  if (!has_log) return fail(ErrorCode::not_leader_or_follower, "{} is being removed", copy.partition());
  if (!slice) return slice.error();
  if (useless)
    if (auto s = copy.truncate_fully_and_start_at(start); !s) return s.error();
  if (slice->records.size_bytes > 0 && !spend(move, slice->records.size_bytes)) return Step::wait;
  if (near || slice->records.size_bytes == 0) return exchange(move);
  if (auto s = append_slice(copy, *slice, move.buffer); !s) return s.error();
  return Step::more;
}

base::Result<LogMoves::Step> LogMoves::exchange(Move& move) {
  bool more = false;
  const auto exchanged =
      move.partition->exchange_log([&](storage::Log& log) -> base::Result<std::unique_ptr<storage::Log>> {
        auto& copy = *move.copy;
        if (copy.log_end_offset() < log.log_start_offset() || cuts_of(log) != move.seen_cuts)
          return std::unique_ptr<storage::Log>{};
        more = copy.log_end_offset() < log.high_watermark();
        auto tail = read_tail(log, copy.log_end_offset());
        if (!tail) return tail.error();
        if (!*tail) return std::unique_ptr<storage::Log>{};
        for (const auto& slice : **tail)
          if (auto s = append_slice(copy, slice, move.buffer); !s) return s.error();
        if (auto s = match_ends(log, copy); !s) return s.error();
        copy.set_cleaned_to(move.cleaned_to, copy.ticket());
        return logs_.exchange(log, std::move(move.copy));
      });
  if (!exchanged) return exchanged.error();
  if (*exchanged) return Step::done;
  return more ? Step::more : Step::wait;
}

}  // namespace replication
