#include "replication/partition/watches.h"

#include <algorithm>

namespace replication {

void Watches::add(std::shared_ptr<Watch> watch) {
  auto all = list_ ? *list_ : std::vector<std::shared_ptr<Watch>>{};
  all.push_back(std::move(watch));
  list_ = std::make_shared<const std::vector<std::shared_ptr<Watch>>>(std::move(all));
}

void Watches::remove(const Watch& watch) {
  if (!list_) return;
  auto all = *list_;
  std::erase_if(all, [&](const auto& one) { return one.get() == &watch; });
  list_ = all.empty() ? nullptr : std::make_shared<const std::vector<std::shared_ptr<Watch>>>(std::move(all));
}

bool Watches::holds(const Watch& watch) const {
  return list_ && std::any_of(list_->begin(), list_->end(), [&](const auto& one) { return one.get() == &watch; });
}

void tell(const Watches::List& watches, Watch::Of what, const Watch* except) {
  if (!watches) return;
  for (const auto& watch : *watches)
    if (watch.get() != except) watch->changed(what);
}

}  // namespace replication
