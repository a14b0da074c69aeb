#include "broker/broker.h"

#include <utility>

#include "broker/parts/parts.h"
#include "broker/unserved_security.h"
#include "config/broker_checks.h"

namespace broker {
namespace {

// Answers still owed when we stop get this long; the rest of supervisor's customary five seconds is for the disk.
constexpr std::chrono::milliseconds kDrain{1500};

}  // namespace

Broker::Broker(config::BrokerSettings settings, std::function<std::string()> host_name,
               std::function<void()> cannot_go_on)
    : parts_(std::make_unique<Parts>(std::move(settings), std::move(host_name), std::move(cannot_go_on))) {}

Broker::~Broker() { stop(); }

base::BrokerId Broker::id() const { return parts_->id; }
std::uint16_t Broker::port(std::string_view listener) const { return parts_->sockets->port(listener); }

Status Broker::start() {
  auto& p = *parts_;
  p.starting = true;
  auto status = p.start();
  p.starting = false;
  return status;
}

void Broker::interrupt() {
  auto& p = *parts_;
  if (!p.starting) return;
  p.interrupted = true;  // before the look at the store, which start() shows before it looks here
  if (auto* store = p.store_at_start.load()) store->stop();
  p.end_wait_for_announcement();
}

Status Broker::Parts::start() {
  if (auto s = refuse_unserved_security(file()); !s) return s;
  pool.start();
  replica_thread.start();
  coordination.start();
  coordinators.start();
  loading.start();
  loops.start();
  for (auto step : {&Parts::show_metrics, &Parts::open_directories, &Parts::open_store, &Parts::learn_identity,
                    &Parts::open_logs, &Parts::bind_sockets, &Parts::join_cluster}) {
    if (interrupted) return base::fail(base::ErrorCode::unknown_server_error, "stopped while starting");
    if (auto s = (this->*step)(); !s) return s;
  }
  serve();
  return {};
}

// First of all, so that the rest of the start can be watched.
Status Broker::Parts::show_metrics() {
  if (!file().metrics_listener) return {};
  const auto where = config::parse_metrics_listener(*file().metrics_listener);
  if (!where) return where.error();
  exporter = std::make_unique<Exporter>(ExporterSettings{.host = where->host, .port = where->port}, metrics);
  return exporter->start();
}

void Broker::stop() {
  auto& p = *parts_;
  if (std::exchange(p.stopped, true)) return;
  p.hand_over_leaderships();
  if (p.exporter) p.exporter->stop();
  if (p.logs_open) p.logs->stop_loading();
  p.leadership.stop();
  if (p.groups) p.groups->stop();
  if (p.fetchers) p.fetchers->stop();
  if (p.replicas) p.replicas->stop_all();  // whoever waits is told to look for another leader
  if (p.sockets) p.sockets->stop(kDrain);
  if (p.controller) p.controller->stop();
  if (p.membership) p.membership->stop();
  if (p.blocking) p.blocking->stop();  // what is announced to us now may wait for a ZooKeeper that is away
  p.replica_thread.stop();
  if (p.moves) p.moves->stop();
  if (p.cleaner) p.cleaner->stop();
  if (p.logs_open) {
    p.logs->stop();
    if (auto closed = p.logs->close(p.replicas->release_all()); !closed)
      p.log.error("Not everything was closed in order; the next start will recover it: {}", closed.error().text());
    p.logs_open = false;
  }
  if (p.store_started) {
    p.store->stop();
    p.store_started = false;
  }
  p.coordination.stop();
  if (p.asked_isr_changes) p.asked_isr_changes->stop();
  if (p.written_isr_changes) p.written_isr_changes->stop();
  p.loading.stop();
  p.coordinators.stop();
  if (p.others) p.others->close();
  p.loops.stop();
  p.pool.stop();
}

}  // namespace broker
