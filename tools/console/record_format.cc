#include "tools/console/record_format.h"

#include <bit>
#include <cstdlib>

#include "base/bytes.h"

namespace tools {
namespace {

// The last part of a Java class name, whatever the package.
std::string_view class_name(std::string_view full) { return full.substr(full.find_last_of(".$") + 1); }

Failure wrong_size(std::string_view who, std::size_t size) {
  return {"org.apache.kafka.common.errors.SerializationException",
          fmt::format("Size of data received by {} is not {}", who, size), ""};
}

template <class T>
Outcome read_integer(std::string_view who, std::string_view bytes, std::string& out) {
  if (bytes.size() != sizeof(T)) return wrong_size(who, sizeof(T));
  out += std::to_string(base::load_big_endian<T>(base::as_bytes(bytes).data()));
  return std::nullopt;
}

Outcome read_bytes(std::string_view bytes, std::string& out) {
  out += bytes;
  return std::nullopt;
}
Outcome read_short(std::string_view bytes, std::string& out) {
  return read_integer<std::int16_t>("ShortDeserializer", bytes, out);
}
Outcome read_int(std::string_view bytes, std::string& out) {
  return read_integer<std::int32_t>("IntegerDeserializer", bytes, out);
}
Outcome read_long(std::string_view bytes, std::string& out) {
  return read_integer<std::int64_t>("LongDeserializer", bytes, out);
}
Outcome read_double(std::string_view bytes, std::string& out) {
  if (bytes.size() != 8) return wrong_size("Deserializer", 8);
  out += config::text_of(std::bit_cast<double>(base::load_big_endian<std::int64_t>(base::as_bytes(bytes).data())));
  return std::nullopt;
}
Outcome read_float(std::string_view bytes, std::string& out) {
  if (bytes.size() != 4) return wrong_size("Deserializer", 4);
  float value = std::bit_cast<float>(base::load_big_endian<std::int32_t>(base::as_bytes(bytes).data()));
  // The double nearest to the shortest text of the float has that same shortest text.
  out += config::text_of(std::strtod(fmt::format("{}", value).c_str(), nullptr));
  return std::nullopt;
}

}  // namespace

std::variant<RecordFormat::Deserializer, Failure> RecordFormat::deserializer(std::string_view java_class) {
  static constexpr std::pair<std::string_view, Deserializer> kKnown[] = {
      {"StringDeserializer", read_bytes},  {"ByteArrayDeserializer", read_bytes},
      {"BytesDeserializer", read_bytes},   {"ByteBufferDeserializer", read_bytes},
      {"UUIDDeserializer", read_bytes},    {"ShortDeserializer", read_short},
      {"IntegerDeserializer", read_int},   {"LongDeserializer", read_long},
      {"DoubleDeserializer", read_double}, {"FloatDeserializer", read_float},
  };
  if (java_class.empty()) return Deserializer{read_bytes};
  for (const auto& [name, how] : kKnown)
    if (class_name(java_class) == name) return how;
  return Failure{"java.lang.ClassNotFoundException", std::string(java_class), ""};
}

std::variant<RecordFormat, Failure> RecordFormat::make(std::string_view formatter, const config::Texts& properties) {
  RecordFormat format;
  std::string_view name = class_name(formatter);
  format.internal_ = find_record_formatter(formatter);
  if (format.internal_) return format;
  format.silent_ = name == "NoOpMessageFormatter";
  // The logging formatter prints as the default one does; what it logs besides is below the tools' level.
  if (!format.silent_ && name != "DefaultMessageFormatter" && name != "LoggingMessageFormatter")
    return Failure{"java.lang.ClassNotFoundException", std::string(formatter), ""};

  auto text = [&](std::string_view key, std::string& into) {
    if (auto found = properties.find(key); found != properties.end()) into = found->second;
  };
  auto truth = [&](std::string_view key, bool& into) {
    auto found = properties.find(key);
    if (found != properties.end()) into = config::upper_case(config::trim(found->second)) == "TRUE";
  };
  truth("print.timestamp", format.print_timestamp_);
  truth("print.partition", format.print_partition_);
  truth("print.offset", format.print_offset_);
  truth("print.headers", format.print_headers_);
  truth("print.key", format.print_key_);
  truth("print.value", format.print_value_);
  text("key.separator", format.key_separator_);
  text("line.separator", format.line_separator_);
  text("headers.separator", format.headers_separator_);
  text("null.literal", format.null_literal_);
  const std::pair<std::string_view, Deserializer*> fields[] = {{"key.deserializer", &format.key_deserializer_},
                                                               {"value.deserializer", &format.value_deserializer_},
                                                               {"headers.deserializer", &format.headers_deserializer_}};
  for (const auto& [key, into] : fields) {
    std::string java_class;
    text(key, java_class);
    auto how = deserializer(java_class);
    if (auto* failure = std::get_if<Failure>(&how)) return *failure;
    *into = std::get<Deserializer>(how);
  }
  return format;
}

Outcome RecordFormat::print_field(Deserializer how, const std::optional<std::string_view>& bytes,
                                  std::string& out) const {
  if (bytes) return how(*bytes, out);
  out += null_literal_;
  return std::nullopt;
}

Outcome RecordFormat::print(const ConsumedRecord& record, std::string& out) const {
  if (silent_) return std::nullopt;
  if (internal_) {
    const auto bytes = [](const std::optional<std::string_view>& text) {
      return text ? MaybeBytes(base::as_bytes(*text)) : std::nullopt;
    };
    auto shown = internal_(bytes(record.key), bytes(record.value));
    if (auto* failure = std::get_if<Failure>(&shown)) return *failure;
    out += std::get<std::optional<std::string>>(shown).value_or("");
    return std::nullopt;
  }
  bool first = true;
  auto next_field = [&] {
    if (!first) out += key_separator_;
    first = false;
  };
  if (print_timestamp_) {
    next_field();
    if (record.timestamp_kind == TimestampKind::none)
      out += "NO_TIMESTAMP";
    else
      out += fmt::format("{}:{}", record.timestamp_kind == TimestampKind::create_time ? "CreateTime" : "LogAppendTime",
                         record.timestamp_ms);
  }
  if (print_partition_) {
    next_field();
    out += fmt::format("Partition:{}", record.partition);
  }
  if (print_offset_) {
    next_field();
    out += fmt::format("Offset:{}", record.offset);
  }
  if (print_headers_) {
    next_field();
    if (record.headers.empty()) out += "NO_HEADERS";
    for (std::size_t i = 0; i < record.headers.size(); ++i) {
      if (i > 0) out += headers_separator_;
      out += record.headers[i].first;
      out += ':';
      if (auto failure = print_field(headers_deserializer_, record.headers[i].second, out)) return failure;
    }
  }
  if (print_key_) {
    next_field();
    if (auto failure = print_field(key_deserializer_, record.key, out)) return failure;
  }
  if (print_value_) {
    next_field();
    if (auto failure = print_field(value_deserializer_, record.value, out)) return failure;
  }
  if (!first) out += line_separator_;
  return std::nullopt;
}

}  // namespace tools
