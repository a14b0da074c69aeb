#include "broker/telemetry/broker_metrics.h"

#include <atomic>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace broker {
namespace {

using base::Metrics;
using base::Sample;
using storage::LoadCounts;

double number(std::uint64_t x) { return static_cast<double>(x); }
double number(std::int64_t x) { return static_cast<double>(x); }

}  // namespace

void add_directory_metrics(Metrics& metrics, const storage::LogDirs& dirs, const storage::LogSet& logs) {
  const auto loading = [&](std::string name, std::string unit, std::string help, std::uint64_t LoadCounts::*count) {
    metrics.add_family({std::move(name), std::move(unit), std::move(help)}, [&logs, count] {
      std::vector<Sample> samples;
      for (const auto& [directory, counts] : logs.progress_by_directory())
        samples.push_back({{{"directory", directory}}, number(counts.*count)});
      return samples;
    });
  };
  loading("weir_recovery_partitions", "partitions", "Partitions the data directory held when the broker started",
          &LoadCounts::partitions);
  loading("weir_recovery_done_partitions", "partitions", "Those of them that are open, or were given up",
          &LoadCounts::partitions_done);
  loading("weir_recovery_bytes", "bytes", "What has to be read because the last stop was not in order, once measured",
          &LoadCounts::bytes);
  loading("weir_recovery_done_bytes", "bytes", "What of that has been read", &LoadCounts::bytes_done);

  metrics.add_family({"weir_directory_online", "1 or 0", "Whether the data directory is in use, or has failed"},
                     [&dirs] {
                       std::vector<Sample> samples;
                       for (const auto& one : dirs.all())
                         samples.push_back({{{"directory", one->path()}}, one->online() ? 1.0 : 0.0});
                       return samples;
                     });
  metrics.add({"weir_offline_directories", "directories", "Data directories that have failed"},
              [&dirs] { return number(dirs.all().size() - dirs.online().size()); });
  metrics.add_family({"weir_directory_free_bytes", "bytes", "Free space of the data directory's disk"}, [&dirs] {
    std::vector<Sample> samples;
    for (const auto& one : dirs.online())
      if (const auto free = one->free_bytes()) samples.push_back({{{"directory", one->path()}}, number(*free)});
    return samples;
  });
}

void add_cleaner_metrics(Metrics& metrics, const storage::CleanService& cleaner) {
  metrics.add({"weir_cleaner_uncleanable_partitions", "partitions",
               "Compacted partitions that cannot be cleaned and grow; the log says which and why"},
              [&cleaner] { return number(cleaner.counts().uncleanable); });
  metrics.add({"weir_cleaner_runs_total", "cleanings", "Cleanings that were finished"},
              [&cleaner] { return number(cleaner.counts().cleanings); });
  metrics.add({"weir_cleaner_read_bytes_total", "bytes", "What cleanings have read"},
              [&cleaner] { return number(cleaner.counts().bytes_read); });
  metrics.add({"weir_cleaner_written_bytes_total", "bytes", "What cleanings have kept and written anew"},
              [&cleaner] { return number(cleaner.counts().bytes_written); });
  metrics.add_family(
      {"weir_cleaner_last_run_timestamp_seconds", "seconds", "Unix time at which the last cleaning was finished"},
      [&cleaner]() -> std::vector<Sample> {
        const auto last = cleaner.counts().last_cleaning;
        if (last == base::kNoTimestamp) return {};
        return {{.labels = {}, .value = number(base::to_ms(last)) / 1000}};
      });
  metrics.add({"weir_cleaner_max_dirty_ratio", "ratio",
               "Dirty share of the dirtiest compacted partition when the cleaner last looked"},
              [&cleaner] { return cleaner.counts().max_dirty_ratio; });
}

