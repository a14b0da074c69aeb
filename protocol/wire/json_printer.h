// The visitor that shows a message as JSON, in the form of Apache Kafka's own converters: field names in camel case,
// bytes as base64, tagged fields only when they are there.
#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>

#include "base/base64.h"
#include "protocol/wire/field.h"
#include "protocol/wire/types.h"

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

class JsonPrinter {
 public:
  explicit JsonPrinter(Version version) : version_(version) {}

  template <class M>
  std::string object(const M& m) {
    out_ += "{";
    M::describe(m, *this);
    if constexpr (Tagged<M>) {
      if (version_.flexible) M::describe_tags(m, *this);
    }
    out_ += "}";
    return std::move(out_);
  }

  void operator()(std::string_view name, const auto& x, Field f = {}) {
    if (!f.in(version_)) return;
    if (out_.back() != '{') out_ += ",";
    append_json_string(out_, camel_case(name));
    out_ += ":";
    show(x);
  }
  void operator()(int, std::string_view name, const auto& x, Field f = {}) {
    if (x) (*this)(name, *x, f);
  }

 private:
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

  void show(bool x) { out_ += x ? "true" : "false"; }
  template <std::integral T>
  void show(T x) {
    out_ += std::to_string(+x);
  }
  void show(const std::string& x) { append_json_string(out_, x); }
  // The ordinary alphabet, padded.
  void show(const Bytes& x) {
    auto text = base::base64_url_encode(x.raw);
    for (char& c : text) c = c == '-' ? '+' : c == '_' ? '/' : c;
    text.append((4 - text.size() % 4) % 4, '=');
    out_.append("\"").append(text).append("\"");
  }
  template <class T>
  void show(const std::optional<T>& x) {
    if (x)
      show(*x);
    else
      out_ += "null";
  }
  template <class T>
  void show(const std::vector<T>& xs) {
    out_ += "[";
    for (std::size_t i = 0; i < xs.size(); ++i) {
      if (i > 0) out_ += ",";
      show(xs[i]);
    }
    out_ += "]";
  }
  template <StrongId T>
  void show(const T& x) {
    show(x.raw);
  }
  template <Described T>
  void show(const T& x) {
    out_ += JsonPrinter(version_).object(x);
  }

  Version version_;
  std::string out_;
};

}  // namespace protocol
