// kafka-console-producer.sh: sends each line of standard input as a record.
//
// One thread: reads a line, hands it to librdkafka, and looks after delivery reports whenever input is waiting to come.
#include <poll.h>
#include <unistd.h>

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/logging.h"
#include "tools/client/config_file.h"
#include "tools/client/connection.h"
#include "tools/client/options.h"
#include "tools/client/program.h"
#include "tools/console/client.h"
#include "tools/console/line_reader.h"
#include "tools/console/signals.h"

namespace tools {
namespace {

Options declare() {
  using enum ValueType;
  auto setting = [](std::string_view name, ValueType type, std::string_view argument, std::string_view default_text,
                    std::string_view description) {
    return Option{.name = name,
                  .takes = Takes::value,
                  .type = type,
                  .argument = argument,
                  .default_text = default_text,
                  .description = description};
  };
  return Options(
      "This tool helps to read data from standard input and publish it to Kafka.",
      {
          setting("topic", text, "topic", "", "REQUIRED: The topic to send to."),
          setting("bootstrap-server", text, "server to connect to", "",
                  "REQUIRED unless --broker-list is given: The brokers to ask first, as host:port,host:port."),
          setting("broker-list", text, "broker-list", "", "The older name of --bootstrap-server, which wins."),
          {.name = "sync", .description = "Wait for each record's acknowledgement before reading the next line."},
          {.name = "compression-codec",
           .takes = Takes::maybe_value,
           .argument = "compression-codec",
           .description = "none, gzip, snappy, lz4 or zstd; gzip when no value is given."},
          setting("batch-size", integer, "size", "", "Accepted for older scripts; without effect."),
          setting("message-send-max-retries", integer, "", "3", "How often sending is tried again: retries."),
          setting("retry-backoff-ms", long_integer, "", "100", "The pause before trying again: retry.backoff.ms."),
          setting("timeout", long_integer, "timeout_ms", "1000",
                  "How long a record may wait for others to share its batch: linger.ms."),
          setting("request-required-acks", text, "request required acks", "1",
                  "Whose acknowledgement counts: 0 nobody's, 1 the leader's, -1 or all every in-sync replica's."),
          setting("request-timeout-ms", integer, "request timeout ms", "1500",
                  "How long brokers may take to acknowledge: request.timeout.ms."),
          setting("metadata-expiry-ms", long_integer, "metadata expiration interval", "300000",
                  "The age at which metadata is fetched anew: metadata.max.age.ms."),
          setting("max-block-ms", long_integer, "max block on send", "60000",
                  "How long to wait for the topic's metadata: max.block.ms."),
          setting("max-memory-bytes", long_integer, "total memory in bytes", "33554432",
                  "Memory for records not yet sent: buffer.memory."),
          setting("max-partition-memory-bytes", long_integer, "memory in bytes per partition", "16384",
                  "The size at which a batch is full: batch.size."),
          setting("socket-buffer-size", integer, "size", "102400", "The socket's send buffer: send.buffer.bytes."),
          setting("line-reader", text, "reader_class", "kafka.tools.ConsoleProducer$LineMessageReader",
                  "The class that makes records of lines; there is only this one."),
          {.name = "property",
           .takes = Takes::value,
           .argument = "prop",
           .repeatable = true,
           .description = "How lines are read, as key=value: parse.key=true|false\n key.separator=<a tab>\n "
                          "ignore.error=true|false\n parse.headers=true|false\n headers.delimiter=<a tab>\n "
                          "headers.separator=<,>\n headers.key.separator=<:>\n null.marker=<text for null>\nA line "
                          "holds headers, key and value in this order."},
          setting("reader-config", text, "config file", "", "A properties file with what --property sets; that wins."),
          {.name = "producer-property",
           .takes = Takes::value,
           .argument = "producer_prop",
           .repeatable = true,
           .description = "A setting of the producer, as key=value."},
          setting("producer.config", text, "config file", "",
                  "A properties file with settings of the producer. --producer-property wins."),
      });
}

// The settings of the producer: the file, over it --producer-property, then the options: one given wins, and one not
// given supplies its default where nothing else does.
std::variant<config::Texts, Failure> producer_settings(const Options& options) {
  config::Texts settings;
  if (auto path = options.text("producer.config")) {
    auto file = read_config_file(*path);
    if (auto* failure = std::get_if<Failure>(&file)) return *failure;
    settings = std::move(std::get<config::Texts>(file));
  }
  auto pairs = read_pairs(options.all("producer-property"));
  if (auto* failure = std::get_if<Failure>(&pairs)) return *failure;
  for (auto& [key, value] : std::get<config::Texts>(pairs)) settings[key] = value;

  settings["bootstrap.servers"] = options.text("bootstrap-server").value_or(options.text("broker-list").value_or(""));
  if (options.given("compression-codec"))
    settings["compression.type"] = options.text("compression-codec").value_or("gzip");
  const std::pair<std::string_view, std::string_view> by_option[] = {
      {"linger.ms", "timeout"},
      {"acks", "request-required-acks"},
      {"request.timeout.ms", "request-timeout-ms"},
      {"retries", "message-send-max-retries"},
      {"retry.backoff.ms", "retry-backoff-ms"},
      {"send.buffer.bytes", "socket-buffer-size"},
      {"buffer.memory", "max-memory-bytes"},
      {"batch.size", "max-partition-memory-bytes"},
      {"metadata.max.age.ms", "metadata-expiry-ms"},
      {"max.block.ms", "max-block-ms"},
  };
  for (const auto& [key, option] : by_option)
    if (options.given(option) || !settings.contains(key)) settings[std::string(key)] = *options.text(option);
  settings.try_emplace("client.id", "console-producer");
  settings.try_emplace("delivery.timeout.ms", "120000");
  return settings;
}

struct FreeTopic {
  void operator()(rd_kafka_topic_t* topic) const { rd_kafka_topic_destroy(topic); }
};

class ConsoleProducer {
 public:
  ConsoleProducer(std::string topic, bool sync) : topic_name_(std::move(topic)), sync_(sync) {}

