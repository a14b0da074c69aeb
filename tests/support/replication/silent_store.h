// A metadata store whose ensemble is away: it takes every question and answers none until it is told to answer late.
#pragma once

#include <absl/synchronization/mutex.h>

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "replication/coordination/metadata_store.h"

namespace test_support {

class SilentStore final : public replication::MetadataStore {
 public:
  std::size_t asked() const {
    absl::MutexLock lock(&mutex_);
    return unanswered_.size();
  }
  // Answers everything, on the caller's thread.
  void answer_all() {
    std::vector<std::function<void()>> answers;
    {
      absl::MutexLock lock(&mutex_);
      answers.swap(unanswered_);
    }
    for (const auto& answer : answers) answer();
  }

  base::Status start() override { return {}; }
  void stop() override { answer_all(); }
  void get(std::string, std::function<void(replication::Reply<replication::Node>)> then) override {
    keep([then = std::move(then)] { then({.code = replication::StoreCode::closed}); });
  }
  void exists(std::string, std::function<void(replication::Reply<replication::Stat>)> then) override {
    keep([then = std::move(then)] { then({.code = replication::StoreCode::closed}); });
  }
  void children(std::string, std::function<void(replication::Reply<std::vector<std::string>>)> then) override {
    keep([then = std::move(then)] { then({.code = replication::StoreCode::closed}); });
  }
  void commit(std::vector<replication::Operation>, std::function<void(replication::CommitReply)> then) override {
    keep([then = std::move(then)] { then({.code = replication::StoreCode::closed}); });
  }
  replication::WatchHandle watch_data(std::string, std::function<void()> changed) override {
    return std::make_shared<const std::function<void()>>(std::move(changed));
  }
  replication::WatchHandle watch_children(std::string, std::function<void()> changed) override {
    return std::make_shared<const std::function<void()>>(std::move(changed));
  }
  void on_session(std::function<void(replication::SessionEvent)>) override {}
  std::int64_t session_id() const override { return 0; }

 private:
  void keep(std::function<void()> answer) {
    absl::MutexLock lock(&mutex_);
    unanswered_.push_back(std::move(answer));
  }

  mutable absl::Mutex mutex_;
  std::vector<std::function<void()>> unanswered_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace test_support
