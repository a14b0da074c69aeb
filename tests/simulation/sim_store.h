// One client of the simulated ensemble: the MetadataStore of one life of one broker.
//
// Requests are sent one behind another over a connection that delays them. When it breaks, what was not applied yet is
// gone, what was applied has lost its answer, and both are sent again, as metadata_store.h describes. Lives on the
// coordination loop; what the ensemble calls comes from outside of all loops and posts.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/loop.h"
#include "replication/coordination/metadata_store.h"
#include "replication/coordination/watch_table.h"
#include "tests/simulation/ensemble.h"

namespace simulation {

class SimStore final : public replication::MetadataStore {
 public:
  SimStore(Ensemble& ensemble, base::Loop& loop);
  ~SimStore() override;

  // From a thread that may wait; a simulated broker calls begin() on the loop and waits for `connected`.
  base::Status start() override;
  void begin();
  // On the loop: at once. From elsewhere: waits for it.
  void stop() override;

  void get(std::string path, std::function<void(replication::Reply<replication::Node>)> then) override;
  void exists(std::string path, std::function<void(replication::Reply<replication::Stat>)> then) override;
  void children(std::string path, std::function<void(replication::Reply<std::vector<std::string>>)> then) override;
  void commit(std::vector<replication::Operation> operations,
              std::function<void(replication::CommitReply)> then) override;
  replication::WatchHandle watch_data(std::string path, std::function<void()> changed) override;
  replication::WatchHandle watch_children(std::string path, std::function<void()> changed) override;
  void on_session(std::function<void(replication::SessionEvent)> listener) override;
  std::int64_t session_id() const override { return session_; }

  // ---- faults, from outside
  // The connection ends, and both sides know it.
  void break_connection();
  // Nothing gets through in either direction until mend(); the client notices when it has heard nothing for two thirds
  // of the session timeout.
  void cut();
  void mend();
  bool is_cut() const { return cut_; }
  // The process stops or goes on: the ensemble hears nothing of it meanwhile.
  void process_paused();
  void process_resumed();
  // The process is gone without a word: nothing it still does reaches the ensemble.
  void process_killed();

  // ---- for Ensemble
  bool is_connected() const { return connected_there_; }
  void tell(const Tree::Key& key);

 private:
  struct Request {
    std::function<void(Ensemble&, std::int64_t session)> apply{};  // at the ensemble; keeps the answer
    std::function<void()> answer{};                                // here; the answer that was kept
    std::function<void(replication::StoreCode)> refuse{};
    bool is_read = true;
    bool is_arming = false;
  };
  struct Watching {
    Tree::Key key;
    std::weak_ptr<const std::function<void()>> watch;
  };

  void submit(Request request);
  template <class Answer, class Ask>
  void ask(bool is_read, Ask ask, std::function<void(Answer)> then);
  void pump();
  // A message on its way; runs outside of the loops, in the order sent, unless the connection broke.
  void carry(base::Instant& last, std::function<void()> arrive);
  void arrived(std::int64_t sequence);
  void connect_later(base::Duration after);
  void connect();
  void connection_opened(std::int64_t session);
  void connection_lost(std::uint64_t generation);
  void expired();
  replication::WatchHandle watch(Tree::Key key, std::function<void()> changed);
  void arm(const Tree::Key& key);
  void fired(const Tree::Key& key);
  bool wanted(const Tree::Key& key);
  void fire(const Tree::Key& key);
  void tell_session(replication::SessionEvent event);

  Ensemble& ensemble_;
  base::Loop& loop_;
  std::shared_ptr<int> alive_ = std::make_shared<int>();  // events on their way ask whether we are still there
  std::vector<std::function<void(replication::SessionEvent)>> listeners_;
  std::map<Tree::Key, std::vector<std::weak_ptr<const std::function<void()>>>> watches_;

  // As the client sees it.
  std::int64_t session_ = 0;  // also while it is lost, until there is another
  bool connected_ = false;
  bool was_connected_ = false;
  bool begun_ = false;
  bool stopped_ = false;
  std::int64_t next_sequence_ = 1;
  std::int64_t next_front_ = 0;
  std::map<std::int64_t, Request> waiting_;
  std::map<std::int64_t, Request> in_flight_;

  // The connection.
  std::int64_t current_ = 0;      // session it belongs to or is to take up; 0: a new one
  bool connected_there_ = false;  // as the ensemble sees it
  bool retry_pending_ = false;
  std::uint64_t generation_ = 0;  // of the connection; what belongs to an earlier one is not delivered
  bool cut_ = false;
  bool paused_ = false;
  bool killed_ = false;
  std::vector<Tree::Key> told_;  // on their way, or posted
  base::Instant last_there_{};
  base::Instant last_here_{};
  std::deque<std::function<void()>> held_there_;  // what a cut keeps from arriving
  std::deque<std::function<void()>> held_here_;
};

}  // namespace simulation
