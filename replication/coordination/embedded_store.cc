#include "replication/coordination/embedded_store.h"

#include <absl/synchronization/notification.h>

#include "base/check.h"
#include "replication/coordination/embedded_database.h"

namespace replication {

EmbeddedStore::EmbeddedStore(std::string file, base::Loop& loop, const base::Clock& clock)
    : file_(std::move(file)), loop_(loop), database_(std::make_unique<EmbeddedDatabase>(clock)) {}

EmbeddedStore::~EmbeddedStore() { thread_.stop(); }

base::Status EmbeddedStore::start() {
  if (auto opened = database_->open(file_); !opened) return opened;
  {
    absl::MutexLock lock(&mutex_);
    if (stopped_) return store_error(StoreCode::closed, file_);
    session_id_ = database_->session_id();
    thread_.start();
  }
  loop_.post([this] {
    for (const auto& listener : listeners_) listener(SessionEvent::connected);
  });
  return {};
}

void EmbeddedStore::stop() {
  base::invariant(!loop_.in_loop(), "the store is not stopped from the coordination loop");
  absl::Notification finished;
  {
    absl::MutexLock lock(&mutex_);
    if (std::exchange(stopped_, true) || session_id_ == 0) return;
    // What was asked before is finished and answered first.
    thread_.post([&] {
      database_->close();
      loop_.post([&] { finished.Notify(); });
    });
  }
  finished.WaitForNotification();
  thread_.stop();
}

template <class Answer, class Work>
void EmbeddedStore::run(Work work, std::function<void(Answer)> then) {
  absl::MutexLock lock(&mutex_);
  if (stopped_) {
    loop_.post([then = std::move(then)] { then(Answer{.code = StoreCode::closed}); });
    return;
  }
  thread_.post([this, work = std::move(work), then = std::move(then)]() mutable {
    loop_.post([answer = work(), then = std::move(then)]() mutable { then(std::move(answer)); });
  });
}

void EmbeddedStore::get(std::string path, std::function<void(Reply<Node>)> then) {
  run<Reply<Node>>([this, path = std::move(path)] { return database_->get(path); }, std::move(then));
}

void EmbeddedStore::exists(std::string path, std::function<void(Reply<Stat>)> then) {
  run<Reply<Stat>>(
      [this, path = std::move(path)]() -> Reply<Stat> {
        auto node = database_->get(path);
        return {node.code, node.value.stat};
      },
      std::move(then));
}

void EmbeddedStore::children(std::string path, std::function<void(Reply<std::vector<std::string>>)> then) {
  run<Reply<std::vector<std::string>>>([this, path = std::move(path)] { return database_->children(path); },
                                       std::move(then));
}

void EmbeddedStore::commit(std::vector<Operation> operations, std::function<void(CommitReply)> then) {
  auto shared = std::make_shared<const std::vector<Operation>>(std::move(operations));
  run<CommitReply>([this, shared] { return database_->commit(*shared); },
                   [this, shared, then = std::move(then)](CommitReply reply) {
                     // ZooKeeper, too, tells the watchers before it answers who made the change.
                     if (reply.ok()) tell_watchers(*shared, reply);
                     then(std::move(reply));
                   });
}

void EmbeddedStore::tell_watchers(const std::vector<Operation>& operations, const CommitReply& reply) {
  for (std::size_t i = 0; i < operations.size(); ++i) {
    if (std::holds_alternative<Check>(operations[i])) continue;
    const std::string& path = reply.done[i].path;
    watches_.fire({WatchKind::data, path});
    if (std::holds_alternative<Set>(operations[i])) continue;
    const auto slash = path.rfind('/');
    watches_.fire({WatchKind::children, path});
    watches_.fire({WatchKind::children, slash == 0 ? "/" : path.substr(0, slash)});
  }
}

WatchHandle EmbeddedStore::watch(WatchTable::Key key, std::function<void()> changed) {
  auto handle = std::make_shared<const std::function<void()>>(std::move(changed));
  if (loop_.in_loop())
    watches_.add(std::move(key), handle);
  else
    loop_.post([this, key = std::move(key), weak = std::weak_ptr(handle)]() mutable {
      if (auto alive = weak.lock()) watches_.add(std::move(key), alive);
    });
  return handle;
}

WatchHandle EmbeddedStore::watch_data(std::string path, std::function<void()> changed) {
  return watch({WatchKind::data, std::move(path)}, std::move(changed));
}
WatchHandle EmbeddedStore::watch_children(std::string path, std::function<void()> changed) {
  return watch({WatchKind::children, std::move(path)}, std::move(changed));
}

void EmbeddedStore::on_session(std::function<void(SessionEvent)> listener) {
  listeners_.push_back(std::move(listener));
}

}  // namespace replication
