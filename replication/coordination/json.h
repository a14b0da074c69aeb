// Reading JSON objects that others wrote: each accessor says what is missing or of the wrong kind. For znodes.cc only.
#pragma once

#include <boost/json.hpp>

#include <charconv>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"

namespace replication::json {

namespace bj = boost::json;

// The whole text as a decimal number.
template <class T>
bool read_number(std::string_view text, T& out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc() && end == text.data() + text.size();
}

// The first failure sticks; later reads yield zeros. The caller looks at status() once at the end.
class Object {
 public:
  // An object that is itself `what` inside the node at `path`.
  Object(std::string_view path, std::string_view text) : path_(path) {
    boost::system::error_code error;
    bj::value value = bj::parse(bj::string_view(text.data(), text.size()), error);
    if (error)
      fail("not JSON: " + error.message());
    else if (!value.is_object())
      fail("not a JSON object");
    else
      object_ = std::move(value.get_object());
  }

  bool ok() const { return reason_.empty(); }
  base::Error error() const { return base::fail(base::ErrorCode::corrupt_message, "{}: {}", path_, reason_); }
  void fail(std::string reason) {
    if (reason_.empty()) reason_ = reason.empty() ? "malformed" : std::move(reason);
  }

  const bj::value* find(std::string_view key) const {
    if (!ok()) return nullptr;
    const auto* found = object_.if_contains(bj::string_view(key.data(), key.size()));
    return found && !found->is_null() ? found : nullptr;
  }

  template <class T>
  T number(std::string_view key) {
    const auto* value = require(key);
    return value ? to_number<T>(*value, key) : T{};
  }
  template <class T>
  T number_or(std::string_view key, T otherwise) {
    const auto* value = find(key);
    return value ? to_number<T>(*value, key) : otherwise;
  }
  std::string text(std::string_view key) {
    const auto* value = require(key);
    return value ? to_text(*value, key) : std::string();
  }
  std::optional<std::string> text_if(std::string_view key) {
    const auto* value = find(key);
    return value ? std::optional(to_text(*value, key)) : std::nullopt;
  }
  const bj::object& object(std::string_view key) {
    static const bj::object empty;
    const auto* value = require(key);
    return value ? to_object(*value, key) : empty;
  }
  const bj::object& object_or_empty(std::string_view key) {
    static const bj::object empty;
    const auto* value = find(key);
    return value ? to_object(*value, key) : empty;
  }

  template <class T>
  T to_number(const bj::value& value, std::string_view what) {
    boost::system::error_code error;
    // A number such as 3.0 is exact, too; 3.5 or one too large is not.
    const T x = value.to_number<T>(error);
    if (error) fail(std::string(what) + " is not a fitting number");
    return error ? T{} : x;
  }
  // Numbers that Kafka writes as text; both spellings are read.
  template <class T>
  T quoted_number(std::string_view key) {
    const auto* value = require(key);
    if (!value) return {};
    if (!value->is_string()) return to_number<T>(*value, key);
    T x{};
    const auto& quoted = value->get_string();
    if (!read_number(std::string_view(quoted.data(), quoted.size()), x)) fail(std::string(key) + " is no number");
    return x;
  }
  std::string to_text(const bj::value& value, std::string_view what) {
    if (value.is_string()) return std::string(value.get_string().data(), value.get_string().size());
    fail(std::string(what) + " is not a string");
    return {};
  }
  const bj::object& to_object(const bj::value& value, std::string_view what) {
    static const bj::object empty;
    if (value.is_object()) return value.get_object();
    fail(std::string(what) + " is not an object");
    return empty;
  }
  const bj::array& to_array(const bj::value& value, std::string_view what) {
    static const bj::array empty;
    if (value.is_array()) return value.get_array();
    fail(std::string(what) + " is not an array");
    return empty;
  }
  const bj::array& array(std::string_view key) {
    static const bj::array empty;
    const auto* value = require(key);
    return value ? to_array(*value, key) : empty;
  }

  // What is left when the fields we know are taken away, as JSON; empty when nothing is.
  std::string without(std::initializer_list<std::string_view> known) const {
    bj::object rest = object_;
    for (auto key : known) rest.stable_erase(bj::string_view(key.data(), key.size()));
    return rest.empty() ? std::string() : bj::serialize(rest);
  }

 private:
  const bj::value* require(std::string_view key) {
    if (!ok()) return nullptr;
    const auto* value = find(key);
    if (!value) fail("no field '" + std::string(key) + "'");
    return value;
  }

  std::string_view path_;
  bj::object object_;
  std::string reason_;
};

// Puts the fields of `unknown` (a JSON object or empty) behind those already in `into`.
inline void add_unknown(bj::object& into, const std::string& unknown) {
  if (unknown.empty()) return;
  boost::system::error_code error;
  const bj::value value = bj::parse(unknown, error);
  if (error || !value.is_object()) return;
  for (const auto& field : value.get_object())
    if (!into.contains(field.key())) into.emplace(field.key(), field.value());
}

}  // namespace replication::json
