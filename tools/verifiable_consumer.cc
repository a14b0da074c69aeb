// kafka-verifiable-consumer.sh: a member of a group that says in lines of JSON what happens to it: what it was
// assigned, what it read, what it committed.
//
// Arguments and lines are those of Apache Kafka 3.9, which are those of 2.7.1. One thread; rebalances are served by
// librdkafka inside the calls that fetch records.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

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

constexpr std::size_t kMaxPollRecords = 500;  // max.poll.records, which librdkafka does not have

Program declare() {
  return {.name = "verifiable-consumer",
          .purpose =
              "This tool consumes messages from a specific topic and emits consumer events (e.g. group "
              "rebalances, received messages, and offsets committed) as JSON objects to STDOUT.",
          .arguments =
              {
                  {.name = "topic", .required = true, .help = "The topic to read."},
                  {.name = "group-protocol",
                   .default_text = "classic",
                   .help = "classic; the protocol called consumer is not available in this tool."},
                  {.name = "group-remote-assignor", .help = "Without effect with the protocol classic."},
                  {.name = "group-id", .required = true, .help = "The group to join."},
                  {.name = "group-instance-id", .help = "The id of a static member."},
                  {.name = "max-messages",
                   .type = ArgumentType::integer,
                   .metavar = "MAX-MESSAGES",
                   .default_text = "-1",
                   .help = "How many messages to read; -1 goes on until the program is stopped."},
                  {.name = "session-timeout",
                   .type = ArgumentType::integer,
                   .metavar = "TIMEOUT_MS",
                   .default_text = "30000",
                   .help = "The consumer's setting session.timeout.ms."},
                  {.name = "verbose", .type = ArgumentType::flag, .help = "Show every record."},
                  {.name = "enable-autocommit",
                   .type = ArgumentType::flag,
                   .help = "Let the client commit now and then, instead of after each batch."},
                  {.name = "reset-policy",
                   .metavar = "RESETPOLICY",
                   .default_text = "earliest",
                   .help = "Where to begin without a committed offset: earliest, latest, or none."},
                  {.name = "assignment-strategy",
                   .metavar = "ASSIGNMENTSTRATEGY",
                   .default_text = "org.apache.kafka.clients.consumer.RangeAssignor",
                   .help = "The assignor's class."},
                  {.name = "consumer.config",
                   .metavar = "CONFIG_FILE",
                   .help = "A properties file with settings of the consumer; the command line wins over it."},
                  bootstrap_server_argument(),
                  broker_list_argument(),
              },
          .one_of = {"bootstrap-server", "broker-list"}};
}

struct DestroyList {
  void operator()(rd_kafka_topic_partition_list_t* list) const { rd_kafka_topic_partition_list_destroy(list); }
};
using PartitionList = std::unique_ptr<rd_kafka_topic_partition_list_t, DestroyList>;
struct DestroyQueue {
  void operator()(rd_kafka_queue_t* queue) const { rd_kafka_queue_destroy(queue); }
};
struct DestroyMessage {
  void operator()(rd_kafka_message_t* message) const { rd_kafka_message_destroy(message); }
};
using Message = std::unique_ptr<rd_kafka_message_t, DestroyMessage>;

std::optional<std::string_view> bytes(const void* at, std::size_t size) {
  return at ? std::optional(std::string_view(static_cast<const char*>(at), size)) : std::nullopt;
}

class VerifiableConsumer {
 public:
  explicit VerifiableConsumer(const Arguments& arguments)
      : topic_(*arguments.text("topic")),
        max_messages_(*arguments.number("max-messages")),
        verbose_(arguments.given("verbose")),
        commits_(!arguments.given("enable-autocommit")) {}
  ~VerifiableConsumer() { close(); }

  Outcome open(const config::Texts& settings);
  // The failure is one the member cannot live with.
  Outcome run();
  void close();

 private:
  struct Summary {
    std::int64_t count = 0;
    std::int64_t first = 0;
    std::int64_t last = 0;
  };
  using Summaries = std::map<base::TopicPartition, Summary>;

  static void rebalance(rd_kafka_t* client, rd_kafka_resp_err_t why, rd_kafka_topic_partition_list_t* list, void* self);
  std::vector<Message> poll(Outcome& failure);
  Summaries received(const std::vector<Message>& messages);
  Outcome commit(const Summaries& summaries);
  bool finished() const { return max_messages_ >= 0 && consumed_ >= max_messages_; }
  void tell(const Event& event) { silent_ = silent_ || !print(event); }

