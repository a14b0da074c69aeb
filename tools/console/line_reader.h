// What the console producer makes of its input: lines, and the headers, key and value inside a line.
//
//   headers  <headers.delimiter>  key  <key.separator>  value          headers with parse.headers, key with parse.key
//   name <headers.key.separator> value <headers.separator> name ...
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "config/value.h"
#include "tools/client/failure.h"

namespace tools {

// Cuts bytes into lines as Java's readers do: at \n, \r\n, and \r alone.
class LineSplitter {
 public:
  void add(std::string_view bytes) { pending_ += bytes; }
  // A whole line, without its end; at `end_of_input` also the last one that has none.
  std::optional<std::string> next(bool end_of_input);

 private:
  std::string pending_;
  std::size_t at_ = 0;
  bool skip_newline_ = false;  // the line before ended in \r
};

struct ConsoleRecord {
  std::optional<std::string> key;
  std::optional<std::string> value;
  std::vector<std::pair<std::string, std::optional<std::string>>> headers;
};

// Pure, but counts lines for its messages.
class LineReader {
 public:
  // The settings of --property; unknown ones mean nothing.
  static std::variant<LineReader, Failure> make(const config::Texts& properties);

  std::variant<ConsoleRecord, Failure> parse(const std::string& line);

 private:
  std::variant<std::vector<std::pair<std::string, std::optional<std::string>>>, Failure> parse_headers(
      const std::string& text) const;
  std::optional<std::string> unless_marker(std::string text) const;

  bool parse_key_ = false;
  bool parse_headers_ = false;
  bool ignore_error_ = false;
  std::string key_separator_ = "\t";
  std::string headers_delimiter_ = "\t";
  std::string headers_separator_ = ",";
  std::string headers_key_separator_ = ":";
  std::optional<std::string> null_marker_;
  int line_number_ = 0;
};

}  // namespace tools
