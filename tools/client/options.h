// Command-line options as Kafka's own tools take them: those that use the parser called jopt-simple, which is most.
//
//   --name value   --name=value   -name value   -name=value       one dash or two
//   --flag   --flag=anything                                      what follows the = is dropped
//   words without a dash                                          kept apart; most tools ignore them
//   --                                                            nothing behind it is an option
//
// Names are never abbreviated. The sentences of refusals are part of the contract (scripts and people know them), and
// so is the order of checks: syntax, help and version, combinations, and values last. CLI11 knows neither the single
// dash before long names nor options whose value may be left out before another word, nor lets a program check values
// after combinations; hence this file.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tools/client/failure.h"

namespace tools {

enum class Takes { nothing, value, maybe_value };
enum class ValueType { text, integer, long_integer };

struct Option {
  std::string_view name;
  Takes takes = Takes::nothing;
  ValueType type = ValueType::text;
  std::string_view argument{};      // what the value is, for the table: "server to connect to"
  std::string_view default_text{};  // shown, and the value when the option is absent
  bool repeatable = false;
  std::string_view description{};
};

class Options {
 public:
  // `table` need not be sorted; `help` and `version` are added.
  Options(std::string_view purpose, std::vector<Option> table);

  // A refusal carries the parser's exception class.
  Outcome parse(int argc, const char* const* argv);
  // Numbers that are none, and single options given twice.
  Outcome check_values() const;

  bool given(std::string_view name) const;  // also when its value was left out
  // The value, or the default; nothing when there is neither.
  std::optional<std::string> text(std::string_view name) const;
  // Only after check_values() found nothing.
  std::optional<std::int64_t> number(std::string_view name) const;
  std::vector<std::string> all(std::string_view name) const;
  std::vector<std::string_view> in_given_order() const;
  bool empty_command_line() const { return argument_count_ == 0; }

  // The sentence for a missing or forbidden companion, or nothing.
  std::optional<std::string> missing(std::initializer_list<std::string_view> required) const;
  std::optional<std::string> excluded(std::string_view name, const std::vector<std::string_view>& others) const;

  // The table of options, 80 columns.
  std::string table() const;
  std::string_view purpose() const { return purpose_; }

 private:
  struct Found {
    std::string_view name;
    std::optional<std::string> value;
  };
  const Option* find(std::string_view name) const;

  std::string_view purpose_;
  std::vector<Option> table_;
  std::vector<Found> found_;
  int argument_count_ = 0;
};

// Prints `message` and the table on standard error. Returns the exit code, 1.
int refuse_usage(const Options& options, std::string_view message);
// For --help and --version: the exit code once they are answered, or nothing when neither was asked for.
std::optional<int> answer_help_or_version(const Options& options);

}  // namespace tools
