// The workings of ZookeeperStore. Lives on the coordination loop; what the library's threads call says so.
#pragma once

#ifndef THREADED
#define THREADED  // which of the library's two interfaces we want
#endif
#include <absl/synchronization/notification.h>
#include <zookeeper/zookeeper.h>

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/logging.h"
#include "replication/coordination/watch_table.h"
#include "replication/coordination/zookeeper_store.h"

namespace replication {

class ZookeeperStore::Session {
 public:
  Session(ZookeeperSettings settings, base::Loop& loop);

  struct Request {
    enum class Kind { get, exists, children, commit, arm_data, arm_children };
    Kind kind = Kind::get;
    std::string path{};
    std::vector<Operation> operations{};
    std::function<void(Reply<Node>)> got{};
    std::function<void(Reply<Stat>)> found{};
    std::function<void(Reply<std::vector<std::string>>)> listed{};
    std::function<void(CommitReply)> committed{};

    bool is_read() const { return kind != Kind::commit; }
    bool is_arming() const { return kind == Kind::arm_data || kind == Kind::arm_children; }
  };

  // ---- any thread
  base::Status start();
  void stop();
  void submit(Request request);
  WatchHandle watch(WatchTable::Key key, std::function<void()> changed);
  std::int64_t session_id() const { return session_id_; }

  // ---- on the loop
  std::array<char, 16> session_password() const;
  std::vector<std::function<void(SessionEvent)>> listeners;

 private:
  // What a completion found, copied out of the library's memory.
  struct Outcome {
    int code = ZOK;
    Node node{};
    std::vector<std::string> names{};
    std::vector<Committed> done{};
    std::size_t failed_at = 0;
  };
  // One request on its way, where the library leaves results. Ours: the library forgets some that are in flight when
  // its handle is closed.
  struct Call {
    Session* session;
    std::uint64_t generation;
    std::int64_t sequence;
    std::vector<zoo_op_result_t> results{};
    std::vector<std::string> created{};  // buffers for the paths of creates
    std::vector<::Stat> stats{};

    void complete(Outcome outcome);  // a thread of the library
  };
  // Told to the library as its handle's context.
  struct Link {
    Session* session;
    std::uint64_t generation;
  };

  static void on_event(zhandle_t* handle, int type, int state, const char* path, void* context);
  static void on_data(int code, const char* value, int size, const ::Stat* stat, const void* data);
  static void on_stat(int code, const ::Stat* stat, const void* data);
  static void on_names(int code, const String_vector* names, const void* data);
  static void on_commit(int code, const void* data);

  void open();
  void close_handle();
  void pump();
  int send(std::int64_t sequence, const Request& request);
  int send_commit(const Request& request, Call* call);
  std::string full(const std::string& path) const;
  std::string relative(std::string_view path) const;

  void arrived(std::int64_t sequence, Outcome outcome);
  void answer(const Request& request, StoreCode code, Outcome outcome);
  void refuse(const Request& request, StoreCode code) { answer(request, code, {}); }

  void session_event(int state);
  void connected();
  void expired();
  void tell(SessionEvent event);
  void node_event(int type, const std::string& path);
  void arm(const WatchTable::Key& key);

  const ZookeeperSettings settings_;
  base::Loop& loop_;
  const base::Logger log_{"weir.ZookeeperStore"};
  ZookeeperAddress address_;
  std::string root_;  // the chroot, once it exists

  zhandle_t* handle_ = nullptr;
  std::unique_ptr<Link> link_;
  std::uint64_t generation_ = 0;  // of the handle: what an older one still delivers is ignored
  bool is_connected_ = false;
  bool was_connected_ = false;  // any session of this process
  bool stopped_ = false;
  std::atomic<bool> stop_called_{false};
  std::atomic<std::int64_t> session_id_{0};
  absl::Notification first_connection_;  // or stop()
  std::unique_ptr<base::Timer> retry_;

  // By sequence number, which is the order asked. Not bounded here: whoever asks waits for the answer.
  std::map<std::int64_t, Request> waiting_;
  std::map<std::int64_t, Request> in_flight_;
  std::map<std::int64_t, std::unique_ptr<Call>> calls_;  // of those in flight
  std::int64_t next_sequence_ = 0;
  std::int64_t next_front_ = -1;  // re-arming goes before everything that waits

  WatchTable watches_;
};

}  // namespace replication
