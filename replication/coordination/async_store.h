// The store for code that reads top to bottom without holding a thread: coroutines on the coordination loop.
//
//   Task<void> Controller::brokers_changed() {
//     auto ids = co_await store_.children(std::string(paths::kBrokerIds));
//     if (!ids.ok()) co_return;
//
// A Task starts when it is awaited or handed to run(). Such a coroutine waits for the store only, whose stop() answers
// everything: so each of them ends before the loop does. Arguments are taken by value.
#pragma once

#include <coroutine>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/check.h"
#include "replication/coordination/metadata_store.h"

namespace replication {

template <class T>
class Task;

namespace task_detail {

struct PromiseBase {
  std::coroutine_handle<> waiting = std::noop_coroutine();

  struct Final {
    bool await_ready() const noexcept { return false; }
    template <class Promise>
    std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> self) const noexcept {
      return self.promise().waiting;
    }
    void await_resume() const noexcept {}
  };
  std::suspend_always initial_suspend() const noexcept { return {}; }
  Final final_suspend() const noexcept { return {}; }
  void unhandled_exception() { base::broken_invariant("a task does not throw"); }
};

template <class T>
struct Promise : PromiseBase {
  std::optional<T> result;
  Task<T> get_return_object();
  void return_value(T value) { result.emplace(std::move(value)); }
  T take() { return std::move(*result); }
};
template <>
struct Promise<void> : PromiseBase {
  Task<void> get_return_object();
  void return_void() const {}
  void take() const {}
};

}  // namespace task_detail

template <class T>
class [[nodiscard]] Task {
 public:
  using promise_type = task_detail::Promise<T>;

  explicit Task(std::coroutine_handle<promise_type> handle) : handle_(handle) {}
  Task(Task&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  Task& operator=(Task&&) = delete;
  ~Task() {
    if (handle_) handle_.destroy();
  }

  bool await_ready() const { return false; }
  std::coroutine_handle<> await_suspend(std::coroutine_handle<> waiting) {
    handle_.promise().waiting = waiting;
    return handle_;
  }
  T await_resume() { return handle_.promise().take(); }

 private:
  std::coroutine_handle<promise_type> handle_;
};

namespace task_detail {

template <class T>
Task<T> Promise<T>::get_return_object() {
  return Task<T>(std::coroutine_handle<Promise>::from_promise(*this));
}
inline Task<void> Promise<void>::get_return_object() {
  return Task<void>(std::coroutine_handle<Promise>::from_promise(*this));
}

// Owns itself from start to end.
struct Root {
  struct promise_type {
    Root get_return_object() const { return {}; }
    std::suspend_never initial_suspend() const noexcept { return {}; }
    std::suspend_never final_suspend() const noexcept { return {}; }
    void return_void() const {}
    void unhandled_exception() { base::broken_invariant("a task does not throw"); }
  };
};
inline Root run_root(Task<void> task, std::function<void()> then) {
  co_await task;
  then();
}

}  // namespace task_detail

// Runs the task on the calling thread, which is the coordination loop's; `then` follows its end.
inline void run(Task<void> task, std::function<void()> then) {
  task_detail::run_root(std::move(task), std::move(then));
}

// What a coroutine waits for: a callback that is called once, later, on this loop.
template <class Answer>
class [[nodiscard]] Awaited {
 public:
  using Then = std::function<void(Answer)>;
  explicit Awaited(std::function<void(Then)> ask) : ask_(std::move(ask)) {}

  bool await_ready() const { return false; }
  void await_suspend(std::coroutine_handle<> waiting) {
    ask_([this, waiting](Answer answer) {
      answer_ = std::move(answer);
      waiting.resume();
    });
  }
  Answer await_resume() { return std::move(answer_); }

 private:
  std::function<void(Then)> ask_;
  Answer answer_{};
};

class AsyncStore {
 public:
  using Names = std::vector<std::string>;

  explicit AsyncStore(MetadataStore& store) : store_(&store) {}
  MetadataStore& store() const { return *store_; }

  Awaited<Reply<Node>> get(std::string path) const {
    return Awaited<Reply<Node>>(
        [store = store_, path = std::move(path)](auto then) { store->get(path, std::move(then)); });
  }
  Awaited<Reply<Names>> children(std::string path) const {
    return Awaited<Reply<Names>>(
        [store = store_, path = std::move(path)](auto then) { store->children(path, std::move(then)); });
  }
  Awaited<CommitReply> commit(std::vector<Operation> operations) const {
    return Awaited<CommitReply>([store = store_, operations = std::move(operations)](auto then) mutable {
      store->commit(std::move(operations), std::move(then));
    });
  }
  // All at once; the replies in the order of the paths.
  Awaited<std::vector<Reply<Node>>> get_all(std::vector<std::string> paths) const {
    return Awaited<std::vector<Reply<Node>>>([store = store_, paths = std::move(paths)](auto then) {
      replication::get_all(*store, paths, std::move(then));
    });
  }

 private:
  MetadataStore* store_;
};

}  // namespace replication
