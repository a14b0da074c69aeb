// ZooKeeper in memory: one tree, the sessions of its clients, and what can go wrong between them.
//
// The tree is exact: versions, czxid, ephemeral and sequential nodes, commits that happen whole or not at all, one-shot
// watches. A client (SimStore) reaches it over a connection that delays, breaks, or falls silent; its session expires
// when nothing was heard of it for the session timeout. One thread; everything goes through the Timeline.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "replication/coordination/metadata_store.h"
#include "replication/coordination/watch_table.h"
#include "tests/simulation/scheduler.h"

namespace simulation {

class SimStore;

// The data alone, without clients or time.
class Tree {
 public:
  using Key = std::pair<replication::WatchKind, std::string>;

  Tree();
  replication::Reply<replication::Node> get(const std::string& path) const;
  replication::Reply<std::vector<std::string>> children(const std::string& path) const;
  // What watchers of which keys are to be told is added to `touched`, in order.
  replication::CommitReply commit(const std::vector<replication::Operation>& operations, std::int64_t session,
                                  base::Timestamp now, std::vector<Key>& touched);
  void remove_ephemerals(std::int64_t session, std::vector<Key>& touched);
  std::int64_t next_zxid() { return ++zxid_; }

 private:
  struct Entry {
    replication::Node node;
    std::int64_t next_sequence = 0;
    std::set<std::string> children;
  };
  using Code = replication::StoreCode;
  Entry* find(const std::string& path);
  Entry& change(const std::string& path);  // remembers what was there
  void erase(const std::string& path);
  Code version_fits(const std::string& path, std::int32_t version);
  Code apply(const replication::Create& create, replication::Committed& done, std::vector<Key>& touched);
  Code apply(const replication::Set& set, replication::Committed& done, std::vector<Key>& touched);
  Code apply(const replication::Remove& remove, replication::Committed& done, std::vector<Key>& touched);
  Code apply(const replication::Check& check, replication::Committed& done, std::vector<Key>& touched);

  std::map<std::string, Entry> entries_;
  std::int64_t zxid_ = 0;
  std::int64_t session_ = 0;  // of the commit at work, and its time
  base::Timestamp now_{};
  std::map<std::string, std::optional<Entry>> before_;  // of what the commit at work has changed
};

struct EnsembleSettings {
  std::chrono::milliseconds session_timeout{6000};
};

class Ensemble {
 public:
  Ensemble(Timeline& timeline, const base::Clock& clock, std::uint64_t seed, EnsembleSettings settings)
      : timeline_(timeline), clock_(clock), dice_(seed), settings_(settings) {}

  const Tree& tree() const { return tree_; }
  // As a client of its own would, at once.
  replication::CommitReply commit(const std::vector<replication::Operation>& operations);

  // No server answers, or no majority of them: connections break, and sessions do not age.
  void stop_serving();
  void serve_again();
  bool serving() const { return serving_; }

  // A session dies though its client is well.
  void expire(std::int64_t session);

  Timeline& timeline() { return timeline_; }
  Dice& dice() { return dice_; }
  std::chrono::milliseconds session_timeout() const { return settings_.session_timeout; }

  // ---- for SimStore
  void add(SimStore& client) { clients_.insert_or_assign(++last_client_, &client); }
  void remove(SimStore& client);
  // 0: refused, the session named is gone.
  std::int64_t open_session(SimStore& client, std::int64_t session);
  void close_session(std::int64_t session);
  bool is_alive(std::int64_t session) const { return sessions_.contains(session); }
  // Nothing is heard of it from here on, until the next heard().
  void silent(std::int64_t session);
  void heard(std::int64_t session);
  replication::CommitReply commit(std::int64_t session, const std::vector<replication::Operation>& operations);
  void watch(std::int64_t session, Tree::Key key);
  // News that did not reach the client before its connection broke.
  void untold(std::int64_t session, std::vector<Tree::Key> keys);

 private:
  struct Session {
    SimStore* client = nullptr;  // null once its process is gone
    std::uint64_t silence = 0;   // counts the silences; odd: it is silent
    std::set<Tree::Key> watches{};
    std::vector<Tree::Key> untold{};  // fired while nobody could be told
  };
  void end_session(std::int64_t session);
  void fire(const std::vector<Tree::Key>& touched);
  void await_end_of_silence(std::int64_t session);

  Timeline& timeline_;
  const base::Clock& clock_;
  Dice dice_;
  const EnsembleSettings settings_;
  Tree tree_;
  bool serving_ = true;
  std::int64_t last_session_ = 0x1000;
  std::uint64_t last_client_ = 0;
  std::map<std::int64_t, Session> sessions_;
  std::map<std::uint64_t, SimStore*> clients_;  // in the order they came
};

}  // namespace simulation
