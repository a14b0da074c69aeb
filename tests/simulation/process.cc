#include "tests/simulation/process.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace simulation {

using std::chrono::microseconds;
using std::chrono::milliseconds;

// ---- the process
// -----------------------------------------------------------------------------------------------------

Process::~Process() {
  for (const auto& lane : lanes_) lane->clear();
}

std::shared_ptr<Process::Lane> Process::make_lane(std::function<void(bool)> enter) {
  lanes_.push_back(std::make_shared<Lane>(*this, std::move(enter)));
  return lanes_.back();
}

void Process::resume() {
  paused_ = false;
  for (const auto& lane : lanes_)
    if (!lane->queue_.empty()) lane->schedule();
}

void Process::end() {
  ended_ = true;
  paused_ = false;
}

void Process::drain() {
  base::invariant(ended_, "only a process that has ended is run outside of time");
  for (bool any = true; any;) {
    any = false;
    for (std::size_t i = 0; i < lanes_.size(); ++i) {
      const auto lane = lanes_[i];
      while (!lane->queue_.empty()) {
        any = true;
        auto work = std::move(lane->queue_.front());
        lane->queue_.pop_front();
        lane->run(std::move(work));
      }
    }
  }
  for (const auto& lane : lanes_) lane->clear();
}

// Threads are ready at once nearly always; a busy machine lets one wait now and then.
base::Duration Process::pace() {
  auto& dice = scheduler_.dice();
  if (dice.one_in(2000)) return dice.between(milliseconds(1), milliseconds(60));
  if (dice.one_in(50)) return dice.between(microseconds(20), milliseconds(1));
  return dice.between(microseconds(1), microseconds(20));
}

// ---- a lane
// ----------------------------------------------------------------------------------------------------------

void Process::Lane::post(std::function<void()> work) {
  if (!process_) return;
  queue_.push_back(std::move(work));
  schedule();
}

void Process::Lane::schedule() {
  if (scheduled_ || process_->paused_ || process_->ended_) return;
  scheduled_ = true;
  process_->scheduler_.after(process_->pace(), [weak = weak_from_this()] {
    if (const auto lane = weak.lock()) lane->run_next();
  });
}

void Process::Lane::run_next() {
  scheduled_ = false;
  if (!process_ || process_->paused_ || process_->ended_ || queue_.empty()) return;
  auto work = std::move(queue_.front());
  queue_.pop_front();
  run(std::move(work));
  if (process_ && !queue_.empty()) schedule();
}

void Process::Lane::run(std::function<void()> work) {
  enter_(true);
  work();
  work = nullptr;
  const auto dropped = std::exchange(garbage_, {});
  enter_(false);
}

void Process::Lane::arm(std::uint64_t shot, base::Duration after, std::function<void()> then) {
  if (!process_ || process_->ended_) {
    garbage_.push_back(std::move(then));
    return;
  }
  armed_[shot] = std::move(then);
  process_->scheduler_.after(after, [weak = weak_from_this(), shot] {
    const auto lane = weak.lock();
    if (!lane || !lane->armed_.contains(shot)) return;
    lane->post([raw = lane.get(), shot] {
      auto due = raw->armed_.extract(shot);
      if (!due.empty()) due.mapped()();
    });
  });
}

void Process::Lane::disarm(std::uint64_t shot) {
  auto found = armed_.extract(shot);
  if (!found.empty() && process_) garbage_.push_back(std::move(found.mapped()));
}

void Process::Lane::clear() {
  // What goes may post, arm and disarm more on its way.
  while (!queue_.empty() || !armed_.empty() || !garbage_.empty()) {
    const auto queue = std::exchange(queue_, {});
    const auto armed = std::exchange(armed_, {});
    const auto garbage = std::exchange(garbage_, {});
  }
}

void Process::Lane::close() {
  if (!process_) return;
  std::erase_if(process_->lanes_, [this](const auto& lane) { return lane.get() == this; });
  process_ = nullptr;
  clear();
}

// ---- loops and pools
// -------------------------------------------------------------------------------------------------

namespace {

class SimTimer final : public base::Timer {
 public:
  explicit SimTimer(std::shared_ptr<Process::Lane> lane) : lane_(std::move(lane)) {}
  ~SimTimer() override { cancel(); }

  void arm(base::Duration after, std::function<void()> then) override {
    cancel();
    shot_ = lane_->next_shot();
    lane_->arm(shot_, after, std::move(then));
  }
  void cancel() override {
    if (shot_ != 0) lane_->disarm(std::exchange(shot_, 0));
  }

 private:
  const std::shared_ptr<Process::Lane> lane_;
  std::uint64_t shot_ = 0;
};

}  // namespace

SimLoop::SimLoop(Process& process, const std::string& name)
    : Loop(name), lane_(process.make_lane([this](bool in) { set_current(in ? this : nullptr); })) {}
SimLoop::~SimLoop() { lane_->close(); }
std::unique_ptr<base::Timer> SimLoop::make_timer() { return std::make_unique<SimTimer>(lane_); }

SimPool::SimPool(Process& process, std::size_t threads) : BlockingPool(0, "simulated"), process_(process) {
  for (std::size_t i = 0; i < threads; ++i) lanes_.push_back(process.make_lane([](bool) {}));
}
SimPool::~SimPool() {
  for (const auto& lane : lanes_) lane->close();
}
void SimPool::submit(std::function<void()> work) {
  const auto lane = lanes_.size() == 1 ? 0 : process_.scheduler().dice().below(lanes_.size());
  lanes_[lane]->post(std::move(work));
}

}  // namespace simulation
