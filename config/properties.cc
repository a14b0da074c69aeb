#include "config/properties.h"

#include <fmt/format.h>

#include <cstdint>
#include <optional>

namespace config {
namespace {

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\f'; }

void append_utf8(std::string& out, std::uint32_t code) {
  const auto put = [&](std::uint32_t byte) { out.push_back(static_cast<char>(byte)); };
  if (code < 0x80) {
    put(code);
  } else if (code < 0x800) {
    put(0xc0 | code >> 6), put(0x80 | (code & 0x3f));
  } else if (code < 0x10000) {
    put(0xe0 | code >> 12), put(0x80 | (code >> 6 & 0x3f)), put(0x80 | (code & 0x3f));
  } else {
    put(0xf0 | code >> 18), put(0x80 | (code >> 12 & 0x3f)), put(0x80 | (code >> 6 & 0x3f)), put(0x80 | (code & 0x3f));
  }
}

// Takes one character off the front. Nothing when the bytes are not UTF-8 (overlong forms and surrogates included).
std::optional<std::uint32_t> take_utf8(std::string_view& in) {
  const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(in[i]); };
  const auto first = byte(0);
  const std::size_t size = first < 0x80   ? 1
                           : first < 0xc2 ? 0
                           : first < 0xe0 ? 2
                           : first < 0xf0 ? 3
                           : first < 0xf5 ? 4
                                          : 0;
  if (size == 0 || in.size() < size) return std::nullopt;
  std::uint32_t code = size == 1 ? first : first & (0x7fu >> size);
  for (std::size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return std::nullopt;
    code = code << 6 | (byte(i) & 0x3f);
  }
  constexpr std::uint32_t kLeast[] = {0, 0, 0x80, 0x800, 0x10000};
  if (code < kLeast[size] || (code >= 0xd800 && code < 0xe000) || code > 0x10ffff) return std::nullopt;
  in.remove_prefix(size);
  return code;
}

std::string as_utf8(std::string_view line) {
  for (auto rest = line; !rest.empty();)
    if (!take_utf8(rest)) {
      std::string converted;
      for (const char c : line) append_utf8(converted, static_cast<std::uint8_t>(c));
      return converted;
    }
  return std::string(line);
}

// Natural lines: ended by \n, \r or \r\n.
class Lines {
 public:
  explicit Lines(std::string_view text) : rest_(text) {}

  bool next(std::string_view& line) {
    if (rest_.empty()) return false;
    const auto end = rest_.find_first_of("\r\n");
    line = rest_.substr(0, end);
    const bool two = end != std::string_view::npos && rest_.substr(end).starts_with("\r\n");
    rest_.remove_prefix(end == std::string_view::npos ? rest_.size() : end + (two ? 2 : 1));
    ++number_;
    return true;
  }
  int number() const { return number_; }

 private:
  std::string_view rest_;
  int number_ = 0;
};

// An odd number of backslashes at the end: the last one joins the next line.
bool continues(std::string_view line) {
  std::size_t backslashes = 0;
  while (backslashes < line.size() && line[line.size() - 1 - backslashes] == '\\') ++backslashes;
  return backslashes % 2 == 1;
}

std::string_view skip_blanks(std::string_view text) {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  return text;
}

struct Logical {
  std::string text;
  int line = 0;
};

bool next_logical(Lines& lines, Logical& logical) {
  std::string_view line;
  while (lines.next(line)) {
    line = skip_blanks(line);
    // A backslash alone joins nothing to the next line, which is then as good as a first one.
    if (line.empty() || line.front() == '#' || line.front() == '!' || line == "\\") continue;
    logical = {.text = {}, .line = lines.number()};
    std::string raw;
    while (continues(line)) {
      raw += line.substr(0, line.size() - 1);
      if (!lines.next(line)) line = {};
      line = skip_blanks(line);
    }
    raw += line;
    logical.text = as_utf8(raw);
    return true;
  }
  return false;
}

// Where the key ends: the first separator that no backslash precedes.
std::size_t end_of_key(std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\')
      ++i;
    else if (text[i] == '=' || text[i] == ':' || is_blank(text[i]))
      return i;
  }
  return text.size();
}

// Where a comment behind the value begins, blanks before it included; the value's size when there is none.
std::size_t end_of_value(std::string_view text) {
  std::size_t blanks = 0;  // how many stand immediately before i
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '#' && blanks > 0) return i - blanks;
    if (text[i] == '\\') {
      ++i;
      blanks = 0;
    } else {
      blanks = is_blank(text[i]) ? blanks + 1 : 0;
    }
  }
  return text.size();
}

