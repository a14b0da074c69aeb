#include "tools/console/client_properties.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <regex>

#include "base/logging.h"
#include "tools/client/connection.h"

namespace tools {
namespace {

using config::Type;

// How a Java setting becomes one of librdkafka's.
enum class As { same, kilobytes, buffer, dropped, jaas, assignors, partitioner, reset };

struct Row {
  std::string_view java;
  std::string_view librdkafka;  // "" when it has the same name
  Type type = Type::string;
  As as = As::same;
};

// Settings that need translating, and numbers whose refusal should read as Java's. Others are handed over as they are.
constexpr Row kRows[] = {
    {"acks", ""},
    {"linger.ms", "", Type::long_integer},
    {"batch.size", "", Type::integer},
    {"retries", "", Type::integer},
    {"retry.backoff.ms", "", Type::long_integer},
    {"request.timeout.ms", "", Type::integer},
    {"delivery.timeout.ms", "", Type::integer},
    {"metadata.max.age.ms", "", Type::long_integer},
    {"max.block.ms", "", Type::long_integer, As::dropped},  // the producer program's own
    {"max.request.size", "", Type::integer, As::dropped},   // likewise
    {"buffer.memory", "queue.buffering.max.kbytes", Type::long_integer, As::kilobytes},
    {"send.buffer.bytes", "socket.send.buffer.bytes", Type::integer, As::buffer},
    {"receive.buffer.bytes", "socket.receive.buffer.bytes", Type::integer, As::buffer},
    {"max.in.flight.requests.per.connection", "", Type::integer},
    {"partitioner.class", "partitioner", Type::string, As::partitioner},
    {"partition.assignment.strategy", "", Type::string, As::assignors},
    {"auto.offset.reset", "", Type::string, As::reset},
    {"fetch.max.wait.ms", "fetch.wait.max.ms", Type::integer},
    {"fetch.min.bytes", "", Type::integer},
    {"fetch.max.bytes", "", Type::integer},
    {"max.partition.fetch.bytes", "", Type::integer},
    {"session.timeout.ms", "", Type::integer},
    {"heartbeat.interval.ms", "", Type::integer},
    {"max.poll.interval.ms", "", Type::integer},
    {"auto.commit.interval.ms", "", Type::integer},
    {"sasl.jaas.config", "", Type::string, As::jaas},
    {"ssl.truststore.location", "ssl.ca.location", Type::string},
    {"ssl.truststore.certificates", "ssl.ca.pem"},
    {"ssl.keystore.key", "ssl.key.pem"},
    {"ssl.keystore.certificate.chain", "ssl.certificate.pem"},
    {"key.deserializer", "", Type::string, As::dropped},
    {"value.deserializer", "", Type::string, As::dropped},
    {"key.serializer", "", Type::string, As::dropped},
    {"value.serializer", "", Type::string, As::dropped},
};

struct OneOf {
  std::string_view key;
  std::string_view words;
};
constexpr OneOf kOneOf[] = {{"acks", "all, -1, 0, 1"},
                            {"isolation.level", "read_committed, read_uncommitted"},
                            {"auto.offset.reset", "latest, earliest, none"}};

Failure config_failure(std::string_view key, std::string_view value, std::string_view why) {
  return {"org.apache.kafka.common.config.ConfigException", config::value_error(key, value, why).detail, ""};
}

// The last part of a Java class name.
std::string_view class_name(std::string_view full) { return full.substr(full.find_last_of(".$") + 1); }

std::string assignors(const std::string& classes) {
  std::vector<std::string> out;
  for (const std::string& each : config::split_list(classes)) {
    auto name = class_name(each);
    if (name == "RangeAssignor")
      out.push_back("range");
    else if (name == "RoundRobinAssignor")
      out.push_back("roundrobin");
    else if (name == "CooperativeStickyAssignor" || name == "StickyAssignor")
      out.push_back("cooperative-sticky");
    else
      out.push_back(each);
  }
  return config::join(out, ",");
}

// username and password out of "...PlainLoginModule required username="a" password="b";".
void add_jaas(const std::string& text, Translated& out) {
  for (const char* key : {"username", "password"}) {
    std::smatch found;
    if (std::regex_search(text, found,
                          std::regex(fmt::format("\\b{}\\s*=\\s*(\"((?:[^\"\\\\]|\\\\.)*)\"|([^\\s;]+))", key))))
      out.settings.emplace_back(fmt::format("sasl.{}", key), found[2].matched ? found[2].str() : found[3].str());
  }
}

std::optional<Failure> add(const std::string& key, const std::string& value, Translated& out) {
  for (const OneOf& each : kOneOf) {
    if (each.key != key) continue;
    auto words = config::split_list(each.words);
    if (std::find(words.begin(), words.end(), value) == words.end())
      return config_failure(key, value, fmt::format("String must be one of: {}", each.words));
  }
  const Row* row = std::find_if(std::begin(kRows), std::end(kRows), [&](const Row& each) { return each.java == key; });
  if (row == std::end(kRows)) {
    out.settings.emplace_back(key, value);
    return std::nullopt;
  }
  std::int64_t number = 0;
  if (row->type != Type::string) {
    auto parsed = config::parse_value(row->type, value);
    if (!parsed) return config_failure(key, value, parsed.error().detail);
    if (auto* wide = std::get_if<std::int64_t>(&*parsed)) number = *wide;
    if (auto* narrow = std::get_if<std::int32_t>(&*parsed)) number = *narrow;
  }
  std::string name(row->librdkafka.empty() ? row->java : row->librdkafka);
  switch (row->as) {
    case As::same:
      out.settings.emplace_back(name, std::string(row->type == Type::string ? value : std::to_string(number)));
      break;
    case As::kilobytes:
      out.settings.emplace_back(name, std::to_string(std::clamp<std::int64_t>(number / 1024, 1, 2'097'151)));
      break;
    case As::buffer:  // -1: the system's own, which librdkafka calls 0
      out.settings.emplace_back(name, std::to_string(std::max<std::int64_t>(number, 0)));
      break;
    case As::partitioner:
      out.settings.emplace_back(name, class_name(value) == "RoundRobinPartitioner" ? "random" : "murmur2_random");
      break;
    case As::assignors:
      out.settings.emplace_back(name, assignors(value));
      break;
    case As::reset:
      out.settings.emplace_back(name, value == "none" ? "error" : value);
      break;
    case As::jaas:
      add_jaas(value, out);
      break;
    case As::dropped:
      break;
  }
  return std::nullopt;
}

// "127.0.0.1:1/bootstrap: Connect to ipv4#127.0.0.1:1 failed: Connection refused": the address as the user gave it.
std::optional<HostPort> unreachable_broker(std::string_view text) {
  auto at = text.find(": Connect to ");
  if (at == std::string_view::npos) return std::nullopt;
  std::string_view name = text.substr(0, at);
  if (auto bracket = name.rfind("]: "); bracket != std::string_view::npos) name = name.substr(bracket + 3);
  return parse_host_port(name.substr(0, name.find('/')));
}

// librdkafka's levels are syslog's.
void log_line(const rd_kafka_t* handle, int level, const char*, const char* text) {
  static const base::Logger log("org.apache.kafka.clients.NetworkClient");
  const char* role = rd_kafka_type(handle) == RD_KAFKA_PRODUCER ? "Producer" : "Consumer";
  std::string_view client = rd_kafka_name(handle);
  client = client.substr(0, client.rfind('#'));
  if (auto broker = unreachable_broker(text)) {
    log.warn("[{} clientId={}] Connection to node -1 ({}) could not be established. Broker may not be available.", role,
             client, java_address(*broker));
    if (std::string_view(text).find("/bootstrap: ") != std::string_view::npos)
      log.warn("[{} clientId={}] Bootstrap broker {}:{} (id: -1 rack: null) disconnected", role, client, broker->host,
               broker->port);
  } else if (level <= 4) {
    log.warn("[{} clientId={}] {}", role, client, text);
  }
}

// Connections that fail are in the log already; the rest (sign-in, fatal states) is news.
void error_line(rd_kafka_t* handle, int error, const char* reason, void*) {
  auto code = static_cast<rd_kafka_resp_err_t>(error);
  if (code == RD_KAFKA_RESP_ERR__TRANSPORT || code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN ||
      code == RD_KAFKA_RESP_ERR__RESOLVE)
    return;
  log_line(handle, 3, "", reason);
}

}  // namespace

std::variant<Translated, Failure> translate(const config::Texts& java, Role role) {
  Translated out;
  // Java spreads keys over partitions by this function; librdkafka's default is another.
  if (role == Role::producer && !java.contains("partitioner") && !java.contains("partitioner.class"))
    out.settings.emplace_back("partitioner", "murmur2_random");
  if (role == Role::consumer && !java.contains("allow.auto.create.topics"))
    out.settings.emplace_back("allow.auto.create.topics", "true");
  for (const auto& [key, value] : java)
    if (auto failure = add(key, std::string(config::trim(value)), out)) return *failure;
  return out;
}

std::variant<Conf, Failure> make_conf(const config::Texts& java, Role role) {
  auto translated = translate(java, role);
  if (auto* failure = std::get_if<Failure>(&translated)) return *failure;
  Conf conf(rd_kafka_conf_new());
  rd_kafka_conf_set_log_cb(conf.get(), log_line);
  rd_kafka_conf_set_error_cb(conf.get(), error_line);
  auto& out = std::get<Translated>(translated);
  for (const auto& [key, value] : out.settings) {
    char why[512];
    switch (rd_kafka_conf_set(conf.get(), key.c_str(), value.c_str(), why, sizeof why)) {
      case RD_KAFKA_CONF_OK:
        break;
      case RD_KAFKA_CONF_UNKNOWN:
        out.ignored.push_back(key);
        break;
      default:
        return config_failure(key, value, why);
    }
  }
  const base::Logger log(role == Role::producer ? "org.apache.kafka.clients.producer.ProducerConfig"
                                                : "org.apache.kafka.clients.consumer.ConsumerConfig");
  for (const std::string& key : out.ignored)
    log.warn("The configuration '{}' was supplied but isn't a known config.", key);
  return conf;
}

Failure failure_of(rd_kafka_resp_err_t error, const std::string& detail) {
  if (error > 0) return failure_of(base::Error{static_cast<base::ErrorCode>(error), detail});
  switch (error) {
    case RD_KAFKA_RESP_ERR__MSG_TIMED_OUT:
    case RD_KAFKA_RESP_ERR__TIMED_OUT:
    case RD_KAFKA_RESP_ERR__TRANSPORT:
    case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:
      return {"org.apache.kafka.common.errors.TimeoutException",
              detail.empty() ? std::string(rd_kafka_err2str(error)) : detail, ""};
    case RD_KAFKA_RESP_ERR__AUTHENTICATION:
      return {"org.apache.kafka.common.errors.SaslAuthenticationException",
              detail.empty() ? std::string(rd_kafka_err2str(error)) : detail, ""};
    default:
      return {"org.apache.kafka.common.KafkaException", detail.empty() ? std::string(rd_kafka_err2str(error)) : detail,
              ""};
  }
}

}  // namespace tools
