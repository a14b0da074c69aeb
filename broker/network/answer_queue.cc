#include "broker/network/answer_queue.h"

#include <iterator>

#include "base/check.h"
#include "base/logging.h"
#include "broker/network/connection.h"

namespace broker {

AnswerQueue::AnswerQueue(std::shared_ptr<LoopMailbox> mailbox, std::weak_ptr<Connection> connection, std::string peer)
    : loop_thread_(std::this_thread::get_id()),
      mailbox_(std::move(mailbox)),
      connection_(std::move(connection)),
      peer_(std::move(peer)) {}

AnswerSlot AnswerQueue::open(const std::shared_ptr<AnswerQueue>& self, std::size_t request_bytes) {
  const auto number = self->next_number();
  self->entries_.emplace_back().request_bytes = request_bytes;
  ++self->unanswered_;
  self->unanswered_bytes_ += request_bytes;
  return AnswerSlot(self, number);
}

void AnswerQueue::answered(std::shared_ptr<AnswerReceiver> self, std::uint64_t number, Answer answer) {
  auto queue = std::static_pointer_cast<AnswerQueue>(std::move(self));
  if (std::this_thread::get_id() == loop_thread_) {
    settle(number, std::move(answer));
    mark_answered(std::move(queue));
  } else if (wanted()) {
    mailbox_->deliver(std::move(queue), number, std::move(answer));
  }
}

void AnswerQueue::forgotten(std::shared_ptr<AnswerReceiver> self, std::uint64_t number) {
  if (!wanted()) return;
  static const base::Logger logger("kafka.network.SocketServer");
  logger.error("A request from {} was dropped without an answer; closing its connection", peer_);
  answered(std::move(self), number, Answer::closing({}));
}

void AnswerQueue::settle(std::uint64_t number, Answer answer) {
  if (!wanted()) return;
  base::invariant(number >= first_ && number < next_number(), "an answer belongs to an open request");
  auto& entry = entries_[head_ + (number - first_)];
  base::invariant(!entry.settled, "a request is answered once");
  entry.settled = true;
  --unanswered_;
  unanswered_bytes_ -= entry.request_bytes;
  if (answer.kind == Answer::Kind::close) {
    entry.closes = true;
    if (!refused_) reason_ = std::move(answer.reason);
    refused_ = true;
    return;
  }
  ready_bytes_ += answer.frame.size_bytes();
  entry.frame = std::move(answer.frame);
}

void AnswerQueue::mark_answered(std::shared_ptr<AnswerQueue> self) {
  if (marked_ || !wanted()) return;
  marked_ = true;
  mailbox_->mark_answered(std::move(self));
}

void AnswerQueue::send() {
  marked_ = false;
  if (const auto connection = connection_.lock()) connection->send_answers();
}

void AnswerQueue::take_ready(AnswerWriter& to) {
  for (; head_ < entries_.size() && entries_[head_].settled && !entries_[head_].closes; ++head_, ++first_) {
    auto& frame = entries_[head_].frame;
    ready_bytes_ -= frame.size_bytes();
    to.push(std::move(frame));
  }
  if (head_ == entries_.size()) {
    entries_.clear();
    head_ = 0;
  } else if (head_ >= 64 && head_ * 2 >= entries_.size()) {
    entries_.erase(entries_.begin(), entries_.begin() + static_cast<std::ptrdiff_t>(head_));
    head_ = 0;
  }
}

bool AnswerQueue::is_settled(std::uint64_t number) const {
  return number < first_ || (number < next_number() && entries_[head_ + (number - first_)].settled);
}

void AnswerQueue::close() {
  open_.store(false, std::memory_order_relaxed);
  entries_ = {};
  head_ = 0;
  unanswered_ = unanswered_bytes_ = ready_bytes_ = 0;
}

}  // namespace broker
