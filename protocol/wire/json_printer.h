// The visitor that shows a message as JSON, in the form of Apache Kafka's own converters: field names in camel case,
// bytes as base64, tagged fields only when they are there.
#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>

#include "base/base64.h"
#include "protocol/wire/value_printer.h"

namespace protocol {

// `text` with its quotation marks. Bytes that are not UTF-8 pass through.
inline void append_json_string(std::string& out, std::string_view text) {
  out += '"';
  for (const char c : text) {
    switch (c) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\b':
        out += "\\b";
        break;
      case '\f':
        out += "\\f";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      default:
        if (static_cast<unsigned char>(c) < 0x20)
          out += fmt::format("\\u{:04X}", static_cast<unsigned char>(c));
        else
          out += c;
    }
  }
  out += '"';
}

class JsonPrinter final : public ValuePrinter<JsonPrinter> {
 public:
  using ValuePrinter::ValuePrinter;

  template <class M>
  std::string object(const M& m) {
    show_object(m, version_.flexible);
    return std::move(out_);
  }

 private:
  friend class ValuePrinter<JsonPrinter>;
  static constexpr std::string_view kBetweenFields = ",", kBetweenValues = ",";
  static constexpr bool kHidesSecrets = false;

  void name(std::string_view name) {
    append_json_string(out_, camel_case(name));
    out_ += ":";
  }
  static std::string camel_case(std::string_view name) {
    std::string out;
    bool up = false;
    for (const char c : name) {
      if (c == '_') {
        up = true;
        continue;
      }
      out += up && c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
      up = false;
    }
    return out;
  }

  void text(const std::string& x) { append_json_string(out_, x); }
  // The ordinary alphabet, padded.
  void text(const Bytes& x) {
    auto text = base::base64_url_encode(x.raw);
    for (char& c : text) c = c == '-' ? '+' : c == '_' ? '/' : c;
    text.append((4 - text.size() % 4) % 4, '=');
    out_.append("\"").append(text).append("\"");
  }
  void nested(const auto& m) { show_object(m, version_.flexible); }
};

}  // namespace protocol
