// The metadata of a broker alone: the same tree in one SQLite file, `weir-metadata.sqlite`, in the first log directory
// (Kafka overlooks plain files it does not know there).
//
// The session is the process: ephemeral nodes of the process before are removed when the file is opened.
// Durability: write-ahead log with synchronous=FULL, one fsync per commit. A topic whose creation was answered survives
// power loss; the rollback journal would need three fsyncs for that. The file is locked exclusively, so that a second
// broker on the same directory is refused and no shared-memory file is needed.
//
// Statements run on a thread of the store's own, in the order asked, so that the coordination loop never waits for the
// disk.
#pragma once

#include <absl/synchronization/mutex.h>

#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/loop.h"
#include "replication/coordination/metadata_store.h"
#include "replication/coordination/watch_table.h"

namespace replication {

inline constexpr std::string_view kEmbeddedStoreFile = "weir-metadata.sqlite";

class EmbeddedDatabase;

// Any thread may call, see metadata_store.h. Outlived by: `loop`, `clock`.
class EmbeddedStore final : public MetadataStore {
 public:
  EmbeddedStore(std::string file, base::Loop& loop, const base::Clock& clock);
  ~EmbeddedStore() override;

  base::Status start() override;
  void stop() override;

  void get(std::string path, std::function<void(Reply<Node>)> then) override;
  void exists(std::string path, std::function<void(Reply<Stat>)> then) override;
  void children(std::string path, std::function<void(Reply<std::vector<std::string>>)> then) override;
  void commit(std::vector<Operation> operations, std::function<void(CommitReply)> then) override;
  WatchHandle watch_data(std::string path, std::function<void()> changed) override;
  WatchHandle watch_children(std::string path, std::function<void()> changed) override;
  void on_session(std::function<void(SessionEvent)> listener) override;
  std::int64_t session_id() const override { return session_id_; }

 private:
  template <class Answer, class Work>
  void run(Work work, std::function<void(Answer)> then);
  WatchHandle watch(WatchTable::Key key, std::function<void()> changed);
  void tell_watchers(const std::vector<Operation>& operations, const CommitReply& reply);

  const std::string file_;
  base::Loop& loop_;
  base::Loop thread_{"metadata-db"};
  std::unique_ptr<EmbeddedDatabase> database_;                // lives on thread_ once started
  WatchTable watches_;                                        // lives on loop_
  std::vector<std::function<void(SessionEvent)>> listeners_;  // lives on loop_
  std::int64_t session_id_ = 0;                               // set by start()
  absl::Mutex mutex_;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;  // set before the database is closed: nothing is queued behind that
};

}  // namespace replication
