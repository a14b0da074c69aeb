// What a message says about one of its fields besides name and type: the versions that carry it, whether null is legal
// there, whether a log may show it.
#pragma once

#include <cstdint>
#include <limits>
#include <string_view>

namespace protocol {

// A request version and whether its encoding is the flexible one (compact lengths, tagged fields; KIP-482).
struct Version {
  std::int16_t number = 0;
  bool flexible = false;
};

struct Field {
  std::int16_t first = 0;
  std::int16_t last = std::numeric_limits<std::int16_t>::max();
  std::int16_t null_first = 0;  // a std::optional may be null from this version on; below it null is written as empty
  bool hidden = false;
  bool null_tag = false;  // a tagged field whose value itself is nullable

  constexpr bool in(Version v) const { return first <= v.number && v.number <= last; }
  constexpr bool null_in(Version v) const { return null_first <= v.number; }

  constexpr Field nullable_since(std::int16_t version) const {
    Field f = *this;
    f.null_first = version;
    return f;
  }
  constexpr Field nullable() const {
    Field f = *this;
    f.null_tag = true;
    return f;
  }
  constexpr Field secret() const {
    Field f = *this;
    f.hidden = true;
    return f;
  }
};

constexpr Field since(std::int16_t version) { return {.first = version}; }
constexpr Field between(std::int16_t first, std::int16_t last) { return {.first = first, .last = last}; }
constexpr Field until(std::int16_t last) { return {.last = last}; }
constexpr Field secret() { return {.hidden = true}; }
constexpr Field nullable_since(std::int16_t version) { return Field{}.nullable_since(version); }

struct VersionRange {
  std::int16_t min = 0;
  std::int16_t max = 0;
  constexpr bool contains(std::int16_t v) const { return min <= v && v <= max; }
  constexpr bool operator==(const VersionRange&) const = default;
};

inline constexpr std::int16_t kNeverFlexible = std::numeric_limits<std::int16_t>::max();

// The API a message belongs to; both sides of an API share key and versions.
struct Api {
  std::int16_t key = 0;
  std::string_view name;
  VersionRange versions;
  std::int16_t flexible_since = kNeverFlexible;

  constexpr Version at(std::int16_t v) const { return {v, v >= flexible_since}; }
};

}  // namespace protocol
