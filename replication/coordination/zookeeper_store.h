// The metadata of a cluster: an Apache ZooKeeper ensemble, through libzookeeper-mt.
//
// The library brings two threads per session (socket, completions); they only post results to the coordination loop,
// where everything else happens. Requests wait in one queue in the order they were made; at most `max_in_flight` are on
// their way. Those that end in a lost connection go back to their places in the queue and are sent again after the
// reconnect, so order holds (see metadata_store.h for what that means to writers).
//
// A session that expired is replaced by a new one, tried for ever. Watches are ours to keep: each is armed again before
// its listeners hear of a change, and all are armed again in a new session.
//
// The chroot of the connect string is created when it is missing and put before every path here rather than by the
// library, so that creating it needs no second session.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/loop.h"
#include "replication/coordination/metadata_store.h"

namespace replication {

struct ZookeeperSettings {
  std::string connect{};  // zookeeper.connect: "h1:2181,h2:2181/chroot"
  std::chrono::milliseconds session_timeout{18000};
  std::chrono::milliseconds connection_timeout{18000};
  std::size_t max_in_flight = 10;
};

struct ZookeeperAddress {
  std::string hosts{};
  std::string chroot{};  // empty, or "/a/b"
};
// One chroot, after the last host.
base::Result<ZookeeperAddress> parse_zookeeper_connect(std::string_view connect);

// Any thread may call, see metadata_store.h. Outlived by: `loop`.
class ZookeeperStore final : public MetadataStore {
 public:
  ZookeeperStore(ZookeeperSettings settings, base::Loop& loop);
  ~ZookeeperStore() override;

  base::Status start() override;
  void stop() override;

  void get(std::string path, std::function<void(Reply<Node>)> then) override;
  void exists(std::string path, std::function<void(Reply<Stat>)> then) override;
  void children(std::string path, std::function<void(Reply<std::vector<std::string>>)> then) override;
  void commit(std::vector<Operation> operations, std::function<void(CommitReply)> then) override;
  WatchHandle watch_data(std::string path, std::function<void()> changed) override;
  WatchHandle watch_children(std::string path, std::function<void()> changed) override;
  void on_session(std::function<void(SessionEvent)> listener) override;
  std::int64_t session_id() const override;

  // What another connection needs to take the session over, or to end it. On the loop.
  std::array<char, 16> session_password() const;

 private:
  class Session;
  std::shared_ptr<Session> session_;
};

}  // namespace replication
