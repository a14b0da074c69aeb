#include "tools/console/client.h"

#include <fmt/format.h>

#include "base/logging.h"
#include "tools/client/connection.h"

namespace tools {
namespace {

Failure refused(Role role, std::string_view why) {
  return {"org.apache.kafka.common.KafkaException",
          fmt::format("Failed to construct kafka {}", role == Role::producer ? "producer" : "consumer"),
          fmt::format("org.apache.kafka.common.config.ConfigException: {}", why)};
}

Outcome check_servers(const std::string& servers, Role role) {
  bool resolvable = false;
  for (const std::string& each : config::split_list(servers)) {
    const auto address = parse_host_port(each);
    if (!address) return refused(role, "Invalid url in bootstrap.servers: " + each);
    if (can_resolve(address->host))
      resolvable = true;
    else
      base::Logger("org.apache.kafka.clients.ClientUtils")
          .warn("Couldn't resolve server {} from bootstrap.servers as DNS resolution failed for {}", each,
                address->host);
  }
  if (!resolvable) return refused(role, "No resolvable bootstrap urls given in bootstrap.servers");
  return std::nullopt;
}

}  // namespace

std::variant<Client, Failure> make_client(const config::Texts& settings, Role role,
                                          const std::function<void(rd_kafka_conf_t*)>& prepare) {
  if (auto failure = check_servers(settings.at("bootstrap.servers"), role)) return *failure;
  auto made = make_conf(settings, role);
  if (auto* failure = std::get_if<Failure>(&made)) return *failure;
  Conf conf = std::move(std::get<Conf>(made));
  prepare(conf.get());
  char why[512];
  Client client(
      rd_kafka_new(role == Role::producer ? RD_KAFKA_PRODUCER : RD_KAFKA_CONSUMER, conf.get(), why, sizeof why));
  if (!client) return refused(role, why);
  (void)conf.release();  // the client owns it now
  return client;
}

}  // namespace tools
