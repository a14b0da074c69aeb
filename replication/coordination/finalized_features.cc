#include "replication/coordination/finalized_features.h"

#include <string>

#include "replication/coordination/znodes.h"

namespace replication {

void FinalizedFeatures::start() {
  watch_ = store_.watch_data(std::string(paths::kFeature), [this] { read(); });
  read();
}

// Answers come in the order asked: the last one is the newest.
void FinalizedFeatures::read() {
  store_.get(std::string(paths::kFeature), [this](const Reply<Node>& reply) { arrived(reply); });
}

void FinalizedFeatures::arrived(const Reply<Node>& reply) {
  if (!reply.ok()) {
    if (reply.code == StoreCode::no_node) epoch_ = -1;
    return;
  }
  const auto node = decode_feature(paths::kFeature, reply.value.data);
  if (!node) log_.error("No finalized features are known: {}", node.error().detail);
  const bool enabled = node.ok() && node->enabled;
  if (enabled && !node->features.empty()) {
    log_.error(
        "The cluster has finalized features that this broker does not support: {} in {}. It cannot be a member any "
        "more.",
        node->features, paths::kFeature);
    epoch_ = -1;
    unsupported_();
    return;
  }
  epoch_ = enabled ? reply.value.stat.version : -1;
}

}  // namespace replication
