#include "replication/coordination/embedded_database.h"

#include <sqlite3.h>

#include <filesystem>
#include <utility>

namespace replication {
namespace {

// "/a/b" -> "/a", "/a" -> "/".
std::string parent_of(const std::string& path) {
  const auto slash = path.rfind('/');
  return slash == 0 ? "/" : path.substr(0, slash);
}

// A start writes some 200 KiB to the log, nearly all of it pages that it writes again and again.
constexpr std::int64_t kRoomAheadBytes = 1 << 20;

bool is_sequential(CreateMode mode) {
  return mode == CreateMode::persistent_sequential || mode == CreateMode::ephemeral_sequential;
}
bool is_ephemeral(CreateMode mode) { return mode == CreateMode::ephemeral || mode == CreateMode::ephemeral_sequential; }

}  // namespace

// A prepared statement; bound, stepped and reset for each use.
class EmbeddedDatabase::Statement {
 public:
  explicit Statement(sqlite3_stmt* statement) : statement_(statement) {}
  ~Statement() { sqlite3_finalize(statement_); }
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;

  // Texts are borrowed until the next start().
  template <class... Args>
  Statement& start(const Args&... args) {
    sqlite3_reset(statement_);
    int index = 0;
    (bind(++index, args), ...);
    return *this;
  }
  bool row() { return (last_ = sqlite3_step(statement_)) == SQLITE_ROW; }
  bool done() { return (last_ = sqlite3_step(statement_)) == SQLITE_DONE; }
  bool at_end() const { return last_ == SQLITE_DONE; }
  void reset() { sqlite3_reset(statement_); }

  std::int64_t number(int column) const { return sqlite3_column_int64(statement_, column); }
  std::string text(int column) const {
    const auto* bytes = static_cast<const char*>(sqlite3_column_blob(statement_, column));
    const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement_, column));
    return bytes ? std::string(bytes, size) : std::string();
  }

 private:
  void bind(int index, std::int64_t x) { sqlite3_bind_int64(statement_, index, x); }
  void bind(int index, std::string_view x) {
    sqlite3_bind_text(statement_, index, x.data() ? x.data() : "", static_cast<int>(x.size()), SQLITE_STATIC);
  }

  sqlite3_stmt* statement_;
  int last_ = SQLITE_OK;
};

EmbeddedDatabase::EmbeddedDatabase(const base::Clock& clock) : clock_(clock) {}
EmbeddedDatabase::~EmbeddedDatabase() { close(); }

base::Status EmbeddedDatabase::execute(const char* sql) {
  if (sqlite3_exec(db_, sql, nullptr, nullptr, nullptr) == SQLITE_OK) return {};
  if (sqlite3_errcode(db_) == SQLITE_FULL)
    return base::fail(base::ErrorCode::kafka_storage_error, "{}: its disk is full: free {} KiB there, and start again",
                      file_, kRoomAheadBytes >> 10);
  if (sqlite3_errcode(db_) == SQLITE_BUSY)
    return base::fail(base::ErrorCode::kafka_storage_error,
                      "{} is in use by another broker process: stop it, or give this one other log.dirs", file_);
  return base::fail(base::ErrorCode::kafka_storage_error, "{}: {}", file_, sqlite3_errmsg(db_));
}

