// Distinct types for the numbers that must not be mixed up. Each is its raw value on the wire and on disk.
#pragma once

#include <fmt/format.h>

#include <chrono>
#include <compare>
#include <cstdint>
#include <functional>
#include <string>

namespace base {

// A number with a meaning: comparable, hashable, printable, without arithmetic.
template <class Tag, class RawType>
struct Id {
  using Raw = RawType;
  Raw raw{};

  constexpr Id() = default;
  constexpr explicit Id(Raw value) : raw(value) {}
  constexpr auto operator<=>(const Id&) const = default;

  template <class H>
  friend H AbslHashValue(H h, const Id& id) {
    return H::combine(std::move(h), id.raw);
  }
};

using BrokerId = Id<struct BrokerIdTag, std::int32_t>;            // -1: none
using LeaderEpoch = Id<struct LeaderEpochTag, std::int32_t>;      // -1: unknown
using ProducerId = Id<struct ProducerIdTag, std::int64_t>;        // -1: not idempotent
using ProducerEpoch = Id<struct ProducerEpochTag, std::int16_t>;  // -1: not idempotent

inline constexpr BrokerId kNoBroker{-1};
inline constexpr LeaderEpoch kNoLeaderEpoch{-1};
inline constexpr ProducerId kNoProducerId{-1};
inline constexpr ProducerEpoch kNoProducerEpoch{-1};

// Position of a record in a partition. Ranges of offsets are half open unless a name says `last`.
struct Offset {
  using Raw = std::int64_t;
  Raw raw = 0;

  constexpr Offset() = default;
  constexpr explicit Offset(Raw value) : raw(value) {}
  constexpr auto operator<=>(const Offset&) const = default;

  friend constexpr Offset operator+(Offset a, std::int64_t n) { return Offset{a.raw + n}; }
  friend constexpr Offset operator-(Offset a, std::int64_t n) { return Offset{a.raw - n}; }
  friend constexpr std::int64_t operator-(Offset a, Offset b) { return a.raw - b.raw; }
  constexpr Offset& operator+=(std::int64_t n) { return raw += n, *this; }

  template <class H>
  friend H AbslHashValue(H h, Offset offset) {
    return H::combine(std::move(h), offset.raw);
  }
};

inline constexpr Offset kNoOffset{-1};

// Wall clock in whole milliseconds, as records carry it. -1 ms stands for "no timestamp".
using Timestamp = std::chrono::sys_time<std::chrono::milliseconds>;
inline constexpr Timestamp kNoTimestamp{std::chrono::milliseconds{-1}};
constexpr Timestamp timestamp_from_ms(std::int64_t ms) { return Timestamp{std::chrono::milliseconds{ms}}; }
constexpr std::int64_t to_ms(Timestamp t) { return t.time_since_epoch().count(); }

using PartitionIndex = std::int32_t;

struct TopicPartition {
  std::string topic;
  PartitionIndex partition = 0;

  auto operator<=>(const TopicPartition&) const = default;

  // Kafka's own form, also the directory name: "topic-0".
  std::string text() const { return fmt::format("{}-{}", topic, partition); }

  template <class H>
  friend H AbslHashValue(H h, const TopicPartition& tp) {
    return H::combine(std::move(h), tp.topic, tp.partition);
  }
};

}  // namespace base

template <class Tag, class Raw>
struct fmt::formatter<base::Id<Tag, Raw>> : fmt::formatter<Raw> {
  auto format(const base::Id<Tag, Raw>& id, format_context& ctx) const {
    return fmt::formatter<Raw>::format(id.raw, ctx);
  }
};
template <>
struct fmt::formatter<base::Offset> : fmt::formatter<std::int64_t> {
  auto format(base::Offset offset, format_context& ctx) const {
    return fmt::formatter<std::int64_t>::format(offset.raw, ctx);
  }
};
template <>
struct fmt::formatter<base::TopicPartition> : fmt::formatter<std::string> {
  auto format(const base::TopicPartition& tp, format_context& ctx) const {
    return fmt::formatter<std::string>::format(tp.text(), ctx);
  }
};
