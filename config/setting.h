// One setting as a table declares it: name, type, default, bounds, when it may change, what it is for.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "config/value.h"

namespace config {

// Which values are allowed beyond the type. Built by the functions below, so that a table reads as a sentence.
struct Bounds {
  enum class Kind {
    anything,
    range,               // low .. high
    one_of,              // one word of `words`
    one_of_any_case,     // likewise, capitals or not
    each_of,             // every item of a list is a word of `words`
    non_empty,           // a text with something in it
    level,               // low .. high, or -1
    protocol_version,    // a release tag, see protocol_version.h
    throttled_replicas,  // <partition>:<broker>,... or *
  };
  Kind kind = Kind::anything;
  std::optional<double> low{};
  std::optional<double> high{};
  std::string_view words{};  // "a, b, c", in the order Kafka lists them
};

constexpr Bounds anything{};
constexpr Bounds non_empty{.kind = Bounds::Kind::non_empty};
constexpr Bounds protocol_version{.kind = Bounds::Kind::protocol_version};
constexpr Bounds throttled_replicas{.kind = Bounds::Kind::throttled_replicas};
constexpr Bounds one_or_more_or_minus_one{.kind = Bounds::Kind::level, .low = 1};
constexpr Bounds at_least(double low) { return {.kind = Bounds::Kind::range, .low = low}; }
constexpr Bounds between(double low, double high) { return {.kind = Bounds::Kind::range, .low = low, .high = high}; }
constexpr Bounds level(double low, double high) { return {.kind = Bounds::Kind::level, .low = low, .high = high}; }
constexpr Bounds one_of(std::string_view words) { return {.kind = Bounds::Kind::one_of, .words = words}; }
constexpr Bounds one_of_any_case(std::string_view words) {
  return {.kind = Bounds::Kind::one_of_any_case, .words = words};
}
constexpr Bounds each_of(std::string_view words) { return {.kind = Bounds::Kind::each_of, .words = words}; }

// Who knows the key: Kafka's public or hidden broker keys, keys only dynamic configuration may hold, keys that Kafka's
// plug-ins read from the same file, and our own.
enum class Scope { broker, internal, dynamic_only, plugin, weir };
enum class Change { read_only, per_broker, cluster_wide };
// What becomes of a key that is set. tests/structure holds the tables against the readers of each member.
enum class Effect {
  used,
  not_yet,  // no effect: what it is for is not built; whoever sets it is warned
  ignored,  // no effect: a native broker has no use for it; accepted for the sake of existing files, with a notice
};
enum class Importance { high, medium, low };

inline constexpr std::optional<std::string_view> none = std::nullopt;

struct Setting {
  std::string_view name;
  Type type;
  bool nullable;
  std::optional<std::string_view> default_text;  // what Kafka documents; nothing: null
  Bounds bounds;
  Scope scope;
  Change change;
  Effect effect;
  Importance importance;
  std::string_view doc;

  bool sensitive() const { return type == Type::password; }
};

// The typed value of `text`, or Kafka's sentence about it ("Invalid value x for configuration k: ...").
base::Result<Value> parse(const Setting& setting, std::string_view text);

// What may be set, for people: "a number (INT) of at least 1", "one of compact, delete".
std::string allowed(const Setting& setting);

}  // namespace config
