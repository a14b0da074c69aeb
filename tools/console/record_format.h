// How the console consumer shows a record: Kafka's message formatters and deserializers. Pure.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "config/value.h"
#include "tools/client/failure.h"
#include "tools/internal_topics/record_text.h"

namespace tools {

enum class TimestampKind { none, create_time, log_append_time };

// A record as it arrived; everything borrows from the message.
struct ConsumedRecord {
  std::int32_t partition = 0;
  std::int64_t offset = 0;
  TimestampKind timestamp_kind = TimestampKind::none;
  std::int64_t timestamp_ms = -1;
  std::optional<std::string_view> key;
  std::optional<std::string_view> value;
  std::vector<std::pair<std::string_view, std::optional<std::string_view>>> headers;
};

class RecordFormat {
 public:
  // `formatter` is the Java class, in its old or new package; properties are those of --property.
  static std::variant<RecordFormat, Failure> make(std::string_view formatter, const config::Texts& properties);

  // Appends what the record prints, its line end included. Fails when a deserializer cannot read its bytes.
  Outcome print(const ConsumedRecord& record, std::string& out) const;

 private:
  using Deserializer = Outcome (*)(std::string_view bytes, std::string& out);

  static std::variant<Deserializer, Failure> deserializer(std::string_view java_class);
  Outcome print_field(Deserializer how, const std::optional<std::string_view>& bytes, std::string& out) const;

  bool silent_ = false;
  RecordFormatter internal_ = nullptr;  // set: shows records of an internal topic, and nothing else counts
  bool print_timestamp_ = false;
  bool print_partition_ = false;
  bool print_offset_ = false;
  bool print_headers_ = false;
  bool print_key_ = false;
  bool print_value_ = true;
  std::string key_separator_ = "\t";
  std::string line_separator_ = "\n";
  std::string headers_separator_ = ",";
  std::string null_literal_ = "null";
  Deserializer key_deserializer_ = nullptr;
  Deserializer value_deserializer_ = nullptr;
  Deserializer headers_deserializer_ = nullptr;
};

}  // namespace tools
