// What leaders and followers need of other brokers.
#include <algorithm>
#include <chrono>
#include <utility>

#include "broker/handlers/cluster_view.h"
#include "broker/parts/parts.h"
#include "broker/telemetry/broker_metrics.h"
#include "protocol/messages/controlled_shutdown.h"

namespace broker {

using std::chrono::milliseconds;

std::optional<replication::PeerAddress> Broker::Parts::address_of(base::BrokerId broker) const {
  const auto cluster = metadata.snapshot();
  const auto* alive = cluster->find_broker(broker);
  const auto* endpoint = alive ? endpoint_on(*alive, file().endpoints.inter_broker) : nullptr;
  if (!endpoint) return std::nullopt;
  return replication::PeerAddress{broker, *endpoint};
}

// From inter.broker.protocol.version 2.7-IV2 on the controller changes in-sync sets, before leaders did.
replication::IsrChanges& Broker::Parts::make_isr_changes() {
  const auto release = file().protocol_version();
  if (!replication::ControllerIsrChanges::is_known_to(release)) {
    written_isr_changes = std::make_unique<replication::StateNodeIsrChanges>(id, *store, coordination, clock);
    return *written_isr_changes;
  }
  asked_isr_changes = std::make_unique<replication::ControllerIsrChanges>(replication::ControllerIsrChanges::Services{
      .self = id,
      .loop = coordination,
      .peers = peers,
      .find_controller =
          [this] { return address_of(metadata.snapshot()->controller()).value_or(replication::PeerAddress{}); },
      .here = [this](auto request, auto done) { controller->alter_partition(std::move(request), std::move(done)); },
      .broker_epoch = [this] { return membership->epoch(); },
      .release = release,
      .options = {.client_id = client_id()},
      .timeout = milliseconds(file().controller_socket_timeout_ms)});
  return *asked_isr_changes;
}

// A broker that keeps its metadata itself never has another beside it, and needs nothing of this.
void Broker::Parts::make_replication() {
  if (file().embedded_metadata()) return;
  const milliseconds max_lag(file().replica_lag_time_max_ms);
  leading = std::make_unique<replication::LeaderServices>(clock, metadata, make_isr_changes(), max_lag);
  replicas->use(*leading);
  logs->run_every(std::max(max_lag / 2, milliseconds(1)), [this] { replicas->look_at_followers(); });

  std::vector<base::Loop*> any;
  for (std::size_t i = 0; i < loops.size(); ++i) any.push_back(&loops.at(i));
  fetchers = std::make_unique<replication::FetcherManager>(
      replication::FetcherSettings::of(file(), id),
      replication::FetcherServices{.network = peers,
                                   .pool = pool,
                                   .clock = clock,
                                   .throttle = follower_throttle,
                                   .broker_epoch = [this] { return membership ? membership->epoch() : -1; }},
      std::move(any), [this](base::BrokerId leader) { return address_of(leader); });
  replicas->use(*fetchers);
  limit_replication(*settings.snapshot()->broker);
  settings.subscribe([this](const config::SettingsChange&, const std::shared_ptr<const config::Snapshot>& now) {
    limit_replication(*now->broker);
    fetchers->set_fetchers_per_broker(now->broker->num_replica_fetchers);
  });
  add_follower_metrics(metrics, *fetchers);
}

void Broker::Parts::limit_replication(const config::BrokerSettings& now) {
  leader_throttle.limit(now.leader_replication_throttled_rate);
  follower_throttle.limit(now.follower_replication_throttled_rate);
}

// Who is alive decides where followers fetch and who may be in sync.
void Broker::Parts::brokers_changed() {
  if (fetchers) fetchers->brokers_changed();
  replicas->look_at_followers();
}

void Broker::Parts::ask_for_hand_over(milliseconds timeout, std::function<void(HandOverReply)> done) {
  if (controller->is_active())
    return controller->shut_down(id, membership->epoch(), [done = std::move(done)](replication::ShutdownReply reply) {
      done({.code = reply.code, .remaining = reply.remaining.size()});
    });
  protocol::ControlledShutdownRequest request;
  request.broker_id = id;
  request.broker_epoch = membership->epoch();
  others->ask_controller<protocol::ControlledShutdownResponse>(
      request, {0, peer_versions().controlled_shutdown}, timeout, [done = std::move(done)](const auto& answer) {
        if (!answer) return done({.code = answer.error().code});
        done({.code = answer->message.error_code, .remaining = answer->message.remaining_partitions.size()});
      });
}

void Broker::Parts::hand_over_leaderships() {
  if (!joined || !file().controlled_shutdown_enable || metadata.snapshot()->brokers().size() < 2) return;
  hand_over(
      {.max_retries = file().controlled_shutdown_max_retries,
       .backoff = milliseconds(file().controlled_shutdown_retry_backoff_ms),
       .time_for_all = kHandOver},
      [this](milliseconds timeout, auto done) { ask_for_hand_over(timeout, std::move(done)); }, clock);
}

}  // namespace broker
