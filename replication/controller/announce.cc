#include "replication/controller/announce.h"

#include <algorithm>
#include <set>

namespace replication {

Announcer::Announcer(base::BrokerId self, base::Loop& loop, Announcements local, Hooks hooks)
    : self_(self), loop_(loop), local_(std::move(local)), hooks_(std::move(hooks)) {}

namespace {
bool contains(const std::vector<base::BrokerId>& ids, base::BrokerId id) {
  return std::ranges::find(ids, id) != ids.end();
}
}  // namespace

void Announcer::send(const ControllerState& state, Announcements::Done stopped) {
  const auto self = state.brokers.find(self_);
  const FromController from{.controller = self_,
                            .controller_epoch = state.epoch,
                            .broker_epoch = self == state.brokers.end() ? -1 : self->second.epoch};
  std::erase_if(leadership_, [&](const PartitionState& partition) {
    return !contains(partition.replicas, self_) || contains(partition.offline, self_);
  });
  if (!leadership_.empty()) {
    LeaderAndIsr request{.from = from, .partitions = std::exchange(leadership_, {})};
    std::set<base::BrokerId> leaders;
    for (const auto& partition : request.partitions) leaders.insert(partition.leader);
    for (const auto id : leaders)
      if (const auto broker = state.brokers.find(id); broker != state.brokers.end())
        request.leaders.push_back(broker->second);
    queue_.push_back(
        {[this, request = std::move(request)](auto done) { local_.leader_and_isr(request, std::move(done)); },
         [this](const AnnouncementReply& reply) { leadership_answered(reply); }});
  }
  if (std::exchange(metadata_due_, false)) {
    UpdateMetadata request{.from = from, .partitions = std::exchange(metadata_, {})};
    for (const auto& [id, broker] : state.brokers) request.brokers.push_back(broker);
    queue_.push_back(
        {[this, request = std::move(request)](auto done) { local_.update_metadata(request, std::move(done)); },
         [this](const AnnouncementReply&) { hooks_.metadata_told(); }});
  }
  if (!stops_.empty()) {
    StopReplica request{.from = from, .partitions = std::exchange(stops_, {})};
    queue_.push_back(
        {[this, request = std::move(request)](auto done) { local_.stop_replica(request, std::move(done)); },
         std::move(stopped)});
  }
  pump();
}

void Announcer::reset() {
  leadership_.clear();
  metadata_.clear();
  stops_.clear();
  metadata_due_ = false;
  queue_.clear();
}

void Announcer::leadership_answered(const AnnouncementReply& reply) {
  std::vector<base::TopicPartition> lost;
  for (const auto& [partition, code] : reply.partitions)
    if (code == base::ErrorCode::kafka_storage_error) lost.push_back(partition);
  if (!lost.empty()) hooks_.replicas_lost(self_, std::move(lost));
}

void Announcer::pump() {
  if (in_flight_ || queue_.empty()) return;
  in_flight_ = true;
  const Entry entry = std::move(queue_.front());
  queue_.pop_front();
  entry.call([this, answered = entry.answered](AnnouncementReply reply) {
    loop_.post([this, answered, reply = std::move(reply)] {
      in_flight_ = false;
      if (reply.code != base::ErrorCode::none)
        log_.warn("the broker refused an announcement of its controller: {}", base::error_name(reply.code));
      // Told again what holds already, and a lost disk, which is reported as a whole.
      for (const auto& [partition, code] : reply.partitions)
        if (code != base::ErrorCode::stale_controller_epoch && code != base::ErrorCode::kafka_storage_error)
          log_.warn("the broker could not follow the controller for {}: {}", partition, base::error_name(code));
      if (answered) answered(reply);
      pump();
    });
  });
}

}  // namespace replication
