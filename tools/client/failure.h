// Why a command did not do what it was asked, in the words of Kafka's tools: the exception class their users know, and
// its message. Scripts match both.
#pragma once

#include <fmt/format.h>

#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/error.h"

namespace tools {

struct Failure {
  std::string exception;  // "java.lang.IllegalArgumentException"
  std::string message;
  std::string cause;  // "" or the line of the exception behind it

  // "<class>: <message>", with a "Caused by:" line where there is a cause.
  std::string text() const;
};

// Nothing: it went well.
using Outcome = std::optional<Failure>;

template <class... Args>
Failure illegal_argument(fmt::format_string<Args...> format, Args&&... args) {
  return {"java.lang.IllegalArgumentException", fmt::format(format, std::forward<Args>(args)...), ""};
}

// What the Java client throws for an error code, and what it says when the broker sends no text.
std::string exception_class(base::ErrorCode code);
std::string default_message(base::ErrorCode code);

Failure failure_of(const base::Error& error);

// What a Java program prints when nobody catches the exception. Returns the exit code, 1.
int die_uncaught(const Failure& failure);

}  // namespace tools
