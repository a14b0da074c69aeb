// kafka-verifiable-producer.sh: sends rising numbers and says of each, in a line of JSON, what became of it.
//
// Arguments and lines are those of Apache Kafka 3.9, which are those of 2.7.1. One thread: it sends, and serves
// librdkafka's delivery reports between the sends.
#include <fmt/format.h>

#include <cstdio>
#include <memory>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/logging.h"
#include "tools/client/arguments.h"
#include "tools/client/config_file.h"
#include "tools/console/client.h"
#include "tools/console/signals.h"
#include "tools/verifiable/events.h"
#include "tools/verifiable/program.h"

namespace tools {
namespace {

Program declare() {
  return {.name = "verifiable-producer",
          .purpose =
              "This tool produces increasing integers to the specified topic and prints JSON metadata to stdout "
              "on each \"send\" request, making externally visible which messages have been acked and which "
              "have not.",
          .arguments =
              {
                  {.name = "topic", .required = true, .help = "The topic to produce to."},
                  {.name = "max-messages",
                   .type = ArgumentType::integer,
                   .metavar = "MAX-MESSAGES",
                   .default_text = "-1",
                   .help = "How many messages to produce; -1 goes on until the program is stopped."},
                  {.name = "throughput",
                   .type = ArgumentType::integer,
                   .default_text = "-1",
                   .help = "Messages per second, approximately; -1 for as many as possible."},
                  {.name = "acks",
                   .type = ArgumentType::integer,
                   .default_text = "-1",
                   .choices = {"0", "1", "-1"},
                   .help = "The producer's setting acks."},
                  {.name = "producer.config",
                   .metavar = "CONFIG_FILE",
                   .help = "A properties file with settings of the producer; it wins over the command line."},
                  {.name = "message-create-time",
                   .type = ArgumentType::long_integer,
                   .metavar = "CREATETIME",
                   .default_text = "-1",
                   .help = "The first message's timestamp in milliseconds; -1 for the time of sending."},
                  {.name = "value-prefix",
                   .type = ArgumentType::integer,
                   .metavar = "VALUE-PREFIX",
                   .help = "Goes before each value, with a dot between them."},
                  {.name = "repeating-keys",
                   .type = ArgumentType::integer,
                   .metavar = "REPEATING-KEYS",
                   .help = "Keys count from 0 up to this number, and again from 0."},
                  bootstrap_server_argument(),
                  broker_list_argument(),
              },
          .one_of = {"bootstrap-server", "broker-list"}};
}

class VerifiableProducer {
 public:
  explicit VerifiableProducer(const Arguments& arguments)
      : topic_(*arguments.text("topic")),
        prefix_(arguments.number("value-prefix")),
        keys_(arguments.number("repeating-keys")),
        throughput_(*arguments.number("throughput")),
        max_messages_(*arguments.number("max-messages")),
        started_(clock_.wall()),
        began_(clock_.now()) {
    if (const auto time = *arguments.number("message-create-time"); time != -1) create_time_ms_ = time;
  }

  Outcome open(const config::Texts& settings);
  void run();
  void finish();

 private:
  struct Sent {  // travels with the record
    VerifiableProducer* producer;
    std::optional<std::string> key;
    std::string value;
  };
  static void delivered(rd_kafka_t*, const rd_kafka_message_t* message, void*);
  void send(std::int64_t number);
  void failed(const Sent& sent, const Failure& failure);
  void tell(const Event& event) { silent_ = silent_ || !print(event); }
  void wait_until(std::int64_t ms_since_begin);

