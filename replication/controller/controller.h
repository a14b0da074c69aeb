// The controller: the one broker that decides who leads what, and that creates, deletes and grows topics.
//
// Every broker runs one; the one that holds /controller is active. Events (elections, changes in the store, requests)
// stand in one queue and are worked off one at a time on the coordination loop; the rules they follow are pure
// (placement, election, partition_steps, topic_requests). Each write is fenced by the controller's epoch
// (fenced_store.h). What is decided is announced (announce.h), and brokers act on announcements only.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/clock.h"
#include "base/logging.h"
#include "base/loop.h"
#include "base/random.h"
#include "replication/cluster/announcements.h"
#include "replication/cluster/metadata.h"
#include "replication/controller/alter_partition.h"
#include "replication/controller/announce.h"
#include "replication/controller/cluster_requests.h"
#include "replication/controller/fenced_store.h"
#include "replication/controller/partition_steps.h"
#include "replication/controller/pending_answers.h"
#include "replication/controller/reassignment.h"
#include "replication/controller/state.h"
#include "replication/controller/topic_requests.h"
#include "replication/coordination/async_store.h"
#include "replication/coordination/metadata_store.h"

namespace replication {

struct ControllerSettings {
  base::BrokerId broker = base::kNoBroker;
  RemoteAnnouncements announcing{};  // to other brokers
  std::int32_t default_partitions = 1;
  std::int32_t default_replication_factor = 1;
  bool delete_topic_enable = true;
  // Give ids to topics; off where inter.broker.protocol.version is below 2.8.
  bool topic_ids = true;
  // What /feature is to say: disabled where inter.broker.protocol.version is below 2.7, version 2 from 3.3 on.
  FeatureNode features{};
  // inter.broker.protocol.version 3.2 and later.
  bool marks_recovery = false;
  // Below 2.7-IV2 leaders write their in-sync sets themselves.
  bool leaders_write_sets = false;
  // Give partitions back to their preferred leaders; none: auto.leader.rebalance.enable is false.
  struct Balance {
    std::chrono::seconds interval{300};
    std::int32_t percentage = 10;  // of the partitions a broker is preferred for, led elsewhere
  };
  std::optional<Balance> balance{};
  // unclean.leader.election.enable where a topic does not say otherwise. Null: false.
  std::function<bool()> unclean_elections{};
  std::function<base::Status(const ConfigEntries&)> check_topic_config{};
};

struct TopicRequestOptions {
  std::chrono::milliseconds timeout{0};
  bool validate_only = false;
};

class Controller {
 public:
  // `metadata` is this broker's own picture, which `announcements.update_metadata` changes: requests are answered when
  // it shows what was asked for. `peers`: the way to the other brokers; null for a broker that is alone for ever.
  Controller(ControllerSettings settings, MetadataStore& store, base::Loop& loop, const base::Clock& clock,
             base::Random& random, const MetadataCache& metadata, Announcements announcements,
             PeerNetwork* peers = nullptr);

  // Before the membership starts.
  void start();
  // This broker is registered (Membership::on_registered): stand for election. On the loop.
  void broker_registered();
  // Takes nothing more and answers whoever waits. The event at work ends with the store's stop(), which comes next; the
  // loop must be stopped before this object goes.
  void stop();

  // Any thread. -1: unknown.
  base::BrokerId controller() const { return base::BrokerId{controller_.load()}; }
  bool is_active() const { return active_; }

  // Requests of clients: from any thread; answered on the loop, one result per item asked for and in that order, when
  // the change shows or at the timeout. A broker that is not the controller answers `not_controller`.
  using Done = PendingAnswers<TopicResult>::Done;
  void create_topics(std::vector<NewTopic> topics, TopicRequestOptions options, Done done);
  // By name or by id.
  using TopicKey = std::variant<std::string, base::Uuid>;
  void delete_topics(std::vector<TopicKey> topics, std::chrono::milliseconds timeout, Done done);
  void create_partitions(std::vector<MorePartitions> topics, TopicRequestOptions options, Done done);

  // Leaders ask for other in-sync sets.
  void alter_partition(AlterPartition request, std::function<void(AlterPartitionReply)> done);
  // A broker is about to stop.
  void shut_down(base::BrokerId broker, std::int64_t epoch, std::function<void(ShutdownReply)> done);
  void elect_leaders(ElectionRequest wanted, std::function<void(PartitionResults)> done);
  void reassign(std::vector<WantedReplicas> wanted, std::function<void(PartitionResults)> done);
  // None: all that move.
  void list_reassignments(std::optional<std::vector<base::TopicPartition>> partitions,
                          std::function<void(MovingPartitions)> done);
  // A topic's configuration, or without a name the brokers', has come to allow unclean elections. Any thread.
  void unclean_elections_enabled(std::optional<std::string> topic);

 private:
  // ---- the queue (controller.cc)
  using Event = std::function<Task<void>()>;
  struct Queued {
    std::string name;  // events that would do the same work twice are queued once
    Event event;
    std::function<void()> refuse;  // when the queue is dropped
  };
  void enqueue(std::string name, Event event, std::function<void()> refuse = nullptr);
  void enqueue_once(std::string name, Event event);
  void request(std::string name, Event event, std::function<void()> refuse);
  // On the loop, and done when it returns.
  void on_loop(const std::function<void()>& work);
  void next();
  void drop_queue();
  void on_session(SessionEvent event);

  // ---- coming and going (controller.cc)
  Task<void> elect();
  Task<void> controller_changed();
  Task<void> resign();
  Task<bool> take_office();
  Task<bool> load_topics();
  void tell_all_leaderships();
  Task<void> ensure_feature_node();
  void forget();  // all but the state, which the event at work may still look at

