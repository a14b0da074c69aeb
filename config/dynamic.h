// Settings that change while the broker runs: default < file < cluster default < this broker < topic.
//
// Readers take a Snapshot: immutable, replaced whole, cheap to keep for the length of a request.
#pragma once

#include <absl/synchronization/mutex.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "config/broker_settings.h"
#include "config/topic_settings.h"

namespace config {

struct TopicConfig {
  Texts overrides;
  TopicSettings settings;
};

struct Snapshot {
  std::shared_ptr<const BrokerSettings> file;        // default < file: what the broker was started with
  Texts cluster_overrides;                           // /config/brokers/<default>
  Texts broker_overrides;                            // /config/brokers/<id>
  std::shared_ptr<const BrokerSettings> broker;      // all of these together
  std::shared_ptr<const TopicSettings> plain_topic;  // of a topic without overrides
  // Only topics with overrides stand here.
  std::map<std::string, std::shared_ptr<const TopicConfig>, std::less<>> topics;

  std::shared_ptr<const TopicSettings> topic(std::string_view name) const;
  Texts topic_overrides(std::string_view name) const;
};

struct SettingsChange {
  bool broker = false;              // broker settings changed, and with them every topic's
  std::vector<std::string> topics;  // otherwise: these
};

// Any thread may call. Subscribers are told by the thread that made the change, outside the lock; when two threads
// change settings at once a subscriber should act on snapshot() rather than on what it was handed last.
class DynamicSettings {
 public:
  using Subscriber = std::function<void(const SettingsChange& change, const std::shared_ptr<const Snapshot>& now)>;

  DynamicSettings(BrokerSettings from_file, HostName host_name);

  std::shared_ptr<const Snapshot> snapshot() const ABSL_LOCKS_EXCLUDED(mutex_);

  // Before the first change; the subscriber outlives this.
  void subscribe(Subscriber subscriber) ABSL_LOCKS_EXCLUDED(mutex_);

  // Each replaces one layer whole, as it is stored. What must not be changed while the broker runs, or does not parse,
  // stays out of force; the answer says why, one line each.
  std::vector<std::string> set_cluster_overrides(Texts overrides) ABSL_LOCKS_EXCLUDED(mutex_);
  std::vector<std::string> set_broker_overrides(Texts overrides) ABSL_LOCKS_EXCLUDED(mutex_);
  // No overrides: the topic follows the broker again, or is gone.
  void set_topic_overrides(const std::string& topic, Texts overrides) ABSL_LOCKS_EXCLUDED(mutex_);
  // All topics at once, for start-up.
  void set_all_topic_overrides(const std::map<std::string, Texts>& topics) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  std::vector<std::string> apply_broker_layers(Snapshot next) ABSL_EXCLUSIVE_LOCKS_REQUIRED(changing_)
      ABSL_LOCKS_EXCLUDED(mutex_);
  void tell(const SettingsChange& change) ABSL_LOCKS_EXCLUDED(mutex_);

  const HostName host_name_;
  absl::Mutex changing_ ABSL_ACQUIRED_BEFORE(mutex_);  // one change at a time, from old snapshot to new
  mutable absl::Mutex mutex_;
  std::shared_ptr<const Snapshot> snapshot_ ABSL_GUARDED_BY(mutex_);
  std::vector<Subscriber> subscribers_ ABSL_GUARDED_BY(mutex_);
};

// What (Incremental)AlterConfigs must refuse for a broker, with Kafka's text: "Cannot update these configs
// dynamically: Set(broker.rack)". Unknown keys pass: Kafka stores them.
enum class Level { cluster, broker };
base::Status validate_broker_overrides(Level level, const Texts& overrides);

}  // namespace config
