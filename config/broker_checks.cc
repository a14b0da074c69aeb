#include "config/broker_checks.h"

#include <absl/strings/ascii.h>
#include <fmt/format.h>

#include <algorithm>

namespace config {
namespace {

using Found = std::optional<Violation>;

Found require(bool holds, std::string_view text, std::vector<std::string_view> keys) {
  if (holds) return std::nullopt;
  return Violation{.text = fmt::format("requirement failed: {}", text), .keys = std::move(keys)};
}

bool is_set(const BrokerSettings& settings, std::string_view key) { return settings.given.contains(key); }

// Modes in which Weir does not run; a broker started in the wrong one would hide its data from its cluster.
Found check_mode(const BrokerSettings& s) {
  if (!s.process_roles.empty())
    return Violation{
        .text = fmt::format("process.roles={} asks for KRaft mode, which Weir does not have: it runs with ZooKeeper "
                            "(set zookeeper.connect) or on its own with an embedded metadata store (leave "
                            "zookeeper.connect out). Remove process.roles and the controller.* keys",
                            join(s.process_roles, ",")),
        .keys = {"process.roles"}};
  if (s.zookeeper_metadata_migration_enable)
    return Violation{.text =
                         "zookeeper.metadata.migration.enable=true asks for a migration to KRaft, in which Weir "
                         "cannot take part; remove it",
                     .keys = {"zookeeper.metadata.migration.enable"}};
  if (s.controller_listener_names && !split_list(*s.controller_listener_names).empty())
    return require(false,
                   fmt::format("controller.listener.names must be empty when not running in KRaft mode: [{}]",
                               join(split_list(*s.controller_listener_names), ", ")),
                   {"controller.listener.names"});
  if (s.remote_log_storage_system_enable)
    return Violation{.text = "remote.log.storage.system.enable=true asks for tiered storage, which Weir does not have",
                     .keys = {"remote.log.storage.system.enable"}};
  return std::nullopt;
}

Found check_identity(const BrokerSettings& s) {
  if (is_set(s, "node.id") && is_set(s, "broker.id") && s.node_id != s.broker_id)
    return Violation{.text = "You must set `node.id` to the same value as `broker.id`.",
                     .keys = {"node.id", "broker.id"}};
  const std::string_view key = is_set(s, "broker.id") ? "broker.id" : "node.id";
  if (!s.broker_id_generation_enable)
    return require(s.broker_id >= 0, "broker.id must be equal or greater than 0", {key, "broker.id.generation.enable"});
  return require(s.broker_id >= -1 && s.broker_id <= s.reserved_broker_max_id,
                 "broker.id must be equal or greater than -1 and not greater than reserved.broker.max.id",
                 {key, "reserved.broker.max.id"});
}

Found check_logs(const BrokerSettings& s) {
  if (auto found = require(s.roll_ms() >= 1, "log.roll.ms must be equal or greater than 1", {"log.roll.ms"}))
    return found;
  if (auto found = require(s.roll_jitter_ms() >= 0, "log.roll.jitter.ms must be equal or greater than 0",
                           {"log.roll.jitter.ms"}))
    return found;
  if (auto found = require(s.retention_ms() >= 1 || s.retention_ms() == -1,
                           "log.retention.ms must be unlimited (-1) or, equal or greater than 1",
                           {"log.retention.ms", "log.retention.minutes", "log.retention.hours"}))
    return found;
  if (auto found =
          require(!s.data_directories().empty(), "At least one log directory must be defined via log.dirs or log.dir.",
                  {"log.dirs", "log.dir"}))
    return found;
  constexpr std::int64_t kLeastPerThread = 1024 * 1024;
  // Kafka divides by zero here and dies of it; no cleaner threads are a plain mistake to us.
  if (s.log_cleaner_threads == 0)
    return require(false, "log.cleaner.threads must be at least 1", {"log.cleaner.threads"});
  return require(s.log_cleaner_dedupe_buffer_size / s.log_cleaner_threads > kLeastPerThread,
                 "log.cleaner.dedupe.buffer.size must be at least 1MB per cleaner thread.",
                 {"log.cleaner.dedupe.buffer.size", "log.cleaner.threads"});
}

Found check_replication(const BrokerSettings& s) {
  if (auto found = require(s.replica_fetch_wait_max_ms <= s.replica_socket_timeout_ms,
                           "replica.socket.timeout.ms should always be at least replica.fetch.wait.max.ms to prevent "
                           "unnecessary socket timeouts",
                           {"replica.socket.timeout.ms", "replica.fetch.wait.max.ms"}))
    return found;
  if (auto found =
          require(s.replica_fetch_wait_max_ms <= s.replica_lag_time_max_ms,
                  "replica.fetch.wait.max.ms should always be less than or equal to replica.lag.time.max.ms to "
                  "prevent frequent changes in ISR",
                  {"replica.fetch.wait.max.ms", "replica.lag.time.max.ms"}))
    return found;
  const auto protocol = s.protocol_version();
  const auto format = find_protocol_version(s.message_format_version());
  return require(
      !format || protocol.record_version() >= format->record_version(),
      fmt::format("log.message.format.version {} can only be used when inter.broker.protocol.version is set to version "
                  "{} or higher",
                  s.log_message_format_version,
                  format ? first_release_with_record_version(format->record_version()) : ""),
      {"log.message.format.version", "inter.broker.protocol.version"});
}

Found check_groups(const BrokerSettings& s) {
  if (auto found = require(
          s.offsets_commit_required_acks >= -1 && s.offsets_commit_required_acks <= s.offsets_topic_replication_factor,
          "offsets.commit.required.acks must be greater or equal -1 and less or equal to "
          "offsets.topic.replication.factor",
          {"offsets.commit.required.acks", "offsets.topic.replication.factor"}))
    return found;
  if (s.offsets_topic_compression_codec < 0 || s.offsets_topic_compression_codec > 4)
    return Violation{.text = fmt::format("{} is an unknown compression codec", s.offsets_topic_compression_codec),
                     .keys = {"offsets.topic.compression.codec"}};
  return std::nullopt;
}

bool is_host(std::string_view host) {
  const auto part_of_host = [](unsigned char c) {
    return absl::ascii_isalnum(c) || std::string_view("-%._:").find(static_cast<char>(c)) != std::string_view::npos;
  };
  return !host.empty() && std::all_of(host.begin(), host.end(), part_of_host);
}

Found check_connections(const BrokerSettings& s) {
  if (auto found = require(s.queued_max_request_bytes <= 0 || s.queued_max_request_bytes >= s.socket_request_max_bytes,
                           "queued.max.request.bytes must be larger or equal to socket.request.max.bytes",
                           {"queued.max.request.bytes", "socket.request.max.bytes"}))
    return found;
  const auto limits = parse_address_limits(s.max_connections_per_ip_overrides);
  if (!limits) return Violation{.text = limits.error().detail, .keys = {"max.connections.per.ip.overrides"}};
  if (auto found =
          require(s.max_connections_per_ip > 0 || !limits->empty(),
                  "max.connections.per.ip can be set to zero only if max.connections.per.ip.overrides property "
                  "is set.",
                  {"max.connections.per.ip"}))
    return found;
  std::vector<std::string> wrong;
  for (const auto& limit : *limits)
    if (!is_host(limit.host)) wrong.push_back(limit.host);
  if (!wrong.empty())
    return Violation{
        .text = fmt::format("max.connections.per.ip.overrides contains invalid addresses : {}", join(wrong, ",")),
        .keys = {"max.connections.per.ip.overrides"}};
  if (s.connections_max_idle_ms < 0) return std::nullopt;
  return require(s.connection_failed_authentication_delay_ms < s.connections_max_idle_ms,
                 fmt::format("connection.failed.authentication.delay.ms={} should always be less than "
                             "connections.max.idle.ms={} to prevent failed authentication responses from timing out",
                             s.connection_failed_authentication_delay_ms, s.connections_max_idle_ms),
                 {"connection.failed.authentication.delay.ms", "connections.max.idle.ms"});
}

Found check_metrics(const BrokerSettings& s) {
  if (!s.metrics_listener) return std::nullopt;
  const auto parsed = parse_metrics_listener(*s.metrics_listener);
  if (parsed) return std::nullopt;
  return Violation{.text = parsed.error().detail, .keys = {"metrics.listener"}};
}

// Kafka loads any class; we have the one authorizer, under the two names it has had.
Found check_authorizer(const BrokerSettings& s) {
  const auto& name = s.authorizer_class_name;
  if (name.empty() || name == "kafka.security.authorizer.AclAuthorizer" ||
      name == "kafka.security.auth.SimpleAclAuthorizer")
    return std::nullopt;
  return Violation{
      .text = fmt::format("Invalid value {} for configuration authorizer.class.name: Class {} could not be "
                          "found. (allowed: kafka.security.authorizer.AclAuthorizer, or nothing)",
                          name, name),
      .keys = {"authorizer.class.name"}};
}

}  // namespace

std::optional<Violation> find_violation(const BrokerSettings& settings) {
  for (const auto check : {check_mode, check_identity, check_logs, check_replication, check_groups, check_connections,
                           check_metrics, check_authorizer})
    if (auto found = check(settings)) return found;
  return std::nullopt;
}

base::Result<std::vector<AddressLimit>> parse_address_limits(std::string_view text) {
  std::vector<AddressLimit> limits;
  for (const auto& item : split_list(text)) {
    const auto colon = item.rfind(':');
    const auto count = parse_value(Type::integer, colon == std::string::npos ? "" : item.substr(colon + 1));
    if (!count)
      return base::fail(base::ErrorCode::invalid_config,
                        "Error parsing configuration property 'max.connections.per.ip.overrides': '{}' is not of the "
                        "form <host>:<count>",
                        item);
    limits.push_back({.host = std::string(trim(std::string_view(item).substr(0, colon))),
                      .connections = std::get<std::int32_t>(*count)});
  }
  return limits;
}

base::Result<HostAndPort> parse_metrics_listener(std::string_view text) {
  const auto colon = text.rfind(':');
  auto host = text.substr(0, colon == std::string_view::npos ? 0 : colon);
  const bool bracketed = host.starts_with('[') && host.ends_with(']');
  if (bracketed) host = host.substr(1, host.size() - 2);
  const bool plain_host = host.empty() || (is_host(host) && (bracketed || host.find(':') == std::string_view::npos));
  const auto port = parse_value(Type::integer, colon == std::string_view::npos ? "" : text.substr(colon + 1));
  const auto number = port ? std::get<std::int32_t>(*port) : -1;
  if (!plain_host || number < 0 || number > 65535)
    return base::fail(base::ErrorCode::invalid_config,
                      "Invalid value {} for configuration metrics.listener: it is not of the form <host>:<port>, as in "
                      "127.0.0.1:9644",
                      text);
  return HostAndPort{.host = std::string(host), .port = static_cast<std::uint16_t>(number)};
}

}  // namespace config
