#include "replication/coordination/zookeeper_store.h"

#include <utility>

#include "base/check.h"
#include "replication/coordination/blocking_store.h"
#include "replication/coordination/zookeeper_session.h"

namespace replication {

base::Result<ZookeeperAddress> parse_zookeeper_connect(std::string_view connect) {
  const auto refuse = [&](std::string_view why) {
    return base::fail(base::ErrorCode::invalid_config, "zookeeper.connect={}: {}", connect, why);
  };
  ZookeeperAddress address;
  const auto slash = connect.find('/');
  address.hosts = std::string(connect.substr(0, slash));
  if (slash != std::string_view::npos) address.chroot = std::string(connect.substr(slash));
  while (!address.chroot.empty() && address.chroot.back() == '/') address.chroot.pop_back();
  if (address.chroot.find(',') != std::string::npos) return refuse("one chroot path, after the last host");
  if (address.chroot.find("//") != std::string::npos) return refuse("the chroot path has an empty part");
  if (address.hosts.empty()) return refuse("no host");
  for (std::size_t from = 0; from <= address.hosts.size();) {
    const auto comma = std::min(address.hosts.find(',', from), address.hosts.size());
    if (comma == from) return refuse("an empty host");
    from = comma + 1;
  }
  return address;
}

ZookeeperStore::ZookeeperStore(ZookeeperSettings settings, base::Loop& loop)
    : session_(std::make_shared<Session>(std::move(settings), loop)) {}

ZookeeperStore::~ZookeeperStore() = default;

base::Status ZookeeperStore::start() { return session_->start(); }
void ZookeeperStore::stop() { session_->stop(); }

void ZookeeperStore::get(std::string path, std::function<void(Reply<Node>)> then) {
  session_->submit({.kind = Session::Request::Kind::get, .path = std::move(path), .got = std::move(then)});
}
void ZookeeperStore::exists(std::string path, std::function<void(Reply<Stat>)> then) {
  session_->submit({.kind = Session::Request::Kind::exists, .path = std::move(path), .found = std::move(then)});
}
void ZookeeperStore::children(std::string path, std::function<void(Reply<std::vector<std::string>>)> then) {
  session_->submit({.kind = Session::Request::Kind::children, .path = std::move(path), .listed = std::move(then)});
}
void ZookeeperStore::commit(std::vector<Operation> operations, std::function<void(CommitReply)> then) {
  session_->submit(
      {.kind = Session::Request::Kind::commit, .operations = std::move(operations), .committed = std::move(then)});
}
WatchHandle ZookeeperStore::watch_data(std::string path, std::function<void()> changed) {
  return session_->watch({WatchKind::data, std::move(path)}, std::move(changed));
}
WatchHandle ZookeeperStore::watch_children(std::string path, std::function<void()> changed) {
  return session_->watch({WatchKind::children, std::move(path)}, std::move(changed));
}
void ZookeeperStore::on_session(std::function<void(SessionEvent)> listener) {
  session_->listeners.push_back(std::move(listener));
}
std::int64_t ZookeeperStore::session_id() const { return session_->session_id(); }
std::array<char, 16> ZookeeperStore::session_password() const { return session_->session_password(); }

}  // namespace replication
