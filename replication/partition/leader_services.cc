#include "replication/partition/leader_services.h"

namespace replication {
namespace {

class Nobody final : public IsrChanges {
 public:
  void ask(IsrChange, Done) override {}
};

// A broker that came back is another one until it fetches as such. Who tells nothing of its life, or of whom the
// controller told nothing, is taken at its word.
bool is_this_life(const MetadataCache& metadata, const Follower& follower) {
  const auto cluster = metadata.snapshot();
  const auto* broker = cluster->find_broker(follower.id);
  if (!broker) return false;
  return broker->epoch < 0 || follower.progress.broker_epoch < 0 || broker->epoch == follower.progress.broker_epoch;
}

}  // namespace

LeaderServices::LeaderServices(base::Clock& clock, const MetadataCache& cache, IsrChanges& changes, base::Duration lag)
    : metadata(cache),
      isr_changes(changes),
      max_lag(lag),
      now([&clock] { return clock.now(); }),
      may_be_in_sync([&cache](const Follower& follower) { return is_this_life(cache, follower); }) {}

const LeaderServices& LeaderServices::alone() {
  static base::SystemClock clock;
  static MetadataCache metadata;
  static Nobody nobody;
  static const LeaderServices services(clock, metadata, nobody);
  return services;
}

}  // namespace replication
