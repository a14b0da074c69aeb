// The store for code that may wait: starting and stopping the broker, tests. Never on the coordination loop.
#pragma once

#include <absl/synchronization/mutex.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "replication/coordination/metadata_store.h"

namespace replication {

// Any thread. A store that is away answers when it is back; until then only its stop(), or ours, ends a wait.
class BlockingStore {
 public:
  explicit BlockingStore(MetadataStore& store) : store_(store) {}

  Reply<Node> get(std::string path) {
    return wait<Reply<Node>>([&](auto then) { store_.get(std::move(path), std::move(then)); });
  }
  // The replies in the order of the paths.
  std::vector<Reply<Node>> get_all(const std::vector<std::string>& paths) {
    return wait<std::vector<Reply<Node>>>([&](auto then) { replication::get_all(store_, paths, std::move(then)); },
                                          {paths.size(), Reply<Node>{.code = StoreCode::closed}});
  }
  Reply<Stat> exists(std::string path) {
    return wait<Reply<Stat>>([&](auto then) { store_.exists(std::move(path), std::move(then)); });
  }
  Reply<std::vector<std::string>> children(std::string path) {
    return wait<Reply<std::vector<std::string>>>([&](auto then) { store_.children(std::move(path), std::move(then)); });
  }
  CommitReply commit(std::vector<Operation> operations) {
    return wait<CommitReply>([&](auto then) { store_.commit(std::move(operations), std::move(then)); });
  }

  // Every wait ends with `closed`, those to come included. The store itself goes on: whoever waits can be sent away
  // before our session is given up.
  void stop() {
    absl::MutexLock lock(&waits_->mutex);
    waits_->stopped = true;
  }

 private:
  // Outlives us in the callbacks of waits that were ended.
  struct Waits {
    absl::Mutex mutex;
    bool stopped ABSL_GUARDED_BY(mutex) = false;
  };

  template <class Answer, class Ask>
  Answer wait(Ask ask, Answer if_stopped = {.code = StoreCode::closed}) {
    auto answer = std::make_shared<std::optional<Answer>>();
    ask([waits = waits_, answer](Answer given) {
      absl::MutexLock lock(&waits->mutex);
      *answer = std::move(given);
    });
    absl::MutexLock lock(&waits_->mutex);
    const auto over = [&] {
      waits_->mutex.AssertHeld();
      return answer->has_value() || waits_->stopped;
    };
    waits_->mutex.Await(absl::Condition(&over));
    return answer->has_value() ? std::move(**answer) : std::move(if_stopped);
  }

  MetadataStore& store_;
  std::shared_ptr<Waits> waits_ = std::make_shared<Waits>();
};

}  // namespace replication
