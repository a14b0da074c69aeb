// The visitor that writes a message. Without a destination it only counts, so size and encoding cannot disagree.
#pragma once

#include <bit>
#include <string_view>

#include "base/bytes.h"
#include "base/varint.h"
#include "protocol/wire/field.h"
#include "protocol/wire/types.h"

namespace protocol {

// Where record data is spliced in: after `at` bytes of memory.
struct Splice {
  std::size_t at = 0;
  const base::BufferChain* pieces = nullptr;
};

class Writer {
 public:
  // `to` == nullptr: measure. Else it holds at least the measured number of memory bytes. Splices are collected into
  // `splices`, which may be null only while measuring.
  Writer(std::byte* to, Version version, std::vector<Splice>* splices = nullptr)
      : to_(to), splices_(splices), version_(version) {}

  std::size_t memory_bytes() const { return memory_; }
  std::size_t total_bytes() const { return memory_ + spliced_; }

  void operator()(std::string_view, const auto& x, Field f = {}) {
    if (f.in(version_)) put(x, f);
  }

  template <class M>
  void object(const M& m) {
    M::describe(m, *this);
    if (!version_.flexible) return;
    if constexpr (Tagged<M>)
      tags(m);
    else
      put_varuint(0);
  }

  // Raw parts of frames, for headers.
  void raw(std::span<const std::byte> bytes) {
    if (to_ && !bytes.empty()) std::memcpy(to_ + memory_, bytes.data(), bytes.size());
    memory_ += bytes.size();
  }
  template <std::integral T>
  void put(T x, Field = {}) {
    if (to_) base::store_big_endian(to_ + memory_, x);
    memory_ += sizeof x;
  }
  void put_varuint(std::uint32_t x) {
    if (to_) base::write_varuint(to_ + memory_, x);
    memory_ += base::varuint_size(x);
  }

 private:
  // Tagged fields go out by rising tag; a null optional is left out.
  template <class M>
  void tags(const M& m) {
    std::uint32_t count = 0;
    auto counting = [&](int, std::string_view, const auto& x, Field f = {}) { count += f.in(version_) && x; };
    M::describe_tags(m, counting);
    put_varuint(count);
    auto emit = [&](int tag, std::string_view, const auto& x, Field f = {}) {
      if (!f.in(version_) || !x) return;
      Writer probe(nullptr, version_);
      probe.put_tag_value(x, f);
      put_varuint(static_cast<std::uint32_t>(tag));
      put_varuint(static_cast<std::uint32_t>(probe.total_bytes()));
      put_tag_value(x, f);
    };
    M::describe_tags(m, emit);
  }
  template <class T>
  void put_tag_value(const std::optional<T>& x, Field f) {
    if (f.null_tag)
      put(x, f);
    else
      put(*x, f);
  }

  void put(bool x, Field) { put(static_cast<std::int8_t>(x)); }
  void put(double x, Field) { put(std::bit_cast<std::int64_t>(x)); }
  void put(base::ErrorCode x, Field) { put(static_cast<std::int16_t>(x)); }
  void put(const base::Uuid& x, Field) { raw({reinterpret_cast<const std::byte*>(x.bytes.data()), x.bytes.size()}); }
  void put(const std::string& x, Field) {
    if (version_.flexible)
      put_varuint(static_cast<std::uint32_t>(x.size()) + 1);
    else
      put(static_cast<std::int16_t>(x.size()));
    raw(base::as_bytes(x));
  }
  void put(const Bytes& x, Field) {
    length(x.raw.size());
    raw(base::as_bytes(x.raw));
  }
  void put(const Records& x, Field) {
    if (x.is_null) return null_length();
    length(x.size_bytes());
    raw(x.view);
    if (x.pieces.empty()) return;
    if (splices_) splices_->push_back({memory_, &x.pieces});
    spliced_ += x.pieces.size_bytes();
  }
  template <class T>
  void put(const std::vector<T>& xs, Field) {
    length(xs.size());
    for (const T& x : xs) put(x, Field{});
  }
  template <class T>
  void put(const std::optional<T>& x, Field f) {
    if constexpr (Described<T>) {
      put(static_cast<std::int8_t>(x ? 1 : -1));
      if (x) object(*x);
    } else {
      if (x) return put(*x, f);
      if (!f.null_in(version_)) return put(T{}, f);
      if (version_.flexible) return put_varuint(0);
      if constexpr (std::same_as<T, std::string>)
        put(std::int16_t{-1});
      else
        put(std::int32_t{-1});
    }
  }
  template <StrongId T>
  void put(const T& x, Field) {
    put(x.raw);
  }
  template <Described T>
  void put(const T& x, Field) {
    object(x);
  }
  void length(std::size_t n) {
    if (version_.flexible)
      put_varuint(static_cast<std::uint32_t>(n) + 1);
    else
      put(static_cast<std::int32_t>(n));
  }
  void null_length() {
    if (version_.flexible)
      put_varuint(0);
    else
      put(std::int32_t{-1});
  }

  std::byte* to_;
  std::vector<Splice>* splices_;
  std::size_t memory_ = 0;
  std::size_t spliced_ = 0;
  Version version_;
};

}  // namespace protocol
