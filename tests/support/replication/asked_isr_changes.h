// Whom leaders ask for another in-sync set, under test: remembers what was asked, and answers when it is told to.
#pragma once

#include <utility>
#include <vector>

#include "base/check.h"
#include "replication/partition/isr_changes.h"

namespace test_support {

class AskedIsrChanges final : public replication::IsrChanges {
 public:
  void ask(replication::IsrChange change, Done done) override {
    asked_.emplace_back(std::move(change), std::move(done));
  }

  // Questions that were not answered.
  std::size_t size() const { return asked_.size(); }
  const replication::IsrChange& change(std::size_t i = 0) const { return asked_.at(i).first; }

  // The oldest: as asked, or with another set.
  void grant() { grant(change().isr); }
  void grant(std::vector<base::BrokerId> isr) {
    auto [change, done] = take();
    done(replication::IsrOutcome{.leader_epoch = change.leader_epoch,
                                 .partition_epoch = change.partition_epoch + 1,
                                 .leader = base::kNoBroker,
                                 .isr = std::move(isr)});
  }
  void refuse(base::ErrorCode code) { take().second(base::fail(code, "refused")); }

 private:
  using Asked = std::pair<replication::IsrChange, Done>;
  Asked take() {
    base::invariant(!asked_.empty(), "something was asked");
    auto first = std::move(asked_.front());
    asked_.erase(asked_.begin());
    return first;
  }

  std::vector<Asked> asked_;
};

}  // namespace test_support
