#include "broker/handlers/offsets.h"

#include <algorithm>
#include <limits>
#include <memory>
#include <optional>

#include "broker/dispatch/reply.h"
#include "protocol/messages/offset_commit.h"
#include "protocol/messages/offset_delete.h"
#include "protocol/messages/offset_fetch.h"
#include "protocol/messages/txn_offset_commit.h"

namespace broker {
namespace {

using base::ErrorCode;
using base::TopicPartition;
using protocol::OffsetCommitRequest;
using protocol::OffsetCommitResponse;
using protocol::OffsetFetchRequest;
using protocol::OffsetFetchResponse;
using protocol::TxnOffsetCommitRequest;
using protocol::TxnOffsetCommitResponse;

constexpr std::int16_t kOwnTimestamp = 1;  // the one version in which clients date their commits
constexpr std::int16_t kFetchErrorOnTopSince = 2;
constexpr std::int16_t kFetchManyGroupsSince = 8;
constexpr std::int16_t kTxnCommitKnowsLoadingSince = 2;
constexpr std::int16_t kTransactionAbortableSince = 4;

// When a commit expires that is to be kept for so long; no client of ours lives to see the end of the range.
std::optional<base::Timestamp> expiry(base::Timestamp now, std::int64_t retention_ms) {
  if (retention_ms == -1) return std::nullopt;
  const auto left = std::numeric_limits<std::int64_t>::max() - base::to_ms(now);
  return base::timestamp_from_ms(std::max<std::int64_t>(base::to_ms(now) + std::min(retention_ms, left), 0));
}

// An answer to commits that is filled in as outcomes come: one code per offset handed on, in their order.
template <class Response>
struct Committing {
  Committing(const Request& request, AnswerSlot answer)
      : slot(std::move(answer)), correlation_id(request.correlation_id()), version(request.version()) {}

  // The topics of the request in their order; what does not exist is refused here, the rest passes `take`.
  template <class Topics, class Take>
  void sort(const Topics& topics, const replication::ClusterMetadata& cluster, const Take& take) {
    for (const auto& topic : topics) {
      auto& topic_out = out.topics.emplace_back();
      topic_out.name = topic.name;
      for (const auto& partition : topic.partitions) {
        topic_out.partitions.push_back({partition.partition_index, ErrorCode::none});
        if (!cluster.find_partition(topic.name, partition.partition_index)) {
          topic_out.partitions.back().error_code = ErrorCode::unknown_topic_or_partition;
          continue;
        }
        places.emplace_back(out.topics.size() - 1, topic_out.partitions.size() - 1);
        take(TopicPartition{topic.name, partition.partition_index}, partition);
      }
    }
  }
  void set(std::size_t i, ErrorCode code) {
    out.topics[places[i].first].partitions[places[i].second].error_code = code;
  }
  void send() { slot.fill(protocol::encode_response(correlation_id, version, out)); }

