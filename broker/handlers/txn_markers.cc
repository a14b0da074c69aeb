#include "broker/handlers/txn_markers.h"

#include <absl/synchronization/mutex.h>

#include <memory>
#include <utility>

#include "broker/dispatch/owed.h"
#include "broker/dispatch/reply.h"
#include "protocol/messages/write_txn_markers.h"

namespace broker {
namespace {

using base::ErrorCode;
using protocol::WriteTxnMarkersRequest;
using protocol::WriteTxnMarkersResponse;

// The answer, filled by whoever writes its last marker.
class PendingMarkers {
 public:
  explicit PendingMarkers(std::shared_ptr<Owed> owed, WriteTxnMarkersResponse response, std::size_t left)
      : owed_(std::move(owed)), response_(std::move(response)), left_(left) {}

  struct Place {
    std::size_t marker, topic, partition;
  };
  void settle(Place at, ErrorCode code) ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    response_.markers[at.marker].topics[at.topic].partitions[at.partition].error_code = code;
    if (--left_ == 0) owed_->reply(response_);
  }

 private:
  const std::shared_ptr<Owed> owed_;
  absl::Mutex mutex_;
  WriteTxnMarkersResponse response_ ABSL_GUARDED_BY(mutex_);
  std::size_t left_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace

void WriteTxnMarkersHandler::operator()(Request& request, AnswerSlot answer) const {
  WriteTxnMarkersRequest in;
  if (!read_body(request, answer, in)) return;
  WriteTxnMarkersResponse out;
  std::size_t count = 0;
  for (const auto& marker : in.markers) {
    auto& to = out.markers.emplace_back();
    to.producer_id = marker.producer_id;
    for (const auto& topic : marker.topics) {
      auto& topic_to = to.topics.emplace_back();
      topic_to.name = topic.name;
      for (const auto partition : topic.partition_indexes) topic_to.partitions.push_back({partition, ErrorCode::none});
      count += topic.partition_indexes.size();
    }
  }
  if (count == 0) return reply(answer, request, out);

  const std::chrono::milliseconds timeout(settings_.snapshot()->broker->request_timeout_ms);
  auto pending = std::make_shared<PendingMarkers>(owe(request, std::move(answer)), std::move(out), count);
  for (std::size_t m = 0; m < in.markers.size(); ++m) {
    const auto& marker = in.markers[m];
    const TransactionEnd end{.producer = {marker.producer_id, marker.producer_epoch},
                             .outcome = marker.transaction_result ? Outcome::commit : Outcome::abort,
                             .coordinator_epoch = marker.coordinator_epoch};
    for (std::size_t t = 0; t < marker.topics.size(); ++t)
      for (std::size_t p = 0; p < marker.topics[t].partition_indexes.size(); ++p)
        writer_.write(end, {marker.topics[t].name, marker.topics[t].partition_indexes[p]}, timeout,
                      [pending, at = PendingMarkers::Place{m, t, p}](ErrorCode code) { pending->settle(at, code); });
  }
}

}  // namespace broker
