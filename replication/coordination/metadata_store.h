// What the members of a cluster agree on: a tree of versioned nodes, as ZooKeeper offers it and no more.
//
// Two stores: zookeeper_store.h, and embedded_store.h for a broker alone. All cluster code is written once, on this.
//
// Threads: any thread may ask; every callback (answers, watches, session events) runs on the one coordination loop
// handed to the store, never inside the call that asked. Requests of one caller are executed in the order they were
// made, also across lost connections.
//
// Lost connections: a request whose answer was lost is sent again after reconnecting, for ever. A write may thus be
// applied by its first sending and refused (`node_exists`, `bad_version`) at the second: a caller for whom that
// matters reads back and asks "was it me?".
//
// Sessions: when the session expires its ephemeral nodes are gone. Writes not yet answered end in `session_expired`,
// because whoever made them may have lost the standing to make them; reads are asked again under the new session.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/error.h"
#include "base/ids.h"

namespace replication {

enum class StoreCode {
  ok,
  no_node,
  node_exists,
  bad_version,
  not_empty,                  // has children, so it cannot be removed
  no_children_for_ephemeral,  // an ephemeral node stays a leaf
  denied,                     // the store's access rules
  session_expired,
  closed,  // stop() was called
  full,    // the store's disk; nothing was changed, and a later write may find room
  failed,  // anything else; the store has logged why
};
std::string_view store_code_name(StoreCode code);
// For a log line or a client: "node_exists: /controller".
base::Error store_error(StoreCode code, std::string_view what);

// "/a/b": no empty parts, no slash at the end. The root itself cannot be created or removed.
bool is_node_path(std::string_view path);

struct Stat {
  std::int32_t version = 0;  // changes of the data
  std::int64_t czxid = 0;    // the change that created the node; grows over the whole store
  std::int64_t mzxid = 0;
  base::Timestamp ctime{};
  std::int64_t ephemeral_owner = 0;  // session, 0: persistent
  std::int32_t child_count = 0;

  bool operator==(const Stat&) const = default;
};

// Empty data is stored as null, which is what Kafka writes and expects in a node that only marks something.
struct Node {
  std::string data{};
  Stat stat{};
};

template <class T>
struct [[nodiscard]] Reply {
  StoreCode code = StoreCode::ok;
  T value{};

  bool ok() const { return code == StoreCode::ok; }
};

inline constexpr std::int32_t kAnyVersion = -1;

enum class CreateMode { persistent, ephemeral, persistent_sequential, ephemeral_sequential };

struct Create {
  std::string path{};  // a sequential node's name is this plus ten digits
  std::string data{};
  CreateMode mode = CreateMode::persistent;
};
struct Set {
  std::string path{};
  std::string data{};
  std::int32_t version = kAnyVersion;
};
struct Remove {
  std::string path{};
  std::int32_t version = kAnyVersion;
};
struct Check {
  std::string path{};
  std::int32_t version = kAnyVersion;
};
using Operation = std::variant<Create, Set, Remove, Check>;

// One per operation of a commit that succeeded.
struct Committed {
  std::string path{};  // Create: with the sequence number
  Stat stat{};         // Set: after the change
};
struct [[nodiscard]] CommitReply {
  StoreCode code = StoreCode::ok;
  std::size_t failed_at = 0;  // which operation was refused
  std::vector<Committed> done{};

  bool ok() const { return code == StoreCode::ok; }
};

// `expired` reaches every subscriber before the next session is opened; `new_session` after it is open and all watches
// are armed again. The first connection of the process is `connected`.
enum class SessionEvent { connected, disconnected, expired, new_session };

// Destroying the handle ends the watch. On the coordination loop, or after stop().
using WatchHandle = std::shared_ptr<const std::function<void()>>;

class MetadataStore {
 public:
  virtual ~MetadataStore() = default;

  // Opens the first session, waiting for it. Before start() nothing may be asked. Not from the coordination loop.
  virtual base::Status start() = 0;
  // Ends the session (ephemeral nodes go), answers everything outstanding with `closed` and returns when those answers
  // have been delivered. A start() that still waits fails. Not from the coordination loop, which must still run.
  virtual void stop() = 0;

  virtual void get(std::string path, std::function<void(Reply<Node>)> then) = 0;
  virtual void exists(std::string path, std::function<void(Reply<Stat>)> then) = 0;
  // Names, not paths, in ascending order.
  virtual void children(std::string path, std::function<void(Reply<std::vector<std::string>>)> then) = 0;
  // All operations or none. The parents of a node to be created must exist.
  virtual void commit(std::vector<Operation> operations, std::function<void(CommitReply)> then) = 0;

  // `changed` says "read again": the node was created, changed or removed (or its children came and went), or may have
  // been while the session was lost. Changes close together may be told once. What is read from inside `changed` or
  // after it is at least as new as the change.
  [[nodiscard]] virtual WatchHandle watch_data(std::string path, std::function<void()> changed) = 0;
  [[nodiscard]] virtual WatchHandle watch_children(std::string path, std::function<void()> changed) = 0;

  // Subscribers are told in the order they subscribed and outlive stop(). Before start(), or on the coordination loop.
  virtual void on_session(std::function<void(SessionEvent)> listener) = 0;
  virtual std::int64_t session_id() const = 0;
};

// Gets them all at once; the replies in the order of the paths. `then` runs on the coordination loop.
void get_all(MetadataStore& store, const std::vector<std::string>& paths,
             std::function<void(std::vector<Reply<Node>>)> then);

}  // namespace replication
