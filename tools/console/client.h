// A producer or consumer of librdkafka made from the settings of a Java client.
#pragma once

#include <librdkafka/rdkafka.h>

#include <functional>
#include <memory>
#include <variant>

#include "config/value.h"
#include "tools/client/failure.h"
#include "tools/console/client_properties.h"

namespace tools {

struct DestroyClient {
  void operator()(rd_kafka_t* client) const { rd_kafka_destroy(client); }
};
using Client = std::unique_ptr<rd_kafka_t, DestroyClient>;

// Failures are those of the Java client's constructor; bootstrap.servers that no name server knows are warned of.
// `prepare` sets callbacks and the like before the client is made.
std::variant<Client, Failure> make_client(const config::Texts& settings, Role role,
                                          const std::function<void(rd_kafka_conf_t*)>& prepare);

}  // namespace tools
