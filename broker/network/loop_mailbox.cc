#include "broker/network/loop_mailbox.h"

#include <utility>

#include "broker/network/answer_queue.h"

namespace broker {

void LoopMailbox::deliver(std::shared_ptr<AnswerQueue> to, std::uint64_t number, Answer answer) {
  absl::MutexLock lock(&mutex_);
  if (closed_) return;
  letters_.push_back({std::move(to), number, std::move(answer)});
  wake();
}

void LoopMailbox::post(std::function<void()> work) {
  absl::MutexLock lock(&mutex_);
  if (closed_) return;
  work_.push_back(std::move(work));
  wake();
}

void LoopMailbox::wake() {
  if (std::exchange(woken_, true)) return;
  loop_.post([self = shared_from_this()] { self->read_letters(); });
}

void LoopMailbox::close() {
  std::vector<Letter> letters;
  std::vector<std::function<void()>> work;
  absl::MutexLock lock(&mutex_);
  closed_ = true;
  letters.swap(letters_);
  work.swap(work_);
}

void LoopMailbox::read_letters() {
  std::vector<Letter> letters;
  std::vector<std::function<void()>> work;
  {
    absl::MutexLock lock(&mutex_);
    woken_ = false;
    letters.swap(letters_);
    work.swap(work_);
  }
  Batch batch(*this);
  for (auto& letter : letters) {
    auto& queue = *letter.to;
    queue.settle(letter.number, std::move(letter.answer));
    queue.mark_answered(std::move(letter.to));
  }
  for (auto& run : work) run();
}

void LoopMailbox::mark_answered(std::shared_ptr<AnswerQueue> queue) {
  answered_.push_back(std::move(queue));
  // Answered by something that is not part of a batch, a timer for instance: more of its kind may follow at once.
  if (open_batches_ == 0 && answered_.size() == 1) post([] {});
}

void LoopMailbox::end_batch() {
  if (open_batches_ == 1) {
    // Sending may let a connection execute what it had put off, and so answer again: the list grows as we go.
    for (std::size_t i = 0; i < answered_.size(); ++i) {
      const auto queue = std::move(answered_[i]);
      queue->send();
    }
    answered_.clear();
  }
  --open_batches_;
}

}  // namespace broker
