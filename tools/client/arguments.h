// Command-line arguments as those of Kafka's tools take them that use the parser called argparse4j:
// kafka-transactions.sh and the verifiable clients.
//
//   --name value   --name=value   --flag     names may be shortened as long as they stay unambiguous
//   command [its own arguments]              where the program has commands
//
// The last of several wins. Refusals are argparse4j's, on one line; their wording is part of the contract.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tools {

enum class ArgumentType { text, flag, short_integer, integer, long_integer };

struct Argument {
  std::string_view name;  // without the dashes
  ArgumentType type = ArgumentType::text;
  std::string_view metavar{};  // what the value is, in the usage; by default the name in capitals
  bool required = false;
  std::string_view default_text{};
  std::vector<std::string_view> choices{};
  std::string_view help{};
};

struct Command {
  std::string_view name;
  std::string_view help;
  std::vector<Argument> arguments;
};

struct Program {
  std::string_view name;
  std::string_view purpose;
  std::vector<Argument> arguments;
  std::vector<std::string_view> one_of{};  // exactly one of these arguments must be given
  std::vector<Command> commands{};         // when there are any, one must be given
};

class Arguments {
 public:
  explicit Arguments(Program program) : program_(std::move(program)) {}

  // The exit code when there is no more to do: refused, or --help or --version answered.
  std::optional<int> parse(int argc, const char* const* argv);

  std::string_view command() const { return command_ ? command_->name : std::string_view(); }
  bool given(std::string_view name) const { return values_.contains(name); }
  // The value, or the default; nothing when there is neither.
  std::optional<std::string> text(std::string_view name) const;
  std::optional<std::int64_t> number(std::string_view name) const;

  // The refusal behind the usage; 1, the exit code.
  int refuse(std::string_view message) const;
  std::string usage() const;
  std::string help() const;

 private:
  // Takes words from `next` on; returns the refusal, or "" when all went well.
  std::string take(const std::vector<std::string>& words, std::size_t& next);
  std::string take_option(const std::vector<std::string>& words, std::size_t& next);
  std::string take_command(const std::string& word);
  std::string check_complete() const;
  const std::vector<Argument>& expected() const { return command_ ? command_->arguments : program_.arguments; }
  const Argument* find(std::string_view name) const;

  Program program_;
  const Command* command_ = nullptr;
  std::map<std::string, std::string, std::less<>> values_;
  bool help_ = false;
  bool version_ = false;
};

}  // namespace tools