void add_partition_metrics(Metrics& metrics, const replication::PartitionTable& partitions,
                           const replication::Replicas& replicas) {
  metrics.add({"weir_partitions", "partitions", "Replicas this broker serves"},
              [&partitions] { return number(partitions.all().size()); });
  metrics.add({"weir_led_partitions", "partitions", "Replicas this broker serves as their leader"}, [&partitions] {
    std::uint64_t led = 0;
    for (const auto& partition : partitions.all()) led += partition->is_leader() ? 1 : 0;
    return number(led);
  });
  const auto health = [&](std::string name, std::string help, bool replication::ReplicationHealth::*is) {
    metrics.add({std::move(name), "partitions", std::move(help)}, [&partitions, is] {
      std::uint64_t count = 0;
      for (const auto& partition : partitions.all()) {
        const auto found = partition->replication_health();
        count += found && (*found).*is ? 1 : 0;
      }
      return number(count);
    });
  };
  health("weir_under_replicated_partitions", "Partitions led here that lack in-sync replicas",
         &replication::ReplicationHealth::under_replicated);
  health("weir_under_min_isr_partitions",
         "Partitions led here with fewer in-sync replicas than min.insync.replicas: acks=all is refused",
         &replication::ReplicationHealth::under_min_isr);
  health("weir_at_min_isr_partitions", "Partitions led here with just as many in-sync replicas as min.insync.replicas",
         &replication::ReplicationHealth::at_min_isr);
  metrics.add({"weir_isr_shrinks_total", "changes", "Times in-sync sets of partitions led here became smaller"},
              [&replicas] { return number(replicas.leading().shrinks().get()); });
  metrics.add({"weir_isr_expands_total", "changes", "Times in-sync sets of partitions led here became larger"},
              [&replicas] { return number(replicas.leading().expands().get()); });
  metrics.add({"weir_failed_isr_changes_total", "changes", "Changes of in-sync sets that were asked for and refused"},
              [&replicas] { return number(replicas.leading().failures().get()); });
  metrics.add({"weir_parked_waiters", "entries",
               "Long polls and produces with acks=all that wait for a partition, once for each they wait for"},
              [&partitions] {
                std::uint64_t waiting = 0;
                for (const auto& partition : partitions.all()) waiting += partition->waiting();
                return number(waiting);
              });
  metrics.add({"weir_retention_deleted_segments_total", "segments", "Segments that retention has deleted"},
              [&replicas] { return number(replicas.deleted_segments().get()); });
  metrics.add({"weir_retention_deleted_bytes_total", "bytes", "Size of the segments that retention has deleted"},
              [&replicas] { return number(replicas.deleted_bytes().get()); });
}

void add_follower_metrics(Metrics& metrics, const replication::FetcherManager& fetchers) {
  metrics.add({"weir_followed_partitions", "partitions", "Replicas here that follow a leader elsewhere"},
              [&fetchers] { return number(fetchers.followed()); });
  metrics.add({"weir_follower_max_lag_offsets", "offsets",
               "How far the replica here that is farthest behind its leader's high watermark is behind it"},
              [&fetchers] { return number(fetchers.progress().max_lag()); });
  metrics.add({"weir_follower_failed_partitions", "partitions",
               "Replicas here that wait for the controller because their leader has left their leader epoch"},
              [&fetchers] { return number(fetchers.progress().failed.load()); });
  metrics.add({"weir_follower_received_bytes_total", "bytes", "Records fetched from leaders"},
              [&fetchers] { return number(fetchers.progress().bytes.get()); });
}

