#include "tools/verifiable/events.h"

#include <boost/json.hpp>
#include <fmt/format.h>

#include "config/value.h"

namespace tools {
namespace {

std::string quoted(std::string_view text) { return boost::json::serialize(boost::json::string(text)); }

}  // namespace

Event::Event(std::string_view name, base::Timestamp at)
    : text_(fmt::format("{{\"timestamp\":{},\"name\":{}", base::to_ms(at), quoted(name))) {}

Event& Event::add(std::string_view field, std::int64_t number) {
  text_ += fmt::format(",\"{}\":{}", field, number);
  return *this;
}

Event& Event::add(std::string_view field, bool value) {
  text_ += fmt::format(",\"{}\":{}", field, value);
  return *this;
}

Event& Event::add(std::string_view field, std::string_view text) {
  text_ += fmt::format(",\"{}\":{}", field, quoted(text));
  return *this;
}

Event& Event::add_nullable(std::string_view field, const std::optional<std::string_view>& text) {
  text_ += fmt::format(",\"{}\":{}", field, text ? quoted(*text) : "null");
  return *this;
}

Event& Event::add_real(std::string_view field, double number) {
  text_ += fmt::format(",\"{}\":{}", field, config::text_of(number));
  return *this;
}

Event& Event::add(std::string_view field, const std::vector<Row>& rows) {
  text_ += fmt::format(",\"{}\":[", field);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    text_ += fmt::format("{}{{\"topic\":{},\"partition\":{}", i == 0 ? "" : ",", quoted(rows[i].partition.topic),
                         rows[i].partition.partition);
    for (const auto& [name, number] : rows[i].numbers) text_ += fmt::format(",\"{}\":{}", name, number);
    text_ += '}';
  }
  text_ += ']';
  return *this;
}

std::optional<std::int64_t> due_after(std::int64_t sent, std::int64_t per_second) {
  if (per_second <= 0) return std::nullopt;
  return static_cast<std::int64_t>(static_cast<double>(sent) * 1000.0 / static_cast<double>(per_second));
}

}  // namespace tools
