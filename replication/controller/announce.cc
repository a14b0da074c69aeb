#include "replication/controller/announce.h"

#include <algorithm>
#include <set>
#include <utility>

namespace replication {

using base::ErrorCode;

Announcer::Announcer(Settings settings, base::Loop& loop, PeerNetwork* peers, Announcements local, Hooks hooks)
    : settings_(std::move(settings)), loop_(loop), peers_(peers), hooks_(std::move(hooks)) {
  local_ = std::make_shared<BrokerChannel>(
      BrokerChannel::Settings{.broker = settings_.self}, loop_, std::move(local), nullptr,
      BrokerChannel::Hooks{
          .answered = [this](base::BrokerId id, const auto& what, const auto& reply) { answered(id, what, reply); },
          .fell_behind = hooks_.fell_behind});
}

std::unique_ptr<PeerConnection> Announcer::connect(base::BrokerId id, const Endpoint& endpoint) {
  return peers_->connect({.id = id, .endpoint = endpoint}, loop_, {.client_id = fmt::format("{}", settings_.self)});
}

// The same life at another address: what waits goes there.
void Announcer::move(Remote& remote, base::BrokerId id, const Endpoint& endpoint) {
  auto peer = connect(id, endpoint);
  remote.channel->use(announce_over(*peer, settings_.remote), [peer = peer.get()] { peer->disconnect(); });
  remote.peer = std::move(peer);
  remote.endpoint = endpoint;
}

void Announcer::open(const LiveBroker& broker, const Endpoint& endpoint) {
  auto& remote = remotes_[broker.id];
  remote.endpoint = endpoint;
  remote.peer = connect(broker.id, endpoint);
  auto* peer = remote.peer.get();
  remote.channel = std::make_shared<BrokerChannel>(
      BrokerChannel::Settings{.broker = broker.id, .epoch = broker.epoch}, loop_,
      announce_over(*peer, settings_.remote), [peer] { peer->disconnect(); },
      BrokerChannel::Hooks{
          .answered = [this](base::BrokerId id, const auto& what, const auto& reply) { answered(id, what, reply); },
          .fell_behind = hooks_.fell_behind});
}

void Announcer::follow(const ControllerState& state) {
  std::erase_if(remotes_, [&](auto& remote) {
    const auto broker = state.brokers.find(remote.first);
    if (broker != state.brokers.end() && broker->second.epoch == remote.second.channel->epoch()) return false;
    remote.second.channel->clear();
    return true;
  });
  if (const auto self = state.brokers.find(settings_.self); self != state.brokers.end())
    local_->set_epoch(self->second.epoch);
  if (!peers_) return;
  for (const auto& [id, broker] : state.brokers) {
    if (id == settings_.self) continue;
    const auto endpoint = std::ranges::find(broker.endpoints, settings_.remote.listener, &Endpoint::listener);
    const auto known = remotes_.find(id);
    if (endpoint == broker.endpoints.end()) {
      if (known == remotes_.end() && unreachable_.insert(id).second)
        log_.error("broker {} has no listener {}: it cannot be told anything", id, settings_.remote.listener);
      continue;
    }
    unreachable_.erase(id);
    if (known == remotes_.end())
      open(broker, *endpoint);
    else if (known->second.endpoint != *endpoint)
      move(known->second, id, *endpoint);
  }
}

BrokerChannel* Announcer::find(base::BrokerId id) {
  if (id == settings_.self) return local_.get();
  const auto found = remotes_.find(id);
  return found == remotes_.end() ? nullptr : found->second.channel.get();
}

void Announcer::send(const ControllerState& state) {
  follow(state);
  for (auto& [id, told] : batch_.take(state, settings_.self)) {
    auto* channel = find(id);
    if (!channel) continue;
    if (told.leadership) channel->push(std::move(*told.leadership));
    if (told.metadata) channel->push(std::move(*told.metadata));
    if (told.stop) channel->push(std::move(*told.stop));
  }
}

void Announcer::reset() {
  batch_.clear();
  local_->clear();
  for (auto& [id, remote] : remotes_) remote.channel->clear();
  remotes_.clear();
}

void Announcer::answered(base::BrokerId id, const Announcement& announcement, const AnnouncementReply& reply) {
  if (reply.code != ErrorCode::none && reply.code != ErrorCode::network_exception)
    log_.warn("broker {} refused an announcement of its controller: {}", id, base::error_name(reply.code));
  // Told again what holds already, and a lost disk, which is reported as a whole.
  for (const auto& [partition, code] : reply.partitions)
    if (code != ErrorCode::stale_controller_epoch && code != ErrorCode::kafka_storage_error)
      log_.warn("broker {} could not follow the controller for {}: {}", id, partition, base::error_name(code));

  if (std::holds_alternative<LeaderAndIsr>(announcement)) {
    std::vector<base::TopicPartition> lost;
    for (const auto& [partition, code] : reply.partitions)
      if (code == ErrorCode::kafka_storage_error) lost.push_back(partition);
    if (!lost.empty()) hooks_.replicas_lost(id, std::move(lost));
  } else if (const auto* stop = std::get_if<StopReplica>(&announcement)) {
    std::set<base::TopicPartition> refused;
    for (const auto& error : reply.partitions) refused.insert(error.partition);
    std::vector<base::TopicPartition> removed, failed;
    for (const auto& one : stop->partitions) {
      if (!one.remove) continue;
      const bool gone = reply.code == ErrorCode::none && !refused.contains(one.partition);
      (gone ? removed : failed).push_back(one.partition);
    }
    if (!removed.empty() || !failed.empty()) hooks_.replicas_removed(id, std::move(removed), std::move(failed));
  } else if (id == settings_.self) {
    hooks_.metadata_told();
  }
}

}  // namespace replication
