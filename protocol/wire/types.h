// Field types that are not plain numbers, strings or arrays, and the concepts by which the visitors tell types apart.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "base/buffer.h"
#include "base/error.h"
#include "base/ids.h"
#include "base/uuid.h"

namespace protocol {

// Opaque bytes that live on in our state (assignments, tokens): owned.
struct Bytes {
  std::string raw;
  bool operator==(const Bytes&) const = default;
};

// Record data, never copied on its way. Read: `view` borrows from the frame, which outlives the message. Written:
// `view` is copied if set, then `pieces` are spliced into the answer as they are (memory or file ranges).
struct Records {
  bool is_null = false;
  std::span<const std::byte> view;
  base::BufferChain pieces;

  std::size_t size_bytes() const { return view.size() + pieces.size_bytes(); }
};

template <class T>
concept StrongId = requires(T t) {
  typename T::Raw;
  { t.raw } -> std::convertible_to<typename T::Raw>;
};
template <class T>
struct is_vector : std::false_type {};
template <class T>
struct is_vector<std::vector<T>> : std::true_type {
  using Element = T;
};
template <class T>
struct is_optional : std::false_type {};
template <class T>
struct is_optional<std::optional<T>> : std::true_type {
  using Value = T;
};

// What the *_authorized_operations bit fields say when nobody asked.
inline constexpr std::int32_t kOperationsNotAsked = std::numeric_limits<std::int32_t>::min();

// A visitor's face as far as `describe` can see, to ask whether a type is a struct of ours.
struct AnyVisitor {
  void operator()(std::string_view, auto&&, auto&&...) {}
  void operator()(int, std::string_view, auto&&, auto&&...) {}
};
template <class T>
concept Described = requires(T& t, AnyVisitor& v) {
  T::describe(t, v);
};
template <class T>
concept Tagged = requires(T& t, AnyVisitor& v) {
  T::describe_tags(t, v);
};

}  // namespace protocol
