// Log lines in Kafka's shape, so that the same collectors and eyes can read them:
//   [2026-01-31 12:00:00,123] INFO message (component)
//
// A Logger is a component name, cheap to copy; any thread may log. Nothing per request at INFO.
#pragma once

#include <fmt/format.h>

#include <optional>
#include <string>
#include <string_view>

namespace base {

enum class LogLevel { trace, debug, info, warn, error, off };

std::optional<LogLevel> log_level_from(std::string_view name);

// Where lines go: standard output at first, or a file appended to (for -daemon the script redirects instead).
// Set once before threads start; the level may change at any time.
void set_log_level(LogLevel level);
LogLevel log_level();
std::string_view log_level_name(LogLevel level);  // "INFO"
bool log_enabled(LogLevel level);
void flush_log();
// Command-line programs print their results on standard output; their log lines go to standard error.
void log_to_standard_error();

class Logger {
 public:
  explicit Logger(std::string component) : component_(std::move(component)) {}

  template <class... Args>
  void debug(fmt::format_string<Args...> format, Args&&... args) const {
    if (log_enabled(LogLevel::debug)) write(LogLevel::debug, fmt::format(format, std::forward<Args>(args)...));
  }
  template <class... Args>
  void info(fmt::format_string<Args...> format, Args&&... args) const {
    if (log_enabled(LogLevel::info)) write(LogLevel::info, fmt::format(format, std::forward<Args>(args)...));
  }
  template <class... Args>
  void warn(fmt::format_string<Args...> format, Args&&... args) const {
    if (log_enabled(LogLevel::warn)) write(LogLevel::warn, fmt::format(format, std::forward<Args>(args)...));
  }
  template <class... Args>
  void error(fmt::format_string<Args...> format, Args&&... args) const {
    if (log_enabled(LogLevel::error)) write(LogLevel::error, fmt::format(format, std::forward<Args>(args)...));
  }

 private:
  void write(LogLevel level, std::string_view message) const;

  std::string component_;
};

}  // namespace base
