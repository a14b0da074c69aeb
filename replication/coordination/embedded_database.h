// The tree of nodes in SQLite. One thread at a time; the thread that asks waits for the disk.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "base/logging.h"
#include "replication/coordination/metadata_store.h"

struct sqlite3;
struct sqlite3_stmt;

namespace replication {

// node:    path, parent, data, version, czxid, mzxid, ctime (ms), owner (session, 0: persistent),
//          sequence (how many sequential children it has had)
// counter: zxid, session
//
// Room is taken ahead, so that a broker starts, and deletes topics, on a disk without a free byte: pages of the
// database that hold nothing, and a write-ahead log that is written over again and stays as long as it is. The database
// grows by steps, each before anything needs it; when it cannot, what has no room is refused as `full`, until it can.
class EmbeddedDatabase {
 public:
  explicit EmbeddedDatabase(const base::Clock& clock);
  ~EmbeddedDatabase();
  EmbeddedDatabase(const EmbeddedDatabase&) = delete;
  EmbeddedDatabase& operator=(const EmbeddedDatabase&) = delete;

  // Creates what is missing, removes ephemeral nodes of earlier sessions and begins a new one.
  base::Status open(const std::string& file);
  // Removes this session's ephemeral nodes.
  void close();

  std::int64_t session_id() const { return session_; }

  Reply<Node> get(const std::string& path);
  Reply<std::vector<std::string>> children(const std::string& path);
  CommitReply commit(const std::vector<Operation>& operations);

 private:
  class Statement;

  base::Status execute(const char* sql);
  std::int64_t number_from(const char* sql);
  void take_room_ahead();
  void forbid_growth();
  bool grow();
  CommitReply try_to_commit(const std::vector<Operation>& operations);
  base::Status prepare_all();
  std::unique_ptr<Statement> prepare(const char* sql);
  StoreCode broken(std::string_view doing);

  StoreCode apply(const Operation& operation, Committed& done);
  StoreCode apply(const Create& create, Committed& done);
  StoreCode apply(const Set& set, Committed& done);
  StoreCode apply(const Remove& remove, Committed& done);
  StoreCode apply(const Check& check, Committed& done);
  StoreCode version_fits(const std::string& path, std::int32_t version, Stat& stat);

  const base::Clock& clock_;
  const base::Logger log_{"weir.EmbeddedStore"};
  std::string file_;
  sqlite3* db_ = nullptr;
  std::int64_t session_ = 0;
  std::int64_t zxid_ = 0;
  // A disk that failed is not asked to write again.
  bool failed_ = false;
  bool full_ = false;  // it could not grow when it had to

  std::unique_ptr<Statement> begin_, commit_, rollback_, select_node_, select_children_, insert_, update_, delete_,
      next_sequence_, set_counter_;
};

}  // namespace replication
