// Event loops and the pool for what may wait.
//
// A Loop is one thread running one io_context. What lives on a loop is touched by that thread only; others reach it
// through post(). Nothing on a loop may wait for a disk, ZooKeeper or another broker: such work goes to the
// BlockingPool and posts its result back.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"

namespace boost::asio {
class io_context;
}

namespace base {

// Runs once. Owned by who asked; destroying or cancel() forgets it. Lives on its loop.
class Timer {
 public:
  virtual ~Timer() = default;
  // Replaces what was armed before.
  virtual void arm(Duration after, std::function<void()> then) = 0;
  virtual void cancel() = 0;
};

// Virtual where a simulation puts its own time and order in place of threads.
class Loop {
 public:
  explicit Loop(std::string name);
  virtual ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  void start();
  // Finishes the handler that runs, drops what is queued, joins the thread. Not from the loop itself.
  void stop();

  // Any thread. Work posted after stop() is never run; its captures are destroyed with the loop.
  virtual void post(std::function<void()> work);
  virtual bool in_loop() const;  // true on the loop's own thread
  static Loop* current();        // the loop of this thread; null on any other thread
  virtual std::unique_ptr<Timer> make_timer();
  boost::asio::io_context& context();
  const std::string& name() const;

 protected:
  // What current() answers on this thread from here on.
  static void set_current(Loop* loop);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

class LoopSet {
 public:
  LoopSet(std::size_t count, const std::string& name);
  void start();
  void stop();
  std::size_t size() const { return loops_.size(); }
  Loop& at(std::size_t i) { return *loops_[i]; }

 private:
  std::vector<std::unique_ptr<Loop>> loops_;
};

// Threads for fsync, deletion, cold reads, recovery. Any thread may submit; the queue is unbounded because every
// submitter is bounded by what it waits for.
class BlockingPool {
 public:
  BlockingPool(std::size_t threads, std::string name);
  virtual ~BlockingPool();
  void start();
  // Runs what is queued, then joins.
  void stop();
  virtual void submit(std::function<void()> work);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace base
