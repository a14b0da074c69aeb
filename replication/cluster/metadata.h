// What a broker believes about the cluster: brokers, topics, leaders. Changed only by what the controller announces.
//
// A ClusterMetadata is a value that costs little to copy: topics are shared and sit in 64 shards, so replacing one
// topic among 10,000 copies one shard of pointers. Readers hold an immutable snapshot.
#pragma once

#include <absl/container/flat_hash_map.h>
#include <absl/synchronization/mutex.h>

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/uuid.h"
#include "replication/cluster/announcements.h"

namespace replication {

struct PartitionInfo {
  base::PartitionIndex index = 0;
  base::BrokerId leader = base::kNoBroker;
  base::LeaderEpoch leader_epoch = base::kNoLeaderEpoch;
  std::int32_t controller_epoch = 0;
  std::int32_t partition_epoch = 0;
  std::vector<base::BrokerId> replicas{};
  std::vector<base::BrokerId> isr{};
  std::vector<base::BrokerId> offline{};

  bool operator==(const PartitionInfo&) const = default;
};

struct TopicInfo {
  std::string name{};
  base::Uuid id{};                          // zero: none
  std::vector<PartitionInfo> partitions{};  // by index; gaps are possible while announcements arrive
  std::map<std::string, std::string> config{};

  const PartitionInfo* find(base::PartitionIndex partition) const;
};

// Immutable once published; mutable only while it is being prepared by one thread.
class ClusterMetadata {
 public:
  using Topic = std::shared_ptr<const TopicInfo>;

  // nullptr when unknown.
  Topic find_topic(std::string_view name) const { return by_name_.find(name); }
  Topic find_topic(const base::Uuid& id) const { return by_id_.find(id); }
  const PartitionInfo* find_partition(std::string_view topic, base::PartitionIndex partition) const;
  std::size_t topic_count() const { return by_name_.size(); }
  // In no particular order.
  void for_each_topic(const std::function<void(const Topic&)>& visit) const { by_name_.for_each(visit); }
  // Every topic's name, ascending.
  std::vector<std::string> topic_names() const;

  const std::vector<LiveBroker>& brokers() const { return *brokers_; }  // by id
  const LiveBroker* find_broker(base::BrokerId id) const;               // nullptr: not alive
  base::BrokerId controller() const { return controller_; }
  std::int32_t controller_epoch() const { return controller_epoch_; }

  // Brokers are replaced, partitions merged, partitions with leader -2 removed; a topic with its last partition.
  void apply(const UpdateMetadata& update);
  void put_topic(Topic topic);
  void remove_topic(std::string_view name);
  // Of a topic that is known; others are left alone.
  void set_topic_config(std::string_view name, std::map<std::string, std::string> config);
  void set_controller(base::BrokerId id) { controller_ = id; }

 private:
  // Copied lazily: a shard that a published snapshot still uses is copied before it is changed.
  template <class Key>
  class Shards {
   public:
    Topic find(const Key& key) const {
      const auto& shard = shards_[index(key)];
      if (!shard) return {};
      const auto found = shard->find(key);
      return found == shard->end() ? Topic() : found->second;
    }
    void put(const Key& key, Topic topic) {
      auto& shard = own(index(key));
      shard.erase(key);  // the key may live inside the topic it belonged to
      shard.emplace(key, std::move(topic));
    }
    void remove(const Key& key) {
      if (find(key)) own(index(key)).erase(key);
    }
    std::size_t size() const {
      std::size_t sum = 0;
      for (const auto& shard : shards_) sum += shard ? shard->size() : 0;
      return sum;
    }
    void for_each(const std::function<void(const Topic&)>& visit) const {
      for (const auto& shard : shards_)
        if (shard)
          for (const auto& [key, topic] : *shard) visit(topic);
    }

   private:
    using Shard = absl::flat_hash_map<Key, Topic>;
    static std::size_t index(const Key& key) { return absl::Hash<Key>{}(key) >> 48 & 63; }
    Shard& own(std::size_t i) {
      auto& shard = shards_[i];
      if (!shard)
        shard = std::make_shared<Shard>();
      else if (shard.use_count() != 1)
        shard = std::make_shared<Shard>(*shard);
      return *shard;
    }
    std::array<std::shared_ptr<Shard>, 64> shards_;
  };

  Shards<std::string_view> by_name_;  // keys live in the topics
  Shards<base::Uuid> by_id_;
  std::shared_ptr<const std::vector<LiveBroker>> brokers_ = std::make_shared<const std::vector<LiveBroker>>();
  base::BrokerId controller_ = base::kNoBroker;
  std::int32_t controller_epoch_ = 0;
};

// Where every thread finds the current picture. Any thread may call.
class MetadataCache {
 public:
  std::shared_ptr<const ClusterMetadata> snapshot() const ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::ReaderMutexLock lock(&mutex_);
    return current_;
  }

  // One change at a time; readers see the old picture until it is whole.
  void update(const std::function<void(ClusterMetadata&)>& change) ABSL_LOCKS_EXCLUDED(changing_, mutex_);

 private:
  absl::Mutex changing_ ABSL_ACQUIRED_BEFORE(mutex_);
  mutable absl::Mutex mutex_;
  std::shared_ptr<const ClusterMetadata> current_ ABSL_GUARDED_BY(mutex_) = std::make_shared<ClusterMetadata>();
};

}  // namespace replication
