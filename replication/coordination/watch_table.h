// Who wants to hear of which path. Shared by both stores. Lives on the coordination loop.
#pragma once

#include <absl/container/flat_hash_map.h>

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "replication/coordination/metadata_store.h"

namespace replication {

enum class WatchKind { data, children };

class WatchTable {
 public:
  struct Key {
    WatchKind kind;
    std::string path;

    bool operator==(const Key&) const = default;
    template <class H>
    friend H AbslHashValue(H h, const Key& key) {
      return H::combine(std::move(h), key.kind, key.path);
    }
  };

  void add(Key key, const WatchHandle& watch) { watches_[std::move(key)].push_back(watch); }

  // Whether anyone still listens; forgets those who left.
  bool wanted(const Key& key) {
    auto found = watches_.find(key);
    if (found == watches_.end()) return false;
    std::erase_if(found->second, [](const auto& watch) { return watch.expired(); });
    if (!found->second.empty()) return true;
    watches_.erase(found);
    return false;
  }

  // A listener may add and drop watches, its own included.
  void fire(const Key& key) {
    if (!wanted(key)) return;
    const auto listeners = watches_.find(key)->second;
    for (const auto& listener : listeners)
      if (auto alive = listener.lock()) (*alive)();
  }

  std::vector<Key> keys() {
    std::vector<Key> all;
    for (const auto& [key, listeners] : watches_) all.push_back(key);
    std::erase_if(all, [this](const Key& key) { return !wanted(key); });
    return all;
  }

 private:
  absl::flat_hash_map<Key, std::vector<std::weak_ptr<const std::function<void()>>>> watches_;
};

}  // namespace replication
