#include "broker/handlers/topics.h"

#include "broker/dispatch/owed.h"
#include "broker/dispatch/reply.h"
#include "config/describe.h"
#include "protocol/messages/create_partitions.h"
#include "protocol/messages/create_topics.h"
#include "protocol/messages/delete_topics.h"

namespace broker {
namespace {

using base::ErrorCode;
using protocol::CreatePartitionsRequest;
using protocol::CreatePartitionsResponse;
using protocol::CreateTopicsRequest;
using protocol::CreateTopicsResponse;
using protocol::DeleteTopicsRequest;
using protocol::DeleteTopicsResponse;
using replication::TopicResult;
using Results = std::vector<TopicResult>;

constexpr std::int16_t kCreatedConfigsSince = 5;
constexpr std::int16_t kDeleteByIdSince = 6;
constexpr std::int16_t kDeletionDisabledSince = 3;

replication::NewTopic new_topic(const CreateTopicsRequest::Topic& wanted) {
  replication::NewTopic topic{
      .name = wanted.name, .partitions = wanted.num_partitions, .replication_factor = wanted.replication_factor};
  for (const auto& assignment : wanted.assignments)
    topic.assignment[assignment.partition_index] = assignment.broker_ids;
  for (const auto& entry : wanted.configs) topic.config.emplace_back(entry.name, entry.value);
  return topic;
}

// All settings of a topic just made, as DescribeConfigs would show them.
std::vector<CreateTopicsResponse::Topic::Config> shown_settings(const config::Snapshot& settings,
                                                                const CreateTopicsRequest::Topic& wanted) {
  config::Texts overrides;
  for (const auto& entry : wanted.configs)
    if (entry.value) overrides[entry.name] = *entry.value;
  std::vector<CreateTopicsResponse::Topic::Config> out;
  for (auto& setting : config::describe_topic(settings, overrides))
    out.push_back({setting.name, std::move(setting.value), setting.read_only, static_cast<std::int8_t>(setting.source),
                   setting.sensitive});
  return out;
}

}  // namespace

void CreateTopicsHandler::operator()(Request& request, AnswerSlot answer) const {
  CreateTopicsRequest in;
  if (!read_body(request, answer, in)) return;
  std::vector<replication::NewTopic> topics;
  for (const auto& wanted : in.topics) topics.push_back(new_topic(wanted));
  const replication::TopicRequestOptions options{.timeout = std::chrono::milliseconds(in.timeout_ms),
                                                 .validate_only = in.validate_only};
  controller_.create_topics(std::move(topics), options,
                            [owed = owe(request, std::move(answer)), wanted = std::move(in.topics),
                             settings = settings_.snapshot()](const Results& results) {
                              CreateTopicsResponse out;
                              for (std::size_t i = 0; i < results.size(); ++i) {
                                const auto& result = results[i];
                                auto& topic = out.topics.emplace_back();
                                topic.name = result.name;
                                topic.error_code = result.code;
                                topic.error_message = result.message;
                                topic.configs.emplace();
                                if (result.code != ErrorCode::none) continue;
                                topic.topic_id = result.topic_id;
                                topic.num_partitions = result.partitions;
                                topic.replication_factor = static_cast<std::int16_t>(result.replication_factor);
                                if (owed->version >= kCreatedConfigsSince)
                                  topic.configs = shown_settings(*settings, wanted[i]);
                              }
                              owed->reply(out);
                            });
}

void DeleteTopicsHandler::operator()(Request& request, AnswerSlot answer) const {
  DeleteTopicsRequest in;
  if (!read_body(request, answer, in)) return;
  std::vector<replication::Controller::TopicKey> keys;
  if (request.version() < kDeleteByIdSince) {
    for (auto& name : in.topic_names) keys.emplace_back(std::move(name));
  } else {
    for (auto& topic : in.topics) {
      if (topic.name)
        keys.emplace_back(std::move(*topic.name));
      else
        keys.emplace_back(topic.topic_id);
    }
  }
  controller_.delete_topics(
      std::move(keys), std::chrono::milliseconds(in.timeout_ms),
      [owed = owe(request, std::move(answer)), asked = std::move(in.topics)](const Results& results) {
        DeleteTopicsResponse out;
        for (std::size_t i = 0; i < results.size(); ++i) {
          const auto& result = results[i];
          auto& topic = out.responses.emplace_back();
          // Who asked by an id nobody knows is told the id, not a name.
          if (!result.name.empty() || owed->version < kDeleteByIdSince || asked[i].name) topic.name = result.name;
          topic.topic_id = result.topic_id;
          if (owed->version >= kDeleteByIdSince && !asked[i].topic_id.is_zero()) topic.topic_id = asked[i].topic_id;
          topic.error_code = result.code;
          if (result.code == ErrorCode::topic_deletion_disabled && owed->version < kDeletionDisabledSince)
            topic.error_code = ErrorCode::invalid_request;
          topic.error_message = result.message;
        }
        owed->reply(out);
      });
}

void CreatePartitionsHandler::operator()(Request& request, AnswerSlot answer) const {
  CreatePartitionsRequest in;
  if (!read_body(request, answer, in)) return;
  std::vector<replication::MorePartitions> topics;
  for (auto& wanted : in.topics) {
    auto& topic =
        topics.emplace_back(replication::MorePartitions{.topic = std::move(wanted.name), .count = wanted.count});
    if (!wanted.assignments) continue;
    topic.assignment.emplace();
    for (auto& assignment : *wanted.assignments) topic.assignment->push_back(std::move(assignment.broker_ids));
  }
  const replication::TopicRequestOptions options{.timeout = std::chrono::milliseconds(in.timeout_ms),
                                                 .validate_only = in.validate_only};
  controller_.create_partitions(std::move(topics), options,
                                [owed = owe(request, std::move(answer))](const Results& results) {
                                  CreatePartitionsResponse out;
                                  for (const auto& result : results)
                                    out.results.push_back({result.name, result.code, result.message});
                                  owed->reply(out);
                                });
}

}  // namespace broker
