#include "tests/simulation/ensemble.h"

#include <fmt/format.h>

#include <algorithm>

#include "tests/simulation/sim_store.h"

namespace simulation {

using namespace replication;

namespace {

std::string parent_of(const std::string& path) {
  const auto slash = path.rfind('/');
  return slash == 0 ? "/" : path.substr(0, slash);
}
std::string name_of(const std::string& path) { return path.substr(path.rfind('/') + 1); }
bool is_sequential(CreateMode mode) {
  return mode == CreateMode::persistent_sequential || mode == CreateMode::ephemeral_sequential;
}
bool is_ephemeral(CreateMode mode) { return mode == CreateMode::ephemeral || mode == CreateMode::ephemeral_sequential; }

}  // namespace

// ---- the tree
// --------------------------------------------------------------------------------------------------------

Tree::Tree() { entries_["/"]; }

Reply<Node> Tree::get(const std::string& path) const {
  const auto found = entries_.find(path);
  if (found == entries_.end()) return {StoreCode::no_node, {}};
  return {StoreCode::ok, found->second.node};
}

Reply<std::vector<std::string>> Tree::children(const std::string& path) const {
  const auto found = entries_.find(path);
  if (found == entries_.end()) return {StoreCode::no_node, {}};
  return {StoreCode::ok, {found->second.children.begin(), found->second.children.end()}};
}

Tree::Entry* Tree::find(const std::string& path) {
  const auto found = entries_.find(path);
  return found == entries_.end() ? nullptr : &found->second;
}

Tree::Entry& Tree::change(const std::string& path) {
  const auto found = entries_.find(path);
  before_.try_emplace(path, found == entries_.end() ? std::nullopt : std::optional(found->second));
  return entries_[path];
}

void Tree::erase(const std::string& path) {
  change(path);
  entries_.erase(path);
  auto& parent = change(parent_of(path));
  parent.children.erase(name_of(path));
  --parent.node.stat.child_count;
}

StoreCode Tree::version_fits(const std::string& path, std::int32_t version) {
  const auto* entry = find(path);
  if (!entry) return StoreCode::no_node;
  return version == kAnyVersion || version == entry->node.stat.version ? StoreCode::ok : StoreCode::bad_version;
}

StoreCode Tree::apply(const Create& create, Committed& done, std::vector<Key>& touched) {
  if (!is_node_path(create.path)) return StoreCode::failed;
  const auto parent_path = parent_of(create.path);
  const auto* above = find(parent_path);
  if (!above) return StoreCode::no_node;
  if (above->node.stat.ephemeral_owner != 0) return StoreCode::no_children_for_ephemeral;
  done.path = create.path;
  if (is_sequential(create.mode)) done.path += fmt::format("{:010}", above->next_sequence);
  if (find(done.path)) return StoreCode::node_exists;
  auto& parent = change(parent_path);
  ++parent.next_sequence;
  parent.children.insert(name_of(done.path));
  ++parent.node.stat.child_count;
  change(done.path).node = {
      .data = create.data,
      .stat = {
          .czxid = zxid_, .mzxid = zxid_, .ctime = now_, .ephemeral_owner = is_ephemeral(create.mode) ? session_ : 0}};
  touched.emplace_back(WatchKind::data, done.path);
  touched.emplace_back(WatchKind::children, done.path);
  touched.emplace_back(WatchKind::children, parent_path);
  return StoreCode::ok;
}

StoreCode Tree::apply(const Set& set, Committed& done, std::vector<Key>& touched) {
  if (const auto code = version_fits(set.path, set.version); code != StoreCode::ok) return code;
  auto& node = change(set.path).node;
  node.data = set.data;
  ++node.stat.version;
  node.stat.mzxid = zxid_;
  done = {.path = set.path, .stat = node.stat};
  touched.emplace_back(WatchKind::data, set.path);
  return StoreCode::ok;
}

StoreCode Tree::apply(const Remove& remove, Committed& done, std::vector<Key>& touched) {
  if (!is_node_path(remove.path)) return StoreCode::failed;
  if (const auto code = version_fits(remove.path, remove.version); code != StoreCode::ok) return code;
  if (find(remove.path)->node.stat.child_count > 0) return StoreCode::not_empty;
  erase(remove.path);
  done.path = remove.path;
  touched.emplace_back(WatchKind::data, remove.path);
  touched.emplace_back(WatchKind::children, remove.path);
  touched.emplace_back(WatchKind::children, parent_of(remove.path));
  return StoreCode::ok;
}

StoreCode Tree::apply(const Check& check, Committed& done, std::vector<Key>&) {
  done.path = check.path;
  return version_fits(check.path, check.version);
}

CommitReply Tree::commit(const std::vector<Operation>& operations, std::int64_t session, base::Timestamp now,
                         std::vector<Key>& touched) {
  CommitReply reply;
  ++zxid_;
  session_ = session;
  now_ = now;
  std::vector<Key> changes;
  for (const auto& operation : operations) {
    Committed done;
    reply.code = std::visit([&](const auto& one) { return apply(one, done, changes); }, operation);
    if (!reply.ok()) break;
    reply.done.push_back(std::move(done));
    ++reply.failed_at;
  }
  auto before = std::exchange(before_, {});
  if (reply.ok()) {
    touched.insert(touched.end(), changes.begin(), changes.end());
    return reply;
  }
  reply.done.clear();
  for (auto& [path, entry] : before) {
    if (entry)
      entries_[path] = std::move(*entry);
    else
      entries_.erase(path);
  }
  return reply;
}

void Tree::remove_ephemerals(std::int64_t session, std::vector<Key>& touched) {
  ++zxid_;
  std::vector<std::string> owned;
  for (const auto& [path, entry] : entries_)
    if (entry.node.stat.ephemeral_owner == session) owned.push_back(path);
  for (const auto& path : owned) {
    erase(path);
    touched.emplace_back(WatchKind::data, path);
    touched.emplace_back(WatchKind::children, path);
    touched.emplace_back(WatchKind::children, parent_of(path));
  }
  before_.clear();
}

// ---- sessions
// --------------------------------------------------------------------------------------------------------

CommitReply Ensemble::commit(const std::vector<Operation>& operations) { return commit(0, operations); }

CommitReply Ensemble::commit(std::int64_t session, const std::vector<Operation>& operations) {
  std::vector<Tree::Key> touched;
  auto reply = tree_.commit(operations, session, clock_.wall(), touched);
  fire(touched);
  return reply;
}

void Ensemble::remove(SimStore& client) {
  std::erase_if(clients_, [&](const auto& entry) { return entry.second == &client; });
  for (auto& [id, session] : sessions_)
    if (session.client == &client) session.client = nullptr;
}

std::int64_t Ensemble::open_session(SimStore& client, std::int64_t session) {
  if (session != 0) {
    const auto found = sessions_.find(session);
    if (found == sessions_.end()) return 0;
    heard(session);
    for (const auto& key : std::exchange(found->second.untold, {})) client.tell(key);
    return session;
  }
  tree_.next_zxid();
  sessions_[++last_session_].client = &client;
  return last_session_;
}

void Ensemble::close_session(std::int64_t session) { end_session(session); }

void Ensemble::expire(std::int64_t session) {
  const auto found = sessions_.find(session);
  if (found == sessions_.end()) return;
  auto* client = found->second.client;
  end_session(session);
  if (client) client->break_connection();
}

void Ensemble::end_session(std::int64_t session) {
  if (sessions_.erase(session) == 0) return;
  std::vector<Tree::Key> touched;
  tree_.remove_ephemerals(session, touched);
  fire(touched);
}

void Ensemble::silent(std::int64_t session) {
  const auto found = sessions_.find(session);
  if (found == sessions_.end() || found->second.silence % 2 == 1) return;
  ++found->second.silence;
  if (serving_) await_end_of_silence(session);
}

void Ensemble::heard(std::int64_t session) {
  const auto found = sessions_.find(session);
  if (found != sessions_.end() && found->second.silence % 2 == 1) ++found->second.silence;
}

// The servers look at their sessions in ticks, so expiry comes a little late.
void Ensemble::await_end_of_silence(std::int64_t session) {
  const auto silence = sessions_.at(session).silence;
  const auto tick = dice_.between({}, settings_.session_timeout / 4);
  timeline_.after(settings_.session_timeout + tick, [this, session, silence] {
    const auto now = sessions_.find(session);
    if (now != sessions_.end() && now->second.silence == silence && serving_) expire(session);
  });
}

void Ensemble::stop_serving() {
  serving_ = false;
  for (const auto& [id, client] : clients_) client->break_connection();
}

// A new leader gives every session its whole time again.
void Ensemble::serve_again() {
  serving_ = true;
  for (auto& [id, session] : sessions_) {
    if (session.silence % 2 == 0) continue;
    session.silence += 2;
    await_end_of_silence(id);
  }
}

void Ensemble::watch(std::int64_t session, Tree::Key key) {
  const auto found = sessions_.find(session);
  if (found != sessions_.end()) found->second.watches.insert(std::move(key));
}

void Ensemble::untold(std::int64_t session, std::vector<Tree::Key> keys) {
  const auto found = sessions_.find(session);
  if (found == sessions_.end()) return;
  found->second.untold.insert(found->second.untold.end(), keys.begin(), keys.end());
}

void Ensemble::fire(const std::vector<Tree::Key>& touched) {
  for (const auto& key : touched)
    for (auto& [id, session] : sessions_) {
      if (session.watches.erase(key) == 0) continue;
      if (session.client && session.client->is_connected())
        session.client->tell(key);
      else
        session.untold.push_back(key);
    }
}

}  // namespace simulation
