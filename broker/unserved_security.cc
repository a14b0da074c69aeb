#include "broker/unserved_security.h"

namespace broker {

using base::ErrorCode;
using base::fail;

base::Status refuse_unserved_security(const config::BrokerSettings& settings) {
  for (const auto& listener : settings.endpoints.bound)
    if (listener.protocol != config::SecurityProtocol::plaintext)
      return fail(ErrorCode::invalid_config,
                  "Invalid value {} for configuration listeners: its security protocol is {}, and Weir serves no TLS "
                  "and no SASL. Give it PLAINTEXT (listeners, listener.security.protocol.map) on a network you trust, "
                  "or take the listener out",
                  listener.text(), config::name_of(listener.protocol));
  if (settings.zookeeper_ssl_client_enable)
    return fail(
        ErrorCode::invalid_config,
        "Invalid value true for configuration zookeeper.ssl.client.enable: Weir speaks no TLS to ZooKeeper yet. "
        "Remove the key, and give zookeeper.connect a plaintext port on a network you trust");
  if (!settings.authorizer_class_name.empty())
    return fail(ErrorCode::invalid_config,
                "Invalid value {} for configuration authorizer.class.name: Weir checks no ACLs, so everybody would be "
                "allowed everything. Remove the key if that is what you want",
                settings.authorizer_class_name);
  return {};
}

}  // namespace broker
