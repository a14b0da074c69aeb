// Configuration kept in the metadata store (/config/...), read into DynamicSettings. Waits for the store.
#pragma once

#include <string>

#include "config/dynamic.h"
#include "replication/coordination/blocking_store.h"

namespace broker {

// One entity's overrides; none when the node is missing or empty.
base::Result<config::Texts> load_overrides(replication::BlockingStore& store, std::string_view type,
                                           std::string_view name);

// Everything at start: topics, the cluster's defaults, this broker.
base::Status load_stored_settings(replication::BlockingStore& store, base::BrokerId self,
                                  config::DynamicSettings& settings);

}  // namespace broker
