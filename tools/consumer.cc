// kafka-console-consumer.sh: prints the records of topics.
//
// With a group (--group or group.id) it is a member of that group. Without one Java's consumer joins a group of its own
// that nobody else knows and that never commits; the same is had here by reading all partitions directly, which needs
// no group coordinator, and by looking now and then for new partitions.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "base/clock.h"
#include "base/logging.h"
#include "tools/client/config_file.h"
#include "tools/client/options.h"
#include "tools/client/topic_filter.h"
#include "tools/console/client.h"
#include "tools/console/record_format.h"
#include "tools/console/signals.h"

namespace tools {
namespace {

const base::Logger& consumer_log() {
  static const base::Logger log("kafka.tools.ConsoleConsumer$");
  return log;
}

Options declare() {
  auto with = [](std::string_view name, std::string_view argument, std::string_view description,
                 std::string_view default_text = "") {
    return Option{.name = name,
                  .takes = Takes::value,
                  .argument = argument,
                  .default_text = default_text,
                  .description = description};
  };
  return Options(
      "This tool helps to read data from Kafka topics and outputs it to standard output.",
      {
          with("bootstrap-server", "server to connect to",
               "REQUIRED: The brokers to ask first, as host:port,host:port."),
          with("topic", "topic", "The topic to read."),
          with("whitelist", "Java regex (String)", "The older name of --include, which wins."),
          with("include", "Java regex (String)", "Read the topics whose whole names match this expression."),
          {.name = "partition",
           .takes = Takes::value,
           .type = ValueType::integer,
           .argument = "partition",
           .description = "Read this partition only, from its end unless --offset says otherwise."},
          with("offset", "consume offset", "Where to begin: a number, 'earliest' or 'latest'. Needs --partition.",
               "latest"),
          {.name = "from-beginning",
           .description = "Begin with the oldest record instead of those to come, where the group has no offset yet."},
          with("group", "consumer group id", "The consumer group to join."),
          {.name = "max-messages",
           .takes = Takes::value,
           .type = ValueType::integer,
           .argument = "num_messages",
           .description = "Stop after so many records."},
          {.name = "timeout-ms",
           .takes = Takes::value,
           .type = ValueType::long_integer,
           .argument = "timeout_ms",
           .description = "Stop when no record has come for so long."},
          {.name = "skip-message-on-error", .description = "Go on with the next record when one cannot be shown."},
          with("isolation-level", "", "read_committed leaves out records of transactions that did not commit.",
               "read_uncommitted"),
          with("formatter", "class",
               "How records are shown: DefaultMessageFormatter, LoggingMessageFormatter or NoOpMessageFormatter, with "
               "the "
               "name of their Java package; the formatters of __consumer_offsets and __transaction_state under their "
               "whole names.",
               "kafka.tools.DefaultMessageFormatter"),
          with("formatter-config", "config file", "A properties file with what --property sets; that wins."),
          {.name = "property",
           .takes = Takes::value,
           .argument = "prop",
           .repeatable = true,
           .description = "What is shown, as key=value:\n print.timestamp=true|false\n print.key=true|false\n "
                          "print.offset=true|false\n print.partition=true|false\n print.headers=true|false\n "
                          "print.value=true|false\n key.separator=<a tab>\n line.separator=<a newline>\n "
                          "headers.separator=<,>\n null.literal=<null>\n key.deserializer=<class>\n "
                          "value.deserializer=<class>\n headers.deserializer=<class>"},
          with("key-deserializer", "deserializer for key", "The same as --property key.deserializer=..."),
          with("value-deserializer", "deserializer for values", "The same as --property value.deserializer=..."),
          {.name = "consumer-property",
           .takes = Takes::value,
           .argument = "consumer_prop",
           .repeatable = true,
           .description = "A setting of the consumer, as key=value."},
          with("consumer.config", "config file",
               "A properties file with settings of the consumer. --consumer-property wins."),
          {.name = "enable-systest-events", .description = "Also print shutdown_complete at the end."},
      });
}

// ------------------------------------------------------------------------------------------------ what was asked for

constexpr std::int64_t kLatest = RD_KAFKA_OFFSET_END;
constexpr std::int64_t kEarliest = RD_KAFKA_OFFSET_BEGINNING;

struct Plan {
  std::optional<std::string> topic;
  std::optional<TopicFilter> filter;
  std::optional<std::int32_t> partition;
  std::int64_t offset = kLatest;
  std::optional<std::string> group;
  std::optional<std::int64_t> max_messages;
  std::optional<std::chrono::milliseconds> timeout;
  std::chrono::milliseconds look_for_partitions{30'000};
  bool skip_on_error = false;
  bool systest_events = false;
  config::Texts settings;  // the Java consumer's
};

// Why the program ends before it has begun: usage refusals come with the table of options.
struct Refusal {
  std::string message;
  bool with_usage = true;
};

std::optional<std::int64_t> offset_of(const std::string& text) {
  std::string word = config::upper_case(text);
  if (word == "EARLIEST") return kEarliest;
  if (word == "LATEST") return kLatest;
  std::int64_t number = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number < 0) return std::nullopt;
  return number;
}

// The options that say what to read; nothing when they fit together.
std::optional<Refusal> read_subject(const Options& options, Plan& plan) {
  plan.topic = options.text("topic");
  auto expression = options.given("include") ? options.text("include") : options.text("whitelist");
  if (plan.topic.has_value() == expression.has_value()) {
    std::string text = "Exactly one of whitelist/topic is required.";
    if (options.given("include")) text = "Exactly one of --include/--topic is required. ";
    return Refusal{text};
  }
  if (expression) {
    plan.filter = TopicFilter::from_regex(*expression);
    if (!plan.filter)
      return Refusal{
          fmt::format("Exception in thread \"main\" java.util.regex.PatternSyntaxException: {}", *expression), false};
  }
  if (options.given("partition")) {
    if (!plan.topic) return Refusal{"The topic is required when partition is specified."};
    plan.partition = static_cast<std::int32_t>(*options.number("partition"));
    if (options.given("from-beginning") && options.given("offset"))
      return Refusal{"Options from-beginning and offset cannot be specified together."};
  } else if (options.given("offset")) {
    return Refusal{"The partition is required when offset is specified."};
  }
  if (options.given("offset")) {
    auto offset = offset_of(*options.text("offset"));
    if (!offset)
      return Refusal{
          fmt::format("The provided offset value '{}' is incorrect. Valid values are 'earliest', 'latest', or "
                      "a non-negative long.",
                      *options.text("offset"))};
    plan.offset = *offset;
  } else if (options.given("from-beginning")) {
    plan.offset = kEarliest;
  }
  return std::nullopt;
}

std::variant<Plan, Refusal> make_plan(const Options& options) {
  auto uncaught = [](const Failure& failure) {
    return Refusal{fmt::format("Exception in thread \"main\" {}", failure.text()), false};
  };
  Plan plan;
  if (auto refusal = read_subject(options, plan)) return *refusal;

  config::Texts file;
  if (auto path = options.text("consumer.config")) {
    auto read = read_config_file(*path);
    if (auto* failure = std::get_if<Failure>(&read)) return uncaught(*failure);
    file = std::get<config::Texts>(read);
  }
  auto pairs = read_pairs(options.all("consumer-property"));
  if (auto* failure = std::get_if<Failure>(&pairs)) return uncaught(*failure);
  const config::Texts& extra = std::get<config::Texts>(pairs);

  // In the order Kafka names them.
  std::vector<std::string> groups;
  auto add_group = [&](const std::optional<std::string>& id) {
    if (id && std::find(groups.begin(), groups.end(), *id) == groups.end()) groups.push_back(*id);
  };
  add_group(options.text("group"));
  if (auto found = extra.find("group.id"); found != extra.end()) add_group(found->second);
  if (auto found = file.find("group.id"); found != file.end()) add_group(found->second);
  if (groups.size() > 1)
    return Refusal{
        fmt::format("The group ids provided in different places (directly using '--group', via "
                    "'--consumer-property', or via '--consumer.config') do not match. Detected group ids: "
                    "'{}'",
                    fmt::join(groups, "', '"))};
  if (!groups.empty()) plan.group = groups[0];
  if (plan.group && plan.partition) return Refusal{"Options group and partition cannot be specified together."};

  plan.settings = std::move(file);
  for (const auto& [key, value] : extra) plan.settings[key] = value;
  if (auto reset = plan.settings.find("auto.offset.reset"); reset != plan.settings.end()) {
    if (options.given("from-beginning") && reset->second != "earliest")
      return Refusal{
          fmt::format("Can't simultaneously specify --from-beginning and 'auto.offset.reset={}', please remove "
                      "one option",
                      reset->second),
          false};
    if (!options.given("offset") && !plan.partition && reset->second == "earliest") plan.offset = kEarliest;
  } else {
    plan.settings["auto.offset.reset"] = options.given("from-beginning") ? "earliest" : "latest";
  }
  plan.settings["bootstrap.servers"] = *options.text("bootstrap-server");
  plan.settings["isolation.level"] = *options.text("isolation-level");
  plan.settings.try_emplace("client.id", "console-consumer");
  if (plan.group)
    plan.settings["group.id"] = *plan.group;
  else
    plan.settings.try_emplace("enable.auto.commit", "false");
  if (auto age = plan.settings.find("metadata.max.age.ms"); age != plan.settings.end())
    if (auto ms = config::parse_value(config::Type::long_integer, age->second))
      plan.look_for_partitions =
          std::min(plan.look_for_partitions,
                   std::chrono::milliseconds(std::max<std::int64_t>(100, std::get<std::int64_t>(*ms))));

  if (auto number = options.number("max-messages"); number && *number >= 0) plan.max_messages = *number;
  if (auto number = options.number("timeout-ms"); number && *number >= 0)
    plan.timeout = std::chrono::milliseconds(*number);
  plan.skip_on_error = options.given("skip-message-on-error");
  plan.systest_events = options.given("enable-systest-events");
  return plan;
}

// -------------------------------------------------------------------------------------------------------- the reading

struct FreeMessage {
  void operator()(rd_kafka_message_t* message) const { rd_kafka_message_destroy(message); }
};
using Message = std::unique_ptr<rd_kafka_message_t, FreeMessage>;

// Records of the planned topics in the order they arrive.
class Source {
 public:
  Source(const Plan& plan, const base::Clock& clock) : plan_(plan), clock_(clock) {}
  ~Source() { close(); }
  Source(const Source&) = delete;
  Source& operator=(const Source&) = delete;

