#include "tools/client/arguments.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <limits>

#include "base/check.h"
#include "config/value.h"
#include "tools/client/version.h"

namespace tools {
namespace {

constexpr std::size_t kWidth = 75;
constexpr std::size_t kHelpColumn = 25;

std::string metavar(const Argument& argument) {
  if (!argument.metavar.empty()) return std::string(argument.metavar);
  auto text = config::upper_case(argument.name);
  std::replace(text.begin(), text.end(), '-', '_');
  return text;
}

std::string shown(const Argument& argument) {
  if (argument.type == ArgumentType::flag) return fmt::format("--{}", argument.name);
  return fmt::format("--{} {}", argument.name, metavar(argument));
}

// Words joined by blanks into lines; all but the first are indented.
std::string wrapped(std::string line, const std::vector<std::string>& words, std::size_t indent) {
  std::string out;
  bool empty = line.size() <= indent && line.find_first_not_of(' ') == std::string::npos;
  for (const auto& word : words) {
    if (!empty && line.size() + 1 + word.size() > kWidth) {
      out += line + '\n';
      line = std::string(indent, ' ');
      empty = true;
    }
    if (!empty || line.empty()) line += line.empty() ? "" : " ";
    line += word;
    empty = false;
  }
  return out + line + '\n';
}

std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> out;
  while (!text.empty()) {
    auto word = text.substr(0, text.find(' '));
    if (!word.empty()) out.emplace_back(word);
    text.remove_prefix(std::min(text.size(), word.size() + 1));
  }
  return out;
}

std::string row(std::string_view left, std::string_view help) {
  std::string line = fmt::format("  {}", left);
  std::string out;
  if (line.size() + 1 >= kHelpColumn) {
    out = line + '\n';
    line.clear();
  }
  line.resize(kHelpColumn - 1, ' ');
  return out + wrapped(line, words_of(help), kHelpColumn);
}

struct Range {
  std::string_view java_class;
  std::int64_t min;
  std::int64_t max;
};

Range range_of(ArgumentType type) {
  if (type == ArgumentType::short_integer)
    return {"Short", std::numeric_limits<std::int16_t>::min(), std::numeric_limits<std::int16_t>::max()};
  if (type == ArgumentType::integer)
    return {"Integer", std::numeric_limits<std::int32_t>::min(), std::numeric_limits<std::int32_t>::max()};
  return {"Long", std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::int64_t>::max()};
}

std::optional<std::int64_t> parse_number(std::string_view text, ArgumentType type) {
  if (text.size() > 1 && text[0] == '+' && text[1] != '-') text.remove_prefix(1);
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const auto range = range_of(type);
  if (error != std::errc() || end != text.data() + text.size() || value < range.min || value > range.max)
    return std::nullopt;
  return value;
}

bool is_number(ArgumentType type) { return type != ArgumentType::text && type != ArgumentType::flag; }

bool looks_like_option(std::string_view word) {
  return word.size() > 1 && word[0] == '-' && !(word[1] >= '0' && word[1] <= '9');
}

// The refusal of a value, or "".
std::string unfit(const Argument& argument, const std::string& value) {
  if (is_number(argument.type) && !parse_number(value, argument.type))
    return fmt::format("argument --{}: could not convert '{}' to {} (For input string: \"{}\")", argument.name, value,
                       range_of(argument.type).java_class, value);
  const auto& choices = argument.choices;
  if (!choices.empty() && std::find(choices.begin(), choices.end(), value) == choices.end())
    return fmt::format("argument --{}: invalid choice: '{}' (choose from {{{}}})", argument.name, value,
                       fmt::join(choices, ","));
  return "";
}

}  // namespace

std::optional<int> Arguments::parse(int argc, const char* const* argv) {
  const std::vector<std::string> words(argv + std::min(argc, 1), argv + argc);
  std::size_t next = 0;
  while (next < words.size()) {
    auto refusal = take(words, next);
    if (!refusal.empty()) return refuse(refusal);
    if (help_) {
      fmt::print("{}", help());
      return 1;
    }
    if (version_) {
      fmt::print("{}\n", kVersion);
      return 0;
    }
  }
  if (auto refusal = check_complete(); !refusal.empty()) return refuse(refusal);
  return std::nullopt;
}

std::string Arguments::take(const std::vector<std::string>& words, std::size_t& next) {
  if (looks_like_option(words[next])) return take_option(words, next);
  const auto& word = words[next++];
  if (!program_.commands.empty() && !command_) return take_command(word);
  return fmt::format("unrecognized arguments: '{}'", word);
}

