// What a partition needs to know of its topic's settings; replaced whole when they change.
#pragma once

#include <cstdint>

#include "config/topic_settings.h"
#include "replication/partition/throttle.h"
#include "storage/log/admission.h"
#include "storage/log/log_settings.h"

namespace replication {

struct PartitionSettings {
  storage::AdmissionRules admission;
  storage::LogSettings log;
  std::int32_t min_insync_replicas = 1;
  bool down_conversion = true;              // message.downconversion.enable
  bool compresses_zstd = false;             // compression.type is zstd: fetchers below version 10 are refused
  ThrottledReplicas throttled_followers{};  // follower.replication.throttled.replicas
  ThrottledReplicas throttled_leaders{};    // leader.replication.throttled.replicas

  static PartitionSettings of(const config::TopicSettings& topic);
};

}  // namespace replication
