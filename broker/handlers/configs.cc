#include "broker/handlers/configs.h"

#include <algorithm>

#include "base/logging.h"
#include "broker/dispatch/reply.h"
#include "broker/handlers/config_resources.h"
#include "config/describe.h"
#include "replication/controller/topic_requests.h"

namespace broker {
namespace {

using base::ErrorCode;
using base::fail;
using protocol::DescribeConfigsRequest;
using protocol::DescribeConfigsResponse;
using Config = DescribeConfigsResponse::Result::Config;

constexpr std::int8_t kLoggerSource = 6;  // DYNAMIC_BROKER_LOGGER_CONFIG

std::vector<Config> shown(std::vector<config::DescribedSetting> settings) {
  std::vector<Config> out;
  out.reserve(settings.size());
  for (auto& setting : settings) {
    auto& one = out.emplace_back();
    one.name = std::move(setting.name);
    one.value = std::move(setting.value);
    one.read_only = setting.read_only;
    one.config_source = static_cast<std::int8_t>(setting.source);
    one.is_default = setting.is_default();
    one.is_sensitive = setting.sensitive;
    one.config_type = static_cast<std::int8_t>(setting.type);
    one.documentation = std::string(setting.documentation);
    for (auto& synonym : setting.synonyms)
      one.synonyms.push_back(
          {std::move(synonym.name), std::move(synonym.value), static_cast<std::int8_t>(synonym.source)});
  }
  return out;
}

}  // namespace

void DescribeConfigsHandler::operator()(Request& request, AnswerSlot answer) const {
  DescribeConfigsRequest in;
  if (!read_body(request, answer, in)) return;
  DescribeConfigsResponse out;
  for (const auto& resource : in.resources) {
    auto& result = out.results.emplace_back();
    result.resource_type = resource.resource_type;
    result.resource_name = resource.resource_name;
    auto configs = describe(resource);
    result.error_message = configs ? "" : configs.error().detail;
    if (!configs) {
      result.error_code = configs.error().code;
      continue;
    }
    result.configs = std::move(*configs);
    const auto& keys = resource.configuration_keys;
    if (keys && !keys->empty())
      std::erase_if(result.configs,
                    [&](const Config& c) { return std::find(keys->begin(), keys->end(), c.name) == keys->end(); });
    for (auto& one : result.configs) {
      if (!in.include_synonyms) one.synonyms.clear();
      if (!in.include_documentation) one.documentation.reset();
    }
  }
  reply(answer, request, out);
}

DescribeConfigsHandler::Shown DescribeConfigsHandler::describe(const Resource& resource) const {
  const auto settings = settings_.snapshot();
  switch (resource.resource_type) {
    case kTopicResource:
      return describe_topic(resource, *settings);
    case kBrokerResource:
      return describe_broker(resource, *settings);
    case kLoggerResource:
      return describe_loggers(resource);
    default:
      return fail(ErrorCode::invalid_request, "Unsupported resource type: {}", resource.resource_type);
  }
}

DescribeConfigsHandler::Shown DescribeConfigsHandler::describe_topic(const Resource& resource,
                                                                     const config::Snapshot& settings) const {
  if (auto s = replication::check_topic_name(resource.resource_name); !s) return s.error();
  if (!metadata_.snapshot()->find_topic(resource.resource_name))
    return base::Error{ErrorCode::unknown_topic_or_partition, ""};
  return shown(config::describe_topic(settings, settings.topic_overrides(resource.resource_name)));
}

DescribeConfigsHandler::Shown DescribeConfigsHandler::describe_broker(const Resource& resource,
                                                                      const config::Snapshot& settings) const {
  if (resource.resource_name.empty()) return shown(config::describe_cluster_defaults(settings));
  if (auto s = check_own_id(self_, resource.resource_name, fmt::format("{} or empty string,", self_)); !s)
    return s.error();
  return shown(config::describe_broker(settings));
}

DescribeConfigsHandler::Shown DescribeConfigsHandler::describe_loggers(const Resource& resource) const {
  if (resource.resource_name.empty()) return fail(ErrorCode::invalid_request, "Broker id must not be empty");
  if (auto s = check_own_id(self_, resource.resource_name, fmt::format("{}", self_)); !s) return s.error();
  Config root;
  root.name = std::string(kRootLogger);
  root.value = std::string(base::log_level_name(base::log_level()));
  root.config_source = kLoggerSource;
  return std::vector<Config>{std::move(root)};
}

}  // namespace broker
