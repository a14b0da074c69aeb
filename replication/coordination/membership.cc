#include "replication/coordination/membership.h"

#include <absl/synchronization/notification.h>

#include <algorithm>
#include <array>

#include "base/base64.h"

namespace replication {

// ---- at start ------------------------------------------------------------------------------------------------------

base::Status create_top_level(BlockingStore& store) {
  // All in one commit: each would cost the embedded store a wait for the disk. Again when another broker starts, too.
  for (;;) {
    std::vector<Operation> missing;
    for (const auto& path : paths::top_level()) {
      const auto code = store.exists(path).code;
      if (code == StoreCode::no_node)
        missing.push_back(Create{.path = path});
      else if (code != StoreCode::ok)
        return store_error(code, path);
    }
    if (missing.empty()) return {};
    const auto reply = store.commit(std::move(missing));
    if (!reply.ok() && reply.code != StoreCode::node_exists) return store_error(reply.code, "the top-level nodes");
  }
}

base::Result<std::string> establish_cluster_id(BlockingStore& store, base::Random& random) {
  const std::string path(paths::kClusterId);
  const auto read = [&]() -> base::Result<std::string> {
    auto node = store.get(path);
    if (!node.ok()) return store_error(node.code, path);
    auto decoded = decode_cluster_id(path, node.value.data);
    if (!decoded) return decoded.error();
    return decoded->id;
  };
  if (store.exists(path).ok()) return read();
  std::array<std::byte, 16> bytes;
  random.fill(bytes);
  const ClusterIdNode node{.id = base::base64_url_encode({reinterpret_cast<const char*>(bytes.data()), bytes.size()})};
  std::vector<Operation> steps;
  if (!store.exists(paths::parent(path)).ok()) steps.push_back(Create{.path = paths::parent(path)});
  steps.push_back(Create{.path = path, .data = encode(node)});
  const auto created = store.commit(std::move(steps));
  if (created.ok()) return node.id;
  // Another broker was first, or we were, unheard; with only the parent there yet, its node is about to follow.
  if (created.code == StoreCode::node_exists)
    return store.exists(path).ok() ? read() : establish_cluster_id(store, random);
  return store_error(created.code, path);
}

base::Result<base::BrokerId> generate_broker_id(BlockingStore& store, std::int32_t reserved_max_id) {
  const std::string path(paths::kBrokerSequence);
  const auto counted = store.commit({Set{.path = path}});
  if (!counted.ok()) return store_error(counted.code, path);
  return base::BrokerId{counted.done.front().stat.version + reserved_max_id};
}

// ---- registration --------------------------------------------------------------------------------------------------

namespace {

bool same_address(const Endpoint& a, const Endpoint& b) { return a.host == b.host && a.port == b.port; }

bool same_addresses(const std::vector<Endpoint>& a, const std::vector<Endpoint>& b) {
  return a.size() == b.size() && std::ranges::all_of(a, [&](const Endpoint& one) {
           return std::ranges::any_of(b, [&](const Endpoint& other) { return same_address(one, other); });
         });
}

std::string addresses(const std::vector<Endpoint>& endpoints) {
  std::string out;
  for (const auto& endpoint : endpoints)
    out += fmt::format("{}{}:{}", out.empty() ? "" : ", ", endpoint.host, endpoint.port);
  return out;
}

}  // namespace

Membership::Membership(MembershipSettings settings, MetadataStore& store, base::Loop& loop, const base::Clock& clock)
    : settings_(std::move(settings)),
      store_(store),
      loop_(loop),
      clock_(clock),
      path_(paths::broker(settings_.id)),
      timer_(loop.make_timer()) {}

Membership::~Membership() = default;

void Membership::on_registered(std::function<void(std::int64_t)> listener) {
  listeners_.push_back(std::move(listener));
}

base::Status Membership::start() {
  base::invariant(!loop_.in_loop(), "membership starts from a thread that may wait");
  base::Status status;
  absl::Notification finished;
  loop_.post([&] {
    begin([&](base::Status given) {
      status = std::move(given);
      finished.Notify();
    });
  });
  finished.WaitForNotification();
  return status;
}

void Membership::begin(std::function<void(base::Status)> then) {
  store_.on_session([this](SessionEvent event) {
    if (event != SessionEvent::new_session || !started_ || stopping_ || registering_) return;
    registering_ = true;
    run(register_again(), [this] { registering_ = false; });
  });
  registering_ = true;
  auto status = std::make_shared<base::Status>();
  run(first_registration([status](base::Status given) { *status = std::move(given); }),
      [this, status, then = std::move(then)] {
        registering_ = false;
        started_ = status->ok();
        then(std::move(*status));
      });
}

void Membership::stop() {
  const auto stop_here = [this] {
    stopping_ = true;
    timer_->cancel();
    if (auto resume = std::exchange(paused_, nullptr)) resume(false);
  };
  if (loop_.in_loop()) return stop_here();
  absl::Notification stopped;
  loop_.post([&] {
    stop_here();
    stopped.Notify();
  });
  stopped.WaitForNotification();
}

Awaited<bool> Membership::pause(std::chrono::milliseconds time) {
  return Awaited<bool>([this, time](std::function<void(bool)> then) {
    if (stopping_) {
      loop_.post([then = std::move(then)] { then(false); });
      return;
    }
    paused_ = std::move(then);
    timer_->arm(time, [this] {
      if (auto resume = std::exchange(paused_, nullptr)) resume(true);
    });
  });
}

std::string Membership::registration() const {
  BrokerNode node{.version = settings_.registration_version,
                  .endpoints = settings_.endpoints,
                  .rack = settings_.rack,
                  .timestamp = clock_.wall()};
  return encode(node);
}

void Membership::registered(std::int64_t czxid) {
  previous_session_ = store_.session_id();
  epoch_ = czxid;
  log_.info("Registered broker {} at path {} with addresses: {}, czxid (broker epoch): {}", settings_.id, path_,
            addresses(settings_.endpoints), czxid);
  for (const auto& listener : listeners_) listener(czxid);
}

base::Error Membership::refused(const Node& node) const {
  const auto other = decode_broker(path_, node.data);
  return base::fail(base::ErrorCode::duplicate_broker_registration,
                    "broker id {} is taken by a live broker at {} ({}, session 0x{:x}): give one of the two another "
                    "broker.id, or stop the other",
                    settings_.id, other.ok() ? addresses(other->endpoints) : "an unreadable address", path_,
                    node.stat.ephemeral_owner);
}

// A broker that was killed leaves its node until its session expires. It has our addresses, which two live brokers
// cannot share: so we wait for it instead of dying, at most as long as such a session can last. ZooKeeper rounds
// expiry up to its next tick, hence the quarter and the three seconds more.
Task<base::Status> Membership::await_departure(std::int64_t czxid, Node node) {
  const auto other = decode_broker(path_, node.data);
  if (node.stat.ephemeral_owner == 0)
    co_return base::fail(base::ErrorCode::duplicate_broker_registration,
                         "{} is a persistent node, made by hand or by a broken tool: remove it", path_);
  if (!other.ok() || !same_addresses(other->endpoints, settings_.endpoints)) co_return refused(node);
  const auto limit = settings_.session_timeout * 5 / 4 + std::chrono::seconds(3);
  const base::Instant deadline = clock_.now() + limit;
  log_.warn(
      "broker id {} is still registered by an earlier life of this broker (session 0x{:x}, same addresses); waiting "
      "up to {} ms for that session to expire",
      settings_.id, node.stat.ephemeral_owner, limit.count());
  while (clock_.now() < deadline) {
    const bool go_on = co_await pause(std::chrono::milliseconds(100));
    if (!go_on) co_return store_error(StoreCode::closed, path_);
    const auto now = co_await async_.get(path_);
    if (now.code == StoreCode::no_node || (now.ok() && now.value.stat.czxid != czxid)) co_return base::Status();
    if (!now.ok()) co_return store_error(now.code, path_);
  }
  co_return refused(node);
}

Task<base::Status> Membership::register_now() {
  for (;;) {
    // Two steps, so that the node's version is 1 as after Kafka's registration; its czxid is the broker epoch.
    std::vector<Operation> steps;
    steps.push_back(Create{.path = path_, .mode = CreateMode::ephemeral});
    steps.push_back(Set{.path = path_, .data = registration(), .version = 0});
    const auto created = co_await async_.commit(std::move(steps));
    if (created.ok()) {
      registered(created.done[1].stat.czxid);
      co_return base::Status();
    }
    if (created.code == StoreCode::session_expired) continue;  // again, under the next session
    if (created.code != StoreCode::node_exists) co_return store_error(created.code, path_);

    const auto found = co_await async_.get(path_);
    if (found.code == StoreCode::no_node) continue;
    if (!found.ok()) co_return store_error(found.code, path_);
    const std::int64_t owner = found.value.stat.ephemeral_owner;
    if (owner == store_.session_id()) {  // it was us: the answer got lost
      registered(found.value.stat.czxid);
      co_return base::Status();
    }
    if (owner != 0 && owner == previous_session_) {  // ours, of the session that expired
      std::vector<Operation> removal;
      removal.push_back(Remove{.path = path_, .version = found.value.stat.version});
      const auto removed = co_await async_.commit(std::move(removal));
      if (removed.code == StoreCode::closed) co_return store_error(removed.code, path_);
      continue;
    }
    const auto departed = co_await await_departure(found.value.stat.czxid, found.value);
    if (!departed.ok()) co_return departed;
  }
}

Task<base::Status> Membership::endpoints_are_free() {
  const std::string ids_path(paths::kBrokerIds);
  const auto ids = co_await async_.children(ids_path);
  if (!ids.ok()) co_return store_error(ids.code, ids_path);
  for (const auto& id : ids.value) {
    const std::string path = ids_path + "/" + id;
    if (path == path_) continue;
    const auto node = co_await async_.get(path);
    if (!node.ok()) continue;
    const auto other = decode_broker(path, node.value.data);
    if (!other.ok()) continue;
    for (const auto& ours : settings_.endpoints)
      for (const auto& theirs : other->endpoints)
        if (same_address(ours, theirs))
          co_return base::fail(base::ErrorCode::invalid_request,
                               "advertised listener {}://{}:{} is already registered by broker {}: give this broker "
                               "other advertised.listeners, or stop broker {}",
                               ours.listener, ours.host, ours.port, id, id);
  }
  co_return base::Status();
}

Task<void> Membership::first_registration(std::function<void(base::Status)> then) {
  auto status = co_await endpoints_are_free();
  if (status.ok()) {
    auto registered = co_await register_now();
    status = std::move(registered);
  }
  then(std::move(status));
}

Task<void> Membership::register_again() {
  for (;;) {
    const auto status = co_await register_now();
    if (status.ok() || stopping_) co_return;
    log_.error("cannot register again after the session expired, next attempt in 1 s: {}", status.error().detail);
    const bool go_on = co_await pause(std::chrono::seconds(1));
    if (!go_on) co_return;
  }
}

// ---- election ------------------------------------------------------------------------------------------------------

Task<base::Result<Election>> elect_controller(AsyncStore store, base::BrokerId self, base::Timestamp now) {
  const std::string controller_path(paths::kController);
  const std::string epoch_path(paths::kControllerEpoch);
  const std::string candidate = encode(ControllerNode{.broker = self, .timestamp = now});
  for (;;) {
    const auto sitting = co_await store.get(controller_path);
    if (sitting.ok()) {
      const auto who = decode_controller(controller_path, sitting.value.data);
      if (!who.ok()) co_return who.error();
      co_return Election{.controller = who->broker};
    }
    if (sitting.code != StoreCode::no_node) co_return store_error(sitting.code, controller_path);

    const auto epoch_node = co_await store.get(epoch_path);
    if (epoch_node.code == StoreCode::no_node) {
      std::vector<Operation> first;
      first.push_back(Create{.path = epoch_path, .data = encode_controller_epoch(0)});
      const auto created = co_await store.commit(std::move(first));
      if (created.code == StoreCode::closed) co_return store_error(created.code, epoch_path);
      continue;
    }
    if (!epoch_node.ok()) co_return store_error(epoch_node.code, epoch_path);
    const auto epoch = decode_controller_epoch(epoch_path, epoch_node.value.data);
    if (!epoch.ok()) co_return epoch.error();

    std::vector<Operation> takeover;
    takeover.push_back(Create{.path = controller_path, .data = candidate, .mode = CreateMode::ephemeral});
    takeover.push_back(
        Set{.path = epoch_path, .data = encode_controller_epoch(*epoch + 1), .version = epoch_node.value.stat.version});
    const auto taken = co_await store.commit(std::move(takeover));
    if (taken.ok())
      co_return Election{
          .controller = self, .won = true, .epoch = *epoch + 1, .epoch_version = taken.done[1].stat.version};
    if (taken.code != StoreCode::node_exists && taken.code != StoreCode::bad_version)
      co_return store_error(taken.code, controller_path);

    // Perhaps it was us, and the answer got lost.
    const auto holder = co_await store.get(controller_path);
    const auto epoch_now = co_await store.get(epoch_path);
    if (!holder.ok() || !epoch_now.ok()) continue;
    const auto number = decode_controller_epoch(epoch_path, epoch_now.value.data);
    if (holder.value.stat.ephemeral_owner == store.store().session_id() && number.ok() && *number == *epoch + 1)
      co_return Election{
          .controller = self, .won = true, .epoch = *number, .epoch_version = epoch_now.value.stat.version};
  }
}

}  // namespace replication