std::unique_ptr<EmbeddedDatabase::Statement> EmbeddedDatabase::prepare(const char* sql) {
  sqlite3_stmt* statement = nullptr;
  sqlite3_prepare_v3(db_, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
  return std::make_unique<Statement>(statement);
}

base::Status EmbeddedDatabase::prepare_all() {
  begin_ = prepare("BEGIN IMMEDIATE");
  commit_ = prepare("COMMIT");
  rollback_ = prepare("ROLLBACK");
  select_node_ = prepare(
      "SELECT data, version, czxid, mzxid, ctime, owner, (SELECT count(*) FROM node c WHERE c.parent = ?1) "
      "FROM node WHERE path = ?1");
  // Byte order, as the other store sorts.
  select_children_ = prepare("SELECT path FROM node WHERE parent = ?1 ORDER BY path");
  insert_ = prepare(
      "INSERT INTO node(path, parent, data, version, czxid, mzxid, ctime, owner, sequence) "
      "VALUES (?1, ?2, ?3, 0, ?4, ?4, ?5, ?6, 0)");
  update_ = prepare("UPDATE node SET data = ?2, version = version + 1, mzxid = ?3 WHERE path = ?1");
  delete_ = prepare("DELETE FROM node WHERE path = ?1");
  next_sequence_ = prepare("UPDATE node SET sequence = sequence + 1 WHERE path = ?1 RETURNING sequence - 1");
  set_counter_ = prepare("UPDATE counter SET value = ?2 WHERE name = ?1");
  if (sqlite3_errcode(db_) != SQLITE_OK)
    return base::fail(base::ErrorCode::kafka_storage_error, "{}: {}", file_, sqlite3_errmsg(db_));
  return {};
}

base::Status EmbeddedDatabase::open(const std::string& file) {
  file_ = file;
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
  if (sqlite3_open_v2(file.c_str(), &db_, flags, nullptr) != SQLITE_OK)
    return base::fail(base::ErrorCode::kafka_storage_error, "cannot open {}: {}", file, sqlite3_errmsg(db_));
  sqlite3_extended_result_codes(db_, 0);
  int keep_log = 1;
  sqlite3_file_control(db_, nullptr, SQLITE_FCNTL_PERSIST_WAL, &keep_log);
  int grow_by = 64 << 10;  // without it a size hint does nothing
  sqlite3_file_control(db_, nullptr, SQLITE_FCNTL_CHUNK_SIZE, &grow_by);
  const char* const steps[] = {
      "PRAGMA locking_mode = EXCLUSIVE",
      "PRAGMA journal_mode = WAL",
      "PRAGMA synchronous = FULL",
      "PRAGMA wal_autocheckpoint = 100",  // pages of 4 KiB: well below the room that the log has
      "PRAGMA secure_delete = OFF",       // or deleting would write over what it deletes
      "BEGIN IMMEDIATE",
      "CREATE TABLE IF NOT EXISTS node(path TEXT NOT NULL PRIMARY KEY, parent TEXT NOT NULL, data BLOB NOT NULL, "
      "version INTEGER NOT NULL, czxid INTEGER NOT NULL, mzxid INTEGER NOT NULL, ctime INTEGER NOT NULL, "
      "owner INTEGER NOT NULL, sequence INTEGER NOT NULL) WITHOUT ROWID",
      "CREATE INDEX IF NOT EXISTS node_by_parent ON node(parent)",
      "CREATE INDEX IF NOT EXISTS node_by_owner ON node(owner) WHERE owner <> 0",
      "CREATE TABLE IF NOT EXISTS counter(name TEXT NOT NULL PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID",
      "INSERT OR IGNORE INTO counter VALUES ('zxid', 0), ('session', 0)",
      "INSERT OR IGNORE INTO node VALUES ('/', '', '', 0, 0, 0, 0, 0, 0)",
      "UPDATE counter SET value = value + 1",
      "DELETE FROM node WHERE owner <> 0",
      "COMMIT",
  };
  for (const char* step : steps)
    if (auto done = execute(step); !done) return done;
  if (auto ready = prepare_all(); !ready) return ready;
  take_room_ahead();
  auto counters = prepare("SELECT value FROM counter WHERE name = ?1");
  if (counters->start(std::string_view("zxid")).row()) zxid_ = counters->number(0);
  if (counters->start(std::string_view("session")).row()) session_ = counters->number(0);
  return {};
}

std::int64_t EmbeddedDatabase::number_from(const char* sql) {
  const auto statement = prepare(sql);
  return statement->start().row() ? statement->number(0) : 0;
}

void EmbeddedDatabase::take_room_ahead() {
  std::error_code unknown;
  const auto log_bytes = std::filesystem::file_size(file_ + "-wal", unknown);
  const auto free_bytes = number_from("PRAGMA freelist_count") * number_from("PRAGMA page_size");
  const bool enough =
      !unknown && static_cast<std::int64_t>(log_bytes) >= kRoomAheadBytes && free_bytes >= kRoomAheadBytes / 2;
  if (!enough && !grow())
    log_.warn("{}: there is no room on its disk: if it fills up this broker may not start again", file_);
  forbid_growth();
}

// Whatever stands in the log has its place in the database, so that the log can always be copied there and begun anew.
void EmbeddedDatabase::forbid_growth() {
  number_from(fmt::format("PRAGMA max_page_count = {}", number_from("PRAGMA page_count")).c_str());
}

// The file grows first, the only step that needs room on the disk. Then one large commit lengthens the log and uses the
// pages, and the next gives them back to the database.
bool EmbeddedDatabase::grow() {
  const auto execute_quietly = [&](const std::string& sql) {
    return sqlite3_exec(db_, sql.c_str(), nullptr, nullptr, nullptr) == SQLITE_OK;
  };
  execute_quietly("PRAGMA wal_checkpoint(PASSIVE)");
  const auto page_bytes = number_from("PRAGMA page_size");
  const auto pages = number_from("PRAGMA page_count") + kRoomAheadBytes / page_bytes + 8;
  sqlite3_int64 wanted = pages * page_bytes;
  if (sqlite3_file_control(db_, nullptr, SQLITE_FCNTL_SIZE_HINT, &wanted) != SQLITE_OK) return false;
  number_from(fmt::format("PRAGMA max_page_count = {}", pages).c_str());
  const bool grown =
      execute_quietly(fmt::format("INSERT OR REPLACE INTO node VALUES ('room', 'room', zeroblob({}), 0, 0, 0, 0, 0, 0)",
                                  kRoomAheadBytes)) &&
      execute_quietly("PRAGMA wal_checkpoint(PASSIVE)") && execute_quietly("DELETE FROM node WHERE path = 'room'");
  forbid_growth();
  if (grown && std::exchange(full_, false))
    log_.info("{}: there is room again, topics and configuration can be changed", file_);
  return grown;
}

void EmbeddedDatabase::close() {
  if (!db_) return;
  for (auto* statement : {&begin_, &commit_, &rollback_, &select_node_, &select_children_, &insert_, &update_, &delete_,
                          &next_sequence_, &set_counter_})
    statement->reset();
  sqlite3_exec(db_, "DELETE FROM node WHERE owner <> 0", nullptr, nullptr, nullptr);
  sqlite3_close(db_);
  db_ = nullptr;
}

StoreCode EmbeddedDatabase::broken(std::string_view doing) {
  const int code = sqlite3_errcode(db_);
  if (code == SQLITE_FULL) return StoreCode::full;
  log_.error("{}: {}: {}", file_, doing, sqlite3_errmsg(db_));
  if (code == SQLITE_IOERR || code == SQLITE_CORRUPT || code == SQLITE_NOTADB) failed_ = true;
  return StoreCode::failed;
}

Reply<Node> EmbeddedDatabase::get(const std::string& path) {
  auto& select = select_node_->start(path);
  if (!select.row()) {
    const bool absent = select.at_end();
    select.reset();
    return {absent ? StoreCode::no_node : broken("cannot read a node"), {}};
  }
  Node node{.data = select.text(0),
            .stat = {.version = static_cast<std::int32_t>(select.number(1)),
                     .czxid = select.number(2),
                     .mzxid = select.number(3),
                     .ctime = base::timestamp_from_ms(select.number(4)),
                     .ephemeral_owner = select.number(5),
                     .child_count = static_cast<std::int32_t>(select.number(6))}};
  select.reset();
  return {StoreCode::ok, std::move(node)};
}

Reply<std::vector<std::string>> EmbeddedDatabase::children(const std::string& path) {
  if (auto node = get(path); !node.ok()) return {node.code, {}};
  std::vector<std::string> names;
  auto& select = select_children_->start(path);
  while (select.row()) {
    const std::string child = select.text(0);
    names.push_back(child.substr(child.rfind('/') + 1));
  }
  const bool complete = select.at_end();
  select.reset();
  if (!complete) return {broken("cannot list children"), {}};
  return {StoreCode::ok, std::move(names)};
}

StoreCode EmbeddedDatabase::version_fits(const std::string& path, std::int32_t version, Stat& stat) {
  auto node = get(path);
  if (!node.ok()) return node.code;
  stat = node.value.stat;
  return version == kAnyVersion || version == stat.version ? StoreCode::ok : StoreCode::bad_version;
}

StoreCode EmbeddedDatabase::apply(const Create& create, Committed& done) {
  if (!is_node_path(create.path)) return StoreCode::failed;
  const std::string parent = parent_of(create.path);
  Stat above;
  if (auto code = version_fits(parent, kAnyVersion, above); code != StoreCode::ok) return code;
  if (above.ephemeral_owner != 0) return StoreCode::no_children_for_ephemeral;
  done.path = create.path;
  if (is_sequential(create.mode)) {
    auto& next = next_sequence_->start(parent);
    if (!next.row()) return broken("cannot take a sequence number");
    done.path += fmt::format("{:010}", next.number(0));
    next.done();
    next.reset();
  }
  if (get(done.path).ok()) return StoreCode::node_exists;
  const std::int64_t owner = is_ephemeral(create.mode) ? session_ : 0;
  const std::int64_t now_ms = base::to_ms(clock_.wall());
  if (!insert_->start(done.path, parent, create.data, zxid_, now_ms, owner).done())
    return broken("cannot create a node");
  insert_->reset();
  return StoreCode::ok;
}

StoreCode EmbeddedDatabase::apply(const Set& set, Committed& done) {
  if (auto code = version_fits(set.path, set.version, done.stat); code != StoreCode::ok) return code;
  if (!update_->start(set.path, set.data, zxid_).done()) return broken("cannot set a node");
  update_->reset();
  done.path = set.path;
  done.stat.version += 1;
  done.stat.mzxid = zxid_;
  return StoreCode::ok;
}

StoreCode EmbeddedDatabase::apply(const Remove& remove, Committed& done) {
  if (!is_node_path(remove.path)) return StoreCode::failed;
  Stat stat;
  if (auto code = version_fits(remove.path, remove.version, stat); code != StoreCode::ok) return code;
  if (stat.child_count > 0) return StoreCode::not_empty;
  if (!delete_->start(remove.path).done()) return broken("cannot remove a node");
  delete_->reset();
  done.path = remove.path;
  return StoreCode::ok;
}

StoreCode EmbeddedDatabase::apply(const Check& check, Committed& done) {
  done.path = check.path;
  Stat stat;
  return version_fits(check.path, check.version, stat);
}

StoreCode EmbeddedDatabase::apply(const Operation& operation, Committed& done) {
  return std::visit([&](const auto& one) { return apply(one, done); }, operation);
}

CommitReply EmbeddedDatabase::try_to_commit(const std::vector<Operation>& operations) {
  CommitReply reply;
  if (!begin_->start().done()) return {.code = broken("cannot begin")};
  begin_->reset();
  ++zxid_;
  for (const auto& operation : operations) {
    Committed done;
    reply.code = apply(operation, done);
    if (!reply.ok()) break;
    reply.done.push_back(std::move(done));
    ++reply.failed_at;
  }
  if (reply.ok() && !set_counter_->start(std::string_view("zxid"), zxid_).done()) reply.code = broken("cannot count");
  set_counter_->reset();
  if (reply.ok()) {
    if (!commit_->start().done()) reply.code = broken("cannot commit");
    commit_->reset();
  }
  if (!reply.ok()) {
    --zxid_;
    reply.done.clear();
    for (auto* statement : {&insert_, &update_, &delete_, &next_sequence_}) (*statement)->reset();
    if (!sqlite3_get_autocommit(db_)) rollback_->start().done();
    rollback_->reset();
  }
  return reply;
}

CommitReply EmbeddedDatabase::commit(const std::vector<Operation>& operations) {
  if (failed_) return {.code = StoreCode::failed};
  auto reply = try_to_commit(operations);
  if (reply.code == StoreCode::full && grow()) reply = try_to_commit(operations);
  if (reply.code == StoreCode::full && !std::exchange(full_, true))
    log_.error(
        "{}: its disk is full: topics and configuration can be read but not changed until there is room: free some, or "
        "delete topics",
        file_);
  return reply;
}

}  // namespace replication
