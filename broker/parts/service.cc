#include <filesystem>

#include "broker/handlers/allocate_producer_ids.h"
#include "broker/handlers/alter_configs.h"
#include "broker/handlers/api_versions.h"
#include "broker/handlers/cluster.h"
#include "broker/handlers/configs.h"
#include "broker/handlers/controller_requests.h"
#include "broker/handlers/delete_records.h"
#include "broker/handlers/describe_transactions.h"
#include "broker/handlers/fetch.h"
#include "broker/handlers/find_coordinator.h"
#include "broker/handlers/groups.h"
#include "broker/handlers/list_offsets.h"
#include "broker/handlers/log_dirs.h"
#include "broker/handlers/metadata.h"
#include "broker/handlers/offset_for_epoch.h"
#include "broker/handlers/offsets.h"
#include "broker/handlers/produce.h"
#include "broker/handlers/reassignments.h"
#include "broker/handlers/topics.h"
#include "broker/handlers/transactions.h"
#include "broker/handlers/txn_markers.h"
#include "broker/host.h"
#include "broker/network_configuration.h"
#include "broker/parts/parts.h"
#include "broker/telemetry/broker_metrics.h"
#include "protocol/messages/registry.h"

namespace broker {
namespace {
constexpr std::string_view kRackAware = "org.apache.kafka.common.replica.RackAwareReplicaSelector";
constexpr std::string_view kLeaderOnly = "org.apache.kafka.common.replica.LeaderSelector";
}  // namespace

Status Broker::Parts::bind_sockets() {
  sockets = std::make_unique<SocketServer>(
      network_settings(file()), SocketServer::Parts{.table = apis, .loops = loops, .reads = &reads, .clock = clock});
  return sockets->bind();
}

void Broker::Parts::serve() {
  add_handlers();
  add_network_metrics(metrics, *sockets);
  add_request_metrics(metrics, apis, *fetch_services);
  await_own_controller();
  sockets->start();
  await_announcement();
  say_welcome();
}

void Broker::Parts::add_handlers() {
  fetch_sessions = std::make_unique<FetchSessionCache>(
      static_cast<std::size_t>(file().max_incremental_fetch_session_cache_slots), clock, random);
  const auto selector = file().replica_selector_class.value_or(std::string(kLeaderOnly));
  if (selector != kRackAware && selector != kLeaderOnly)
    log.warn("replica.selector.class={} is not known here: consumers read from leaders. There is {}", selector,
             kRackAware);
  fetch_services = std::make_unique<FetchServices>(
      FetchServices{.metadata = metadata,
                    .partitions = partitions,
                    .sessions = *fetch_sessions,
                    .pool = pool,
                    .reads = reads,
                    .max_answer_bytes = file().fetch_max_bytes,
                    .prefers_rack = selector == kRackAware,
                    .throttle = &leader_throttle,
                    .converted = std::make_shared<MemoryBudget>(file().fetch_max_bytes)});
  stored_configs = std::make_unique<replication::StoredConfigs>(*store, coordination);
  config_alterations = std::make_unique<ConfigAlterations>(id, settings, metadata, *stored_configs);
  old_offsets = std::make_unique<OldOffsets>(*store);
  offset_services = std::make_unique<OffsetServices>(
      OffsetServices{.groups = *groups,
                     .old_offsets = *old_offsets,
                     .verification = *verification,
                     .metadata = metadata,
                     .clock = clock,
                     .max_metadata_bytes = GroupSettings::from(file()).max_metadata_bytes});
  struct How {
    bool any_version = false;
    bool no_read_ahead = false;
  };
  constexpr How kInTurn{.no_read_ahead = true};  // what a member asks next presumes that it has joined
  const auto serve_api = [this](std::int16_t key, Handler handler, How how = How()) {
    const auto* api = protocol::find_api(key);
    apis.add({.api = *api,
              .versions = api->versions,
              .handler = std::move(handler),
              .no_read_ahead = how.no_read_ahead,
              .any_version = how.any_version});
  };
  const VerifyTransaction verify{.at_once =
                                     [this](VerifyTransaction::Id transactional_id, const Producer& producer,
                                            const base::TopicPartition& partition) {
                                       return verification->at_once(transactional_id, producer, partition);
                                     },
                                 .ask =
                                     [this](VerifyTransaction::Id transactional_id, const Producer& producer,
                                            std::vector<base::TopicPartition> asked, std::chrono::milliseconds timeout,
                                            TransactionVerification::Verdicts done) {
                                       verification->ask(transactional_id, producer, std::move(asked), timeout,
                                                         std::move(done));
                                     }};
  serve_api(0, ProduceHandler({.clock = clock, .metadata = metadata, .partitions = partitions, .verify = verify}));
  serve_api(1, FetchHandler(*fetch_services));
  serve_api(2, ListOffsetsHandler(metadata, partitions, reads));
  serve_api(3, MetadataHandler({cluster_id, id}, settings, metadata, partitions, *internal_topics, *topic_creation));
  replica_control = std::make_unique<ReplicaControl>(announcements(), [this] { return membership->epoch(); });
  serve_api(4, [this](Request& in, AnswerSlot out) { replica_control->leader_and_isr(in, std::move(out)); });
  serve_api(5, [this](Request& in, AnswerSlot out) { replica_control->stop_replica(in, std::move(out)); });
  serve_api(6, [this](Request& in, AnswerSlot out) { replica_control->update_metadata(in, std::move(out)); });
  serve_api(7, ControlledShutdownHandler(*controller));
  serve_api(8, OffsetCommitHandler(*offset_services));
  serve_api(9, OffsetFetchHandler(*offset_services));
  serve_api(10, FindCoordinatorHandler(*internal_topics, metadata));
  serve_api(11, JoinGroupHandler(*groups), kInTurn);
  serve_api(12, HeartbeatHandler(*groups));
  serve_api(13, LeaveGroupHandler(*groups));
  serve_api(14, SyncGroupHandler(*groups), kInTurn);
  serve_api(15, DescribeGroupsHandler(*groups));
  serve_api(16, ListGroupsHandler(*groups));
  serve_api(18, ApiVersionsHandler(apis, *features), {.any_version = true});
  serve_api(19, CreateTopicsHandler(settings, *controller));
  serve_api(20, DeleteTopicsHandler(*controller));
  serve_api(21, DeleteRecordsHandler(metadata, partitions, *logs, pool));
  serve_api(22, InitProducerIdHandler(*producer_ids, *transactions));
  serve_api(23, OffsetForEpochHandler(metadata, partitions));
  serve_api(24, AddPartitionsToTxnHandler(*transactions, metadata));
  serve_api(25, AddOffsetsToTxnHandler(*transactions, *internal_topics, settings));
  serve_api(26, EndTxnHandler(*transactions));
  serve_api(27, WriteTxnMarkersHandler(marker_writer, settings));
  serve_api(28, TxnOffsetCommitHandler(*offset_services));
  serve_api(32, DescribeConfigsHandler(id, settings, metadata));
  serve_api(33, AlterConfigsHandler(*config_alterations));
  serve_api(34, AlterReplicaLogDirsHandler({.metadata = metadata,
                                            .dirs = *dirs,
                                            .partitions = partitions,
                                            .logs = *logs,
                                            .moves = *moves,
                                            .pool = pool}));
  serve_api(35, DescribeLogDirsHandler(*dirs, partitions, *moves, pool));
  serve_api(37, CreatePartitionsHandler(*controller));
  serve_api(42, DeleteGroupsHandler(*groups));
  serve_api(43, ElectLeadersHandler(*controller));
  serve_api(44, IncrementalAlterConfigsHandler(*config_alterations));
  serve_api(45, AlterPartitionReassignmentsHandler(*controller));
  serve_api(46, ListPartitionReassignmentsHandler(*controller));
  serve_api(47, OffsetDeleteHandler(*offset_services));
  serve_api(56, AlterPartitionHandler(*controller));
  serve_api(60, DescribeClusterHandler(cluster_id, metadata));
  serve_api(61, DescribeProducersHandler(metadata, partitions));
  serve_api(65, DescribeTransactionsHandler(*transactions));
  serve_api(66, ListTransactionsHandler(*transactions, clock));
  serve_api(67, AllocateProducerIdsHandler(*controller, metadata, [this](base::BrokerId broker) {
              return replication::stored_producer_ids(broker, *store, coordination);
            }));
}

void Broker::Parts::say_welcome() const {
  for (const auto& listener : file().endpoints.bound) {
    const auto* told = file().endpoints.find_advertised(listener.name);
    log.info("Listening on {}://{}:{}, clients are told {}", listener.name, listener.host.empty() ? "*" : listener.host,
             sockets->port(listener.name), told ? told->text() : "nothing");
  }
  std::string where;
  for (const auto& directory : dirs->all()) where += (where.empty() ? "" : ", ") + directory->path();
  log.info("Data in {}; metadata in {}", where,
           file().embedded_metadata() ? "this broker itself (no zookeeper.connect)"
                                      : "ZooKeeper at " + *file().zookeeper_connect);
  log.info("[KafkaServer id={}] started", id);
  if (file().endpoints.advertised.empty()) return;
  // For whoever started us by hand for the first time.
  const auto& first = file().endpoints.advertised.front();
  const auto bin = std::filesystem::path(program_file()).parent_path().parent_path() / "bin";
  const auto address = fmt::format("{}:{}", first.host, first.port == 0 ? sockets->port(first.name) : first.port);
  log.info("Try: {}/kafka-console-producer.sh --bootstrap-server {} --topic hello", bin.string(), address);
  log.info("Then: {}/kafka-console-consumer.sh --bootstrap-server {} --topic hello --from-beginning", bin.string(),
           address);
}

}  // namespace broker
