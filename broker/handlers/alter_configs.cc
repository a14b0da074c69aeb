#include "broker/handlers/alter_configs.h"

#include <iterator>
#include <map>
#include <optional>
#include <type_traits>
#include <utility>

#include "broker/dispatch/reply.h"
#include "broker/handlers/config_resources.h"
#include "protocol/messages/alter_configs.h"
#include "protocol/messages/incremental_alter_configs.h"

namespace broker {
namespace {

using base::ErrorCode;
using base::fail;
using config::Alteration;
using replication::ConfigEntries;
using Mode = replication::StoredConfigs::Mode;

// Kafka's words for the levels; FATAL is stricter than any line of ours.
std::optional<base::LogLevel> log_level_of(std::string_view name) {
  if (name == "FATAL") return base::LogLevel::error;
  const auto level = base::log_level_from(name);
  return level == base::LogLevel::off ? std::nullopt : level;
}

// From the decoded request to what ConfigAlterations takes, and back.
template <class In, class Convert>
void handle(Request& request, AnswerSlot answer, const ConfigAlterations& alterations, const In& in, Convert convert) {
  std::vector<ResourceAlteration> resources;
  resources.reserve(in.resources.size());
  for (const auto& resource : in.resources) {
    auto& one = resources.emplace_back();
    one.type = resource.resource_type;
    one.name = resource.resource_name;
    convert(resource, one);
  }
  using Out = std::conditional_t<std::is_same_v<In, protocol::AlterConfigsRequest>, protocol::AlterConfigsResponse,
                                 protocol::IncrementalAlterConfigsResponse>;
  auto out = std::make_shared<Out>();
  for (const auto& resource : in.resources) {
    auto& result = out->responses.emplace_back();
    result.resource_type = resource.resource_type;
    result.resource_name = resource.resource_name;
  }
  alterations.apply(std::move(resources), in.validate_only ? Mode::only_check : Mode::store,
                    [out, correlation = request.correlation_id(), version = request.version(),
                     slot = std::make_shared<AnswerSlot>(std::move(answer))](const std::vector<base::Status>& results) {
                      for (std::size_t i = 0; i < results.size(); ++i) {
                        if (results[i].ok()) continue;
                        out->responses[i].error_code = results[i].error().code;
                        // An internal failure is told to the operator; Kafka's client is given no text of it either.
                        if (results[i].error().code != ErrorCode::unknown_server_error)
                          out->responses[i].error_message = results[i].error().detail;
                      }
                      slot->fill(protocol::encode_response(correlation, version, *out));
                    });
}

}  // namespace

// Results come in one by one, on the coordination loop.
struct ConfigAlterations::Gathering {
  std::vector<base::Status> results;
  std::size_t missing;
  Done done;
};

void ConfigAlterations::apply(std::vector<ResourceAlteration> resources, Mode mode, Done done) const {
  std::map<std::pair<std::int8_t, std::string_view>, int> named;
  for (const auto& resource : resources) ++named[{resource.type, resource.name}];
  auto gathering = std::make_shared<Gathering>();
  gathering->results.resize(resources.size());
  std::vector<std::size_t> to_store;
  for (std::size_t i = 0; i < resources.size(); ++i) {
    const auto& resource = resources[i];
    auto& result = gathering->results[i];
    // As Kafka 3.9. 2.7.1 keeps the last of them; to AlterConfigs neither answers at all.
    if (named[{resource.type, resource.name}] > 1)
      result = fail(ErrorCode::invalid_request, "Each resource must appear at most once.");
    else
      result = check(resource);
    if (!result.ok()) continue;
    if (resource.type == kLoggerResource)
      result = alter_loggers(resource, mode);
    else
      to_store.push_back(i);
  }
  if (to_store.empty()) return done(std::move(gathering->results));
  gathering->missing = to_store.size();
  gathering->done = std::move(done);
  for (const auto i : to_store) {
    auto& resource = resources[i];
    auto entity =
        resource.type == kTopicResource
            ? replication::StoredConfigs::Entity{"topics", resource.name}
            : replication::StoredConfigs::Entity{
                  "brokers", resource.name.empty() ? std::string(replication::paths::kDefaultEntity) : resource.name};
    stored_.change(std::move(entity), mode, alter_stored(std::move(resource)),
                   [this, gathering, i](const base::Status& result) {
                     gathering->results[i] = result;
                     if (!result.ok() && result.error().code == ErrorCode::unknown_server_error)
                       log_.error("A configuration was not changed: {}", result.error().detail);
                     if (--gathering->missing == 0) gathering->done(std::move(gathering->results));
                   });
  }
}

// What needs no look into the store.
base::Status ConfigAlterations::check(const ResourceAlteration& resource) const {
  if (auto s = config::check_alterations(resource.alterations); !s) return s;
  switch (resource.type) {
    case kTopicResource:
      if (resource.name.empty()) return fail(ErrorCode::invalid_request, "Default topic resources are not allowed.");
      if (!metadata_.snapshot()->find_topic(resource.name))
        return fail(ErrorCode::unknown_topic_or_partition, "The topic '{}' does not exist.", resource.name);
      return {};
    case kBrokerResource:
      if (resource.name.empty()) return {};
      return check_own_id(self_, resource.name, fmt::format("{},", self_));
    case kLoggerResource:
      if (resource.replace)
        return fail(ErrorCode::invalid_request,
                    "AlterConfigs is deprecated and does not support the resource type BROKER_LOGGER");
      return check_own_id(self_, resource.name, fmt::format("{},", self_));
    default:
      return fail(ErrorCode::invalid_request, "Unknown resource type {}", resource.type);
  }
}

base::Status ConfigAlterations::alter_loggers(const ResourceAlteration& resource, Mode mode) const {
  const auto refuse = [&](std::string_view why) {
    return fail(ErrorCode::invalid_request,
                "Invalid config value for resource ConfigResource(type=BROKER_LOGGER, name='{}'): {}", resource.name,
                why);
  };
  for (const auto& alteration : resource.alterations) {
    if (alteration.operation == Alteration::append || alteration.operation == Alteration::subtract)
      return fail(ErrorCode::invalid_request, "{} operation is not allowed for the BROKER_LOGGER resource",
                  alteration.operation == Alteration::append ? "APPEND" : "SUBTRACT");
    if (alteration.name != kRootLogger) return refuse(fmt::format("Logger {} does not exist!", alteration.name));
    if (alteration.operation == Alteration::remove)
      return fail(ErrorCode::invalid_request, "Removing the log level of the root logger is not allowed");
    if (alteration.operation != Alteration::set)
      return fail(ErrorCode::unknown_server_error, "operation {} on a logger", alteration.operation);
    const auto level = log_level_of(*alteration.value);
    if (!level)
      return refuse(
          fmt::format("Cannot set the log level of root to {} as it is not a supported log level. Valid log "
                      "levels are DEBUG, ERROR, FATAL, INFO, TRACE, WARN",
                      *alteration.value));
    if (mode == Mode::store) base::set_log_level(*level);
  }
  return {};
}

replication::StoredConfigs::Alter ConfigAlterations::alter_stored(ResourceAlteration resource) const {
  return [this, resource = std::move(resource)](ConfigEntries stored) -> base::Result<ConfigEntries> {
    if (resource.replace) stored.clear();
    config::Texts before(std::make_move_iterator(stored.begin()), std::make_move_iterator(stored.end()));
    auto altered =
        resource.type == kTopicResource
            ? config::alter_topic(*settings_.snapshot()->broker, resource.name, std::move(before), resource.alterations)
            : config::alter_broker(resource.name, std::move(before), resource.alterations);
    if (!altered) return altered.error();
    return ConfigEntries(std::make_move_iterator(altered->begin()), std::make_move_iterator(altered->end()));
  };
}

void AlterConfigsHandler::operator()(Request& request, AnswerSlot answer) const {
  protocol::AlterConfigsRequest in;
  if (!read_body(request, answer, in)) return;
  handle(request, std::move(answer), alterations_, in, [](const auto& resource, ResourceAlteration& one) {
    one.replace = true;
    std::map<std::string_view, std::optional<std::string>> entries;
    for (const auto& entry : resource.configs) entries[entry.name] = entry.value;  // the last counts, as in 2.7.1
    for (auto& [name, value] : entries)
      one.alterations.push_back({.name = std::string(name), .value = std::move(value)});
  });
}

void IncrementalAlterConfigsHandler::operator()(Request& request, AnswerSlot answer) const {
  protocol::IncrementalAlterConfigsRequest in;
  if (!read_body(request, answer, in)) return;
  handle(request, std::move(answer), alterations_, in, [](const auto& resource, ResourceAlteration& one) {
    for (const auto& entry : resource.configs)
      one.alterations.push_back({.name = entry.name, .operation = entry.config_operation, .value = entry.value});
  });
}

}  // namespace broker