  base::SystemClock clock_;
  std::string topic_;
  std::int64_t max_messages_;
  bool verbose_, commits_;
  std::int64_t consumed_ = 0;
  bool silent_ = false;  // nobody reads the output any more
  Client client_;
  std::unique_ptr<rd_kafka_queue_t, DestroyQueue> queue_;
};

Outcome VerifiableConsumer::open(const config::Texts& settings) {
  auto made = make_client(settings, Role::consumer, [this](rd_kafka_conf_t* conf) {
    rd_kafka_conf_set_opaque(conf, this);
    rd_kafka_conf_set_rebalance_cb(conf, rebalance);
  });
  if (auto* failure = std::get_if<Failure>(&made)) return *failure;
  client_ = std::move(std::get<Client>(made));
  rd_kafka_poll_set_consumer(client_.get());
  queue_.reset(rd_kafka_queue_get_consumer(client_.get()));
  return std::nullopt;
}

void VerifiableConsumer::rebalance(rd_kafka_t* client, rd_kafka_resp_err_t why, rd_kafka_topic_partition_list_t* list,
                                   void* self) {
  auto& consumer = *static_cast<VerifiableConsumer*>(self);
  const bool step_by_step = std::string_view(rd_kafka_rebalance_protocol(client)) == "COOPERATIVE";
  const bool assigned = why == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;
  std::vector<Event::Row> rows;
  for (int i = 0; i < list->cnt; ++i) rows.push_back({{list->elems[i].topic, list->elems[i].partition}});
  consumer.tell(
      Event(assigned ? "partitions_assigned" : "partitions_revoked", consumer.clock_.wall()).add("partitions", rows));
  if (step_by_step) {
    rd_kafka_error_destroy(assigned ? rd_kafka_incremental_assign(client, list)
                                    : rd_kafka_incremental_unassign(client, list));
  } else {
    rd_kafka_assign(client, assigned ? list : nullptr);
  }
}

// What has arrived, at most as much as one poll of Java's consumer returns.
std::vector<Message> VerifiableConsumer::poll(Outcome& failure) {
  rd_kafka_message_t* raw[kMaxPollRecords];
  const auto count = rd_kafka_consume_batch_queue(queue_.get(), 100, raw, kMaxPollRecords);
  std::vector<Message> out;
  for (ssize_t i = 0; i < count; ++i) {
    Message message(raw[i]);
    switch (message->err) {
      case RD_KAFKA_RESP_ERR_NO_ERROR:
        out.push_back(std::move(message));
        break;
      case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
      case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
      case RD_KAFKA_RESP_ERR_INVALID_GROUP_ID:
      case RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID:
      case RD_KAFKA_RESP_ERR_GROUP_MAX_SIZE_REACHED:
      case RD_KAFKA_RESP_ERR__FATAL:
      case RD_KAFKA_RESP_ERR__AUTHENTICATION:
      case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
        failure = failure_of(message->err, rd_kafka_message_errstr(message.get()));
        break;
      default:  // the topic, its leader or the network may come back
        break;
    }
  }
  return out;
}

// Tells of the records, partition by partition, no further than there is something left to read.
VerifiableConsumer::Summaries VerifiableConsumer::received(const std::vector<Message>& messages) {
  std::map<base::TopicPartition, std::vector<const rd_kafka_message_t*>> by_partition;
  for (const auto& each : messages)
    by_partition[{rd_kafka_topic_name(each->rkt), each->partition}].push_back(each.get());
  Summaries out;
  for (auto& [partition, records] : by_partition) {
    if (finished()) break;
    if (max_messages_ >= 0)
      records.resize(std::min<std::size_t>(records.size(), static_cast<std::size_t>(max_messages_ - consumed_)));
    if (verbose_)
      for (const auto* record : records)
        tell(Event("record_data", clock_.wall())
                 .add_nullable("key", bytes(record->key, record->key_len))
                 .add_nullable("value", bytes(record->payload, record->len))
                 .add("topic", partition.topic)
                 .add("partition", std::int64_t{partition.partition})
                 .add("offset", record->offset));
    out[partition] = {static_cast<std::int64_t>(records.size()), records.front()->offset, records.back()->offset};
    consumed_ += static_cast<std::int64_t>(records.size());
  }
  std::vector<Event::Row> rows;
  for (const auto& [partition, summary] : out)
    rows.push_back({partition, {{"count", summary.count}, {"minOffset", summary.first}, {"maxOffset", summary.last}}});
  tell(Event("records_consumed", clock_.wall())
           .add("count", static_cast<std::int64_t>(messages.size()))
           .add("partitions", rows));
  return out;
}

