#include "broker/handlers/delete_records.h"

#include "broker/dispatch/reply.h"
#include "broker/internal_topics/names.h"
#include "protocol/messages/delete_records.h"

namespace broker {
namespace {

using base::ErrorCode;
using base::fail;
using base::Offset;
using protocol::DeleteRecordsRequest;
using protocol::DeleteRecordsResponse;

base::Result<Offset> delete_records(const replication::ClusterMetadata& cluster,
                                    const replication::PartitionTable& partitions, const std::string& topic,
                                    const DeleteRecordsRequest::Topic::Partition& wanted) {
  if (!cluster.find_partition(topic, wanted.partition_index))
    return fail(ErrorCode::unknown_topic_or_partition, "no such partition");
  if (is_internal_topic(topic)) return fail(ErrorCode::invalid_topic_exception, "{} is internal", topic);
  const auto partition = partitions.find(topic, wanted.partition_index);
  if (!partition) return fail(partitions.why_absent(topic, wanted.partition_index), "not led here");
  return partition->delete_records(wanted.offset);
}

}  // namespace

void DeleteRecordsHandler::operator()(Request& request, AnswerSlot answer) const {
  DeleteRecordsRequest in;
  if (!read_body(request, answer, in)) return;
  const auto cluster = metadata_.snapshot();
  DeleteRecordsResponse out;
  bool any = false;
  for (const auto& topic : in.topics) {
    auto& topic_out = out.topics.emplace_back();
    topic_out.name = topic.name;
    for (const auto& wanted : topic.partitions) {
      auto& result = topic_out.partitions.emplace_back();
      result.partition_index = wanted.partition_index;
      const auto low = delete_records(*cluster, partitions_, topic.name, wanted);
      result.low_watermark = low ? *low : base::kNoOffset;
      result.error_code = low ? ErrorCode::none : low.error().code;
      any |= low.ok();
    }
  }
  if (!any) return reply(answer, request, out);
  pool_.submit([&logs = logs_, encoded = protocol::encode_response(request.correlation_id(), request.version(), out),
                slot = std::make_shared<AnswerSlot>(std::move(answer))]() mutable {
    logs.checkpoint_log_starts();
    slot->fill(std::move(encoded));
  });
}

}  // namespace broker
