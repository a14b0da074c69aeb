// AlterConfigs and IncrementalAlterConfigs: settings of topics and brokers, and the level of this broker's log lines.
//
// What is changed goes into the metadata store and takes effect when its announcement comes back, here as on every
// other broker: the answer says that it is stored.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/logging.h"
#include "broker/dispatch/request.h"
#include "broker/network/answers.h"
#include "config/alter.h"
#include "config/dynamic.h"
#include "replication/cluster/metadata.h"
#include "replication/coordination/stored_configs.h"

namespace broker {

// One resource of a request, whichever of the two it is.
struct ResourceAlteration {
  std::int8_t type = 0;
  std::string name;
  std::vector<config::Alteration> alterations;
  bool replace = false;  // AlterConfigs: what is not named goes
};

// What both handlers do. Any thread may call. Outlived by its parts.
class ConfigAlterations {
 public:
  using Done = std::function<void(std::vector<base::Status>)>;

  ConfigAlterations(base::BrokerId self, const config::DynamicSettings& settings,
                    const replication::MetadataCache& metadata, const replication::StoredConfigs& stored)
      : self_(self), settings_(settings), metadata_(metadata), stored_(stored) {}

  // The answers in the order of the resources; `done` inside the call or later on the coordination loop.
  void apply(std::vector<ResourceAlteration> resources, replication::StoredConfigs::Mode mode, Done done) const;

 private:
  struct Gathering;

  base::Status check(const ResourceAlteration& resource) const;
  base::Status alter_loggers(const ResourceAlteration& resource, replication::StoredConfigs::Mode mode) const;
  replication::StoredConfigs::Alter alter_stored(ResourceAlteration resource) const;

  const base::BrokerId self_;
  const config::DynamicSettings& settings_;
  const replication::MetadataCache& metadata_;
  const replication::StoredConfigs& stored_;
  const base::Logger log_{"weir.ConfigAlterations"};
};

// Any loop may call; answers come from the coordination loop.
class AlterConfigsHandler {
 public:
  explicit AlterConfigsHandler(const ConfigAlterations& alterations) : alterations_(alterations) {}
  void operator()(Request& request, AnswerSlot answer) const;

 private:
  const ConfigAlterations& alterations_;
};

class IncrementalAlterConfigsHandler {
 public:
  explicit IncrementalAlterConfigsHandler(const ConfigAlterations& alterations) : alterations_(alterations) {}
  void operator()(Request& request, AnswerSlot answer) const;

 private:
  const ConfigAlterations& alterations_;
};

}  // namespace broker