  Outcome open(const config::Texts& settings);
  // With --sync, the failure to deliver; without, nothing: it is reported when it is known.
  Outcome send(ConsoleRecord record);
  void serve_reports() { rd_kafka_poll(handle_.get(), 0); }
  void finish();

 private:
  struct Sent {  // travels with the record
    ConsoleProducer* producer;
    std::optional<std::size_t> key_size, value_size;
    bool done = false;
    Outcome outcome;
  };
  static void delivered(rd_kafka_t*, const rd_kafka_message_t* message, void*);
  void report(const Sent& sent, const Failure& failure) const;
  Outcome wait_for_topic();
  Outcome check_size(const ConsoleRecord& record) const;

  std::string topic_name_;
  bool sync_;
  base::SystemClock clock_;
  std::int64_t max_request_size_ = 1'048'576;
  std::chrono::milliseconds max_block_{60'000};
  bool topic_known_ = false;
  bool warned_ = false;
  std::string client_id_;
  Client handle_;
  std::unique_ptr<rd_kafka_topic_t, FreeTopic> topic_;
};

Outcome ConsoleProducer::open(const config::Texts& settings) {
  auto number = [&](std::string_view key, auto fallback) {
    auto found = settings.find(key);
    if (found == settings.end()) return static_cast<std::int64_t>(fallback);
    auto parsed = config::parse_value(config::Type::long_integer, found->second);
    return parsed ? std::get<std::int64_t>(*parsed) : static_cast<std::int64_t>(fallback);
  };
  auto codec = settings.find("compression.type");
  static const std::vector<std::string> known = {"none", "gzip", "snappy", "lz4", "zstd"};
  if (codec != settings.end() && std::find(known.begin(), known.end(), codec->second) == known.end())
    return Failure{"org.apache.kafka.common.KafkaException", "Failed to construct kafka producer",
                   "java.lang.IllegalArgumentException: Unknown compression name: " + codec->second};
  max_request_size_ = number("max.request.size", max_request_size_);
  max_block_ = std::chrono::milliseconds(number("max.block.ms", max_block_.count()));
  client_id_ = settings.find("client.id")->second;
  // librdkafka's own bound shall never be the tighter one: the check with Java's words comes first.
  const auto bound = std::to_string(std::clamp<std::int64_t>(max_request_size_ + 1024, 1000, 1'000'000'000));
  auto made = make_client(settings, Role::producer, [&](rd_kafka_conf_t* conf) {
    rd_kafka_conf_set(conf, "message.max.bytes", bound.c_str(), nullptr, 0);
    rd_kafka_conf_set_dr_msg_cb(conf, delivered);
  });
  if (auto* failure = std::get_if<Failure>(&made)) return *failure;
  handle_ = std::move(std::get<Client>(made));
  topic_.reset(rd_kafka_topic_new(handle_.get(), topic_name_.c_str(), nullptr));
  if (!topic_) return failure_of(rd_kafka_last_error());
  return std::nullopt;
}

// Asks for the topic until it has a leader, creating it where brokers do so. Java's producer blocks here in send().
Outcome ConsoleProducer::wait_for_topic() {
  const base::Logger log("org.apache.kafka.clients.NetworkClient");
  const auto deadline = clock_.now() + max_block_;
  while (clock_.now() < deadline && !stop_signal()) {
    const rd_kafka_metadata_t* metadata = nullptr;
    auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - clock_.now()).count();
    auto error = rd_kafka_metadata(handle_.get(), 0, topic_.get(), &metadata,
                                   static_cast<int>(std::min<std::int64_t>(left, 1'000)));
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) continue;
    std::unique_ptr<const rd_kafka_metadata_t, void (*)(const rd_kafka_metadata_t*)> owner(metadata,
                                                                                           rd_kafka_metadata_destroy);
    if (metadata->topic_cnt != 1) continue;
    const auto& topic = metadata->topics[0];
    if (topic.err == RD_KAFKA_RESP_ERR_NO_ERROR && topic.partition_cnt > 0) {
      topic_known_ = true;
      return std::nullopt;
    }
    auto code = static_cast<base::ErrorCode>(topic.err);
    if (!warned_ && topic.err > 0)
      log.warn("[Producer clientId={}] Error while fetching metadata with correlation id 1 : {{{}={}}}", client_id_,
               topic_name_, base::error_name(code));
    warned_ = true;
    if (code == base::ErrorCode::invalid_topic_exception)
      return failure_of(base::Error{code, fmt::format("Invalid topics: [{}]", topic_name_)});
    if (code == base::ErrorCode::topic_authorization_failed)
      return failure_of(base::Error{code, fmt::format("Not authorized to access topics: [{}]", topic_name_)});
    rd_kafka_poll(handle_.get(), 100);
  }
  return Failure{"org.apache.kafka.common.errors.TimeoutException",
                 fmt::format("Topic {} not present in metadata after {} ms.", topic_name_, max_block_.count()), ""};
}

// Java's upper bound for the batch that would hold this record alone.
Outcome ConsoleProducer::check_size(const ConsoleRecord& record) const {
  auto varint = [](std::size_t n) {
    std::size_t size = 1;
    for (n <<= 1; n > 0x7f; n >>= 7) ++size;
    return size;
  };
  auto bytes = [&](const std::optional<std::string>& text) { return text ? varint(text->size()) + text->size() : 1; };
  constexpr std::size_t kBatchOverhead = 61, kRecordOverhead = 21;
  std::size_t size =
      kBatchOverhead + kRecordOverhead + bytes(record.key) + bytes(record.value) + varint(record.headers.size());
  for (const auto& [name, value] : record.headers) size += varint(name.size()) + name.size() + bytes(value);
  if (static_cast<std::int64_t>(size) <= max_request_size_) return std::nullopt;
  return Failure{
      "org.apache.kafka.common.errors.RecordTooLargeException",
      fmt::format("The message is {} bytes when serialized which is larger than {}, which is the value of the "
                  "max.request.size configuration.",
                  size, max_request_size_),
      ""};
}

void ConsoleProducer::report(const Sent& sent, const Failure& failure) const {
  auto size = [](const std::optional<std::size_t>& n) { return n ? fmt::format("{} bytes", *n) : std::string("null"); };
  base::Logger("org.apache.kafka.clients.producer.internals.ErrorLoggingCallback")
      .error("Error when sending message to topic {} with key: {}, value: {} with error:", topic_name_,
             size(sent.key_size), size(sent.value_size));
  fmt::print(stderr, "{}\n", failure.text());
}

void ConsoleProducer::delivered(rd_kafka_t*, const rd_kafka_message_t* message, void*) {
  auto* sent = static_cast<Sent*>(message->_private);
  if (message->err) {
    std::string detail;
    if (message->err == RD_KAFKA_RESP_ERR__MSG_TIMED_OUT)
      detail = fmt::format("Expiring 1 record(s) for {}-{}: no acknowledgement in time", sent->producer->topic_name_,
                           std::max(message->partition, 0));
    sent->outcome = failure_of(message->err, detail);
  }
  sent->done = true;
  if (sent->producer->sync_) return;  // send() waits for it
  if (sent->outcome) sent->producer->report(*sent, *sent->outcome);
  delete sent;
}

Outcome ConsoleProducer::send(ConsoleRecord record) {
  auto sent = std::make_unique<Sent>();
  sent->producer = this;
  if (record.key) sent->key_size = record.key->size();
  if (record.value) sent->value_size = record.value->size();

  Outcome failure = topic_known_ ? std::nullopt : wait_for_topic();
  if (!failure) failure = check_size(record);
  if (failure) {
    if (sync_) return failure;
    report(*sent, *failure);
    return std::nullopt;
  }

  rd_kafka_headers_t* headers = rd_kafka_headers_new(record.headers.size());
  for (const auto& [name, value] : record.headers)
    rd_kafka_header_add(headers, name.data(), static_cast<ssize_t>(name.size()), value ? value->data() : nullptr,
                        value ? static_cast<ssize_t>(value->size()) : 0);
  Sent* travelling = sent.get();
  auto start = [](std::optional<std::string>& text) { return text ? text->data() : nullptr; };
  char* key = start(record.key);
  char* value = start(record.value);
  const std::size_t key_size = sent->key_size.value_or(0), value_size = sent->value_size.value_or(0);
  while (true) {
    auto error =
        rd_kafka_producev(handle_.get(), RD_KAFKA_V_RKT(topic_.get()), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
                          RD_KAFKA_V_KEY(key, key_size), RD_KAFKA_V_VALUE(value, value_size),
                          RD_KAFKA_V_HEADERS(headers), RD_KAFKA_V_OPAQUE(travelling), RD_KAFKA_V_END);
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR) break;
    if (error == RD_KAFKA_RESP_ERR__QUEUE_FULL) {  // back-pressure: room comes with delivery reports
      rd_kafka_poll(handle_.get(), 100);
      continue;
    }
    rd_kafka_headers_destroy(headers);
    failure = failure_of(error);
    if (sync_) return failure;
    report(*sent, *failure);
    return std::nullopt;
  }
  if (!sync_) {
    (void)sent.release();  // delivered() frees it
    serve_reports();
    return std::nullopt;
  }
  while (!travelling->done) rd_kafka_flush(handle_.get(), 100);
  return travelling->outcome;
}

// Every record is delivered, or has failed for good, before the program ends.
void ConsoleProducer::finish() {
  while (handle_ && rd_kafka_outq_len(handle_.get()) > 0) rd_kafka_flush(handle_.get(), 1'000);
}

// Reads and sends until the end of input or a signal. Returns the exit code.
int pump(ConsoleProducer& producer, LineReader& reader) {
  LineSplitter lines;
  bool end_of_input = false;
  char chunk[65536];
  while (!stop_signal()) {
    // The prompt of 2.7: before each line, also into a pipe.
    std::fputc('>', stdout);
    std::optional<std::string> line;
    while (!(line = lines.next(end_of_input)) && !end_of_input && !stop_signal()) {
      std::fflush(stdout);
      pollfd input{STDIN_FILENO, POLLIN, 0};
      int ready = ::poll(&input, 1, 100);
      producer.serve_reports();
      if (ready <= 0) continue;
      ssize_t got = ::read(STDIN_FILENO, chunk, sizeof chunk);
      if (got > 0) lines.add({chunk, static_cast<std::size_t>(got)});
      end_of_input = got == 0 || (got < 0 && errno != EINTR);
    }
    if (!line) break;
    auto record = reader.parse(*line);
    Outcome failure;
    if (auto* bad = std::get_if<Failure>(&record)) {
      failure = *bad;
    } else if ((failure = producer.send(std::move(std::get<ConsoleRecord>(record))))) {
      failure->cause = failure->text();
      failure->message = failure->text().substr(0, failure->text().find('\n'));
      failure->exception = "java.util.concurrent.ExecutionException";
    }
    if (failure) {
      producer.finish();
      std::fflush(stdout);
      fmt::print(stderr, "{}\n", failure->text());
      return 1;
    }
  }
  producer.finish();
  std::fflush(stdout);
  return stop_signal() ? 128 + stop_signal() : 0;
}

int complain(const Failure& failure) {
  fmt::print(stderr, "{}\n", failure.text());
  return 1;
}

int run(int argc, char** argv) {
  base::log_to_standard_error();
  base::set_log_level(base::LogLevel::warn);
  Options options = declare();
  if (auto failure = options.parse(argc, argv)) return refuse_usage(options, failure->message);
  if (!options.given("help") && !options.given("version") && !options.given("bootstrap-server") &&
      !options.given("broker-list"))
    return refuse_usage(options, "Missing required option(s) [bootstrap-server]");
  if (auto code = answer_help_or_version(options)) return *code;
  if (auto text = options.missing({"topic"})) return refuse_usage(options, *text);
  if (auto failure = options.check_values()) {
    fmt::print(stderr, "{}\n", failure->message);
    return 1;
  }
  if (!valid_servers(options.text("bootstrap-server").value_or(options.text("broker-list").value_or(""))))
    return refuse_usage(options, kInvalidServers);

  std::string reader_class = *options.text("line-reader");
  if (!reader_class.ends_with("LineMessageReader"))
    return complain({"java.lang.ClassNotFoundException", reader_class, ""});
  config::Texts reader_settings;
  if (auto path = options.text("reader-config")) {
    auto file = read_config_file(*path);
    if (auto* failure = std::get_if<Failure>(&file)) return complain(*failure);
    reader_settings = std::move(std::get<config::Texts>(file));
  }
  auto pairs = read_pairs(options.all("property"));
  if (auto* failure = std::get_if<Failure>(&pairs)) return complain(*failure);
  for (auto& [key, value] : std::get<config::Texts>(pairs)) reader_settings[key] = value;
  auto reader = LineReader::make(reader_settings);
  if (auto* failure = std::get_if<Failure>(&reader)) return complain(*failure);
  auto settings = producer_settings(options);
  if (auto* failure = std::get_if<Failure>(&settings)) return complain(*failure);

  catch_stop_signals();
  ConsoleProducer producer(*options.text("topic"), options.given("sync"));
  if (auto failure = producer.open(std::get<config::Texts>(settings))) return complain(*failure);
  return pump(producer, std::get<LineReader>(reader));
}

}  // namespace
}  // namespace tools

int main(int argc, char** argv) { return tools::run(argc, argv); }
