#include "tests/simulation/cluster.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

#include "replication/coordination/znodes.h"

namespace simulation {

using std::chrono::milliseconds;
using std::chrono::seconds;

// ---- what the seed decides
// -------------------------------------------------------------------------------------------

Plan Plan::draw(Dice& dice) {
  Plan plan;
  plan.brokers = 3 + dice.below(3);
  // Below 2.7-IV2 leaders write in-sync sets themselves; below 2.7-IV1 followers ask before they fetch where to cut.
  const char* const versions[] = {"2.6-IV0", "2.7-IV2", "2.8-IV1", "3.2-IV0", "3.9-IV0", "3.9-IV0"};
  plan.protocol_version = versions[dice.below(std::size(versions))];
  plan.topics = 1 + dice.below(2);
  plan.partitions = 1 + dice.below(2);
  plan.producers = 1 + dice.below(2);
  plan.produce_every = dice.between(milliseconds(60), milliseconds(400));
  plan.faults_for = dice.between(seconds(8), seconds(20));
  plan.between_faults = dice.between(milliseconds(300), milliseconds(3000));
  plan.power_fails = dice.percent(50);
  plan.administers = dice.percent(60);
  const auto ms = [&](std::int64_t from, std::int64_t to) {
    return std::to_string(dice.between(milliseconds(from), milliseconds(to)) / milliseconds(1));
  };
  plan.settings = {
      {"inter.broker.protocol.version", plan.protocol_version},
      {"log.dirs", "/data"},
      {"zookeeper.connect", "simulated:2181"},
      {"zookeeper.session.timeout.ms", "3000"},
      {"min.insync.replicas", "2"},
      {"default.replication.factor", "3"},
      {"auto.create.topics.enable", "false"},
      {"log.segment.bytes", dice.percent(50) ? "1048576" : "2048"},
      {"log.index.size.max.bytes", "4096"},
      {"log.cleaner.enable", "false"},
      {"replica.lag.time.max.ms", ms(2000, 5000)},
      {"replica.fetch.wait.max.ms", "500"},
      {"replica.fetch.backoff.ms", ms(50, 400)},
      {"replica.socket.timeout.ms", "3000"},
      {"controller.socket.timeout.ms", "3000"},
      {"replica.high.watermark.checkpoint.interval.ms", ms(300, 5000)},
      {"log.flush.offset.checkpoint.interval.ms", ms(1000, 10000)},
      {"num.replica.fetchers", dice.percent(70) ? "1" : "2"},
      {"auto.leader.rebalance.enable", dice.percent(50) ? "true" : "false"},
      {"leader.imbalance.check.interval.seconds", "5"},
      {"controlled.shutdown.retry.backoff.ms", "500"},
  };
  if (dice.percent(20)) plan.settings["log.flush.interval.messages"] = "1";
  return plan;
}

std::string Plan::describe() const {
  return fmt::format("{} brokers, {}, {} topics of {} partitions, {} producers, faults for {} ms{}{}", brokers,
                     protocol_version, topics, partitions, producers, faults_for / milliseconds(1),
                     power_fails ? ", power fails" : "", administers ? ", administered" : "");
}

// ---- a broker
// --------------------------------------------------------------------------------------------------------

SimBroker::SimBroker(World& world, const Plan& plan, base::BrokerId id, milliseconds clock_ahead)
    : world_(world), id_(id), clock_ahead_(clock_ahead) {
  auto texts = plan.settings;
  texts["broker.id"] = std::to_string(id.raw);
  auto settings = config::BrokerSettings::from(std::move(texts));
  base::invariant(settings.ok(), "the settings of a simulated broker are sound");
  settings_ = std::move(*settings);
}

SimBroker::~SimBroker() {
  if (life_) kill();
}

void SimBroker::start() {
  base::invariant(!life_, "a broker lives once at a time");
  ++lives_;
  life_ = std::make_unique<Life>(world_, BrokerIdentity{id_, clock_ahead_, world_.scheduler.dice().next()}, settings_,
                                 disk_);
  base::invariant(life_->is_sound(), "a disk that works can be opened");
}

void SimBroker::kill() {
  life_->kill(SimNetwork::End::closed);
  life_.reset();
  shutting_down_ = false;
  disk_.restart(storage::testing::FaultyFiles::AfterStop::kept_cache);
}

void SimBroker::lose_power() {
  life_->kill(SimNetwork::End::vanished);
  life_.reset();
  shutting_down_ = false;
  disk_.restart(storage::testing::FaultyFiles::AfterStop::lost_in_part, &world_.scheduler.dice());
}

void SimBroker::shut_down() {
  shutting_down_ = true;
  life_->shut_down([this] {
    world_.scheduler.after({}, [this, life = life_.get()] {
      if (life_.get() != life) return;
      life_.reset();
      shutting_down_ = false;
      disk_.restart(storage::testing::FaultyFiles::AfterStop::kept_cache);
    });
  });
}

// ---- the run
// ---------------------------------------------------------------------------------------------------------

Cluster::Cluster(std::uint64_t seed, RunOptions options)
    : seed_(seed),
      options_(options),
      scheduler_(seed),
      plan_(Plan::draw(scheduler_.dice())),
      ensemble_(scheduler_, clock_, scheduler_.dice().next(), {.session_timeout = seconds(3)}),
      network_(scheduler_, scheduler_.dice().next()) {}

Cluster::~Cluster() {
  producers_.clear();
  consumers_.clear();
  admin_.reset();
  admin_host_.reset();
  hosts_.clear();
  brokers_.clear();
  scheduler_.close();
}

void Cluster::note(const std::string& what) const {
  if (!options_.verbose) return;
  const auto now = std::chrono::duration_cast<std::chrono::microseconds>(scheduler_.now().time_since_epoch()).count();
  std::printf("-- %3lld.%06lld %s\n", static_cast<long long>(now / 1'000'000), static_cast<long long>(now % 1'000'000),
              what.c_str());
}

bool Cluster::wait(base::Duration limit, const std::function<bool()>& condition) {
  const auto until = scheduler_.now() + limit;
  while (scheduler_.now() < until && !ledger_.failed()) {
    if (condition()) return true;
    let_pass(milliseconds(50));
  }
  return condition();
}

void Cluster::let_pass(base::Duration time) {
  const auto until = scheduler_.now() + time;
  while (scheduler_.now() < until && !ledger_.failed()) {
    scheduler_.run_until(std::min(until, scheduler_.now() + milliseconds(50)));
    checker_.look(observe());
    for (auto& broker : brokers_) {
      if (!broker->is_up() || !broker->life().has_given_up()) continue;
      note(fmt::format("broker {} has given up and is started again", broker->id()));
      broker->kill();
      broker->start();
    }
  }
}

std::vector<Observed> Cluster::observe() {
  std::vector<Observed> seen;
  for (auto& broker : brokers_)
    if (broker->is_up() && !broker->is_shutting_down())
      seen.push_back({broker->id(), broker->lives(), &broker->life().partitions()});
  return seen;
}

Outcome Cluster::run() {
  note(fmt::format("seed {}: {}", seed_, plan_.describe()));
  set_up();
  if (!ledger_.failed()) {
    faulty_ = true;
    next_fault();
    let_pass(plan_.faults_for);
    faulty_ = false;
  }
  if (!ledger_.failed()) heal();
  if (!ledger_.failed()) check_end();
  for (const auto& [partition, told] : ledger_.partitions())
    for (const auto& [offset, value] : told.at) scheduler_.note(static_cast<std::uint64_t>(offset.raw) + value.size());
  return {.failure = ledger_.failure(),
          .fingerprint = scheduler_.fingerprint(),
          .events = scheduler_.events(),
          .acknowledged = ledger_.acknowledgements(),
          .read = ledger_.reads(),
          .faults = faults_};
}

void Cluster::set_up() {
  namespace paths = replication::paths;
  for (const auto& path : paths::top_level()) (void)ensemble_.commit({replication::Create{.path = path}}).ok();
  (void)ensemble_.commit({replication::Create{.path = "/cluster"}}).ok();
  (void)ensemble_
      .commit({replication::Create{.path = std::string(paths::kClusterId),
                                   .data = replication::encode(replication::ClusterIdNode{.id = "simulated"})}})
      .ok();
  std::vector<base::BrokerId> ids;
  for (std::size_t i = 0; i < plan_.brokers; ++i) {
    ids.emplace_back(static_cast<std::int32_t>(i + 1));
    const auto ahead = scheduler_.dice().between({}, seconds(20)) / milliseconds(1);
    brokers_.push_back(std::make_unique<SimBroker>(world_, plan_, ids.back(), milliseconds(ahead)));
    brokers_.back()->start();
  }
  admin_host_ = std::make_unique<ClientHost>(network_, 1000, ids);
  admin_ = std::make_unique<Admin>(*admin_host_);
  for (std::size_t i = 0; i < plan_.producers + 1; ++i)
    hosts_.push_back(std::make_unique<ClientHost>(network_, static_cast<HostId>(1001 + i), ids));
  const auto all_joined = [this] {
    return std::ranges::all_of(brokers_, [](const auto& broker) { return broker->life().has_joined(); });
  };
  if (!wait(seconds(20), all_joined)) return ledger_.fail("the brokers did not join");
  for (std::size_t i = 0; i < plan_.topics; ++i) {
    const auto name = fmt::format("t{}", i);
    create_topic(name);
    if (ledger_.failed()) return;
    begin_clients(name);
  }
}

void Cluster::create_topic(const std::string& name) {
  std::vector<std::vector<base::BrokerId>> replicas(plan_.partitions);
  for (std::size_t p = 0; p < plan_.partitions; ++p)
    for (std::size_t j = 0; j < 3; ++j) replicas[p].push_back(brokers_[(p + j) % brokers_.size()]->id());
  std::optional<base::ErrorCode> answer;
  const auto ask = [&] {
    answer.reset();
    admin_->create_topic({name, replicas, {}}, [&](base::ErrorCode code) { answer = code; });
  };
  ask();
  const auto made = [&] {
    if (!answer) return false;
    if (*answer == base::ErrorCode::none || *answer == base::ErrorCode::topic_already_exists) return true;
    note(fmt::format("topic {} is not made yet: {}", name, base::error_name(*answer)));
    ask();
    return false;
  };
  if (!wait(seconds(30), made)) ledger_.fail(fmt::format("topic {} could not be made", name));
}

void Cluster::begin_clients(const std::string& topic) {
  for (std::size_t p = 0; p < plan_.partitions; ++p) {
    const base::TopicPartition partition{topic, static_cast<base::PartitionIndex>(p)};
    for (std::size_t i = 0; i < plan_.producers; ++i)
      producers_.push_back(std::make_unique<Producer>(
          *hosts_[i + 1], ledger_,
          Producer::How{.id = base::ProducerId{static_cast<std::int64_t>(1000 + producers_.size())},
                        .partition = partition,
                        .in_flight = 1 + scheduler_.dice().below(5),
                        .every = plan_.produce_every}));
    consumers_.push_back(std::make_unique<Consumer>(*hosts_[0], ledger_, partition));
  }
}

std::vector<Cluster::Stored> Cluster::stored() const {
  namespace paths = replication::paths;
  std::vector<Stored> all;
  const auto& tree = ensemble_.tree();
  for (const auto& topic : tree.children(std::string(paths::kTopics)).value) {
    const auto path = paths::topic(topic);
    const auto assignment = replication::decode_topic(path, tree.get(path).value.data);
    if (!assignment) continue;
    for (const auto& [partition, replicas] : assignment->replicas) {
      Stored one{.partition = {topic, partition}, .replicas = replicas, .isr = {}};
      const auto state_path = paths::partition_state(topic, partition);
      const auto node = tree.get(state_path);
      if (node.ok())
        if (const auto state = replication::decode_partition_state(state_path, node.value.data)) {
          one.isr = state->isr;
          one.leader = state->leader;
          one.changed = node.value.stat.mzxid;
        }
      one.reassigning = assignment->adding.contains(partition) || assignment->removing.contains(partition);
      all.push_back(std::move(one));
    }
  }
  return all;
}

// ---- the end
// ---------------------------------------------------------------------------------------------------------

void Cluster::heal() {
  note("faults stop");
  for (auto& [number, undo] : std::exchange(undo_, {})) undo();
  for (auto& producer : producers_) producer->stop();
  std::string why;
  if (!wait(seconds(60), [&] {
        why = unhealed();
        return why.empty();
      }))
    fail_unhealed(why);
}

void Cluster::note_partitions() const {
  for (const auto& one : stored()) {
    note(fmt::format("{}: leader {}, in sync [{}] of [{}]", one.partition, one.leader, fmt::join(one.isr, ","),
                     fmt::join(one.replicas, ",")));
    for (const auto& broker : brokers_) {
      if (!broker->is_up()) continue;
      const auto partition = broker->life().partitions().find(one.partition.topic, one.partition.partition);
      if (!partition) continue;
      partition->with_log([&](storage::Log& log) {
        note(fmt::format("  broker {}: log {} to {}, high watermark {}", broker->id(), log.log_start_offset(),
                         log.log_end_offset(), log.high_watermark()));
      });
      note(fmt::format("  broker {}: {} in leader epoch {}, sees {} as leader", broker->id(),
                       partition->is_leader() ? "leads" : "does not lead", partition->leader_epoch(),
                       broker->life().leader_seen(one.partition)));
    }
  }
}

// A promise that was broken explains more than what became of the cluster.
void Cluster::fail_unhealed(const std::string& why) {
  if (options_.verbose) note_partitions();
  for (const auto& one : stored())
    for (const auto& broker : observe())
      if (broker.id == one.leader) checker_.check_promises(one.partition, broker);
  ledger_.fail("the cluster does not heal: " + why);
}

std::string Cluster::unhealed() {
  for (const auto& broker : brokers_)
    if (!broker->is_up() || !broker->life().has_joined()) return fmt::format("broker {} is not there", broker->id());
  for (const auto& one : stored()) {
    if (one.reassigning) return fmt::format("{} is being reassigned", one.partition);
    if (one.leader == base::kNoBroker) return fmt::format("{} has no leader", one.partition);
    if (one.isr.size() != one.replicas.size())
      return fmt::format("in sync for {} are [{}] of [{}]", one.partition, fmt::join(one.isr, ","),
                         fmt::join(one.replicas, ","));
    for (const auto id : one.replicas) {
      const auto& broker = brokers_[static_cast<std::size_t>(id.raw - 1)];
      const auto partition = broker->life().partitions().find(one.partition.topic, one.partition.partition);
      if (!partition) return fmt::format("broker {} has no replica of {}", id, one.partition);
      if (partition->is_leader() != (id == one.leader))
        return fmt::format("broker {} {} {}", id, partition->is_leader() ? "leads" : "does not lead", one.partition);
      std::string behind;
      partition->with_log([&](storage::Log& log) {
        if (log.high_watermark() != log.log_end_offset())
          behind = fmt::format("{} on broker {} ends at {}, high watermark {}", one.partition, id, log.log_end_offset(),
                               log.high_watermark());
      });
      if (!behind.empty()) return behind;
    }
  }
  for (const auto& producer : producers_)
    if (!producer->is_done()) return producer->describe();
  for (const auto& consumer : consumers_)
    if (!consumer->is_done(ledger_)) return consumer->describe();
  return {};
}

void Cluster::check_end() {
  const auto seen = observe();
  std::set<base::TopicPartition> there;
  for (const auto& one : stored()) {
    there.insert(one.partition);
    std::vector<Observed> replicas;
    for (const auto& broker : seen)
      if (std::ranges::find(one.replicas, broker.id) != one.replicas.end()) replicas.push_back(broker);
    checker_.check_final(one.partition, replicas);
  }
  for (const auto& [partition, told] : ledger_.partitions())
    if (!there.contains(partition)) ledger_.fail(fmt::format("{} is gone", partition));
}

}  // namespace simulation