Outcome VerifiableConsumer::commit(const Summaries& summaries) {
  const PartitionList list(rd_kafka_topic_partition_list_new(static_cast<int>(summaries.size())));
  std::vector<Event::Row> rows;
  for (const auto& [partition, summary] : summaries) {
    rd_kafka_topic_partition_list_add(list.get(), partition.topic.c_str(), partition.partition)->offset =
        summary.last + 1;
    rows.push_back({partition, {{"offset", summary.last + 1}}});
  }
  const auto error = rd_kafka_commit(client_.get(), list.get(), 0);
  if (error == RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID) return failure_of(error);
  Event event("offsets_committed", clock_.wall());
  event.add("offsets", rows);
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) event.add("error", failure_of(error).message);
  tell(event.add("success", error == RD_KAFKA_RESP_ERR_NO_ERROR));
  return std::nullopt;
}

Outcome VerifiableConsumer::run() {
  tell(Event("startup_complete", clock_.wall()));
  const PartitionList topics(rd_kafka_topic_partition_list_new(1));
  rd_kafka_topic_partition_list_add(topics.get(), topic_.c_str(), RD_KAFKA_PARTITION_UA);
  if (const auto error = rd_kafka_subscribe(client_.get(), topics.get()); error != RD_KAFKA_RESP_ERR_NO_ERROR)
    return failure_of(error);
  Outcome failure;
  while (!finished() && !stop_signal() && !silent_) {
    const auto messages = poll(failure);
    if (!messages.empty()) {
      const auto summaries = received(messages);
      if (commits_)
        if (auto fenced = commit(summaries)) return fenced;
    }
    if (failure) return failure;
  }
  return std::nullopt;
}

void VerifiableConsumer::close() {
  if (!client_) return;
  rd_kafka_consumer_close(client_.get());  // gives the partitions back, and says so
  queue_.reset();
  client_.reset();
  tell(Event("shutdown_complete", clock_.wall()));
}

int run(int argc, char** argv) {
  base::log_to_standard_error();
  base::set_log_level(base::LogLevel::warn);
  Arguments arguments(declare());
  if (called_bare(arguments, argc)) return 0;
  if (auto code = arguments.parse(argc, argv)) return *code;
  if (config::upper_case(*arguments.text("group-protocol")) != "CLASSIC")
    return arguments.refuse(
        fmt::format("group protocol {} is not available; use classic", *arguments.text("group-protocol")));
  config::Texts settings;
  if (const auto path = arguments.text("consumer.config")) {
    auto read = read_config_file(*path);
    if (const auto* failure = std::get_if<Failure>(&read)) return arguments.refuse(failure->message);
    settings = std::move(std::get<config::Texts>(read));
  }
  settings["bootstrap.servers"] = servers_of(arguments);
  settings["group.id"] = *arguments.text("group-id");
  if (const auto id = arguments.text("group-instance-id")) settings["group.instance.id"] = *id;
  settings["enable.auto.commit"] = arguments.given("enable-autocommit") ? "true" : "false";
  settings["auto.offset.reset"] = *arguments.text("reset-policy");
  settings["session.timeout.ms"] = *arguments.text("session-timeout");
  settings["partition.assignment.strategy"] = *arguments.text("assignment-strategy");
  settings.try_emplace("client.id", fmt::format("consumer-{}-1", settings["group.id"]));

  catch_stop_signals();
  VerifiableConsumer consumer(arguments);
  if (const auto failure = consumer.open(settings)) return die_uncaught(*failure);
  const auto failure = consumer.run();
  if (failure)
    base::Logger("org.apache.kafka.tools.VerifiableConsumer")
        .error("Error during processing, terminating consumer process: {}", failure->text());
  consumer.close();
  return stop_signal() ? 128 + stop_signal() : 0;
}

}  // namespace
}  // namespace tools

int main(int argc, char** argv) { return tools::run(argc, argv); }
