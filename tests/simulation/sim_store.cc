#include "tests/simulation/sim_store.h"

#include <absl/synchronization/notification.h>

#include <algorithm>
#include <utility>

namespace simulation {

using namespace replication;
using std::chrono::microseconds;
using std::chrono::milliseconds;

namespace {
constexpr std::size_t kMaxInFlight = 10;
}

SimStore::SimStore(Ensemble& ensemble, base::Loop& loop) : ensemble_(ensemble), loop_(loop) { ensemble_.add(*this); }
SimStore::~SimStore() { ensemble_.remove(*this); }

base::Status SimStore::start() {
  absl::Notification connected;
  loop_.post([&] {
    listeners_.insert(listeners_.begin(), [&, first = true](SessionEvent) mutable {
      if (std::exchange(first, false)) connected.Notify();
    });
    begin();
  });
  connected.WaitForNotification();
  return {};
}

void SimStore::begin() {
  begun_ = true;
  connect();
}

void SimStore::stop() {
  if (!loop_.in_loop()) {
    absl::Notification stopped;
    loop_.post([&] {
      stop();
      loop_.post([&] { stopped.Notify(); });
    });
    return stopped.WaitForNotification();
  }
  if (std::exchange(stopped_, true)) return;
  if (!killed_ && connected_) ensemble_.close_session(current_);
  connected_ = connected_there_ = false;
  ++generation_;
  auto unanswered = std::exchange(in_flight_, {});
  unanswered.merge(waiting_);
  waiting_.clear();
  for (const auto& [sequence, request] : unanswered)
    if (request.refuse) request.refuse(StoreCode::closed);
}

// ---- requests
// --------------------------------------------------------------------------------------------------------

void SimStore::submit(Request request) {
  auto shared = std::make_shared<Request>(std::move(request));
  const auto enter = [this, shared] {
    if (stopped_) {
      if (shared->refuse) shared->refuse(StoreCode::closed);
      return;
    }
    waiting_.emplace(next_sequence_++, std::move(*shared));
    pump();
  };
  // The answer never comes inside the call.
  if (loop_.in_loop() && !stopped_)
    enter();
  else
    loop_.post(enter);
}

template <class Answer, class Ask>
void SimStore::ask(bool is_read, Ask ask, std::function<void(Answer)> then) {
  auto answer = std::make_shared<Answer>();
  auto shared = std::make_shared<std::function<void(Answer)>>(std::move(then));
  submit({.apply = [answer, ask = std::move(ask)](Ensemble& ensemble,
                                                  std::int64_t session) { *answer = ask(ensemble, session); },
          .answer = [answer, shared] { (*shared)(std::move(*answer)); },
          .refuse = [shared](StoreCode code) { (*shared)(Answer{.code = code}); },
          .is_read = is_read});
}

void SimStore::get(std::string path, std::function<void(Reply<Node>)> then) {
  ask<Reply<Node>>(
      true, [path = std::move(path)](Ensemble& ensemble, std::int64_t) { return ensemble.tree().get(path); },
      std::move(then));
}

void SimStore::exists(std::string path, std::function<void(Reply<Stat>)> then) {
  ask<Reply<Stat>>(
      true,
      [path = std::move(path)](Ensemble& ensemble, std::int64_t) -> Reply<Stat> {
        const auto node = ensemble.tree().get(path);
        return {node.code, node.value.stat};
      },
      std::move(then));
}

void SimStore::children(std::string path, std::function<void(Reply<std::vector<std::string>>)> then) {
  ask<Reply<std::vector<std::string>>>(
      true, [path = std::move(path)](Ensemble& ensemble, std::int64_t) { return ensemble.tree().children(path); },
      std::move(then));
}

void SimStore::commit(std::vector<Operation> operations, std::function<void(CommitReply)> then) {
  ask<CommitReply>(
      false,
      [operations = std::move(operations)](Ensemble& ensemble, std::int64_t session) {
        return ensemble.commit(session, operations);
      },
      std::move(then));
}

void SimStore::pump() {
  while (connected_ && !waiting_.empty() && in_flight_.size() < kMaxInFlight) {
    auto next = waiting_.extract(waiting_.begin());
    const auto sequence = next.key();
    const auto apply = next.mapped().apply;
    in_flight_.insert(std::move(next));
    carry(last_there_, [this, sequence, apply] {
      if (!connected_there_) return;
      apply(ensemble_, current_);
      carry(last_here_, [this, sequence] {
        loop_.post([this, generation = generation_, sequence] {
          if (generation == generation_) arrived(sequence);
        });
      });
    });
  }
}

void SimStore::carry(base::Instant& last, std::function<void()> arrive) {
  auto& dice = ensemble_.dice();
  auto delay = dice.between(microseconds(200), milliseconds(2));
  if (dice.one_in(100)) delay = dice.between(milliseconds(2), milliseconds(80));
  auto& timeline = ensemble_.timeline();
  last = std::max(last + base::Duration{1}, timeline.now() + delay);
  auto& held = &last == &last_there_ ? held_there_ : held_here_;
  timeline.after(last - timeline.now(),
                 [this, &held, alive = std::weak_ptr(alive_), generation = generation_, arrive = std::move(arrive)] {
                   if (alive.expired() || killed_ || generation != generation_) return;
                   if (cut_)
                     held.push_back(arrive);
                   else
                     arrive();
                 });
}

void SimStore::arrived(std::int64_t sequence) {
  auto found = in_flight_.extract(sequence);
  if (found.empty()) return;
  if (found.mapped().answer) found.mapped().answer();
  pump();
}

// ---- the connection
// --------------------------------------------------------------------------------------------------

void SimStore::connect_later(base::Duration after) {
  if (std::exchange(retry_pending_, true)) return;
  ensemble_.timeline().after(after, [this, alive = std::weak_ptr(alive_)] {
    if (alive.expired() || killed_) return;
    loop_.post([this] {
      retry_pending_ = false;
      connect();
    });
  });
}

void SimStore::connect() {
  if (stopped_ || killed_ || connected_) return;
  if (cut_ || !ensemble_.serving())
    return connect_later(ensemble_.dice().between(milliseconds(50), milliseconds(1000)));
  const auto generation = ++generation_;
  held_there_.clear();
  held_here_.clear();
  carry(last_there_, [this, generation] {
    if (!ensemble_.serving()) return connect_later(milliseconds(100));
    const auto session = ensemble_.open_session(*this, current_);
    connected_there_ = session != 0;
    current_ = session;
    if (paused_) ensemble_.silent(session);
    carry(last_here_, [this, generation, session] {
      loop_.post([this, generation, session] {
        if (generation != generation_) return;
        if (session == 0)
          expired();
        else
          connection_opened(session);
      });
    });
  });
}

void SimStore::connection_opened(std::int64_t session) {
  if (stopped_) return;
  connected_ = true;
  const bool is_new = std::exchange(session_, session) != session;
  if (!is_new || !std::exchange(was_connected_, true)) {
    tell_session(SessionEvent::connected);
    return pump();
  }
  std::vector<Tree::Key> keys;
  for (const auto& [key, listeners] : watches_) keys.push_back(key);
  std::erase_if(keys, [this](const auto& key) { return !wanted(key); });
  for (const auto& key : keys)
    waiting_.emplace(
        next_front_--,
        Request{.apply = [key](Ensemble& ensemble, std::int64_t at) { ensemble.watch(at, key); }, .is_arming = true});
  tell_session(SessionEvent::new_session);
  for (const auto& key : keys) fire(key);
  pump();
}

void SimStore::break_connection() {
  if (!begun_ || !connected_there_) return;
  connected_there_ = false;
  ensemble_.silent(current_);
  ensemble_.untold(current_, std::exchange(told_, {}));
  const auto generation = ++generation_;
  loop_.post([this, generation] { connection_lost(generation); });
}

// On the loop.
void SimStore::connection_lost(std::uint64_t generation) {
  if (generation != generation_ || stopped_) return;
  waiting_.merge(in_flight_);
  in_flight_.clear();
  if (std::exchange(connected_, false)) tell_session(SessionEvent::disconnected);
  connect_later(ensemble_.dice().between(milliseconds(1), milliseconds(300)));
}

void SimStore::cut() {
  if (std::exchange(cut_, true) || !begun_) return;
  if (!connected_there_) {
    if (connected_) return;  // the news of its loss is on its way
    ++generation_;           // an attempt under way fails
    return connect_later(milliseconds(200));
  }
  ensemble_.silent(current_);
  ensemble_.timeline().after(ensemble_.session_timeout() * 2 / 3,
                             [this, alive = std::weak_ptr(alive_), generation = generation_] {
                               if (!alive.expired() && cut_ && !killed_ && generation == generation_)
                                 break_connection();
                             });
}

void SimStore::mend() {
  if (!std::exchange(cut_, false)) return;
  if (!connected_there_) return;
  if (!paused_) ensemble_.heard(current_);
  // At once: what was sent after them and is still on its way must not overtake them.
  const auto generation = generation_;
  for (auto* held : {&held_there_, &held_here_})
    for (const auto& message : std::exchange(*held, {}))
      if (generation == generation_) message();
}

void SimStore::process_paused() {
  paused_ = true;
  if (connected_there_) ensemble_.silent(current_);
}
void SimStore::process_resumed() {
  paused_ = false;
  if (connected_there_ && !cut_) ensemble_.heard(current_);
}
void SimStore::process_killed() {
  killed_ = true;
  if (connected_there_) ensemble_.silent(current_);
  connected_there_ = false;
  ++generation_;
  ensemble_.remove(*this);
}

void SimStore::expired() {
  if (stopped_) return;
  current_ = 0;
  told_.clear();
  tell_session(SessionEvent::expired);
  waiting_.merge(in_flight_);
  in_flight_.clear();
  std::vector<Request> writes;
  for (auto at = waiting_.begin(); at != waiting_.end();) {
    const auto here = at++;
    if (here->second.is_read && !here->second.is_arming) continue;
    if (!here->second.is_read) writes.push_back(std::move(here->second));
    waiting_.erase(here);
  }
  for (const auto& write : writes) write.refuse(StoreCode::session_expired);
  connect_later(milliseconds(1));
}

void SimStore::tell_session(SessionEvent event) {
  const auto listeners = listeners_;
  for (const auto& listener : listeners) listener(event);
}

void SimStore::on_session(std::function<void(SessionEvent)> listener) { listeners_.push_back(std::move(listener)); }

// ---- watches
// ---------------------------------------------------------------------------------------------------------

WatchHandle SimStore::watch(Tree::Key key, std::function<void()> changed) {
  auto handle = std::make_shared<const std::function<void()>>(std::move(changed));
  const auto enter = [this, key = std::move(key), weak = std::weak_ptr(handle)] {
    if (weak.expired() || stopped_) return;
    watches_[key].push_back(weak);
    arm(key);
  };
  if (loop_.in_loop())
    enter();
  else
    loop_.post(enter);
  return handle;
}

WatchHandle SimStore::watch_data(std::string path, std::function<void()> changed) {
  return watch({WatchKind::data, std::move(path)}, std::move(changed));
}
WatchHandle SimStore::watch_children(std::string path, std::function<void()> changed) {
  return watch({WatchKind::children, std::move(path)}, std::move(changed));
}

void SimStore::arm(const Tree::Key& key) {
  submit(
      {.apply = [key](Ensemble& ensemble, std::int64_t session) { ensemble.watch(session, key); }, .is_arming = true});
}

// From the ensemble: goes the way of the answers, so that no answer overtakes the news it shows.
void SimStore::tell(const Tree::Key& key) {
  told_.push_back(key);
  carry(last_here_, [this, key] {
    loop_.post([this, generation = generation_, key] {
      if (generation == generation_) fired(key);
    });
  });
}

void SimStore::fired(const Tree::Key& key) {
  if (const auto told = std::ranges::find(told_, key); told != told_.end()) told_.erase(told);
  if (stopped_ || !wanted(key)) return;
  arm(key);  // before its listeners read again, so that no change falls between the two
  fire(key);
}

bool SimStore::wanted(const Tree::Key& key) {
  const auto found = watches_.find(key);
  if (found == watches_.end()) return false;
  std::erase_if(found->second, [](const auto& watch) { return watch.expired(); });
  if (!found->second.empty()) return true;
  watches_.erase(found);
  return false;
}

void SimStore::fire(const Tree::Key& key) {
  if (!wanted(key)) return;
  const auto listeners = watches_.find(key)->second;
  for (const auto& listener : listeners)
    if (const auto alive = listener.lock()) (*alive)();
}

}  // namespace simulation
