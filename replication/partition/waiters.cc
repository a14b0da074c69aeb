#include "replication/partition/waiters.h"

#include <algorithm>

namespace replication {

void wake_all(WaiterList waiters) {
  std::erase_if(waiters, [](const auto& waiter) { return waiter->called_.exchange(true); });
  const auto wake = [](const WaiterList& of_one_home) {
    for (const auto& waiter : of_one_home) {
      waiter->called_ = false;  // first: what happens from here on calls again
      waiter->wake();
    }
  };
  while (!waiters.empty()) {
    auto* const home = waiters.back()->home_;
    const auto of_home = std::stable_partition(waiters.begin(), waiters.end(),
                                               [home](const auto& waiter) { return waiter->home_ != home; });
    WaiterList group(std::make_move_iterator(of_home), std::make_move_iterator(waiters.end()));
    waiters.erase(of_home, waiters.end());
    if (home)
      home->post([wake, group = std::move(group)] { wake(group); });
    else
      wake(group);
  }
}

}  // namespace replication
