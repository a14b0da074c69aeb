#include "broker/handlers/log_dirs.h"

#include <absl/container/btree_map.h>
#include <absl/container/flat_hash_set.h>

#include <algorithm>
#include <filesystem>

#include "broker/dispatch/reply.h"
#include "protocol/messages/alter_replica_log_dirs.h"
#include "protocol/messages/describe_log_dirs.h"

namespace broker {
namespace {

using base::ErrorCode;
using protocol::DescribeLogDirsRequest;
using protocol::DescribeLogDirsResponse;
using Directory = DescribeLogDirsResponse::Result;

// As Java shows a path: absolute, without a slash at the end.
std::string shown_path(const std::string& configured) {
  auto path = std::filesystem::absolute(configured).string();
  while (path.size() > 1 && path.ends_with('/')) path.pop_back();
  return path;
}

// Which partitions were asked for.
class Wanted {
 public:
  explicit Wanted(const DescribeLogDirsRequest& in) : all_(!in.topics) {
    if (all_) return;
    for (const auto& topic : *in.topics)
      for (const auto partition : topic.partitions) named_.insert({topic.topic, partition});
  }
  bool holds(const base::TopicPartition& partition) const { return all_ || named_.contains(partition); }

 private:
  bool all_;
  absl::flat_hash_set<base::TopicPartition> named_;
};

using OfDirectory = absl::btree_map<std::string, std::vector<Directory::Topic::Partition>>;  // by topic

Directory describe(const storage::DirectoryHealth& directory, OfDirectory topics) {
  Directory out;
  out.log_dir = shown_path(directory.path());
  if (!directory.online()) {
    out.error_code = ErrorCode::kafka_storage_error;
    return out;
  }
  for (auto& [name, partitions] : topics) out.topics.push_back({name, std::move(partitions)});
  std::error_code unknown;
  if (const auto space = std::filesystem::space(directory.path(), unknown); !unknown) {
    out.total_bytes = static_cast<std::int64_t>(space.capacity);
    out.usable_bytes = static_cast<std::int64_t>(space.available);
  }
  return out;
}

DescribeLogDirsResponse describe_all(const storage::LogDirs& dirs, const replication::PartitionTable& partitions,
                                     const replication::LogMoves& moves, const Wanted& wanted) {
  absl::btree_map<std::string, OfDirectory> by_path;
  for (const auto& partition : partitions.all()) {
    const auto& name = partition->name();
    if (!wanted.holds(name)) continue;
    const auto log = partition->describe_log();
    if (!log) continue;
    by_path[log->directory][name.topic].push_back({.partition_index = name.partition,
                                                   .partition_size = static_cast<std::int64_t>(log->size_bytes),
                                                   .offset_lag = std::max<std::int64_t>(log->offset_lag, 0),
                                                   .is_future_key = false});
  }
  for (const auto& copy : moves.copies())
    if (wanted.holds(copy.partition))
      by_path[copy.place.directory][copy.partition.topic].push_back(
          {.partition_index = copy.partition.partition,
           .partition_size = static_cast<std::int64_t>(copy.place.size_bytes),
           .offset_lag = std::max<std::int64_t>(copy.place.offset_lag, 0),
           .is_future_key = true});
  DescribeLogDirsResponse out;
  for (const auto& directory : dirs.all())
    out.results.push_back(describe(*directory, std::move(by_path[directory->path()])));
  return out;
}

}  // namespace

void DescribeLogDirsHandler::operator()(Request& request, AnswerSlot answer) const {
  DescribeLogDirsRequest in;
  if (!read_body(request, answer, in)) return;
  pool_.submit([&dirs = dirs_, &partitions = partitions_, &moves = moves_, wanted = Wanted(in),
                version = request.version(), correlation_id = request.correlation_id(),
                slot = std::make_shared<AnswerSlot>(std::move(answer))] {
    slot->fill(protocol::encode_response(correlation_id, version, describe_all(dirs, partitions, moves, wanted)));
  });
}

namespace {

using protocol::AlterReplicaLogDirsRequest;
using protocol::AlterReplicaLogDirsResponse;

// Null when this broker has no such directory.
std::shared_ptr<storage::DirectoryHealth> find_directory(const storage::LogDirs& dirs, std::string_view path) {
  while (path.size() > 1 && path.ends_with('/')) path.remove_suffix(1);
  for (const auto& directory : dirs.all())
    if (shown_path(directory->path()) == path) return directory;
  return nullptr;
}

ErrorCode move(const AlterReplicaLogDirsHandler::Parts& parts, const base::TopicPartition& name,
               const std::shared_ptr<storage::DirectoryHealth>& to) {
  if (!to) return ErrorCode::log_dir_not_found;
  if (!to->online()) return ErrorCode::kafka_storage_error;
  if (!parts.metadata.snapshot()->find_partition(name.topic, name.partition))
    return ErrorCode::unknown_topic_or_partition;
  const auto partition = parts.partitions.find(name.topic, name.partition);
  if (!partition) {
    // A reassignment says where, before there is a replica.
    if (!parts.logs.directory_of(name)) parts.logs.prefer(name, to);
    return parts.partitions.why_absent(name.topic, name.partition);
  }
  // What lies on a directory that is offline may be another copy of the same.
  if (parts.logs.has_offline_directory()) return ErrorCode::kafka_storage_error;
  const auto begun = parts.moves.move(partition, to);
  return begun ? ErrorCode::none : begun.error().code;
}

AlterReplicaLogDirsResponse move_all(const AlterReplicaLogDirsHandler::Parts& parts,
                                     const AlterReplicaLogDirsRequest& in) {
  absl::btree_map<std::string, std::vector<AlterReplicaLogDirsResponse::Result::Partition>> by_topic;
  for (const auto& directory : in.dirs) {
    const auto to = find_directory(parts.dirs, directory.path);
    for (const auto& topic : directory.topics)
      for (const auto partition : topic.partitions)
        by_topic[topic.name].push_back({partition, move(parts, {topic.name, partition}, to)});
  }
  AlterReplicaLogDirsResponse out;
  for (auto& [topic, partitions] : by_topic) out.results.push_back({topic, std::move(partitions)});
  return out;
}

}  // namespace

void AlterReplicaLogDirsHandler::operator()(Request& request, AnswerSlot answer) const {
  AlterReplicaLogDirsRequest in;
  if (!read_body(request, answer, in)) return;
  parts_.pool.submit([parts = parts_, in = std::move(in), version = request.version(),
                      correlation_id = request.correlation_id(),
                      slot = std::make_shared<AnswerSlot>(std::move(answer))] {
    slot->fill(protocol::encode_response(correlation_id, version, move_all(parts, in)));
  });
}

}  // namespace broker