  base::SystemClock clock_;
  std::string topic_;
  std::optional<std::int64_t> prefix_, keys_, create_time_ms_;
  std::int64_t throughput_, max_messages_;
  base::Timestamp started_;
  base::Instant began_;
  std::int64_t next_key_ = 0, sent_ = 0, acked_ = 0;
  bool silent_ = false;  // nobody reads the output any more
  Client client_;
};

Outcome VerifiableProducer::open(const config::Texts& settings) {
  auto made = make_client(settings, Role::producer,
                          [](rd_kafka_conf_t* conf) { rd_kafka_conf_set_dr_msg_cb(conf, delivered); });
  if (auto* failure = std::get_if<Failure>(&made)) return *failure;
  client_ = std::move(std::get<Client>(made));
  return std::nullopt;
}

void VerifiableProducer::failed(const Sent& sent, const Failure& failure) {
  tell(Event("producer_send_error", clock_.wall())
           .add("topic", topic_)
           .add_nullable("key", sent.key ? std::optional<std::string_view>(*sent.key) : std::nullopt)
           .add("value", sent.value)
           .add("exception", "class " + failure.exception)
           .add("message", failure.message));
}

void VerifiableProducer::delivered(rd_kafka_t*, const rd_kafka_message_t* message, void*) {
  const std::unique_ptr<Sent> sent(static_cast<Sent*>(message->_private));
  auto& self = *sent->producer;
  if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) return self.failed(*sent, failure_of(message->err));
  ++self.acked_;
  self.tell(Event("producer_send_success", self.clock_.wall())
                .add_nullable("key", sent->key ? std::optional<std::string_view>(*sent->key) : std::nullopt)
                .add("value", sent->value)
                .add("offset", std::max<std::int64_t>(message->offset, -1))  // with acks=0 nobody knows it
                .add("topic", self.topic_)
                .add("partition", std::int64_t{message->partition}));
}

void VerifiableProducer::send(std::int64_t number) {
  auto sent = std::make_unique<Sent>();
  sent->producer = this;
  sent->value = prefix_ ? fmt::format("{}.{}", *prefix_, number) : std::to_string(number);
  if (keys_) {
    sent->key = std::to_string(next_key_++);
    if (next_key_ == *keys_) next_key_ = 0;
  }
  std::int64_t timestamp = 0;  // librdkafka's word for the time of sending
  if (create_time_ms_) {
    timestamp = *create_time_ms_;
    *create_time_ms_ += (clock_.wall() - started_).count();  // as Java's does
  }
  ++sent_;
  const char* key = sent->key ? sent->key->data() : nullptr;
  const std::size_t key_size = sent->key ? sent->key->size() : 0;
  while (true) {
    const auto error =
        rd_kafka_producev(client_.get(), RD_KAFKA_V_TOPIC(topic_.c_str()), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
                          RD_KAFKA_V_KEY(key, key_size), RD_KAFKA_V_VALUE(sent->value.data(), sent->value.size()),
                          RD_KAFKA_V_TIMESTAMP(timestamp), RD_KAFKA_V_OPAQUE(sent.get()), RD_KAFKA_V_END);
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR) {
      (void)sent.release();  // the delivery report owns it now
      return;
    }
    if (error != RD_KAFKA_RESP_ERR__QUEUE_FULL) return failed(*sent, failure_of(error));
    rd_kafka_poll(client_.get(), 100);
    if (stop_signal()) return failed(*sent, failure_of(error));
  }
}

void VerifiableProducer::wait_until(std::int64_t ms_since_begin) {
  while (!stop_signal()) {
    const auto left =
        ms_since_begin - std::chrono::duration_cast<std::chrono::milliseconds>(clock_.now() - began_).count();
    if (left <= 0) return;
    rd_kafka_poll(client_.get(), static_cast<int>(std::min<std::int64_t>(left, 100)));
  }
}

void VerifiableProducer::run() {
  tell(Event("startup_complete", clock_.wall()));
  for (std::int64_t i = 0; (max_messages_ < 0 || i < max_messages_) && !stop_signal() && !silent_; ++i) {
    send(i);
    rd_kafka_poll(client_.get(), 0);
    if (const auto due = due_after(i + 1, throughput_)) wait_until(*due);
  }
}

// Waits for what is under way as long as its delivery may take; a second signal ends the program at once.
void VerifiableProducer::finish() {
  while (rd_kafka_outq_len(client_.get()) > 0) rd_kafka_flush(client_.get(), 100);
  tell(Event("shutdown_complete", clock_.wall()));
  const auto seconds = std::chrono::duration<double>(clock_.now() - began_).count();
  tell(Event("tool_data", clock_.wall())
           .add("sent", sent_)
           .add("acked", acked_)
           .add("target_throughput", throughput_)
           .add_real("avg_throughput", static_cast<double>(acked_) / seconds));
}

int run(int argc, char** argv) {
  base::log_to_standard_error();
  base::set_log_level(base::LogLevel::warn);
  Arguments arguments(declare());
  if (called_bare(arguments, argc)) return 0;
  if (auto code = arguments.parse(argc, argv)) return *code;
  config::Texts settings{{"bootstrap.servers", servers_of(arguments)},
                         {"acks", *arguments.text("acks")},
                         {"retries", "0"},
                         {"delivery.timeout.ms", "120000"},
                         {"client.id", "producer-1"}};
  if (const auto path = arguments.text("producer.config")) {
    auto read = read_config_file(*path);
    if (const auto* failure = std::get_if<Failure>(&read)) return arguments.refuse(failure->message);
    for (auto& [key, value] : std::get<config::Texts>(read)) settings[key] = value;
  }
  catch_stop_signals();
  VerifiableProducer producer(arguments);
  if (const auto failure = producer.open(settings)) return die_uncaught(*failure);
  producer.run();
  producer.finish();
  return stop_signal() ? 128 + stop_signal() : 0;
}

}  // namespace
}  // namespace tools

int main(int argc, char** argv) { return tools::run(argc, argv); }
