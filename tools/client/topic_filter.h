// Topics chosen by a regular expression, as users write them for Java: the whole name must match.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace tools {

class TopicFilter {
 public:
  // Nothing when the expression is malformed.
  static std::optional<TopicFilter> from_regex(const std::string& regex);
  // As --topic of the administrative tools: blanks dropped, commas are alternatives, quotes around it do not count.
  static std::optional<TopicFilter> from_list(std::string_view list);

  bool matches(const std::string& topic) const;

 private:
  struct Compiled;
  std::shared_ptr<const Compiled> compiled_;
};

// Topics that the brokers keep for themselves.
bool is_internal_topic(std::string_view topic);

}  // namespace tools
