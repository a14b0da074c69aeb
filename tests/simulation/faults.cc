// What goes wrong in a cluster while faults happen, and what its operators do meanwhile.
#include <fmt/format.h>

#include <algorithm>

#include "tests/simulation/cluster.h"

namespace simulation {

using std::chrono::milliseconds;
using std::chrono::seconds;

void Cluster::next_fault() {
  const auto between = plan_.between_faults;
  scheduler_.after(between / 4 + scheduler_.dice().between({}, between * 3 / 2), [this] {
    if (!faulty_ || ledger_.failed()) return;
    do_fault();
    next_fault();
  });
}

void Cluster::happens(const std::string& kind, const std::string& what) {
  ++faults_[kind];
  note(fmt::format("{}: {}", kind, what));
}

// What was done to the cluster is undone after a while, and at the end at once.
void Cluster::undo_later(base::Duration after, std::function<void()> undo) {
  const auto number = ++last_undo_;
  undo_.emplace(number, std::move(undo));
  scheduler_.after(after, [this, number] {
    auto due = undo_.extract(number);
    if (due.empty()) return;
    last_undone_ = scheduler_.now();
    due.mapped()();
  });
}

SimBroker& Cluster::any_broker() { return *brokers_[scheduler_.dice().below(brokers_.size())]; }

void Cluster::do_fault() {
  auto& dice = scheduler_.dice();
  // A disk that forgets is one fault; that the only other copy goes with it would be two, and too many for two copies.
  if (!at_risk_.empty()) return;
  auto& broker = any_broker();
  auto& other = any_broker();
  const auto time =
      dice.one_in(3) ? dice.between(milliseconds(50), milliseconds(800)) : dice.between(milliseconds(500), seconds(9));
  const auto kind = dice.below(plan_.administers ? 16 : 12);
  if (kind >= 12) return administer();
  if (kind == 11) return disturb_store();
  if (!broker.is_up() || broker.is_shutting_down()) return;
  switch (kind) {
    case 0:
    case 1:
      return kill(broker);
    case 2:
    case 3:
      return plan_.power_fails ? lose_power(broker) : kill(broker);
    case 4:
    case 5:
      return pause(broker);
    case 6:
      return shut_down(broker);
    case 7:
      if (broker.id() != other.id()) cut(broker.id(), other.id(), time);
      return;
    case 8:
      if (broker.id() == other.id()) return;
      cut(broker.id(), other.id(), time);
      return cut(other.id(), broker.id(), time);
    case 9:
      return isolate(broker);
    default:
      happens("reset", fmt::format("connections between {} and {}", broker.id(), other.id()));
      return network_.reset(broker.id().raw, other.id().raw);
  }
}

// ---- processes
// -------------------------------------------------------------------------------------------------------

void Cluster::kill(SimBroker& broker) {
  happens("kill", fmt::format("broker {}", broker.id()));
  broker.kill();
  undo_later(scheduler_.dice().between(milliseconds(20), seconds(8)), [this, &broker] {
    note(fmt::format("broker {} starts", broker.id()));
    broker.start();
  });
}

void Cluster::pause(SimBroker& broker) {
  if (broker.is_paused()) return;
  happens("pause", fmt::format("broker {}", broker.id()));
  broker.life().pause();
  undo_later(scheduler_.dice().between(milliseconds(50), seconds(9)), [this, &broker, life = broker.lives()] {
    if (!broker.is_up() || broker.lives() != life) return;
    note(fmt::format("broker {} goes on", broker.id()));
    broker.life().resume();
  });
}

// The process may still be at it when it is to start again.
void Cluster::shut_down(SimBroker& broker) {
  if (broker.is_paused() || !broker.life().has_joined()) return;
  happens("shutdown", fmt::format("broker {}", broker.id()));
  broker.shut_down();
  undo_later(scheduler_.dice().between(milliseconds(100), seconds(8)), [this, &broker] {
    if (broker.is_up()) broker.kill();
    note(fmt::format("broker {} starts", broker.id()));
    broker.start();
  });
}

bool Cluster::is_well(const SimBroker& broker) const {
  if (!broker.is_up() || broker.is_paused() || broker.is_shutting_down()) return false;
  if (!broker.life().has_joined() || broker.life().store().is_cut()) return false;
  return std::ranges::none_of(brokers_, [&](const auto& other) {
    return network_.is_cut(broker.id().raw, other->id().raw) || network_.is_cut(other->id().raw, broker.id().raw);
  });
}

// Whoever loses what it had not synced must not be the last that has it: others are in sync and well, and no leader is
// just about to drop them.
bool Cluster::may_lose_power(const SimBroker& broker) const {
  if (!ensemble_.serving() || !undo_.empty() || scheduler_.now() - last_undone_ < seconds(1)) return false;
  if (!std::ranges::all_of(brokers_, [this](const auto& one) { return is_well(*one); })) return false;
  return std::ranges::none_of(stored(), [&](const auto& one) {
    return one.reassigning || (one.isr.size() < 2 && std::ranges::find(one.isr, broker.id()) != one.isr.end());
  });
}

void Cluster::lose_power(SimBroker& broker) {
  if (!may_lose_power(broker)) return;
  happens("power loss", fmt::format("broker {}", broker.id()));
  for (const auto& one : stored())
    if (std::ranges::find(one.isr, broker.id()) != one.isr.end()) at_risk_[one.partition] = one.changed;
  broker.lose_power();
  undo_later(scheduler_.dice().between(milliseconds(20), seconds(8)), [this, &broker] {
    note(fmt::format("broker {} starts", broker.id()));
    broker.start();
  });
  await_recovery(broker.id());
}

void Cluster::await_recovery(base::BrokerId broker) {
  std::map<base::TopicPartition, std::int64_t> left;
  for (const auto& one : stored()) {
    const auto found = at_risk_.find(one.partition);
    if (found == at_risk_.end()) continue;
    if (one.changed == found->second || std::ranges::find(one.isr, broker) != one.isr.end()) left.insert(*found);
  }
  at_risk_ = std::move(left);
  if (at_risk_.empty()) return;
  scheduler_.after(milliseconds(5), [this, broker] { await_recovery(broker); });
}

// ---- ways
// ------------------------------------------------------------------------------------------------------------

void Cluster::cut(base::BrokerId from, base::BrokerId to, base::Duration time) {
  if (network_.is_cut(from.raw, to.raw)) return;
  happens("cut", fmt::format("from {} to {}", from, to));
  network_.cut(from.raw, to.raw);
  undo_later(time, [this, from, to] {
    note(fmt::format("mended from {} to {}", from, to));
    network_.mend(from.raw, to.raw);
  });
}

// From all other brokers, but perhaps not from ZooKeeper and not from clients.
void Cluster::isolate(SimBroker& broker) {
  auto& dice = scheduler_.dice();
  const auto time = dice.between(milliseconds(500), seconds(9));
  for (const auto& other : brokers_) {
    if (other->id() == broker.id()) continue;
    cut(broker.id(), other->id(), time);
    cut(other->id(), broker.id(), time);
  }
  if (dice.percent(50)) return;
  broker.life().store().cut();
  undo_later(time, [&broker, life = broker.lives()] {
    if (broker.is_up() && broker.lives() == life) broker.life().store().mend();
  });
}

void Cluster::disturb_store() {
  auto& dice = scheduler_.dice();
  auto& broker = any_broker();
  switch (dice.below(5)) {
    case 0:
      if (!ensemble_.serving()) return;
      happens("store away", "for all");
      ensemble_.stop_serving();
      return undo_later(dice.between(milliseconds(200), seconds(8)), [this] {
        note("the store is back");
        ensemble_.serve_again();
      });
    case 1:
      if (!broker.is_up()) return;
      happens("store connection lost", fmt::format("broker {}", broker.id()));
      return broker.life().store().break_connection();
    case 2:
    case 3:
      if (!broker.is_up()) return;
      happens("session expired", fmt::format("broker {}", broker.id()));
      return ensemble_.expire(broker.life().store().session_id());
    default:
      if (!broker.is_up() || broker.life().store().is_cut()) return;
      happens("store cut off", fmt::format("broker {}", broker.id()));
      broker.life().store().cut();
      return undo_later(dice.between(milliseconds(200), seconds(9)), [this, &broker, life = broker.lives()] {
        note(fmt::format("broker {} reaches the store", broker.id()));
        if (broker.is_up() && broker.lives() == life) broker.life().store().mend();
      });
  }
}

// ---- operators
// -------------------------------------------------------------------------------------------------------

void Cluster::administer() {
  auto& dice = scheduler_.dice();
  const auto partitions = stored();
  switch (dice.below(6)) {
    case 0:
      happens("preferred election", "of all");
      return admin_->elect_preferred();
    case 1:
    case 2: {
      if (partitions.empty()) return;
      const auto& one = partitions[dice.below(partitions.size())];
      if (one.reassigning && dice.percent(50)) {
        happens("reassignment cancelled", one.partition.text());
        return admin_->reassign(one.partition, std::nullopt);
      }
      std::vector<base::BrokerId> to;
      for (const auto& broker : brokers_) to.push_back(broker->id());
      for (std::size_t i = 0; i < to.size(); ++i) std::swap(to[i], to[i + dice.below(to.size() - i)]);
      to.resize(3);
      happens("reassignment", fmt::format("{} to [{}]", one.partition, fmt::join(to, ",")));
      return admin_->reassign(one.partition, to);
    }
    case 3: {
      const auto name = fmt::format("x{}", made_topics_++);
      happens("topic made", name);
      return admin_->create_topic({name, {{brokers_[0]->id(), brokers_[1]->id()}}, {}}, [](base::ErrorCode) {});
    }
    case 4: {
      if (made_topics_ == 0) return;
      const auto name = fmt::format("x{}", dice.below(made_topics_));
      happens("topic deleted", name);
      return admin_->delete_topic(name);
    }
    default: {
      const auto topic = fmt::format("t{}", dice.below(plan_.topics));
      const auto least = dice.percent(50) ? "1" : "2";
      happens("min.insync.replicas", fmt::format("{} of {}", least, topic));
      return admin_->alter_topic(topic, "min.insync.replicas", least);
    }
  }
}

}  // namespace simulation
