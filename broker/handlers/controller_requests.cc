#include "broker/handlers/controller_requests.h"

#include "broker/dispatch/owed.h"
#include "broker/dispatch/reply.h"
#include "protocol/messages/alter_partition.h"
#include "protocol/messages/controlled_shutdown.h"

namespace broker {
namespace {

using base::ErrorCode;
using protocol::AlterPartitionRequest;
using protocol::AlterPartitionResponse;
using protocol::ControlledShutdownRequest;
using protocol::ControlledShutdownResponse;

constexpr std::int16_t kIneligibleReplicaSince = 2;
constexpr std::int8_t kRecovering = 1;

replication::IsrChange isr_change(const AlterPartitionRequest::Topic& topic,
                                  const AlterPartitionRequest::Topic::Partition& asked) {
  replication::IsrChange change{.partition = {topic.topic_name, asked.partition_index},
                                .topic_id = topic.topic_id,
                                .leader_epoch = asked.leader_epoch,
                                .partition_epoch = asked.partition_epoch,
                                .isr = asked.new_isr,
                                .recovering = asked.leader_recovery_state == kRecovering};
  for (const auto& [id, epoch] : asked.new_isr_with_epochs) {
    change.isr.push_back(id);
    change.broker_epochs.push_back(epoch);
  }
  return change;
}

AlterPartitionResponse::Topic::Partition answer_to(base::PartitionIndex partition,
                                                   const base::Result<replication::IsrOutcome>& outcome,
                                                   std::int16_t version) {
  AlterPartitionResponse::Topic::Partition out;
  out.partition_index = partition;
  if (!outcome) {
    out.error_code = outcome.error().code;
    if (out.error_code == ErrorCode::ineligible_replica && version < kIneligibleReplicaSince)
      out.error_code = ErrorCode::operation_not_attempted;
    return out;
  }
  out.leader_id = outcome->leader;
  out.leader_epoch = outcome->leader_epoch;
  out.isr = outcome->isr;
  out.leader_recovery_state = outcome->recovering ? kRecovering : 0;
  out.partition_epoch = outcome->partition_epoch;
  return out;
}

}  // namespace

void ControlledShutdownHandler::operator()(Request& request, AnswerSlot answer) const {
  ControlledShutdownRequest in;
  if (!read_body(request, answer, in)) return;
  controller_.shut_down(in.broker_id, in.broker_epoch,
                        [owed = owe(request, std::move(answer))](const replication::ShutdownReply& reply) {
                          ControlledShutdownResponse out;
                          out.error_code = reply.code;
                          for (const auto& [topic, partition] : reply.remaining)
                            out.remaining_partitions.push_back({topic, partition});
                          owed->reply(out);
                        });
}

void AlterPartitionHandler::operator()(Request& request, AnswerSlot answer) const {
  AlterPartitionRequest in;
  if (!read_body(request, answer, in)) return;
  replication::AlterPartition wanted{.broker = in.broker_id, .broker_epoch = in.broker_epoch};
  for (const auto& topic : in.topics)
    for (const auto& partition : topic.partitions) wanted.changes.push_back(isr_change(topic, partition));
  controller_.alter_partition(std::move(wanted), [owed = owe(request, std::move(answer)), asked = std::move(in.topics)](
                                                     const replication::AlterPartitionReply& reply) {
    AlterPartitionResponse out;
    out.error_code = reply.code;
    std::size_t next = 0;
    for (const auto& topic : asked) {
      if (reply.code != ErrorCode::none) break;
      auto& answered = out.topics.emplace_back();
      answered.topic_id = topic.topic_id;
      answered.topic_name = topic.topic_name;
      for (const auto& partition : topic.partitions)
        answered.partitions.push_back(answer_to(partition.partition_index, reply.outcomes.at(next++), owed->version));
    }
    owed->reply(out);
  });
}

}  // namespace broker
