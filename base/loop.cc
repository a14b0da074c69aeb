#include "base/loop.h"

#include <pthread.h>

#include <absl/synchronization/mutex.h>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include <deque>
#include <optional>
#include <thread>

#include "base/check.h"

namespace base {
namespace asio = boost::asio;

namespace {

thread_local Loop* current_loop = nullptr;

void name_thread(const std::string& name) { pthread_setname_np(pthread_self(), name.substr(0, 15).c_str()); }

class LoopTimer final : public Timer {
 public:
  explicit LoopTimer(asio::io_context& context) : timer_(context) {}
  ~LoopTimer() override { cancel(); }

  void arm(Duration after, std::function<void()> then) override {
    cancel();
    timer_.expires_after(after);
    // A cancelled wait may already be queued as done: the generation tells it that it is no longer meant.
    auto generation = std::make_shared<bool>(true);
    current_ = generation;
    timer_.async_wait([generation, then = std::move(then)](boost::system::error_code ec) {
      if (!ec && *generation) then();
    });
  }

  void cancel() override {
    if (current_) *current_ = false;
    current_.reset();
    timer_.cancel();
  }

 private:
  asio::steady_timer timer_;
  std::shared_ptr<bool> current_;
};

}  // namespace

struct Loop::Impl {
  explicit Impl(std::string loop_name) : name(std::move(loop_name)) {}
  std::string name;
  asio::io_context context{1};
  std::optional<asio::executor_work_guard<asio::io_context::executor_type>> work{context.get_executor()};
  std::thread thread;
};

Loop::Loop(std::string name) : impl_(std::make_unique<Impl>(std::move(name))) {}
Loop::~Loop() { stop(); }

void Loop::start() {
  invariant(!impl_->thread.joinable(), "a loop starts once");
  impl_->thread = std::thread([this] {
    name_thread(impl_->name);
    current_loop = this;
    impl_->context.run();
  });
}

void Loop::stop() {
  invariant(!in_loop(), "a loop is not stopped from itself");
  impl_->work.reset();
  impl_->context.stop();
  if (impl_->thread.joinable()) impl_->thread.join();
}

void Loop::post(std::function<void()> work) { asio::post(impl_->context, std::move(work)); }
bool Loop::in_loop() const { return impl_->thread.get_id() == std::this_thread::get_id(); }
Loop* Loop::current() { return current_loop; }
void Loop::set_current(Loop* loop) { current_loop = loop; }
std::unique_ptr<Timer> Loop::make_timer() { return std::make_unique<LoopTimer>(impl_->context); }
asio::io_context& Loop::context() { return impl_->context; }
const std::string& Loop::name() const { return impl_->name; }

LoopSet::LoopSet(std::size_t count, const std::string& name) {
  for (std::size_t i = 0; i < count; ++i) loops_.push_back(std::make_unique<Loop>(name + "-" + std::to_string(i)));
}
void LoopSet::start() {
  for (auto& loop : loops_) loop->start();
}
void LoopSet::stop() {
  for (auto& loop : loops_) loop->stop();
}

struct BlockingPool::Impl {
  std::size_t count;
  std::string name;
  absl::Mutex mutex;
  std::deque<std::function<void()>> queue ABSL_GUARDED_BY(mutex);
  bool stopping ABSL_GUARDED_BY(mutex) = false;
  std::vector<std::thread> threads;

  Impl(std::size_t thread_count, std::string pool_name) : count(thread_count), name(std::move(pool_name)) {}

  bool ready() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) { return stopping || !queue.empty(); }

  void run() {
    for (;;) {
      std::function<void()> work;
      {
        absl::MutexLock lock(&mutex);
        mutex.Await(absl::Condition(this, &Impl::ready));
        if (queue.empty()) return;
        work = std::move(queue.front());
        queue.pop_front();
      }
      work();
    }
  }
};

BlockingPool::BlockingPool(std::size_t threads, std::string name)
    : impl_(std::make_unique<Impl>(threads, std::move(name))) {}
BlockingPool::~BlockingPool() { stop(); }

void BlockingPool::start() {
  for (std::size_t i = 0; i < impl_->count; ++i)
    impl_->threads.emplace_back([this, i] {
      name_thread(impl_->name + "-" + std::to_string(i));
      impl_->run();
    });
}

void BlockingPool::stop() {
  {
    absl::MutexLock lock(&impl_->mutex);
    impl_->stopping = true;
  }
  for (auto& thread : impl_->threads)
    if (thread.joinable()) thread.join();
  impl_->threads.clear();
}

void BlockingPool::submit(std::function<void()> work) {
  absl::MutexLock lock(&impl_->mutex);
  impl_->queue.push_back(std::move(work));
}

}  // namespace base