  // ---- what changes in the store (store_events.cc)
  void watch_cluster();
  void watch_topic(const std::string& topic);
  Task<void> topics_changed();
  Task<void> topic_changed(std::string topic);
  Task<bool> add_topics(std::vector<std::string> names);
  Task<bool> add_missing_ids(std::vector<std::string> names);
  Task<void> remove_children(std::string parent, std::vector<std::string> names);

  // ---- brokers come and go (broker_changes.cc)
  using Brokers = std::map<base::BrokerId, LiveBroker>;
  Task<std::optional<Brokers>> read_brokers();
  Task<void> brokers_changed();
  Task<void> brokers_left(std::set<base::BrokerId> left);
  Task<void> brokers_came(std::set<base::BrokerId> came, Brokers all);
  Task<void> tell_everything(base::BrokerId broker);

  // ---- elections (elections.cc)
  Task<void> lead(std::vector<LeadershipChange> due, Decide again);
  Task<void> settle();
  Task<void> settle_again();
  Task<void> settle_topic(std::string topic);
  Task<void> settle_all(std::string why);
  Task<UncleanTopics> unclean_among(std::set<std::string> topics);
  Task<void> elect_now(ElectionRequest wanted, std::function<void(PartitionResults)> done);
  Task<std::vector<PartitionResult>> elect_among(ElectionType type, std::vector<base::TopicPartition> partitions);
  bool needs_election(ElectionType type, const base::TopicPartition& partition) const;
  Task<void> preferred_election_asked();
  void balance_after(std::chrono::seconds time);
  Task<void> balance();

  // ---- a broker stops (shutdown.cc)
  Task<void> hand_over_all(base::BrokerId broker, std::int64_t epoch, std::function<void(ShutdownReply)> done);

  // ---- replicas move (reassignments.cc)
  Task<void> reassign_now(std::vector<WantedReplicas> wanted, std::function<void(PartitionResults)> done);
  Task<void> list_moves(std::optional<std::vector<base::TopicPartition>> partitions,
                        std::function<void(MovingPartitions)> done);
  Task<void> reassignment_asked();
  Task<void> forget_moves(std::set<base::TopicPartition> over);
  Task<std::map<base::TopicPartition, base::ErrorCode>> start_moves(std::map<base::TopicPartition, ReplicaMove> wanted);
  void remove_replica(base::BrokerId id, const base::TopicPartition& partition);
  Task<void> complete_moves();
  Task<void> resume_moves(std::set<base::BrokerId> came);
  void watch_moves();
  Task<void> moving_sets_changed();

  // ---- leaders' in-sync sets (isr_requests.cc)
  Task<void> alter_in_sync_sets(AlterPartition request, std::function<void(AlterPartitionReply)> done);
  Task<void> in_sync_sets_changed();

  // ---- log directories fail (lost_replicas.cc)
  Task<void> log_dirs_failed();
  Task<void> replicas_lost(base::BrokerId broker, std::vector<base::TopicPartition> replicas);

  // ---- requests (topic_changes.cc)
  template <class Item>
  struct TopicChange {
    const char* name;  // of the event
    std::string Item::*topic;
    const char* repeated;  // the refusal of topics named twice
    Task<void> (Controller::*one)(Item, bool validate_only, TopicResult*);
  };
  template <class Item>
  void change_topics(TopicChange<Item> change, std::vector<Item> items, TopicRequestOptions options, Done done);
  template <class Item>
  Task<void> change_all(TopicChange<Item> change, std::vector<Item> items, TopicRequestOptions options, Done done);
  Task<void> create_one(NewTopic topic, bool validate_only, TopicResult* result);
  Task<StoreCode> write_new_topic(std::string name, TopicNode node, std::string config);
  Task<void> expand_one(MorePartitions topic, bool validate_only, TopicResult* result);
  TopicRules rules() const;
  std::vector<std::string> colliding_with(std::string_view name) const;

  // ---- deletion (deletion.cc)
  Task<void> mark_deleted(std::vector<TopicKey> topics, std::chrono::milliseconds timeout, Done done);
  Task<void> deletions_changed();
  Task<void> resume_deletions();
  Task<void> advance_deletion(std::string topic);
  void interrupt_deletions(const std::set<base::BrokerId>& left);
  Task<void> replicas_removed(base::BrokerId broker, std::vector<base::TopicPartition> removed,
                              std::vector<base::TopicPartition> failed);
  Task<void> finish_deletion(std::string topic);

  const ControllerSettings settings_;
  MetadataStore& store_;
  AsyncStore async_{store_};
  base::Loop& loop_;
  const base::Clock& clock_;
  base::Random& random_;
  const MetadataCache& metadata_;
  const base::Logger log_{"weir.Controller"};

  std::atomic<std::int32_t> controller_{-1};
  std::atomic<bool> active_{false};

  // All below lives on the loop.
  std::deque<Queued> queue_;
  bool busy_ = false;
  bool stopping_ = false;
  bool registered_ = false;
  ControllerState state_;
  FencedStore fenced_{async_};
  Announcer announcer_;
  PendingAnswers<TopicResult> pending_;
  PendingAnswers<PartitionResult> pending_elections_;
  std::unique_ptr<base::Timer> balance_timer_;
  std::unique_ptr<base::Timer> retry_timer_;
  // Topics whose replicas are being removed: those that have not been yet.
  using Replica = std::pair<base::BrokerId, base::TopicPartition>;
  std::map<std::string, std::set<Replica>, std::less<>> removing_;
  WatchHandle controller_watch_;
  std::vector<WatchHandle> cluster_watches_;
  std::map<std::string, WatchHandle, std::less<>> topic_watches_;
  std::map<base::BrokerId, WatchHandle> broker_watches_;
  std::map<base::TopicPartition, WatchHandle> move_watches_;
};

}  // namespace replication
