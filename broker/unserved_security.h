// Security that is asked for and would silently not be there: reason enough not to start (pure).
#pragma once

#include "base/error.h"
#include "config/broker_settings.h"

namespace broker {

// `invalid_config` naming key, value and remedy. A broker that took SASL_SSL for PLAINTEXT, or ran without the
// authorizer it was given, would be open to everybody while its operator believes the opposite.
base::Status refuse_unserved_security(const config::BrokerSettings& settings);

}  // namespace broker