std::string Arguments::take_option(const std::vector<std::string>& words, std::size_t& next) {
  const std::string& word = words[next++];
  const bool has_version = !program_.commands.empty() && !command_;
  if (word == "-h") return help_ = true, "";
  if (word == "-v" && has_version) return version_ = true, "";
  const auto equals = word.find('=');
  const std::string_view name = std::string_view(word).substr(0, equals);
  std::vector<std::string_view> candidates{"help"};
  if (has_version) candidates.push_back("version");
  for (const auto& each : expected()) candidates.push_back(each.name);
  std::vector<std::string_view> matches;
  for (const auto candidate : candidates) {
    const auto full = fmt::format("--{}", candidate);
    if (full == name) {
      matches = {candidate};
      break;
    }
    if (name.size() > 2 && full.starts_with(name)) matches.push_back(candidate);
  }
  if (matches.empty()) return fmt::format("unrecognized arguments: '{}'", word);
  if (matches.size() > 1) return fmt::format("ambiguous option: {} could match --{}", name, fmt::join(matches, ", --"));
  if (matches[0] == "help") return help_ = true, "";
  if (matches[0] == "version" && has_version) return version_ = true, "";

  const Argument& argument = *find(matches[0]);
  std::string value;
  if (argument.type == ArgumentType::flag) {
    if (equals != std::string::npos)
      return fmt::format("argument --{}: ignored implicit argument '{}'", argument.name, word.substr(equals + 1));
  } else if (equals != std::string::npos) {
    value = word.substr(equals + 1);
  } else if (next < words.size() && !looks_like_option(words[next])) {
    value = words[next++];
  } else {
    return fmt::format("argument --{}: expected one argument", argument.name);
  }
  if (auto refusal = unfit(argument, value); !refusal.empty()) return refusal;
  for (const auto other : program_.one_of)
    if (other != argument.name && given(other) &&
        std::find(program_.one_of.begin(), program_.one_of.end(), argument.name) != program_.one_of.end())
      return fmt::format("argument --{}: not allowed with argument --{}", argument.name, other);
  values_[std::string(argument.name)] = std::move(value);
  return "";
}

std::string Arguments::take_command(const std::string& word) {
  std::vector<const Command*> matches;
  for (const auto& each : program_.commands) {
    if (each.name == word) {
      matches = {&each};
      break;
    }
    if (each.name.starts_with(word)) matches.push_back(&each);
  }
  if (matches.size() == 1) {
    command_ = matches[0];
    return "";
  }
  std::vector<std::string> names;
  const bool ambiguous = !matches.empty();
  for (const auto& each : program_.commands)
    if (!ambiguous || each.name.starts_with(word)) names.push_back(fmt::format("'{}'", each.name));
  if (ambiguous) return fmt::format("ambiguous command: {} could match {}", word, fmt::join(names, ", "));
  return fmt::format("invalid choice: '{}' (choose from {})", word, fmt::join(names, ", "));
}

std::string Arguments::check_complete() const {
  if (!program_.commands.empty() && !command_) return "too few arguments";
  const auto missing = [&](const std::vector<Argument>& arguments) -> std::string {
    for (const auto& each : arguments)
      if (each.required && !given(each.name)) return fmt::format("argument --{} is required", each.name);
    return "";
  };
  if (command_)
    if (auto text = missing(command_->arguments); !text.empty()) return text;
  if (auto text = missing(program_.arguments); !text.empty()) return text;
  const auto is_given = [&](std::string_view name) { return given(name); };
  if (!program_.one_of.empty() && std::none_of(program_.one_of.begin(), program_.one_of.end(), is_given))
    return fmt::format("one of the arguments --{} is required", fmt::join(program_.one_of, " --"));
  return "";
}

const Argument* Arguments::find(std::string_view name) const {
  const auto in = [&](const std::vector<Argument>& arguments) -> const Argument* {
    for (const auto& each : arguments)
      if (each.name == name) return &each;
    return nullptr;
  };
  if (command_)
    if (const auto* found = in(command_->arguments)) return found;
  return in(program_.arguments);
}

std::optional<std::string> Arguments::text(std::string_view name) const {
  if (const auto found = values_.find(name); found != values_.end()) return found->second;
  const auto* argument = find(name);
  base::invariant(argument != nullptr, "a program asks only for arguments it declares");
  if (argument->default_text.empty()) return std::nullopt;
  return std::string(argument->default_text);
}

std::optional<std::int64_t> Arguments::number(std::string_view name) const {
  const auto value = text(name);
  return value ? parse_number(*value, find(name)->type) : std::nullopt;
}

std::string Arguments::usage() const {
  std::string line = fmt::format("usage: {}", program_.name);
  const auto indent = line.size() + 1;
  std::vector<std::string> words;
  if (command_) {
    for (const auto& each : program_.arguments)
      if (each.required) words.push_back(shown(each));
    words.emplace_back(command_->name);
  }
  words.push_back("[-h]");
  if (!command_ && !program_.commands.empty()) words.push_back("[-v]");
  std::vector<std::string> alternatives;
  for (const auto& each : expected()) {
    if (std::find(program_.one_of.begin(), program_.one_of.end(), each.name) != program_.one_of.end())
      alternatives.push_back(shown(each));
    else
      words.push_back(each.required ? shown(each) : fmt::format("[{}]", shown(each)));
  }
  for (std::size_t i = 0; i < alternatives.size(); ++i)
    words.push_back(
        fmt::format("{}{}{}", i == 0 ? "(" : "| ", alternatives[i], i + 1 == alternatives.size() ? ")" : ""));
  if (!command_ && !program_.commands.empty()) words.push_back("COMMAND ...");
  return wrapped(line, words, indent);
}

std::string Arguments::help() const {
  std::string out = usage();
  if (!command_) out += '\n' + wrapped("", words_of(program_.purpose), 0);
  out += "\noptional arguments:\n" + row("-h, --help", "show this help message and exit");
  if (!command_ && !program_.commands.empty()) out += row("-v, --version", "show the version and exit");
  for (const auto& each : expected()) {
    std::string text(each.help);
    if (!each.default_text.empty()) text += fmt::format(" (default: {})", each.default_text);
    out += row(shown(each), text);
  }
  if (!command_ && !program_.commands.empty()) {
    out += "\ncommands:\n  COMMAND\n";
    for (const auto& each : program_.commands) out += row(fmt::format("  {}", each.name), each.help);
  }
  return out;
}

int Arguments::refuse(std::string_view message) const {
  fmt::print(stderr, "{}{}: error: {}\n", usage(), program_.name, message);
  return 1;
}

}  // namespace tools
