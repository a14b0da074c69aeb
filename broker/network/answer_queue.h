// The answers one connection owes, in the order of its requests.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "broker/network/answer_writer.h"
#include "broker/network/answers.h"
#include "broker/network/loop_mailbox.h"

namespace broker {

class Connection;

// Lives on its connection's loop except for what AnswerReceiver says: an answer given on another thread goes through
// the loop's mailbox. Outlives the connection as long as there are slots; close() makes it deaf.
class AnswerQueue final : public AnswerReceiver {
 public:
  // On the loop.
  AnswerQueue(std::shared_ptr<LoopMailbox> mailbox, std::weak_ptr<Connection> connection, std::string peer);

  // Number of the slot opened next; numbers rise by one.
  std::uint64_t next_number() const { return first_ + entries_.size() - head_; }
  static AnswerSlot open(const std::shared_ptr<AnswerQueue>& self, std::size_t request_bytes);

  void answered(std::shared_ptr<AnswerReceiver> self, std::uint64_t number, Answer answer) override;
  void forgotten(std::shared_ptr<AnswerReceiver> self, std::uint64_t number) override;
  bool wanted() const override { return open_.load(std::memory_order_relaxed); }

  // The rest on the loop.
  void settle(std::uint64_t number, Answer answer);
  void mark_answered(std::shared_ptr<AnswerQueue> self);
  void send();  // called by the mailbox: once for all answers of a batch

  // Moves what may leave now, in order.
  void take_ready(AnswerWriter& to);

  bool is_settled(std::uint64_t number) const;
  std::size_t unanswered() const { return unanswered_; }
  std::size_t unanswered_bytes() const { return unanswered_bytes_; }  // of requests
  std::size_t ready_bytes() const { return ready_bytes_; }            // answers that wait for earlier ones
  bool empty() const { return head_ == entries_.size(); }

  // Somebody asked to close: reading stops at once, closing waits for its turn.
  bool refused() const { return refused_; }
  bool at_refusal() const { return !empty() && entries_[head_].settled && entries_[head_].closes; }
  std::string take_reason() { return std::move(reason_); }

  void close();

 private:
  struct Entry {
    base::BufferChain frame;
    std::size_t request_bytes = 0;
    bool settled = false;
    bool closes = false;
  };

  const std::thread::id loop_thread_;
  const std::shared_ptr<LoopMailbox> mailbox_;
  const std::weak_ptr<Connection> connection_;
  const std::string peer_;
  std::atomic<bool> open_{true};

  // A ring would do; this one keeps its memory and costs a move of what is left once per emptied half.
  std::vector<Entry> entries_;
  std::size_t head_ = 0;
  std::uint64_t first_ = 0;  // number of entries_[head_]
  std::size_t unanswered_ = 0;
  std::size_t unanswered_bytes_ = 0;
  std::size_t ready_bytes_ = 0;
  bool refused_ = false;
  bool marked_ = false;
  std::string reason_;
};

}  // namespace broker