  Outcome open();
  // The next record or error, or nothing within `wait`.
  Message next(std::chrono::milliseconds wait);
  void close();

 private:
  void look_for_partitions();
  void take(const std::string& topic, std::int32_t partition);
  void subscribe(const std::set<std::string>& topics);

  const Plan& plan_;
  const base::Clock& clock_;
  rd_kafka_t* handle_ = nullptr;
  rd_kafka_queue_t* queue_ = nullptr;  // without a group: all partitions feed it
  std::map<std::string, rd_kafka_topic_t*> topics_;
  std::set<std::pair<std::string, std::int32_t>> taken_;
  std::set<std::string> subscribed_;  // with a group
  bool looked_ = false;
  base::Instant look_again_at_{};
  bool warned_ = false;
};

Outcome Source::open() {
  auto made = make_client(plan_.settings, Role::consumer, [](rd_kafka_conf_t*) {});
  if (auto* failure = std::get_if<Failure>(&made)) return *failure;
  handle_ = std::get<Client>(made).release();  // closed in an order of its own
  if (plan_.group) {
    rd_kafka_poll_set_consumer(handle_);
    if (plan_.topic) subscribe({*plan_.topic});
  } else {
    queue_ = rd_kafka_queue_new(handle_);
    if (plan_.partition) take(*plan_.topic, *plan_.partition);
  }
  return std::nullopt;
}

void Source::take(const std::string& topic, std::int32_t partition) {
  if (!taken_.emplace(topic, partition).second) return;
  rd_kafka_topic_t*& handle = topics_[topic];
  if (!handle) handle = rd_kafka_topic_new(handle_, topic.c_str(), nullptr);
  // What appeared while we were looking is read from its first record, so that none is missed.
  std::int64_t from = looked_ ? kEarliest : plan_.offset;
  if (rd_kafka_consume_start_queue(handle, partition, from, queue_) != 0)
    consumer_log().warn("Cannot read {}-{}: {}", topic, partition, rd_kafka_err2str(rd_kafka_last_error()));
}

void Source::subscribe(const std::set<std::string>& topics) {
  if (topics == subscribed_) return;
  subscribed_ = topics;
  auto* list = rd_kafka_topic_partition_list_new(static_cast<int>(topics.size()));
  for (const std::string& topic : topics) rd_kafka_topic_partition_list_add(list, topic.c_str(), RD_KAFKA_PARTITION_UA);
  rd_kafka_subscribe(handle_, list);
  rd_kafka_topic_partition_list_destroy(list);
}

// Asks the brokers which partitions there are. A topic that is missing is asked for again soon; asking creates it where
// brokers are set up to.
void Source::look_for_partitions() {
  using namespace std::chrono_literals;
  look_again_at_ = clock_.now() + 500ms;
  rd_kafka_topic_t* only = nullptr;
  if (plan_.topic) {
    only = topics_[*plan_.topic];
    if (!only) only = topics_[*plan_.topic] = rd_kafka_topic_new(handle_, plan_.topic->c_str(), nullptr);
  }
  const rd_kafka_metadata_t* metadata = nullptr;
  if (rd_kafka_metadata(handle_, only ? 0 : 1, only, &metadata, 500) != RD_KAFKA_RESP_ERR_NO_ERROR) return;
  std::set<std::string> matching;
  bool complete = true;
  for (int i = 0; i < metadata->topic_cnt; ++i) {
    const auto& topic = metadata->topics[i];
    std::string name = topic.topic;
    if (plan_.filter && (is_internal_topic(name) || !plan_.filter->matches(name))) continue;
    if (topic.err != RD_KAFKA_RESP_ERR_NO_ERROR) {
      complete = false;
      if (!warned_ && plan_.topic)
        base::Logger("org.apache.kafka.clients.NetworkClient")
            .warn("[Consumer clientId={}] Error while fetching metadata with correlation id 2 : {{{}={}}}",
                  plan_.settings.at("client.id"), name, base::error_name(static_cast<base::ErrorCode>(topic.err)));
      warned_ = true;
      continue;
    }
    matching.insert(name);
    if (!plan_.group && !plan_.partition)
      for (int p = 0; p < topic.partition_cnt; ++p) take(name, topic.partitions[p].id);
  }
  rd_kafka_metadata_destroy(metadata);
  if (plan_.group && plan_.filter && !matching.empty()) subscribe(matching);
  looked_ = true;
  if (complete) look_again_at_ = clock_.now() + plan_.look_for_partitions;
}

Message Source::next(std::chrono::milliseconds wait) {
  bool looking = !plan_.partition && !(plan_.group && plan_.topic);
  if (looking && clock_.now() >= look_again_at_) look_for_partitions();
  int ms = static_cast<int>(wait.count());
  if (plan_.group) return Message(rd_kafka_consumer_poll(handle_, ms));
  rd_kafka_poll(handle_, 0);
  return Message(rd_kafka_consume_queue(queue_, ms));
}

void Source::close() {
  if (!handle_) return;
  if (plan_.group) {
    rd_kafka_consumer_close(handle_);
  } else {
    for (const auto& [topic, partition] : taken_) rd_kafka_consume_stop(topics_[topic], partition);
  }
  for (auto& [name, topic] : topics_) rd_kafka_topic_destroy(topic);
  topics_.clear();
  if (queue_) rd_kafka_queue_destroy(queue_);
  rd_kafka_destroy(std::exchange(handle_, nullptr));
}

ConsumedRecord record_of(const rd_kafka_message_t& message) {
  auto bytes = [](const void* at, std::size_t size) -> std::optional<std::string_view> {
    if (!at) return std::nullopt;
    return std::string_view(static_cast<const char*>(at), size);
  };
  ConsumedRecord record;
  record.partition = message.partition;
  record.offset = message.offset;
  record.key = bytes(message.key, message.key_len);
  record.value = bytes(message.payload, message.len);
  rd_kafka_timestamp_type_t kind = RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
  record.timestamp_ms = rd_kafka_message_timestamp(&message, &kind);
  if (kind == RD_KAFKA_TIMESTAMP_CREATE_TIME) record.timestamp_kind = TimestampKind::create_time;
  if (kind == RD_KAFKA_TIMESTAMP_LOG_APPEND_TIME) record.timestamp_kind = TimestampKind::log_append_time;
  rd_kafka_headers_t* headers = nullptr;
  if (rd_kafka_message_headers(&message, &headers) == RD_KAFKA_RESP_ERR_NO_ERROR) {
    const char* name = nullptr;
    const void* value = nullptr;
    std::size_t size = 0;
    for (std::size_t i = 0; rd_kafka_header_get_all(headers, i, &name, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR;
         ++i)
      record.headers.emplace_back(name, bytes(value, size));
  }
  return record;
}

// Errors that only mean "not now": the topic, its leader or the network may come back.
bool passes(rd_kafka_resp_err_t error) {
  switch (error) {
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_INVALID_GROUP_ID:
    case RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID:
    case RD_KAFKA_RESP_ERR__FATAL:
    case RD_KAFKA_RESP_ERR__AUTHENTICATION:
    case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
      return false;
    default:
      return true;
  }
}

// Prints records until there are enough of them, none come for too long, or a signal arrives. The failure is one that
// ends the program with exit code 1.
class Printer {
 public:
  Printer(const Plan& plan, const RecordFormat& format, Source& source, const base::Clock& clock)
      : plan_(plan), format_(format), source_(source), clock_(clock) {}

  Outcome run();
  std::int64_t count() const { return count_; }

 private:
  Outcome show(const rd_kafka_message_t& message);
  // False when nobody reads our output any more.
  bool write_out();

  const Plan& plan_;
  const RecordFormat& format_;
  Source& source_;
  const base::Clock& clock_;
  std::string text_;
  std::int64_t count_ = 0;
};

bool Printer::write_out() {
  std::fwrite(text_.data(), 1, text_.size(), stdout);
  text_.clear();
  if (std::fflush(stdout) == 0 && !std::ferror(stdout)) return true;
  fmt::print(stderr, "Unable to write to standard out, closing consumer.\n");
  return false;
}

Outcome Printer::show(const rd_kafka_message_t& message) {
  ++count_;
  std::size_t before = text_.size();
  auto failure = format_.print(record_of(message), text_);
  if (!failure) return std::nullopt;
  text_.resize(before);
  if (!plan_.skip_on_error) return failure;
  consumer_log().error("Error processing message, skipping this message: ");
  fmt::print(stderr, "{}\n", failure->text());
  return std::nullopt;
}

Outcome Printer::run() {
  using namespace std::chrono_literals;
  constexpr std::size_t kWriteAt = 64 << 10;
  auto last_record = clock_.now();
  while (!stop_signal() && (!plan_.max_messages || count_ < *plan_.max_messages)) {
    // Output leaves when nothing more is there at once, or when there is enough of it.
    Message message = source_.next(text_.empty() ? 100ms : 0ms);
    if (!message || text_.size() >= kWriteAt)
      if (!text_.empty() && !write_out()) return std::nullopt;
    if (!message) {
      if (plan_.timeout && clock_.now() - last_record >= *plan_.timeout) {
        consumer_log().error("Error processing message, terminating consumer process: ");
        fmt::print(stderr, "org.apache.kafka.common.errors.TimeoutException\n");
        return std::nullopt;
      }
      continue;
    }
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
      if (passes(message->err)) continue;
      consumer_log().error("Error processing message, terminating consumer process: ");
      fmt::print(stderr, "{}\n", failure_of(message->err, rd_kafka_message_errstr(message.get())).text());
      break;
    }
    last_record = clock_.now();
    if (auto failure = show(*message)) {
      write_out();
      return failure;
    }
  }
  if (!text_.empty()) write_out();
  return std::nullopt;
}

int unknown_error(const Failure& failure) {
  consumer_log().error("Unknown error when running consumer: ");
  fmt::print(stderr, "{}\n", failure.text());
  return 1;
}

int run(int argc, char** argv) {
  base::log_to_standard_error();
  base::set_log_level(base::LogLevel::warn);
  Options options = declare();
  if (auto failure = options.parse(argc, argv)) return refuse_usage(options, failure->message);
  if (auto code = answer_help_or_version(options)) return *code;
  if (auto failure = options.check_values()) return die_uncaught(*failure);
  if (auto text = options.missing({"bootstrap-server"})) return refuse_usage(options, *text);
  auto plan = make_plan(options);
  if (auto* refusal = std::get_if<Refusal>(&plan)) {
    if (refusal->with_usage) return refuse_usage(options, refusal->message);
    fmt::print(stderr, "{}\n", refusal->message);
    return 1;
  }

  config::Texts shown;
  if (auto path = options.text("formatter-config")) {
    auto file = read_config_file(*path);
    if (auto* failure = std::get_if<Failure>(&file)) return die_uncaught(*failure);
    shown = std::move(std::get<config::Texts>(file));
  }
  auto pairs = read_pairs(options.all("property"));
  if (auto* failure = std::get_if<Failure>(&pairs)) return die_uncaught(*failure);
  for (auto& [key, value] : std::get<config::Texts>(pairs)) shown[key] = value;
  for (const auto* field : {"key", "value"})
    if (auto java_class = options.text(fmt::format("{}-deserializer", field)))
      shown[fmt::format("{}.deserializer", field)] = *java_class;
  auto format = RecordFormat::make(*options.text("formatter"), shown);
  if (auto* failure = std::get_if<Failure>(&format)) return die_uncaught(*failure);

  catch_stop_signals();
  base::SystemClock clock;
  Source source(std::get<Plan>(plan), clock);
  if (auto failure = source.open()) return unknown_error(*failure);
  Printer printer(std::get<Plan>(plan), std::get<RecordFormat>(format), source, clock);
  auto failure = printer.run();
  source.close();
  if (std::get<Plan>(plan).systest_events) {
    fmt::print("shutdown_complete\n");
    std::fflush(stdout);
  }
  fmt::print(stderr, "Processed a total of {} messages\n", printer.count());
  if (failure) return unknown_error(*failure);
  return stop_signal() ? 128 + stop_signal() : 0;
}

}  // namespace
}  // namespace tools

int main(int argc, char** argv) { return tools::run(argc, argv); }
