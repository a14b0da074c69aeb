#include "tools/client/topic_filter.h"

#include <boost/regex.hpp>

#include <algorithm>

#include "config/value.h"

namespace tools {

// Boost's Perl syntax is the one nearest to Java's: \Q..\E, possessive quantifiers, look-around, named classes.
struct TopicFilter::Compiled {
  boost::regex regex;
};

std::optional<TopicFilter> TopicFilter::from_regex(const std::string& text) {
  auto compiled = std::make_shared<Compiled>();
  compiled->regex = boost::regex(text, boost::regex::perl | boost::regex::no_except);
  if (compiled->regex.status() != 0) return std::nullopt;
  TopicFilter filter;
  filter.compiled_ = std::move(compiled);
  return filter;
}

std::optional<TopicFilter> TopicFilter::from_list(std::string_view list) {
  std::string text(config::trim(list));
  std::replace(text.begin(), text.end(), ',', '|');
  text.erase(std::remove(text.begin(), text.end(), ' '), text.end());
  text.erase(0, std::min(text.find_first_not_of("\"'"), text.size()));
  text.erase(text.find_last_not_of("\"'") + 1);
  return from_regex(text);
}

bool TopicFilter::matches(const std::string& topic) const {
  try {  // Boost gives up by exception on expressions whose matching would take too long
    return boost::regex_match(topic, compiled_->regex);
  } catch (const std::runtime_error&) {
    return false;
  }
}

bool is_internal_topic(std::string_view topic) {
  return topic == "__consumer_offsets" || topic == "__transaction_state";
}

}  // namespace tools