void add_network_metrics(Metrics& metrics, const SocketServer& sockets) {
  const auto total = [&](std::string name, std::string unit, std::string help, std::uint64_t NetworkTotals::*count) {
    metrics.add({std::move(name), std::move(unit), std::move(help)},
                [&sockets, count] { return number(sockets.totals().*count); });
  };
  total("weir_connections", "connections", "Open connections of clients", &NetworkTotals::connections_open);
  total("weir_connections_opened_total", "connections", "Connections that were accepted",
        &NetworkTotals::connections_opened);
  total("weir_connections_closed_idle_total", "connections", "Connections closed after connections.max.idle.ms",
        &NetworkTotals::connections_closed_idle);
  total("weir_connections_refused_total", "connections", "Connections closed at once by max.connections.per.ip",
        &NetworkTotals::connections_refused);
  total("weir_received_bytes_total", "bytes", "What clients have sent", &NetworkTotals::bytes_received);
  total("weir_sent_bytes_total", "bytes", "What was sent to clients", &NetworkTotals::bytes_sent);
  total("weir_reads_paused_total", "pauses",
        "Times a connection was not read for a while: too many unanswered requests, unread answers, or no memory",
        &NetworkTotals::reads_paused);
  total("weir_cold_reads_total", "reads", "Ranges of files that came from the disk before they could be sent",
        &NetworkTotals::cold_reads);
  metrics.add({"weir_request_memory_limit_bytes", "bytes", "queued.max.request.bytes, 0 if there is no limit"},
              [&sockets] { return number(sockets.request_memory().limit_bytes()); });
  metrics.add({"weir_request_memory_bytes", "bytes", "What large requests in work hold; counted only under a limit"},
              [&sockets] {
                const auto& memory = sockets.request_memory();
                return number(memory.limited() ? memory.limit_bytes() - memory.available_bytes() : 0);
              });
}

void add_request_metrics(Metrics& metrics, const ApiTable& apis, const FetchServices& fetch) {
  const auto by_api = [&](std::string name, std::string unit, std::string help,
                          base::Counter ApiEntry::Counts::*count) {
    metrics.add_family({std::move(name), std::move(unit), std::move(help)}, [&apis, count] {
      std::vector<Sample> samples;
      for (const auto* entry : apis.entries())
        samples.push_back({{{"api", std::string(entry->api.name)}}, number((entry->counts.get()->*count).get())});
      return samples;
    });
  };
  by_api("weir_requests_total", "requests", "Requests by API", &ApiEntry::Counts::requests);
  by_api("weir_request_bytes_total", "bytes", "Size of the requests by API; of Produce it is mostly records",
         &ApiEntry::Counts::bytes);
  metrics.add({"weir_fetched_record_bytes_total", "bytes", "Records that fetches were answered with, as in the log"},
              [&fetch] { return number(fetch.record_bytes->get()); });
  metrics.add({"weir_converted_memory_limit_bytes", "bytes", "What records converted for old clients may hold"},
              [&fetch] { return number(fetch.converted->limit_bytes()); });
  metrics.add({"weir_converted_memory_bytes", "bytes", "What records converted for old clients do hold"},
              [&fetch] { return number(fetch.converted->limit_bytes() - fetch.converted->available_bytes()); });
}

void add_controller_metrics(Metrics& metrics, const replication::Controller& controller) {
  metrics.add({"weir_active_controller", "1 or 0", "Whether this broker is the controller of the cluster"},
              [&controller] { return controller.is_active() ? 1.0 : 0.0; });
}

void add_store_metrics(Metrics& metrics, replication::MetadataStore& store) {
  using replication::SessionEvent;
  struct Seen {
    std::atomic<bool> connected{false};
    std::atomic<std::uint64_t> expired{0};
  };
  const auto seen = std::make_shared<Seen>();
  store.on_session([seen](SessionEvent event) {
    seen->connected = event == SessionEvent::connected || event == SessionEvent::new_session;
    if (event == SessionEvent::expired) ++seen->expired;
  });
  metrics.add({"weir_metadata_connected", "1 or 0", "Whether the session with ZooKeeper is up; embedded, always"},
              [seen] { return seen->connected ? 1.0 : 0.0; });
  metrics.add({"weir_metadata_sessions_expired_total", "sessions", "Sessions with ZooKeeper that were lost"},
              [seen] { return number(seen->expired.load()); });
}

}  // namespace broker
