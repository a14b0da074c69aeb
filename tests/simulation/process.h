// A simulated process: loops and pools whose work is events, so that it can be paused like a stopped process and ended
// like a killed one.
//
// Work of a lane (a loop, a thread of a pool) runs in the order it came, one piece per event, with small seeded delays
// in between, now and then a large one. While the process is paused nothing of it runs and nothing is lost. After
// end() nothing of it is an event any more; drain() then runs, at once and outside of time, what its parts need to be
// destroyed in order: by then the world must no longer listen to it.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/loop.h"
#include "tests/simulation/scheduler.h"

namespace simulation {

class Process {
 public:
  Process(Scheduler& scheduler, std::string name) : scheduler_(scheduler), name_(std::move(name)) {}
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  Scheduler& scheduler() const { return scheduler_; }
  const std::string& name() const { return name_; }

  void pause() { paused_ = true; }
  void resume();
  bool paused() const { return paused_; }
  void end();
  bool ended() const { return ended_; }
  // Runs queued work until there is none left. After end().
  void drain();

  // One line of work. Owned by its loop or pool.
  class Lane : public std::enable_shared_from_this<Lane> {
   public:
    Lane(Process& process, std::function<void(bool)> enter) : process_(&process), enter_(std::move(enter)) {}
    void post(std::function<void()> work);
    void arm(std::uint64_t shot, base::Duration after, std::function<void()> then);
    void disarm(std::uint64_t shot);
    std::uint64_t next_shot() { return ++shots_; }
    void close();  // the loop goes

   private:
    friend class Process;
    void schedule();
    void run_next();
    void run(std::function<void()> work);
    void clear();

    Process* process_;
    const std::function<void(bool)> enter_;  // true before, false after a piece of work
    std::deque<std::function<void()>> queue_;
    std::map<std::uint64_t, std::function<void()>> armed_;
    std::vector<std::function<void()>> garbage_;  // disarmed; what they capture may be in use until the work is done
    std::uint64_t shots_ = 0;
    bool scheduled_ = false;
  };
  std::shared_ptr<Lane> make_lane(std::function<void(bool)> enter);

 private:
  base::Duration pace();

  Scheduler& scheduler_;
  const std::string name_;
  bool paused_ = false;
  bool ended_ = false;
  std::vector<std::shared_ptr<Lane>> lanes_;
};

class SimLoop final : public base::Loop {
 public:
  SimLoop(Process& process, const std::string& name);
  ~SimLoop() override;

  void post(std::function<void()> work) override { lane_->post(std::move(work)); }
  bool in_loop() const override { return current() == this; }
  std::unique_ptr<base::Timer> make_timer() override;

 private:
  std::shared_ptr<Process::Lane> lane_;
};

// `threads` lanes; which of them takes what is submitted is up to the seed, so only a pool of one keeps the order.
class SimPool final : public base::BlockingPool {
 public:
  SimPool(Process& process, std::size_t threads);
  ~SimPool() override;
  void submit(std::function<void()> work) override;

 private:
  Process& process_;
  std::vector<std::shared_ptr<Process::Lane>> lanes_;
};

// Work is done at once by whoever submits it: for callers that wait for what they submit.
class InlinePool final : public base::BlockingPool {
 public:
  InlinePool() : BlockingPool(0, "inline") {}
  void submit(std::function<void()> work) override { work(); }
};

}  // namespace simulation
