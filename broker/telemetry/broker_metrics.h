// Which metrics a broker has: their names, and where their values are read.
//
// Each function is called once, when the parts it reads are there; they outlive the last page.
#pragma once

#include <cstdint>

#include "base/metrics.h"
#include "broker/dispatch/api_table.h"
#include "broker/handlers/fetch.h"
#include "broker/network/socket_server.h"
#include "replication/controller/controller.h"
#include "replication/coordination/metadata_store.h"
#include "replication/follower/fetcher_manager.h"
#include "replication/partition/replicas.h"
#include "storage/clean/service.h"
#include "storage/dirs/log_dirs.h"
#include "storage/dirs/log_set.h"

namespace broker {

void add_directory_metrics(base::Metrics& metrics, const storage::LogDirs& dirs, const storage::LogSet& logs);
void add_cleaner_metrics(base::Metrics& metrics, const storage::CleanService& cleaner);
void add_partition_metrics(base::Metrics& metrics, const replication::PartitionTable& partitions,
                           const replication::Replicas& replicas);
void add_follower_metrics(base::Metrics& metrics, const replication::FetcherManager& fetchers);
void add_network_metrics(base::Metrics& metrics, const SocketServer& sockets);
void add_request_metrics(base::Metrics& metrics, const ApiTable& apis, const FetchServices& fetch);
void add_controller_metrics(base::Metrics& metrics, const replication::Controller& controller);
// Before store.start().
void add_store_metrics(base::Metrics& metrics, replication::MetadataStore& store);

}  // namespace broker
