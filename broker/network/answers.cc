#include "broker/network/answers.h"

#include <atomic>
#include <utility>

#include "base/check.h"

namespace broker {

AnswerSlot& AnswerSlot::operator=(AnswerSlot&& other) noexcept {
  if (this == &other) return *this;
  drop();
  receiver_ = std::move(other.receiver_);
  number_ = other.number_;
  return *this;
}

void AnswerSlot::settle(Answer answer) {
  base::invariant(receiver_ != nullptr, "a request is answered once");
  AnswerReceiver* receiver = receiver_.get();
  receiver->answered(std::exchange(receiver_, nullptr), number_, std::move(answer));
}

void AnswerSlot::drop() {
  if (!receiver_) return;
  AnswerReceiver* receiver = receiver_.get();
  receiver->forgotten(std::exchange(receiver_, nullptr), number_);
}

namespace {

class CallbackReceiver final : public AnswerReceiver {
 public:
  explicit CallbackReceiver(std::function<void(Answer)> then) : then_(std::move(then)) {}
  void answered(std::shared_ptr<AnswerReceiver>, std::uint64_t, Answer answer) override { then_(std::move(answer)); }
  void forgotten(std::shared_ptr<AnswerReceiver>, std::uint64_t) override {
    then_(Answer::closing("the request was dropped without an answer"));
  }
  bool wanted() const override { return true; }

 private:
  std::function<void(Answer)> then_;
};

}  // namespace

AnswerSlot answer_to(std::function<void(Answer)> then) {
  return AnswerSlot(std::make_shared<CallbackReceiver>(std::move(then)), 0);
}

}  // namespace broker
