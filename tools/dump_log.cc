// kafka-dump-log.sh: shows what is in the files of a log.
#include <fmt/format.h>

#include <algorithm>
#include <string>

#include "base/logging.h"
#include "base/posix_files.h"
#include "config/value.h"
#include "tools/client/options.h"
#include "tools/dump_log/dump.h"
#include "tools/dump_log/output.h"

namespace tools {
namespace {

constexpr std::string_view kPurpose =
    "This tool helps to parse a log file and dump its contents to the console, useful for debugging a seemingly "
    "corrupt log segment.";

Options declare() {
  return Options(
      kPurpose,
      {
          {.name = "print-data-log",
           .description = "Print keys and payloads of the records. Implied by any decoder option."},
          {.name = "verify-index-only", .description = "Check indexes against the data without printing them."},
          {.name = "index-sanity-check",
           .description = "Only apply to indexes the test that decides at start whether they are rebuilt."},
          {.name = "files",
           .takes = Takes::value,
           .argument = "file1, file2, ...",
           .description = "REQUIRED: The .log, .index, .timeindex, .txnindex and .snapshot files to show."},
          {.name = "max-message-size",
           .takes = Takes::value,
           .type = ValueType::integer,
           .argument = "size",
           .default_text = "5242880",
           .description = "Size of the largest message."},
          {.name = "max-bytes",
           .takes = Takes::value,
           .type = ValueType::integer,
           .argument = "size",
           .default_text = "2147483647",
           .description = "Read only so many bytes of each .log file."},
          {.name = "deep-iteration", .description = "Print each record. Implied by --print-data-log."},
          {.name = "value-decoder-class",
           .takes = Takes::maybe_value,
           .default_text = "kafka.serializer.StringDecoder",
           .description = "How payloads are read: StringDecoder, DefaultDecoder, IntegerDecoder or LongDecoder, with "
                          "the name of their Java package."},
          {.name = "key-decoder-class",
           .takes = Takes::maybe_value,
           .default_text = "kafka.serializer.StringDecoder",
           .description = "The same for keys."},
          {.name = "offsets-decoder", .description = "Show the records as those of __consumer_offsets."},
          {.name = "transaction-log-decoder", .description = "Show the records as those of __transaction_state."},
          {.name = "cluster-metadata-decoder",
           .description = "Refused: a cluster kept in ZooKeeper has no metadata log."},
          {.name = "remote-log-metadata-decoder", .description = "Refused: there is no tiered storage here."},
          {.name = "skip-record-metadata", .description = "Print only keys and payloads of the records."},
      });
}

std::variant<Decoder, Failure> decoder_of(const Options& options, std::string_view option) {
  const auto java_class = options.text(option).value_or("kafka.serializer.StringDecoder");
  const auto dot = java_class.find_last_of('.');
  const auto package = java_class.substr(0, dot == std::string::npos ? 0 : dot);
  const auto name = java_class.substr(dot + 1);
  if (package == "kafka.serializer" || package == "org.apache.kafka.tools.api") {
    if (name == "StringDecoder" || name == "DefaultDecoder") return Decoder::text;
    if (name == "IntegerDecoder") return Decoder::integer;
    if (name == "LongDecoder") return Decoder::long_integer;
  }
  return Failure{"java.lang.ClassNotFoundException", java_class, ""};
}

std::variant<DumpRequest, Failure> request_of(const Options& options) {
  DumpRequest request;
  if (options.given("verify-index-only")) request.indexes = IndexCheck::verify_only;
  if (options.given("index-sanity-check")) request.indexes = IndexCheck::sanity_only;
  if (options.given("print-data-log") || options.given("key-decoder-class") || options.given("value-decoder-class"))
    request.contents = Contents::plain;
  if (options.given("transaction-log-decoder")) request.contents = Contents::txn_records;
  if (options.given("offsets-decoder")) request.contents = Contents::group_records;
  request.deep = options.given("deep-iteration") || request.contents != Contents::none;
  request.skip_record_metadata = options.given("skip-record-metadata");
  request.max_bytes = std::max<std::int64_t>(0, *options.number("max-bytes"));
  for (auto [option, into] : {std::pair{"key-decoder-class", &request.key_decoder},
                              std::pair{"value-decoder-class", &request.value_decoder}}) {
    auto decoder = decoder_of(options, option);
    if (auto* failure = std::get_if<Failure>(&decoder)) return *failure;
    *into = std::get<Decoder>(decoder);
  }
  return request;
}

int run(int argc, char** argv) {
  base::log_to_standard_error();
  base::set_log_level(base::LogLevel::warn);
  Options options = declare();
  if (auto failure = options.parse(argc, argv)) return die_uncaught(*failure);
  if (options.empty_command_line()) return refuse_usage(options, kPurpose);
  if (auto code = answer_help_or_version(options)) return *code;
  if (auto text = options.missing({"files"})) return refuse_usage(options, *text);
  if (auto failure = options.check_values()) return die_uncaught(*failure);
  for (auto refused : {"cluster-metadata-decoder", "remote-log-metadata-decoder"})
    if (options.given(refused)) {
      fmt::print(stderr, "--{} is not available: brokers of this kind write no such log.\n", refused);
      return 1;
    }
  auto request = request_of(options);
  if (auto* failure = std::get_if<Failure>(&request)) return die_uncaught(*failure);

  base::PosixFiles files;
  Dump dump(files, std::get<DumpRequest>(request));
  for (const auto& path : config::split_list(*options.text("files"))) {
    auto failure = dump.file(path);
    Output::instance().flush();
    if (failure) return die_uncaught(*failure);
  }
  dump.findings().print();
  return 0;
}

}  // namespace
}  // namespace tools

int main(int argc, char** argv) { return tools::run(argc, argv); }
