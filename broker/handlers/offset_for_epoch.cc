#include "broker/handlers/offset_for_epoch.h"

#include "broker/dispatch/reply.h"
#include "protocol/messages/offset_for_leader_epoch.h"

namespace broker {

using base::ErrorCode;

void OffsetForEpochHandler::operator()(Request& request, AnswerSlot answer) const {
  protocol::OffsetForLeaderEpochRequest in;
  if (!read_body(request, answer, in)) return;
  const auto cluster = metadata_.snapshot();
  protocol::OffsetForLeaderEpochResponse out;
  for (const auto& topic : in.topics) {
    auto& topic_out = out.topics.emplace_back();
    topic_out.topic = topic.topic;
    for (const auto& wanted : topic.partitions) {
      auto& result = topic_out.partitions.emplace_back();
      result.partition = wanted.partition;
      const auto partition = partitions_.find(topic.topic, wanted.partition);
      if (!cluster->find_partition(topic.topic, wanted.partition)) {
        result.error_code = ErrorCode::unknown_topic_or_partition;
      } else if (!partition) {
        result.error_code = partitions_.why_absent(topic.topic, wanted.partition);
      } else if (auto end = partition->end_offset_for_epoch(wanted.leader_epoch, wanted.current_leader_epoch); !end) {
        result.error_code = end.error().code;
      } else {
        result.leader_epoch = end->epoch;
        result.end_offset = end->end;
      }
    }
  }
  reply(answer, request, out);
}

}  // namespace broker
