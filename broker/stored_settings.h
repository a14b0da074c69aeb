// Configuration kept in the metadata store (/config/...), read into DynamicSettings. Waits for the store.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "config/dynamic.h"
#include "replication/coordination/blocking_store.h"

namespace broker {

// Each entity's overrides, in the order of the names; none when the node is missing or empty.
std::vector<base::Result<config::Texts>> load_overrides(replication::BlockingStore& store, std::string_view type,
                                                        const std::vector<std::string>& names);

// Everything at start: topics, the cluster's defaults, this broker.
base::Status load_stored_settings(replication::BlockingStore& store, base::BrokerId self,
                                  config::DynamicSettings& settings);

}  // namespace broker
