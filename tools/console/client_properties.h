// Settings of Java clients, said to librdkafka, on which the console tools stand.
//
// Users bring --producer.config files written for Java. Where librdkafka has the same setting under another name or in
// another unit the value is translated; where it has none the key is accepted and reported. librdkafka's own keys work
// as well. Which Java setting is which of librdkafka's: KafkaProducer's and KafkaConsumer's reference pages, and
// librdkafka's CONFIGURATION.md.
#pragma once

#include <librdkafka/rdkafka.h>

#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "config/value.h"
#include "tools/client/failure.h"

namespace tools {

enum class Role { producer, consumer };

// Pure: the pairs librdkafka is to be given, and the keys that mean nothing to it.
struct Translated {
  std::vector<std::pair<std::string, std::string>> settings;
  std::vector<std::string> ignored;
};
std::variant<Translated, Failure> translate(const config::Texts& java, Role role);

struct FreeConf {
  void operator()(rd_kafka_conf_t* conf) const { rd_kafka_conf_destroy(conf); }
};
using Conf = std::unique_ptr<rd_kafka_conf_t, FreeConf>;

// Warns of keys without effect, as the Java client does. librdkafka's own log lines go to standard error in Kafka's
// shape.
std::variant<Conf, Failure> make_conf(const config::Texts& java, Role role);

// The failure behind one of librdkafka's errors: the broker's codes are the same numbers.
Failure failure_of(rd_kafka_resp_err_t error, const std::string& detail = "");

}  // namespace tools
