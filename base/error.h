// The one error vocabulary: the protocol's own codes plus a sentence for people.
//
// A log's refusal travels to the client without a translation table, so every layer speaks these codes.
// Numbers, names and the retriable column: the Kafka protocol's error table (Errors in kafka-clients 3.9.1).
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "base/check.h"

namespace base {

enum class ErrorCode : std::int16_t {
#define WEIR_ERROR(number, name) name = number,
#include "base/error_codes.inc"
#undef WEIR_ERROR
};

// Kafka's spelling, e.g. "UNKNOWN_TOPIC_OR_PARTITION"; "ERROR_<n>" for a number no release defines.
std::string error_name(ErrorCode code);

// Why something did not happen. `detail` is for the operator's log and, where Kafka sends a message, the client.
struct Error {
  ErrorCode code = ErrorCode::unknown_server_error;
  std::string detail;

  // "KAFKA_STORAGE_ERROR: cannot write /data/t-0/0.log: No space left on device"
  std::string text() const;
};

// A value, or the reason there is none. Reading the wrong side is a broken program and stops the process.
template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}      // NOLINT: implicit by design
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}  // NOLINT: implicit by design

  explicit operator bool() const { return state_.index() == 0; }
  bool ok() const { return state_.index() == 0; }

  T& value() & { return invariant(ok(), "value() of a failed Result"), std::get<0>(state_); }
  const T& value() const& { return invariant(ok(), "value() of a failed Result"), std::get<0>(state_); }
  T&& value() && { return invariant(ok(), "value() of a failed Result"), std::get<0>(std::move(state_)); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  const Error& error() const { return invariant(!ok(), "error() of a good Result"), std::get<1>(state_); }

 private:
  std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : error_(std::move(error)), failed_(true) {}  // NOLINT: implicit by design

  explicit operator bool() const { return !failed_; }
  bool ok() const { return !failed_; }
  const Error& error() const { return invariant(failed_, "error() of a good Result"), error_; }

 private:
  Error error_;
  bool failed_ = false;
};

using Status = Result<void>;

template <class... Args>
Error fail(ErrorCode code, fmt::format_string<Args...> format, Args&&... args) {
  return Error{code, fmt::format(format, std::forward<Args>(args)...)};
}

}  // namespace base