  AnswerSlot slot;
  const std::int32_t correlation_id;
  const std::int16_t version;
  Response out{};
  std::vector<std::pair<std::size_t, std::size_t>> places{};  // topic, partition
};

// Kafka's word for metadata that is not there is an empty one.
std::string metadata_of(const std::optional<std::string>& metadata) { return metadata.value_or(""); }

void commit_old(const OffsetServices& services, OffsetCommitRequest in,
                std::shared_ptr<Committing<OffsetCommitResponse>> answer) {
  std::vector<OldOffsets::Offset> offsets;
  answer->sort(in.topics, *services.metadata.snapshot(), [&](TopicPartition name, const auto& partition) {
    const bool too_large = metadata_of(partition.committed_metadata).size() > services.max_metadata_bytes;
    offsets.push_back({std::move(name), partition.committed_offset,
                       too_large ? ErrorCode::offset_metadata_too_large : ErrorCode::none});
  });
  services.old_offsets.commit(in.group_id, std::move(offsets), [answer](const std::vector<OldOffsets::Offset>& done) {
    for (std::size_t i = 0; i < done.size(); ++i) answer->set(i, done[i].error);
    answer->send();
  });
}

}  // namespace

void OffsetCommitHandler::operator()(Request& request, AnswerSlot answer) const {
  OffsetCommitRequest in;
  if (!read_body(request, answer, in)) return;
  auto owed = std::make_shared<Committing<OffsetCommitResponse>>(request, std::move(answer));
  if (request.version() == 0) return commit_old(services_, std::move(in), std::move(owed));

  const auto now = services_.clock.wall();
  const auto expires = expiry(now, in.retention_time_ms);
  CommitRequest commit;
  commit.by.from = {std::move(in.member_id), std::move(in.group_instance_id), in.generation_id_or_member_epoch};
  owed->sort(in.topics, *services_.metadata.snapshot(), [&](TopicPartition name, const auto& partition) {
    CommittedOffset offset;
    offset.offset = partition.committed_offset;
    offset.leader_epoch = partition.committed_leader_epoch;
    offset.metadata = metadata_of(partition.committed_metadata);
    offset.committed = now;
    if (request.version() == kOwnTimestamp && partition.commit_timestamp != -1)
      offset.committed = base::timestamp_from_ms(partition.commit_timestamp);
    offset.expires = expires;
    commit.offsets.emplace_back(std::move(name), std::move(offset));
  });
  if (commit.offsets.empty()) return owed->send();
  services_.groups.commit(in.group_id, std::move(commit), [owed](const std::vector<ErrorCode>& codes) {
    for (std::size_t i = 0; i < codes.size(); ++i) owed->set(i, codes[i]);
    owed->send();
  });
}

void TxnOffsetCommitHandler::operator()(Request& request, AnswerSlot answer) const {
  TxnOffsetCommitRequest in;
  if (!read_body(request, answer, in)) return;
  auto owed = std::make_shared<Committing<TxnOffsetCommitResponse>>(request, std::move(answer));
  const auto now = services_.clock.wall();
  CommitRequest commit;
  commit.by = {{std::move(in.member_id), std::move(in.group_instance_id), in.generation_id}, true};
  commit.producer = {in.producer_id, in.producer_epoch};
  owed->sort(in.topics, *services_.metadata.snapshot(), [&](TopicPartition name, const auto& partition) {
    CommittedOffset offset;
    offset.offset = partition.committed_offset;
    offset.leader_epoch = partition.committed_leader_epoch;
    offset.metadata = metadata_of(partition.committed_metadata);
    offset.committed = now;
    commit.offsets.emplace_back(std::move(name), std::move(offset));
  });
  const auto finish = [owed](const std::vector<ErrorCode>& codes) {
    for (std::size_t i = 0; i < codes.size(); ++i) {
      auto code = codes[i];
      if (code == ErrorCode::coordinator_load_in_progress && owed->version < kTxnCommitKnowsLoadingSince)
        code = ErrorCode::coordinator_not_available;
      if (code == ErrorCode::producer_fenced) code = ErrorCode::invalid_producer_epoch;
      owed->set(i, code);
    }
    owed->send();
  };
  if (commit.offsets.empty()) return owed->send();
  if (in.producer_id.raw < 0)
    return finish(std::vector<ErrorCode>(commit.offsets.size(), ErrorCode::invalid_producer_id_mapping));
  const auto producer = commit.producer;
  auto go_on = [&groups = services_.groups, group = in.group_id, commit = std::move(commit), finish,
                version = request.version()](ErrorCode verified) mutable {
    if (verified == ErrorCode::transaction_abortable && version < kTransactionAbortableSince)
      verified = ErrorCode::invalid_txn_state;
    if (verified != ErrorCode::none) return finish(std::vector<ErrorCode>(commit.offsets.size(), verified));
    groups.commit(group, std::move(commit), finish);
  };
  if (in.group_id.empty()) return go_on(ErrorCode::none);  // refused for that
  services_.verification.of_group(in.transactional_id, producer, in.group_id, std::move(go_on));
}

namespace {

// The same answer in the shape of one group and in that of many.
template <class Topics>
void tell(FetchedOffsets fetched, Topics& out) {
  for (auto& topic : fetched.topics) {
    auto& topic_out = out.emplace_back();
    topic_out.name = std::move(topic.name);
    for (auto& partition : topic.partitions) {
      auto& one = topic_out.partitions.emplace_back();
      one.partition_index = partition.partition;
      one.committed_offset = partition.offset;
      one.committed_leader_epoch = partition.leader_epoch;
      one.metadata = std::move(partition.metadata);
      one.error_code = partition.error;
    }
  }
}

template <class Topics>
std::optional<std::vector<WantedOffsets>> wanted(const std::optional<Topics>& topics) {
  if (!topics) return std::nullopt;
  std::vector<WantedOffsets> out;
  for (const auto& topic : *topics) out.push_back({topic.name, topic.partition_indexes});
  return out;
}

void fetch_old(const OffsetServices& services, const OffsetFetchRequest& in, const Request& request,
               AnswerSlot answer) {
  const auto cluster = services.metadata.snapshot();
  std::vector<OldOffsets::Offset> offsets;
  OffsetFetchResponse out;
  for (const auto& topic : in.topics.value_or(std::vector<OffsetFetchRequest::Topic>{})) {
    out.topics.push_back({topic.name, {}});
    out.topics.back().partitions.resize(topic.partition_indexes.size());
    for (const auto partition : topic.partition_indexes)
      offsets.push_back(
          {{topic.name, partition},
           base::kNoOffset,
           cluster->find_partition(topic.name, partition) ? ErrorCode::none : ErrorCode::unknown_topic_or_partition});
  }
  services.old_offsets.fetch(in.group_id, std::move(offsets),
                             [out = std::move(out), slot = std::make_shared<AnswerSlot>(std::move(answer)),
                              correlation_id = request.correlation_id(),
                              version = request.version()](const std::vector<OldOffsets::Offset>& found) mutable {
                               std::size_t i = 0;
                               for (auto& topic : out.topics)
                                 for (auto& partition : topic.partitions) {
                                   partition.partition_index = found[i].partition.partition;
                                   partition.committed_offset = found[i].offset;
                                   partition.metadata.emplace();
                                   partition.error_code = found[i].error;
                                   ++i;
                                 }
                               slot->fill(protocol::encode_response(correlation_id, version, out));
                             });
}

}  // namespace

void OffsetFetchHandler::operator()(Request& request, AnswerSlot answer) const {
  OffsetFetchRequest in;
  if (!read_body(request, answer, in)) return;
  if (request.version() == 0) return fetch_old(services_, in, request, std::move(answer));
  OffsetFetchResponse out;
  if (request.version() >= kFetchManyGroupsSince) {
    for (auto& group : in.groups) {
      auto fetched = services_.groups.fetch(group.group_id, wanted(group.topics), in.require_stable);
      auto& group_out = out.groups.emplace_back();
      group_out.group_id = std::move(group.group_id);
      group_out.error_code = fetched.error;
      tell(std::move(fetched), group_out.topics);
    }
    return reply(answer, request, out);
  }
  auto fetched = services_.groups.fetch(in.group_id, wanted(in.topics), in.require_stable);
  out.error_code = fetched.error;
  if (fetched.error != ErrorCode::none && request.version() < kFetchErrorOnTopSince && in.topics)
    for (const auto& topic : *in.topics) {  // there is no other place for it
      fetched.topics.push_back({topic.name, {}});
      for (const auto partition : topic.partition_indexes) {
        fetched.topics.back().partitions.push_back({});
        fetched.topics.back().partitions.back().partition = partition;
        fetched.topics.back().partitions.back().error = fetched.error;
      }
    }
  tell(std::move(fetched), out.topics);
  reply(answer, request, out);
}

void OffsetDeleteHandler::operator()(Request& request, AnswerSlot answer) const {
  protocol::OffsetDeleteRequest in;
  if (!read_body(request, answer, in)) return;
  Committing<protocol::OffsetDeleteResponse> owed(request, std::move(answer));
  std::vector<TopicPartition> offsets;
  owed.sort(in.topics, *services_.metadata.snapshot(),
            [&](TopicPartition name, const auto&) { offsets.push_back(std::move(name)); });
  const auto deleted = services_.groups.delete_offsets(in.group_id, offsets);
  if (deleted.error != ErrorCode::none) {
    owed.out.topics.clear();
    owed.out.error_code = deleted.error;
    return owed.send();
  }
  for (std::size_t i = 0; i < deleted.partitions.size(); ++i) owed.set(i, deleted.partitions[i]);
  owed.send();
}

}  // namespace broker
