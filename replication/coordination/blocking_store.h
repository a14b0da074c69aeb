// The store for code that may wait: starting and stopping the broker, tests. Never on the coordination loop.
#pragma once

#include <absl/synchronization/notification.h>

#include <string>
#include <utility>
#include <vector>

#include "replication/coordination/metadata_store.h"

namespace replication {

class BlockingStore {
 public:
  explicit BlockingStore(MetadataStore& store) : store_(store) {}

  Reply<Node> get(std::string path) {
    return wait<Reply<Node>>([&](auto then) { store_.get(std::move(path), std::move(then)); });
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

 private:
  template <class Answer, class Ask>
  static Answer wait(Ask ask) {
    Answer answer;
    absl::Notification answered;
    ask([&](Answer given) {
      answer = std::move(given);
      answered.Notify();
    });
    answered.WaitForNotification();
    return answer;
  }

  MetadataStore& store_;
};

}  // namespace replication