std::optional<std::uint32_t> hex4(std::string_view text) {
  if (text.size() < 4) return std::nullopt;
  std::uint32_t code = 0;
  for (const char c : text.substr(0, 4)) {
    const int digit = c >= '0' && c <= '9'   ? c - '0'
                      : c >= 'a' && c <= 'f' ? c - 'a' + 10
                      : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                             : -1;
    if (digit < 0) return std::nullopt;
    code = code * 16 + static_cast<std::uint32_t>(digit);
  }
  return code;
}

constexpr std::uint32_t kReplacement = 0xfffd;  // stands for half a surrogate pair, which UTF-8 cannot hold

// `text` begins behind the "\u" of an escape. Two escapes may form one character above U+FFFF.
std::optional<std::uint32_t> take_unicode(std::string_view& text) {
  const auto code = hex4(text);
  if (!code) return std::nullopt;
  text.remove_prefix(4);
  const bool high = *code >= 0xd800 && *code < 0xdc00;
  if (high && text.starts_with("\\u")) {
    const auto low = hex4(text.substr(2));
    if (low && *low >= 0xdc00 && *low < 0xe000) {
      text.remove_prefix(6);
      return 0x10000 + ((*code - 0xd800) << 10) + (*low - 0xdc00);
    }
  }
  return *code >= 0xd800 && *code < 0xe000 ? kReplacement : *code;
}

std::optional<std::string> unescape(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const char c = text.front();
    text.remove_prefix(1);
    if (c != '\\') {
      out.push_back(c);
      continue;
    }
    if (text.empty()) break;
    const char escaped = text.front();
    text.remove_prefix(1);
    switch (escaped) {
      case 't':
        out.push_back('\t');
        break;
      case 'n':
        out.push_back('\n');
        break;
      case 'r':
        out.push_back('\r');
        break;
      case 'f':
        out.push_back('\f');
        break;
      case 'u': {
        const auto code = take_unicode(text);
        if (!code) return std::nullopt;
        append_utf8(out, *code);
        break;
      }
      default:
        out.push_back(escaped);
    }
  }
  return out;
}

void append_escaped(std::string& out, std::string_view text, bool is_key) {
  bool leading = true;
  while (!text.empty()) {
    const auto byte = static_cast<std::uint8_t>(text.front());
    const auto code = take_utf8(text);
    if (!code) text.remove_prefix(1);
    const auto c = code.value_or(byte);
    const bool special = c == '\\' || c == '=' || c == ':' || c == '#' || c == '!' || (c == ' ' && (is_key || leading));
    if (c == '\t')
      out += "\\t";
    else if (c == '\n')
      out += "\\n";
    else if (c == '\r')
      out += "\\r";
    else if (c == '\f')
      out += "\\f";
    else if (special)
      out += {'\\', static_cast<char>(c)};
    else if (c >= 0x20 && c < 0x7f)
      out.push_back(static_cast<char>(c));
    else if (c < 0x10000)
      out += fmt::format("\\u{:04x}", c);
    else
      out += fmt::format("\\u{:04x}\\u{:04x}", 0xd800 + ((c - 0x10000) >> 10), 0xdc00 + ((c - 0x10000) & 0x3ff));
    leading = leading && c == ' ';
  }
}

}  // namespace

base::Result<std::vector<Property>> parse_properties(std::string_view text,
                                                     const std::function<bool(std::string_view)>& keeps_hash) {
  std::vector<Property> properties;
  constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  Lines lines(text);
  Logical logical;
  while (next_logical(lines, logical)) {
    const auto malformed = [&] {
      return base::fail(base::ErrorCode::invalid_config,
                        "line {}: \\u must be followed by four hexadecimal digits (Malformed \\uxxxx encoding.)",
                        logical.line);
    };
    const std::string_view line = logical.text;
    const auto key_end = end_of_key(line);
    auto key = unescape(line.substr(0, key_end));
    if (!key) return malformed();
    auto rest = skip_blanks(line.substr(key_end));
    if (!rest.empty() && (rest.front() == '=' || rest.front() == ':')) rest = skip_blanks(rest.substr(1));

    Property property{.key = std::move(*key), .value = {}, .line = logical.line};
    if (!keeps_hash(property.key)) {
      // "key= # note": the blank that makes the # a comment stands before the value begins.
      const auto begin = line.size() - rest.size();
      const bool nothing_but_comment = rest.starts_with('#') && begin > 0 && is_blank(line[begin - 1]);
      const auto end = nothing_but_comment ? 0 : end_of_value(rest);
      property.comment_dropped = end < rest.size();
      rest = rest.substr(0, end);
    }
    auto value = unescape(rest);
    if (!value) return malformed();
    property.value = std::move(*value);
    properties.push_back(std::move(property));
  }
  return properties;
}

std::string write_property(std::string_view key, std::string_view value) {
  std::string line;
  append_escaped(line, key, true);
  line += '=';
  append_escaped(line, value, false);
  return line;
}

}  // namespace config
