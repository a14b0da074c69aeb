#include "broker/peers/topic_creation.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "protocol/messages/create_topics.h"

namespace broker {

using base::ErrorCode;
using protocol::CreateTopicsRequest;
using protocol::CreateTopicsResponse;
using replication::NewTopic;
using replication::TopicResult;

namespace {

// Kafka's controller answers after it wrote the topic, and does not wait for its leaders.
constexpr std::chrono::milliseconds kDoNotWait{0};
constexpr std::chrono::milliseconds kTimeout{10'000};  // until the answer is there

// Numbers instead of defaults: brokers before 2.4 want them, and they are ours to choose.
CreateTopicsRequest::Topic wanted(const NewTopic& topic, const config::BrokerSettings& settings) {
  CreateTopicsRequest::Topic out;
  out.name = topic.name;
  out.num_partitions = topic.partitions < 0 ? settings.num_partitions : topic.partitions;
  out.replication_factor = static_cast<std::int16_t>(topic.replication_factor < 0 ? settings.default_replication_factor
                                                                                  : topic.replication_factor);
  for (const auto& [name, value] : topic.config) out.configs.push_back({name, value});
  return out;
}

TopicResult nobody_asked(const std::string& topic) {
  return {.name = topic, .code = ErrorCode::not_controller, .message = "the controller could not be asked"};
}

}  // namespace

void TopicCreation::create(std::vector<NewTopic> topics, Done done) {
  if (parts_.controller.is_active())
    return parts_.controller.create_topics(std::move(topics), {.timeout = kDoNotWait, .validate_only = false},
                                           std::move(done));
  ask(std::move(topics), std::move(done));
}

void TopicCreation::ask(std::vector<NewTopic> topics, Done done) {
  std::vector<TopicResult> results;
  CreateTopicsRequest request;
  {
    const auto settings = parts_.settings.snapshot();
    absl::MutexLock lock(&mutex_);
    for (const auto& topic : topics) {
      results.push_back(nobody_asked(topic.name));
      if (asked_for_.insert(topic.name).second) request.topics.push_back(wanted(topic, *settings->broker));
    }
  }
  if (request.topics.empty()) return done(results);
  request.timeout_ms = static_cast<std::int32_t>(kDoNotWait.count());
  std::vector<std::string> asked;
  for (const auto& topic : request.topics) asked.push_back(topic.name);
  parts_.others.ask_controller<CreateTopicsResponse>(
      std::move(request), CreateTopicsRequest::api.versions, kTimeout,
      [this, asked, results, done = std::move(done)](const auto& answer) mutable {
        {
          absl::MutexLock lock(&mutex_);
          for (const auto& name : asked) asked_for_.erase(name);
        }
        if (answer)
          for (const auto& told : answer->message.topics) {
            const auto result = std::ranges::find(results, told.name, &TopicResult::name);
            if (result == results.end()) continue;
            result->code = told.error_code;
            result->message = told.error_message;
          }
        done(results);
      });
}

}  // namespace broker
