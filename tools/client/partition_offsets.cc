#include "tools/client/partition_offsets.h"

#include <algorithm>
#include <set>

#include "protocol/messages/list_offsets.h"

namespace tools {
namespace {

using base::BrokerId;
using base::Error;
using base::ErrorCode;
using base::TopicPartition;

// Broker or error, as the metadata has it.
std::variant<BrokerId, Error> leader_in(const protocol::MetadataResponse& cluster, const TopicPartition& wanted) {
  for (const auto& topic : cluster.topics) {
    if (topic.name != wanted.topic) continue;
    if (topic.error_code != ErrorCode::none) return Error{topic.error_code, ""};
    for (const auto& partition : topic.partitions)
      if (partition.partition_index == wanted.partition && partition.leader_id.raw >= 0) return partition.leader_id;
    return Error{ErrorCode::leader_not_available, ""};
  }
  return Error{ErrorCode::unknown_topic_or_partition, ""};
}

// One question of several rounds; each leaves the partitions that need another one.
class Search {
 public:
  Search(Admin& admin, std::int64_t timestamp) : admin_(admin), timestamp_(timestamp) {}

  PartitionOffsets run(std::vector<TopicPartition> open) {
    const auto deadline = admin_.deadline();
    while (true) {
      open = round(open);
      if (open.empty() || !admin_.pause_until_retry(deadline)) return std::move(found_);
    }
  }

 private:
  std::vector<TopicPartition> round(const std::vector<TopicPartition>& open) {
    std::map<BrokerId, std::vector<TopicPartition>> by_leader;
    std::vector<TopicPartition> again;
    find_leaders(open, by_leader, again);
    for (const auto& [leader, partitions] : by_leader) ask(leader, partitions, again);
    return again;
  }

  // What is written down here stays unless a later round knows better.
  void note(const TopicPartition& partition, Error error, std::vector<TopicPartition>& again) {
    if (may_pass(error.code)) again.push_back(partition);
    found_[partition] = std::move(error);
  }

  void find_leaders(const std::vector<TopicPartition>& open, std::map<BrokerId, std::vector<TopicPartition>>& by_leader,
                    std::vector<TopicPartition>& again) {
    std::set<std::string> names;
    for (const auto& partition : open) names.insert(partition.topic);
    auto cluster = admin_.metadata("listOffsets(api=METADATA)", std::vector(names.begin(), names.end()));
    for (const auto& wanted : open) {
      if (!cluster) {
        found_[wanted] = cluster.error();
        continue;
      }
      const auto leader = leader_in(*cluster, wanted);
      if (const auto* error = std::get_if<Error>(&leader))
        note(wanted, *error, again);
      else
        by_leader[std::get<BrokerId>(leader)].push_back(wanted);
    }
  }

  void ask(BrokerId leader, const std::vector<TopicPartition>& partitions, std::vector<TopicPartition>& again) {
    protocol::ListOffsetsRequest request;
    for (const auto& [name, partition] : partitions) {
      if (request.topics.empty() || request.topics.back().name != name) request.topics.push_back({name, {}});
      request.topics.back().partitions.push_back({.partition_index = partition, .timestamp = timestamp_});
      found_[{name, partition}] = Error{ErrorCode::unknown_server_error, ""};  // unless the broker says otherwise
    }
    // To brokers that do not know them the newer of the special timestamps are just very early ones.
    const auto version = timestamp_ > kMaxTimestampOffset ? std::int16_t{0} : needed_version();
    base::Result<protocol::ListOffsetsResponse> answer = Error{ErrorCode::unsupported_version, ""};
    if (version == 0 || admin_.version_on(leader, protocol::kListOffsets).value_or(0) >= version)
      answer = admin_.call<protocol::ListOffsetsResponse>(leader, "listOffsets on broker", request);
    if (!answer) {
      for (const auto& partition : partitions) found_[partition] = answer.error();
      return;
    }
    for (const auto& topic : answer->topics)
      for (const auto& row : topic.partitions) {
        const TopicPartition partition{topic.name, row.partition_index};
        if (row.error_code != ErrorCode::none)
          note(partition, {row.error_code, ""}, again);
        else if (!row.old_style_offsets.empty())
          found_[partition] = row.old_style_offsets.front();
        else
          found_[partition] = row.offset;
      }
  }

  std::int16_t needed_version() const {
    return timestamp_ == kMaxTimestampOffset ? 7 : timestamp_ == kEarliestLocalOffset ? 8 : 9;
  }

  Admin& admin_;
  std::int64_t timestamp_;
  PartitionOffsets found_;
};

}  // namespace

bool may_pass(ErrorCode code) {
  switch (code) {
    case ErrorCode::unknown_topic_or_partition:
    case ErrorCode::leader_not_available:
    case ErrorCode::not_leader_or_follower:
    case ErrorCode::replica_not_available:
    case ErrorCode::fenced_leader_epoch:
    case ErrorCode::unknown_leader_epoch:
    case ErrorCode::offset_not_available:
    case ErrorCode::kafka_storage_error:
      return true;
    default:
      return false;
  }
}

base::Result<BrokerId> leader_of(Admin& admin, std::string_view call_name, const TopicPartition& partition) {
  const auto deadline = admin.deadline();
  while (true) {
    const auto cluster = admin.metadata(call_name, std::vector{partition.topic});
    if (!cluster) return cluster.error();
    const auto leader = leader_in(*cluster, partition);
    if (const auto* id = std::get_if<BrokerId>(&leader)) return *id;
    const auto& error = std::get<Error>(leader);
    if (!may_pass(error.code) || !admin.pause_until_retry(deadline)) return error;
  }
}

PartitionOffsets list_offsets(Admin& admin, const std::vector<TopicPartition>& partitions, std::int64_t timestamp) {
  std::vector<TopicPartition> wanted = partitions;
  std::sort(wanted.begin(), wanted.end());
  wanted.erase(std::unique(wanted.begin(), wanted.end()), wanted.end());
  if (wanted.empty()) return {};
  return Search(admin, timestamp).run(std::move(wanted));
}

base::Result<std::map<std::string, std::vector<base::PartitionIndex>>> partitions_of(
    Admin& admin, std::string_view call_name, const std::vector<std::string>& topics) {
  std::map<std::string, std::vector<base::PartitionIndex>> found;
  const auto deadline = admin.deadline();
  while (true) {
    auto cluster = admin.metadata(call_name, topics);
    if (!cluster) return cluster.error();
    Error error;
    error.code = ErrorCode::none;
    for (const auto& topic : cluster->topics) {
      if (topic.error_code != ErrorCode::none) {
        error = {topic.error_code, ""};
        continue;
      }
      auto& partitions = found[*topic.name];
      partitions.clear();
      for (const auto& partition : topic.partitions) partitions.push_back(partition.partition_index);
      std::sort(partitions.begin(), partitions.end());
    }
    if (error.code == ErrorCode::none) return found;
    if (error.code != ErrorCode::leader_not_available || !admin.pause_until_retry(deadline)) return error;
  }
}

}  // namespace tools
