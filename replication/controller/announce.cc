#include "replication/controller/announce.h"

#include <algorithm>
#include <set>

namespace replication {

Announcer::Announcer(base::BrokerId self, base::Loop& loop, Announcements local, std::function<void()> metadata_told)
    : self_(self), loop_(loop), local_(std::move(local)), metadata_told_(std::move(metadata_told)) {}

void Announcer::send(const ControllerState& state, Announcements::Done stopped) {
  const auto self = state.brokers.find(self_);
  const FromController from{.controller = self_,
                            .controller_epoch = state.epoch,
                            .broker_epoch = self == state.brokers.end() ? -1 : self->second.epoch};
  std::erase_if(leadership_, [&](const PartitionState& partition) {
    return std::ranges::find(partition.replicas, self_) == partition.replicas.end();
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
         nullptr});
  }
  if (std::exchange(metadata_due_, false)) {
    UpdateMetadata request{.from = from, .partitions = std::exchange(metadata_, {})};
    for (const auto& [id, broker] : state.brokers) request.brokers.push_back(broker);
    queue_.push_back(
        {[this, request = std::move(request)](auto done) { local_.update_metadata(request, std::move(done)); },
         [this](const AnnouncementReply&) { metadata_told_(); }});
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
      for (const auto& [partition, code] : reply.partitions)
        log_.warn("the broker could not follow the controller for {}: {}", partition, base::error_name(code));
      if (answered) answered(reply);
      pump();
    });
  });
}

}  // namespace replication
