// From server.properties to what the sockets want to know.
#pragma once

#include "broker/network/network_settings.h"
#include "config/broker_settings.h"

namespace broker {

NetworkSettings network_settings(const config::BrokerSettings& settings);

}  // namespace broker
