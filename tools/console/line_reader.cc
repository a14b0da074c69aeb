#include "tools/console/line_reader.h"

#include <utility>

namespace tools {
namespace {

Failure kafka_failure(std::string message) {
  return {"org.apache.kafka.common.KafkaException", std::move(message), ""};
}

}  // namespace

std::optional<std::string> LineSplitter::next(bool end_of_input) {
  if (skip_newline_ && at_ < pending_.size()) {
    if (pending_[at_] == '\n') ++at_;
    skip_newline_ = false;
  }
  std::size_t end = pending_.find_first_of("\r\n", at_);
  if (end == std::string::npos) {
    if (at_ > 0) pending_.erase(0, at_);
    at_ = 0;
    if (!end_of_input || pending_.empty()) return std::nullopt;
    return std::exchange(pending_, {});
  }
  std::string line = pending_.substr(at_, end - at_);
  skip_newline_ = pending_[end] == '\r';
  at_ = end + 1;
  return line;
}

std::variant<LineReader, Failure> LineReader::make(const config::Texts& properties) {
  LineReader reader;
  auto text = [&](std::string_view key, std::string& into) {
    if (auto found = properties.find(key); found != properties.end()) into = found->second;
  };
  auto truth = [&](std::string_view key, bool& into) {
    auto found = properties.find(key);
    if (found != properties.end()) into = config::upper_case(config::trim(found->second)) == "TRUE";
  };
  truth("parse.key", reader.parse_key_);
  truth("parse.headers", reader.parse_headers_);
  truth("ignore.error", reader.ignore_error_);
  text("key.separator", reader.key_separator_);
  text("headers.delimiter", reader.headers_delimiter_);
  text("headers.separator", reader.headers_separator_);
  text("headers.key.separator", reader.headers_key_separator_);
  if (auto found = properties.find("null.marker"); found != properties.end()) reader.null_marker_ = found->second;

  const std::pair<std::string_view, const std::string*> marks[] = {
      {"headers.delimiter", &reader.headers_delimiter_},
      {"headers.separator", &reader.headers_separator_},
      {"headers.key.separator", &reader.headers_key_separator_},
  };
  for (const auto& [name, mark] : marks)
    for (const auto& [other_name, other] : marks)
      if (reader.parse_headers_ && name != other_name && *mark == *other)
        return kafka_failure(fmt::format("{} and {} may not be equal", name, other_name));
  return reader;
}

std::optional<std::string> LineReader::unless_marker(std::string text) const {
  if (null_marker_ && text == *null_marker_) return std::nullopt;
  return text;
}

std::variant<std::vector<std::pair<std::string, std::optional<std::string>>>, Failure> LineReader::parse_headers(
    const std::string& text) const {
  std::vector<std::pair<std::string, std::optional<std::string>>> headers;
  std::size_t at = 0;
  while (at <= text.size()) {
    std::size_t end = headers_separator_.empty() ? std::string::npos : text.find(headers_separator_, at);
    std::string pair = text.substr(at, end == std::string::npos ? end : end - at);
    at = end == std::string::npos ? text.size() + 1 : end + headers_separator_.size();
    std::size_t colon = pair.find(headers_key_separator_);
    if (colon == std::string::npos) {
      if (!ignore_error_)
        return kafka_failure(
            fmt::format("No header key separator found in pair '{}' on line number {}", pair, line_number_));
      headers.emplace_back(pair, std::nullopt);
      continue;
    }
    std::string name = pair.substr(0, colon);
    if (null_marker_ && name == *null_marker_)
      return kafka_failure(
          fmt::format("Header keys should not be equal to the null marker '{}' as they can't be null", *null_marker_));
    headers.emplace_back(std::move(name), unless_marker(pair.substr(colon + headers_key_separator_.size())));
  }
  return headers;
}

std::variant<ConsoleRecord, Failure> LineReader::parse(const std::string& line) {
  ++line_number_;
  ConsoleRecord record;
  std::size_t at = 0;
  if (parse_headers_) {
    std::size_t end = line.find(headers_delimiter_);
    if (end != std::string::npos) {
      auto headers = parse_headers(line.substr(0, end));
      if (auto* failure = std::get_if<Failure>(&headers)) return *failure;
      record.headers = std::move(std::get<0>(headers));
      at = end + headers_delimiter_.size();
    } else if (!ignore_error_) {
      return kafka_failure(fmt::format("No headers delimiter found on line number {}: '{}'", line_number_, line));
    }
  }
  if (parse_key_) {
    std::size_t end = line.find(key_separator_, at);
    if (end != std::string::npos) {
      record.key = unless_marker(line.substr(at, end - at));
      at = end + key_separator_.size();
    } else if (!ignore_error_) {
      return kafka_failure(fmt::format("No key found on line {}: {}", line_number_, line));
    }
  }
  record.value = unless_marker(line.substr(at));
  return record;
}

}  // namespace tools
