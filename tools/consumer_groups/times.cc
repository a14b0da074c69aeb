#include "tools/consumer_groups/times.h"

#include <fmt/format.h>

#include <cctype>
#include <charconv>
#include <cstdint>
#include <optional>

namespace tools {
namespace {

using std::chrono::milliseconds;

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Eats its text from the front; the first thing that does not fit makes it fail for good.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : rest_(text) {}

  bool done() const { return rest_.empty(); }
  bool failed() const { return failed_; }
  bool at_digit() const { return !rest_.empty() && is_digit(rest_.front()); }

  // Letters in any case.
  bool take(char wanted) {
    if (rest_.empty() || std::toupper(static_cast<unsigned char>(rest_.front())) != wanted) return false;
    rest_.remove_prefix(1);
    return true;
  }
  void expect(char wanted) { failed_ |= !take(wanted); }

  // -1 behind a minus, 1 otherwise.
  std::int64_t sign() {
    if (take('-')) return -1;
    take('+');
    return 1;
  }

  // Digits, as many as there are up to `most`; `at_least` or it fails.
  std::int64_t number(std::size_t at_least, std::size_t most) {
    std::size_t size = 0;
    while (size < rest_.size() && size < most && is_digit(rest_[size])) ++size;
    if (size == 0 && at_least == 0) return 0;
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(rest_.data(), rest_.data() + size, value);
    if (size < at_least || error != std::errc()) failed_ = true;
    rest_.remove_prefix(size);
    return failed_ ? 0 : value;
  }
  std::size_t left() const { return rest_.size(); }

 private:
  std::string_view rest_;
  bool failed_ = false;
};

constexpr std::size_t kAnyNumber = 18;  // digits that fit 64 bits for certain

Failure no_duration() { return {"java.time.format.DateTimeParseException", "Text cannot be parsed to a Duration", ""}; }

struct Unit {
  char letter;
  std::int64_t seconds;
};
constexpr Unit kUnits[] = {{'D', 86'400}, {'H', 3'600}, {'M', 60}, {'S', 1}};

}  // namespace

std::variant<milliseconds, Failure> parse_duration(std::string_view text) {
  Scanner scan(text);
  const std::int64_t all = scan.sign();
  scan.expect('P');
  bool in_time = false;
  std::size_t next_unit = 0, parts = 0, parts_of_time = 0;
  std::int64_t total_ms = 0;
  bool overflow = false;
  while (!scan.done() && !scan.failed()) {
    if (!in_time && scan.take('T')) {
      in_time = true;
      next_unit = 1;
      continue;
    }
    const std::int64_t sign = scan.sign();
    const std::int64_t value = scan.number(1, kAnyNumber);
    std::int64_t milli = 0;
    bool fraction = false;
    if (scan.take('.') || scan.take(',')) {
      fraction = true;
      const auto before = scan.left();
      milli = scan.number(0, 3);
      for (auto digits = before - scan.left(); digits < 3; ++digits) milli *= 10;
      if (scan.at_digit()) scan.number(1, 6);
    }
    while (next_unit < std::size(kUnits) && !scan.take(kUnits[next_unit].letter)) ++next_unit;
    if (next_unit == std::size(kUnits) || (next_unit > 0) != in_time || (fraction && next_unit != 3))
      return no_duration();
    std::int64_t part = 0;
    overflow |= __builtin_mul_overflow(sign * value, kUnits[next_unit].seconds * 1000, &part);
    overflow |= __builtin_add_overflow(total_ms, part, &total_ms);
    overflow |= __builtin_add_overflow(total_ms, sign * milli, &total_ms);
    ++next_unit;
    ++parts;
    if (in_time) ++parts_of_time;
  }
  if (scan.failed() || parts == 0 || (in_time && parts_of_time == 0)) return no_duration();
  if (overflow) {
    auto failure = no_duration();
    failure.message += ": overflow";
    return failure;
  }
  return milliseconds(all * total_ms);
}

std::variant<base::Timestamp, Failure> parse_date_time(std::string_view text) {
  const auto refuse = [](std::string message) { return Failure{"java.text.ParseException", std::move(message), ""}; };
  const auto t = text.find('T');
  if (t == std::string_view::npos || t + 1 == text.size())
    return refuse("Error parsing timestamp. It does not contain a 'T' according to ISO8601 format");
  // Java's message shows the text it tried, the zone it assumed included.
  const bool has_zone = text.find_first_of("+-Z", t) != std::string_view::npos;
  const auto unparseable = [&] { return refuse(fmt::format("Unparseable date: \"{}{}\"", text, has_zone ? "" : "Z")); };

  Scanner scan(text);
  const auto year = scan.number(1, 4);
  scan.expect('-');
  const auto month = scan.number(1, 2);
  scan.expect('-');
  const auto day = scan.number(1, 2);
  scan.expect('T');
  const auto hour = scan.number(1, 2);
  scan.expect(':');
  const auto minute = scan.number(1, 2);
  scan.expect(':');
  const auto second = scan.number(1, 2);
  scan.expect('.');
  const auto milli = scan.number(1, 3);
  std::int64_t zone_minutes = 0;
  if (!scan.done() && !scan.take('Z')) {
    const std::int64_t sign = scan.sign();
    const auto hours = scan.number(2, 2);
    std::int64_t minutes = 0;
    if (!scan.done()) {
      scan.take(':');
      minutes = scan.number(2, 2);
    }
    if (hours > 23 || minutes > 59) return unparseable();
    zone_minutes = sign * (hours * 60 + minutes);
  }
  const std::chrono::year_month_day date{std::chrono::year(static_cast<int>(year)),
                                         std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  if (scan.failed() || !scan.done() || !date.ok() || hour > 23 || minute > 59 || second > 59) return unparseable();
  return base::Timestamp{std::chrono::sys_days(date).time_since_epoch() + std::chrono::hours(hour) +
                         std::chrono::minutes(minute - zone_minutes) + std::chrono::seconds(second) +
                         milliseconds(milli)};
}

}  // namespace tools
