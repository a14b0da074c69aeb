#include "broker/dispatch/api_table.h"

#include "base/check.h"

namespace broker {

void ApiTable::add(ApiEntry entry) {
  base::invariant(entry.api.key >= 0, "an API key is not negative");
  base::invariant(entry.versions.min <= entry.versions.max, "an API serves at least one version");
  const auto i = static_cast<std::size_t>(entry.api.key);
  if (i >= by_key_.size()) by_key_.resize(i + 1);
  base::invariant(!by_key_[i], "an API has one handler");
  entry.counts = std::make_shared<ApiEntry::Counts>();
  by_key_[i] = std::move(entry);
}

std::vector<const ApiEntry*> ApiTable::entries() const {
  std::vector<const ApiEntry*> out;
  for (const auto& entry : by_key_)
    if (entry) out.push_back(&*entry);
  return out;
}

}  // namespace broker
