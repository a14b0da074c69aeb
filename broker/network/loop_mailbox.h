// How other threads reach the connections of one loop, and how many answers become one send.
#pragma once

#include <absl/synchronization/mutex.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "base/loop.h"
#include "broker/network/answers.h"

namespace broker {

class AnswerQueue;

// Shared by the server and every slot in the world, so that a slot may outlive both: after close() whatever arrives is
// dropped. close() comes before the loop ends.
//
// However many answers other threads deliver before the loop gets to them, the loop is woken once. Whatever is answered
// while a batch is open (the requests of one read, the letters of one waking) leaves with one send per connection.
class LoopMailbox : public std::enable_shared_from_this<LoopMailbox> {
 public:
  explicit LoopMailbox(base::Loop& loop) : loop_(loop) {}

  // Any thread.
  void deliver(std::shared_ptr<AnswerQueue> to, std::uint64_t number, Answer answer) ABSL_LOCKS_EXCLUDED(mutex_);
  void post(std::function<void()> work) ABSL_LOCKS_EXCLUDED(mutex_);
  void close() ABSL_LOCKS_EXCLUDED(mutex_);

  // On the loop.
  void mark_answered(std::shared_ptr<AnswerQueue> queue);

  class Batch {  // on the loop; may nest, the outermost one sends
   public:
    explicit Batch(LoopMailbox& mailbox) : mailbox_(mailbox) { ++mailbox_.open_batches_; }
    ~Batch() { mailbox_.end_batch(); }
    Batch(const Batch&) = delete;
    Batch& operator=(const Batch&) = delete;

   private:
    LoopMailbox& mailbox_;
  };

 private:
  struct Letter {
    std::shared_ptr<AnswerQueue> to;
    std::uint64_t number = 0;
    Answer answer;
  };

  void wake() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void read_letters() ABSL_LOCKS_EXCLUDED(mutex_);
  void end_batch();

  absl::Mutex mutex_;
  base::Loop& loop_;  // used only while not closed
  std::vector<Letter> letters_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::function<void()>> work_ ABSL_GUARDED_BY(mutex_);
  bool woken_ ABSL_GUARDED_BY(mutex_) = false;
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;

  // On the loop:
  int open_batches_ = 0;
  std::vector<std::shared_ptr<AnswerQueue>> answered_;
};

}  // namespace broker
