#include "broker/transaction/remote_markers.h"

#include <absl/container/flat_hash_map.h>

#include <algorithm>
#include <utility>

namespace broker {

using base::ErrorCode;
using protocol::WriteTxnMarkersRequest;
using protocol::WriteTxnMarkersResponse;

namespace {

bool same_end(const TransactionEnd& a, const TransactionEnd& b) {
  return a.producer == b.producer && a.outcome == b.outcome && a.coordinator_epoch == b.coordinator_epoch;
}

WriteTxnMarkersRequest::Marker& entry_for(WriteTxnMarkersRequest& request, const TransactionEnd& end) {
  const auto found = std::ranges::find(request.markers, end.producer.id, &WriteTxnMarkersRequest::Marker::producer_id);
  if (found != request.markers.end()) return *found;
  auto& marker = request.markers.emplace_back();
  marker.producer_id = end.producer.id;
  marker.producer_epoch = end.producer.epoch;
  marker.transaction_result = end.outcome == Outcome::commit;
  marker.coordinator_epoch = end.coordinator_epoch;
  return marker;
}

void add(WriteTxnMarkersRequest::Marker& marker, const base::TopicPartition& partition) {
  using Topic = WriteTxnMarkersRequest::Marker::Topic;
  auto topic = std::ranges::find(marker.topics, partition.topic, &Topic::name);
  if (topic == marker.topics.end()) topic = marker.topics.insert(marker.topics.end(), Topic{partition.topic, {}});
  topic->partition_indexes.push_back(partition.partition);
}

}  // namespace

void RemoteMarkers::write(base::BrokerId leader, const TransactionEnd& end, const base::TopicPartition& partition,
                          std::chrono::milliseconds timeout, MarkerWriter::Done done) {
  auto& to = leaders_[leader];
  to.waiting.push_back({end, partition, timeout, std::move(done)});
  if (to.sending) return;
  to.sending = true;
  loop_.post([this, leader] { send(leader); });  // whoever writes more markers now is part of it
}

// The answer tells producers apart and nothing else, so each has one entry: what ends differently comes next time.
void RemoteMarkers::send(base::BrokerId leader) {
  auto& to = leaders_.at(leader);
  absl::flat_hash_map<base::ProducerId, TransactionEnd> ends;
  std::vector<Marker> sent;
  std::deque<Marker> later;
  WriteTxnMarkersRequest request;
  std::chrono::milliseconds timeout{0};
  for (auto& marker : std::exchange(to.waiting, {})) {
    const auto [known, first] = ends.emplace(marker.end.producer.id, marker.end);
    if (!first && !same_end(known->second, marker.end)) {
      later.push_back(std::move(marker));
      continue;
    }
    add(entry_for(request, marker.end), marker.partition);
    timeout = std::max(timeout, marker.timeout);
    sent.push_back(std::move(marker));
  }
  to.waiting = std::move(later);
  others_.ask<WriteTxnMarkersResponse>(
      leader, std::move(request), {0, last_version_}, timeout,
      [this, leader, sent = std::move(sent)](base::Result<replication::PeerAnswer<WriteTxnMarkersResponse>> answer) {
        answered(leader, sent, std::move(answer));
      });
}

void RemoteMarkers::answered(base::BrokerId leader, std::vector<Marker> sent,
                             base::Result<replication::PeerAnswer<WriteTxnMarkersResponse>> answer) {
  auto& to = leaders_.at(leader);
  to.sending = !to.waiting.empty();
  if (to.sending) loop_.post([this, leader] { send(leader); });

  absl::flat_hash_map<std::pair<base::ProducerId, base::TopicPartition>, ErrorCode> codes;
  if (answer)
    for (const auto& marker : answer->message.markers)
      for (const auto& topic : marker.topics)
        for (const auto& partition : topic.partitions)
          codes.emplace(std::pair(marker.producer_id, base::TopicPartition{topic.name, partition.partition_index}),
                        partition.error_code);
  for (const auto& marker : sent) {
    const auto code = codes.find(std::pair(marker.end.producer.id, marker.partition));
    marker.done(!answer               ? answer.error().code
                : code == codes.end() ? ErrorCode::unknown_server_error  // not told: asked again
                                      : code->second);
  }
}

}  // namespace broker
