// The JSON lines of the verifiable clients. Pure.
//
//   {"timestamp":<ms>,"name":"<event>",<fields>}
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"

namespace tools {

class Event {
 public:
  Event(std::string_view name, base::Timestamp at);

  Event& add(std::string_view field, std::int64_t number);
  Event& add(std::string_view field, bool value);
  Event& add(std::string_view field, std::string_view text);
  Event& add(std::string_view field, const char* text) { return add(field, std::string_view(text)); }
  Event& add_nullable(std::string_view field, const std::optional<std::string_view>& text);
  Event& add_real(std::string_view field, double number);  // as Java prints doubles
  // Objects of topic, partition and further numbers.
  struct Row {
    base::TopicPartition partition;
    std::vector<std::pair<std::string_view, std::int64_t>> numbers{};
  };
  Event& add(std::string_view field, const std::vector<Row>& rows);

  // The line with its end.
  std::string line() const { return text_ + "}\n"; }

 private:
  std::string text_;
};

// When the next of evenly spaced sends is due, in milliseconds since the first: nothing without a rate.
std::optional<std::int64_t> due_after(std::int64_t sent, std::int64_t per_second);

}  // namespace tools
