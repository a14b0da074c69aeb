#include "broker/handlers/list_offsets.h"

#include <set>

#include "broker/dispatch/reply.h"
#include "protocol/messages/list_offsets.h"

namespace broker {
namespace {

using base::ErrorCode;
using protocol::ListOffsetsRequest;
using protocol::ListOffsetsResponse;
using replication::Isolation;
using replication::OffsetAnswer;
using PartitionAnswer = ListOffsetsResponse::Topic::Partition;

constexpr std::int64_t kLatest = -1;
constexpr std::int64_t kEarliest = -2;
constexpr std::int64_t kLargestTimestamp = -3;  // since v7
constexpr std::int64_t kEarliestLocal = -4;     // since v8
constexpr std::int64_t kLastTiered = -5;        // since v9
constexpr std::int16_t kOffsetNotAvailableSince = 5;

Isolation isolation_of(const ListOffsetsRequest& in) {
  if (in.replica_id != base::kNoBroker) return Isolation::log_end;  // a follower, or a debugging consumer (-2)
  return in.isolation_level == 1 ? Isolation::last_stable : Isolation::high_watermark;
}

bool known_special_time(std::int64_t time, std::int16_t version) {
  return time >= kEarliest || (time == kLargestTimestamp && version >= 7) || (time == kEarliestLocal && version >= 8) ||
         (time == kLastTiered && version >= 9);
}

base::Result<OffsetAnswer> look_up(replication::Partition& partition, std::int64_t time,
                                   const replication::TimestampQuery& query) {
  switch (time) {
    case kLatest:
      return partition.latest(query);
    case kEarliest:
    case kEarliestLocal:
      return partition.earliest(query);
    case kLargestTimestamp:
      return partition.offset_of_largest_timestamp(query);
    case kLastTiered:
      return OffsetAnswer{};
    default:
      return partition.offset_for_time(query);
  }
}

// One request, cut loose from its connection so that it may run on the pool.
struct Listing {
  const replication::MetadataCache& metadata;
  const replication::PartitionTable& partitions;
  ListOffsetsRequest in;
  std::int16_t version;
  std::int32_t correlation_id;
  AnswerSlot answer;

  // Only these read records.
  bool reads_log() const {
    for (const auto& topic : in.topics)
      for (const auto& partition : topic.partitions)
        if (partition.timestamp >= 0 || partition.timestamp == kLargestTimestamp) return true;
    return false;
  }

  // Too many wait for the disk already: a code that lets clients ask again.
  void refuse() {
    answer_each([](const auto&...) { return ErrorCode::offset_not_available; });
  }

  void run() {
    const auto cluster = metadata.snapshot();
    answer_each([&](const std::string& topic, const ListOffsetsRequest::Topic::Partition& wanted,
                    PartitionAnswer& result) { return list(*cluster, topic, wanted, result); });
  }

 private:
  void answer_each(auto look_up_one) {
    ListOffsetsResponse out;
    const auto repeated = repeated_partitions();
    for (const auto& topic : in.topics) {
      auto& topic_out = out.topics.emplace_back();
      topic_out.name = topic.name;
      for (const auto& wanted : topic.partitions) {
        auto& result = topic_out.partitions.emplace_back();
        result.partition_index = wanted.partition_index;
        if (repeated.contains({topic.name, wanted.partition_index})) {
          result.error_code = ErrorCode::invalid_request;
          continue;
        }
        auto code = look_up_one(topic.name, wanted, result);
        if (code == ErrorCode::offset_not_available && version < kOffsetNotAvailableSince)
          code = ErrorCode::leader_not_available;
        result.error_code = code;
      }
    }
    answer.fill(protocol::encode_response(correlation_id, version, out));
  }

  using Name = std::pair<std::string, std::int32_t>;
  std::set<Name> repeated_partitions() const {
    std::set<Name> seen, repeated;
    for (const auto& topic : in.topics)
      for (const auto& partition : topic.partitions)
        if (!seen.emplace(topic.name, partition.partition_index).second)
          repeated.emplace(topic.name, partition.partition_index);
    return repeated;
  }

  ErrorCode list(const replication::ClusterMetadata& cluster, const std::string& topic,
                 const ListOffsetsRequest::Topic::Partition& wanted, PartitionAnswer& result) const {
    if (!cluster.find_partition(topic, wanted.partition_index)) return ErrorCode::unknown_topic_or_partition;
    const auto partition = partitions.find(topic, wanted.partition_index);
    if (!partition) return partitions.why_absent(topic, wanted.partition_index);
    if (version == 0) {
      auto offsets = partition->segment_offsets(base::timestamp_from_ms(wanted.timestamp), wanted.max_num_offsets);
      if (!offsets) return offsets.error().code;
      result.old_style_offsets = std::move(*offsets);
      return ErrorCode::none;
    }
    if (!known_special_time(wanted.timestamp, version)) return ErrorCode::unsupported_version;
    const auto found = look_up(*partition, wanted.timestamp,
                               {.at = base::timestamp_from_ms(wanted.timestamp),
                                .current_leader_epoch = wanted.current_leader_epoch,
                                .isolation = isolation_of(in),
                                .also_from_follower = in.replica_id == replication::kDebuggingConsumer});
    if (!found) return found.error().code;
    result.offset = found->offset;
    result.timestamp = base::to_ms(found->timestamp);
    result.leader_epoch = found->leader_epoch;
    return ErrorCode::none;
  }
};

}  // namespace

void ListOffsetsHandler::operator()(Request& request, AnswerSlot answer) const {
  ListOffsetsRequest in;
  if (!read_body(request, answer, in)) return;
  auto listing = std::make_shared<Listing>(
      Listing{metadata_, partitions_, std::move(in), request.version(), request.correlation_id(), std::move(answer)});
  if (!listing->reads_log()) return listing->run();
  if (!reads_.submit([listing] { listing->run(); })) listing->refuse();
}

}  // namespace broker
