#include "base/logging.h"

#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <array>
#include <atomic>
#include <memory>

namespace base {
namespace {

constexpr std::array<std::pair<std::string_view, LogLevel>, 6> kNames{{{"TRACE", LogLevel::trace},
                                                                       {"DEBUG", LogLevel::debug},
                                                                       {"INFO", LogLevel::info},
                                                                       {"WARN", LogLevel::warn},
                                                                       {"ERROR", LogLevel::error},
                                                                       {"OFF", LogLevel::off}}};

std::atomic<LogLevel> g_level{LogLevel::info};

// The message arrives whole, level and component included: spdlog only adds the time.
std::shared_ptr<spdlog::logger> make_sink(bool standard_error) {
  spdlog::sink_ptr sink;
  if (standard_error)
    sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
  else
    sink = std::make_shared<spdlog::sinks::stdout_sink_mt>();
  auto logger = std::make_shared<spdlog::logger>("weir", std::move(sink));
  logger->set_pattern("[%Y-%m-%d %H:%M:%S,%e] %v");
  logger->flush_on(spdlog::level::trace);
  return logger;
}

std::shared_ptr<spdlog::logger>& sink() {
  static auto logger = make_sink(false);
  return logger;
}

}  // namespace

std::optional<LogLevel> log_level_from(std::string_view name) {
  for (const auto& [text, level] : kNames)
    if (text == name) return level;
  return std::nullopt;
}

void set_log_level(LogLevel level) { g_level.store(level, std::memory_order_relaxed); }
LogLevel log_level() { return g_level.load(std::memory_order_relaxed); }
std::string_view log_level_name(LogLevel level) { return kNames[static_cast<std::size_t>(level)].first; }
bool log_enabled(LogLevel level) { return level >= g_level.load(std::memory_order_relaxed); }
void flush_log() { sink()->flush(); }
void log_to_standard_error() { sink() = make_sink(true); }

void Logger::write(LogLevel level, std::string_view message) const {
  sink()->log(spdlog::level::info, "{} {} ({})", log_level_name(level), message, component_);
}

}  // namespace base
