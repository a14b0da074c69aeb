#include "replication/coordination/zookeeper_session.h"

#include <absl/synchronization/mutex.h>

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "base/clock.h"

namespace replication {

namespace {

constexpr std::chrono::seconds kRetryInterval{1};

StoreCode store_code(int code) {
  switch (code) {
    case ZOK:
      return StoreCode::ok;
    case ZNONODE:
      return StoreCode::no_node;
    case ZNODEEXISTS:
      return StoreCode::node_exists;
    case ZBADVERSION:
      return StoreCode::bad_version;
    case ZNOTEMPTY:
      return StoreCode::not_empty;
    case ZNOCHILDRENFOREPHEMERALS:
      return StoreCode::no_children_for_ephemeral;
    case ZNOAUTH:
      return StoreCode::denied;
    case ZSESSIONEXPIRED:
    case ZINVALIDSTATE:
    case ZCLOSING:
      return StoreCode::session_expired;
    default:
      return StoreCode::failed;
  }
}

bool is_lost(int code) { return code == ZCONNECTIONLOSS || code == ZOPERATIONTIMEOUT; }

Stat own_stat(const ::Stat& stat) {
  return {.version = stat.version,
          .czxid = stat.czxid,
          .mzxid = stat.mzxid,
          .ctime = base::timestamp_from_ms(stat.ctime),
          .ephemeral_owner = stat.ephemeralOwner,
          .child_count = stat.numChildren};
}

int create_flags(CreateMode mode) {
  switch (mode) {
    case CreateMode::persistent:
      return 0;
    case CreateMode::ephemeral:
      return ZOO_EPHEMERAL;
    case CreateMode::persistent_sequential:
      return ZOO_SEQUENCE;
    case CreateMode::ephemeral_sequential:
      return ZOO_EPHEMERAL | ZOO_SEQUENCE;
  }
  return 0;
}

// No bytes are stored as null, which the library spells as length -1.
const char* data_of(const std::string& data) { return data.empty() ? nullptr : data.data(); }
int size_of(const std::string& data) { return data.empty() ? -1 : static_cast<int>(data.size()); }

// The library's own lines: "2026-01-31 12:00:00,123:4711(0x7f00):ZOO_WARN@function@123: text". Any of its threads.
// While an ensemble is away it repeats itself every second; the same text is passed on once in 30 s.
void pass_on_log_line(const char* line) {
  static const base::Logger log("weir.ZooKeeper");
  static absl::Mutex mutex;
  static auto* last = new std::string();
  static std::chrono::steady_clock::time_point last_time;
  const std::string_view whole(line);
  const auto level_at = whole.find("ZOO_");
  const auto text_at = level_at == std::string_view::npos ? level_at : whole.find(": ", level_at);
  if (text_at == std::string_view::npos) return;
  const std::string_view text = whole.substr(text_at + 2);
  if (!whole.substr(level_at).starts_with("ZOO_ERROR")) {
    log.debug("{}", text);
    return;
  }
  {
    absl::MutexLock lock(&mutex);
    const auto now = base::SystemClock().now();
    if (*last == text && now - last_time < std::chrono::seconds(30)) return;
    *last = std::string(text);
    last_time = std::chrono::time_point_cast<std::chrono::steady_clock::duration>(now);
  }
  log.warn("{}", text);
}

}  // namespace

ZookeeperStore::Session::Session(ZookeeperSettings settings, base::Loop& loop)
    : settings_(std::move(settings)), loop_(loop), retry_(loop.make_timer()) {}

// ---- life ----------------------------------------------------------------------------------------------------------

base::Status ZookeeperStore::Session::start() {
  base::invariant(!loop_.in_loop(), "the store is not started from the coordination loop");
  auto address = parse_zookeeper_connect(settings_.connect);
  if (!address) return address.error();
  address_ = std::move(*address);
  zoo_set_debug_level(base::log_enabled(base::LogLevel::debug) ? ZOO_LOG_LEVEL_INFO : ZOO_LOG_LEVEL_WARN);
  log_.info("Connecting to ZooKeeper at {}", settings_.connect);
  loop_.post([this] { open(); });
  const bool decided = first_connection_.WaitForNotificationWithTimeout(absl::FromChrono(settings_.connection_timeout));
  if (stop_called_) return store_error(StoreCode::closed, "waiting for ZooKeeper at " + address_.hosts);
  if (!decided) {
    stop();
    return base::fail(base::ErrorCode::network_exception,
                      "no ZooKeeper answered at {} within {} ms (zookeeper.connection.timeout.ms): is it running, and "
                      "is zookeeper.connect right?",
                      address_.hosts, settings_.connection_timeout.count());
  }
  // Paths are still absolute here: the chroot's own parents come first.
  for (auto slash = address_.chroot.find('/', 1); !address_.chroot.empty();
       slash = address_.chroot.find('/', slash + 1)) {
    const std::string part = address_.chroot.substr(0, slash);
    absl::Notification made;
    StoreCode code = StoreCode::ok;
    submit({.kind = Request::Kind::commit,
            .operations = {Create{.path = part}},
            .committed = [&](const CommitReply& reply) {
              code = reply.code;
              made.Notify();
            }});
    made.WaitForNotification();
    if (code != StoreCode::ok && code != StoreCode::node_exists && code != StoreCode::session_expired) {
      stop();
      return store_error(code, "creating the chroot " + part);
    }
    if (code == StoreCode::session_expired) {  // the part again
      slash = part.rfind('/');
      continue;
    }
    if (slash == std::string::npos) break;
  }
  absl::Notification rooted;
  loop_.post([&] {
    root_ = address_.chroot;
    rooted.Notify();
  });
  rooted.WaitForNotification();
  return {};
}

void ZookeeperStore::Session::stop() {
  base::invariant(!loop_.in_loop(), "the store is not stopped from the coordination loop");
  if (stop_called_.exchange(true)) return;
  absl::Notification answered;
  loop_.post([&] {
    stopped_ = true;
    retry_->cancel();
    close_handle();
    if (!first_connection_.HasBeenNotified()) first_connection_.Notify();
    auto unanswered = std::exchange(in_flight_, {});
    unanswered.merge(waiting_);
    waiting_.clear();
    for (const auto& [sequence, request] : unanswered) refuse(request, StoreCode::closed);
    // Behind whatever those answers have posted, and what the library's threads posted before they ended.
    loop_.post([&] { answered.Notify(); });
  });
  answered.WaitForNotification();
}

void ZookeeperStore::Session::open() {
  if (stopped_) return;
  ++generation_;
  link_ = std::make_unique<Link>(Link{this, generation_});
  // Looking up the hosts' names may take the loop's time; only here, when there is no session to serve.
  handle_ =
      zookeeper_init2(address_.hosts.c_str(), &Session::on_event, static_cast<int>(settings_.session_timeout.count()),
                      nullptr, link_.get(), 0, &pass_on_log_line);
  if (handle_) return;
  log_.warn("cannot begin a ZooKeeper session at {}: {}; next attempt in {} s", address_.hosts, std::strerror(errno),
            kRetryInterval.count());
  retry_->arm(kRetryInterval, [this] { open(); });
}

// Joins the library's threads, which never wait for this loop. With a live connection it ends the session, too.
void ZookeeperStore::Session::close_handle() {
  ++generation_;
  is_connected_ = false;
  if (handle_) zookeeper_close(std::exchange(handle_, nullptr));
  calls_.clear();
  link_.reset();
}

// ---- requests ------------------------------------------------------------------------------------------------------

void ZookeeperStore::Session::submit(Request request) {
  auto shared = std::make_shared<Request>(std::move(request));
  const auto enter = [this, shared] {
    if (stopped_) {
      refuse(*shared, StoreCode::closed);
      return;
    }
    waiting_.emplace(next_sequence_++, std::move(*shared));
    pump();
  };
  // The answer never comes inside the call: a closed store, too, answers from the loop's queue.
  if (loop_.in_loop() && !stopped_)
    enter();
  else
    loop_.post(enter);
}

std::string ZookeeperStore::Session::full(const std::string& path) const {
  if (root_.empty()) return path;
  return path == "/" ? root_ : root_ + path;
}

std::string ZookeeperStore::Session::relative(std::string_view path) const {
  if (path.starts_with(root_)) path.remove_prefix(root_.size());
  return path.empty() ? "/" : std::string(path);
}

void ZookeeperStore::Session::pump() {
  while (handle_ && !waiting_.empty() && in_flight_.size() < settings_.max_in_flight &&
         zoo_state(handle_) == ZOO_CONNECTED_STATE) {
    auto next = waiting_.extract(waiting_.begin());
    const std::int64_t sequence = next.key();
    const auto [sent, inserted] = in_flight_.emplace(sequence, std::move(next.mapped()));
    const int code = send(sequence, sent->second);
    if (code == ZOK) continue;
    Request request = std::move(sent->second);
    in_flight_.erase(sent);
    if (code == ZINVALIDSTATE) {  // the session has just ended: its event is on the way
      waiting_.emplace(sequence, std::move(request));
      return;
    }
    if (code != ZBADARGUMENTS) log_.warn("a request to ZooKeeper was not sent: {}", zerror(code));
    // Not inside the caller's call.
    loop_.post([this, request = std::move(request)] { refuse(request, StoreCode::failed); });
  }
}

int ZookeeperStore::Session::send(std::int64_t sequence, const Request& request) {
  auto& call = calls_[sequence] = std::make_unique<Call>(Call{this, generation_, sequence});
  const std::string path = full(request.path);
  int code = ZOK;
  switch (request.kind) {
    case Request::Kind::get:
      code = zoo_aget(handle_, path.c_str(), 0, &Session::on_data, call.get());
      break;
    case Request::Kind::exists:
      code = zoo_aexists(handle_, path.c_str(), 0, &Session::on_stat, call.get());
      break;
    case Request::Kind::children:
      code = zoo_aget_children(handle_, path.c_str(), 0, &Session::on_names, call.get());
      break;
    case Request::Kind::arm_data:
      code = zoo_awexists(handle_, path.c_str(), &Session::on_event, link_.get(), &Session::on_stat, call.get());
      break;
    case Request::Kind::arm_children:
      code = zoo_awget_children(handle_, path.c_str(), &Session::on_event, link_.get(), &Session::on_names, call.get());
      break;
    case Request::Kind::commit:
      code = send_commit(request, call.get());
      break;
  }
  if (code != ZOK) calls_.erase(sequence);
  return code;
}

int ZookeeperStore::Session::send_commit(const Request& request, Call* call) {
  const std::size_t count = request.operations.size();
  constexpr std::size_t kSequenceDigits = 10;
  call->results.resize(count);
  call->created.resize(count);
  call->stats.resize(count);
  std::vector<std::string> paths(count);  // the library copies what it sends
  std::vector<zoo_op_t> operations(count);
  for (std::size_t i = 0; i < count; ++i) {
    const auto one = [&](const auto& operation) {
      using T = std::decay_t<decltype(operation)>;
      if (!is_node_path(operation.path)) return false;
      paths[i] = full(operation.path);
      const char* path = paths[i].c_str();
      if constexpr (std::is_same_v<T, Create>) {
        call->created[i].resize(paths[i].size() + kSequenceDigits + 1);
        zoo_create_op_init(&operations[i], path, data_of(operation.data), size_of(operation.data), &ZOO_OPEN_ACL_UNSAFE,
                           create_flags(operation.mode), call->created[i].data(),
                           static_cast<int>(call->created[i].size()));
      } else if constexpr (std::is_same_v<T, Set>) {
        zoo_set_op_init(&operations[i], path, data_of(operation.data), size_of(operation.data), operation.version,
                        &call->stats[i]);
      } else if constexpr (std::is_same_v<T, Remove>) {
        zoo_delete_op_init(&operations[i], path, operation.version);
      } else {
        zoo_check_op_init(&operations[i], path, operation.version);
      }
      return true;
    };
    // The library looks at paths in a multi less closely than elsewhere.
    if (!std::visit(one, request.operations[i])) return ZBADARGUMENTS;
  }
  return zoo_amulti(handle_, static_cast<int>(count), operations.data(), call->results.data(), &Session::on_commit,
                    call);
}

// ---- called by the library's threads
// ---------------------------------------------------------------------------------

void ZookeeperStore::Session::Call::complete(Outcome outcome) {
  session->loop_.post([owner = session, from = generation, number = sequence, outcome = std::move(outcome)]() mutable {
    if (from == owner->generation_) owner->arrived(number, std::move(outcome));
  });
}

void ZookeeperStore::Session::on_data(int code, const char* value, int size, const ::Stat* stat, const void* data) {
  Outcome outcome{.code = code};
  if (code == ZOK) {
    if (value && size > 0) outcome.node.data.assign(value, static_cast<std::size_t>(size));
    if (stat) outcome.node.stat = own_stat(*stat);
  }
  static_cast<Call*>(const_cast<void*>(data))->complete(std::move(outcome));
}

void ZookeeperStore::Session::on_stat(int code, const ::Stat* stat, const void* data) {
  Outcome outcome{.code = code};
  if (code == ZOK && stat) outcome.node.stat = own_stat(*stat);
  static_cast<Call*>(const_cast<void*>(data))->complete(std::move(outcome));
}

void ZookeeperStore::Session::on_names(int code, const String_vector* names, const void* data) {
  Outcome outcome{.code = code};
  if (code == ZOK && names)
    for (std::int32_t i = 0; i < names->count; ++i) outcome.names.emplace_back(names->data[i]);
  std::ranges::sort(outcome.names);
  static_cast<Call*>(const_cast<void*>(data))->complete(std::move(outcome));
}

void ZookeeperStore::Session::on_commit(int code, const void* data) {
  auto* call = static_cast<Call*>(const_cast<void*>(data));
  Outcome outcome{.code = code};
  for (std::size_t i = 0; i < call->results.size(); ++i) {
    // Those after the refused one carry ZRUNTIMEINCONSISTENCY, those before it nothing.
    const int own = call->results[i].err;
    if (code != ZOK && own != ZOK && own != ZRUNTIMEINCONSISTENCY) {
      outcome.failed_at = i;
      outcome.code = own;
      break;
    }
    if (code == ZOK)
      outcome.done.push_back({.path = std::string(call->created[i].c_str()), .stat = own_stat(call->stats[i])});
  }
  call->complete(std::move(outcome));
}

void ZookeeperStore::Session::on_event(zhandle_t*, int type, int state, const char* path, void* context) {
  const Link link = *static_cast<const Link*>(context);
  std::string where = path ? path : "";
  link.session->loop_.post([link, type, state, where = std::move(where)] {
    if (link.generation != link.session->generation_) return;
    if (type == ZOO_SESSION_EVENT)
      link.session->session_event(state);
    else
      link.session->node_event(type, link.session->relative(where));
  });
}

// ---- answers -------------------------------------------------------------------------------------------------------

void ZookeeperStore::Session::arrived(std::int64_t sequence, Outcome outcome) {
  calls_.erase(sequence);
  auto found = in_flight_.extract(sequence);
  if (found.empty()) return;
  const StoreCode code = store_code(outcome.code);
  const bool again = is_lost(outcome.code) || (code == StoreCode::session_expired && found.mapped().is_read());
  if (again)
    waiting_.insert(std::move(found));
  else
    answer(found.mapped(), code, std::move(outcome));
  pump();
}

void ZookeeperStore::Session::answer(const Request& request, StoreCode code, Outcome outcome) {
  if (code == StoreCode::failed && outcome.code != ZOK && outcome.code != ZBADARGUMENTS)
    log_.error("ZooKeeper refused a request for {}: {}", request.path, zerror(outcome.code));
  switch (request.kind) {
    case Request::Kind::get:
      return request.got({code, std::move(outcome.node)});
    case Request::Kind::exists:
      return request.found({code, outcome.node.stat});
    case Request::Kind::children:
      return request.listed({code, std::move(outcome.names)});
    case Request::Kind::arm_data:
      return;
    case Request::Kind::arm_children:
      // Nothing there to watch yet: its creation will do.
      if (code == StoreCode::no_node && watches_.wanted({WatchKind::children, request.path}))
        submit({.kind = Request::Kind::arm_data, .path = request.path});
      return;
    case Request::Kind::commit:
      for (std::size_t i = 0; i < outcome.done.size(); ++i) {
        const auto path = std::visit([](const auto& one) { return one.path; }, request.operations[i]);
        auto& done = outcome.done[i];
        done.path = done.path.empty() ? path : relative(done.path);
      }
      return request.committed({.code = code, .failed_at = outcome.failed_at, .done = std::move(outcome.done)});
  }
}

// ---- the session ---------------------------------------------------------------------------------------------------

std::array<char, 16> ZookeeperStore::Session::session_password() const {
  std::array<char, 16> password{};
  if (handle_) std::memcpy(password.data(), zoo_client_id(handle_)->passwd, password.size());
  return password;
}

void ZookeeperStore::Session::tell(SessionEvent event) {
  for (const auto& listener : listeners) listener(event);
}

void ZookeeperStore::Session::session_event(int state) {
  if (state == ZOO_CONNECTED_STATE) {
    connected();
  } else if (state == ZOO_EXPIRED_SESSION_STATE) {
    expired();
  } else if (state == ZOO_AUTH_FAILED_STATE) {
    log_.error("ZooKeeper refused our authentication; next attempt in {} s", kRetryInterval.count());
    close_handle();
    retry_->arm(kRetryInterval, [this] { expired(); });
  } else if (std::exchange(is_connected_, false)) {
    log_.warn("connection to ZooKeeper lost; requests wait until it is back");
    tell(SessionEvent::disconnected);
  }
}

void ZookeeperStore::Session::connected() {
  if (!handle_) return;
  is_connected_ = true;
  const std::int64_t id = zoo_client_id(handle_)->client_id;
  const bool is_new = session_id_.exchange(id) != id;
  log_.info("{} ZooKeeper session 0x{:x}, timeout {} ms", is_new ? "Connected," : "Connected again, same", id,
            zoo_recv_timeout(handle_));
  if (!is_new || !was_connected_) {
    tell(SessionEvent::connected);
  } else {
    const auto keys = watches_.keys();
    for (const auto& key : keys) {
      const auto kind = key.kind == WatchKind::data ? Request::Kind::arm_data : Request::Kind::arm_children;
      waiting_.emplace(next_front_--, Request{.kind = kind, .path = key.path});
    }
    tell(SessionEvent::new_session);
    for (const auto& key : keys) watches_.fire(key);
  }
  was_connected_ = true;
  if (!first_connection_.HasBeenNotified()) first_connection_.Notify();
  pump();
}

void ZookeeperStore::Session::expired() {
  if (stopped_) return;
  log_.warn("ZooKeeper session 0x{:x} has expired; opening a new one", session_id_.load());
  close_handle();
  tell(SessionEvent::expired);
  // Reads are asked again in the new session; arming is done there afresh.
  waiting_.merge(in_flight_);
  in_flight_.clear();
  std::vector<Request> writes;
  for (auto at = waiting_.begin(); at != waiting_.end();) {
    const auto here = at++;
    if (here->second.is_read() && !here->second.is_arming()) continue;
    if (!here->second.is_read()) writes.push_back(std::move(here->second));
    waiting_.erase(here);
  }
  for (const auto& write : writes) refuse(write, StoreCode::session_expired);
  open();
}

// ---- watches -------------------------------------------------------------------------------------------------------

WatchHandle ZookeeperStore::Session::watch(WatchTable::Key key, std::function<void()> changed) {
  auto handle = std::make_shared<const std::function<void()>>(std::move(changed));
  const auto enter = [this, key = std::move(key), weak = std::weak_ptr(handle)] {
    const auto alive = weak.lock();
    if (!alive || stopped_) return;
    watches_.add(key, alive);
    arm(key);
  };
  if (loop_.in_loop())
    enter();
  else
    loop_.post(enter);
  return handle;
}

void ZookeeperStore::Session::arm(const WatchTable::Key& key) {
  submit(
      {.kind = key.kind == WatchKind::data ? Request::Kind::arm_data : Request::Kind::arm_children, .path = key.path});
}

void ZookeeperStore::Session::node_event(int type, const std::string& path) {
  const WatchTable::Key data{WatchKind::data, path};
  const WatchTable::Key children{WatchKind::children, path};
  // What a listener reads is asked for behind the arming, so no change falls between the two.
  if (type != ZOO_CHILD_EVENT && watches_.wanted(data)) {
    arm(data);
    watches_.fire(data);
  }
  if (type != ZOO_CHANGED_EVENT && watches_.wanted(children)) {
    arm(children);
    watches_.fire(children);
  }
}

}  // namespace replication
