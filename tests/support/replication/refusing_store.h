// Another store whose disk is full as far as the states of partitions are concerned, while it is told so.
#pragma once

#include <algorithm>
#include <atomic>
#include <functional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/loop.h"
#include "replication/coordination/metadata_store.h"

namespace test_support {

class RefusingStore final : public replication::MetadataStore {
 public:
  RefusingStore(replication::MetadataStore& store, base::Loop& loop) : store_(store), loop_(loop) {}

  std::atomic<bool> refuses_states{false};
  std::atomic<int> refused{0};

  base::Status start() override { return store_.start(); }
  void stop() override { store_.stop(); }
  void get(std::string path, std::function<void(replication::Reply<replication::Node>)> then) override {
    store_.get(std::move(path), std::move(then));
  }
  void exists(std::string path, std::function<void(replication::Reply<replication::Stat>)> then) override {
    store_.exists(std::move(path), std::move(then));
  }
  void children(std::string path, std::function<void(replication::Reply<std::vector<std::string>>)> then) override {
    store_.children(std::move(path), std::move(then));
  }
  void commit(std::vector<replication::Operation> operations,
              std::function<void(replication::CommitReply)> then) override {
    const bool has_state = std::ranges::any_of(operations, [](const auto& operation) {
      return std::visit([](const auto& one) { return one.path.ends_with("/state"); }, operation);
    });
    if (!has_state || !refuses_states) return store_.commit(std::move(operations), std::move(then));
    ++refused;
    loop_.post([then = std::move(then)] { then({.code = replication::StoreCode::full}); });
  }
  replication::WatchHandle watch_data(std::string path, std::function<void()> changed) override {
    return store_.watch_data(std::move(path), std::move(changed));
  }
  replication::WatchHandle watch_children(std::string path, std::function<void()> changed) override {
    return store_.watch_children(std::move(path), std::move(changed));
  }
  void on_session(std::function<void(replication::SessionEvent)> listener) override {
    store_.on_session(std::move(listener));
  }
  std::int64_t session_id() const override { return store_.session_id(); }

 private:
  replication::MetadataStore& store_;
  base::Loop& loop_;
};

}  // namespace test_support
