// The visitor that reads a message. It never throws: the first failure sticks, further reads yield defaults, and
// `failed_at` names the field by its whole path. Arrays grow as their elements arrive, so a lying count cannot reserve
// memory.
#pragma once

#include <algorithm>
#include <bit>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/varint.h"
#include "protocol/wire/field.h"
#include "protocol/wire/types.h"

namespace protocol {

class Reader {
 public:
  Reader(std::span<const std::byte> in, Version version) : in_(in), version_(version) {}

  bool ok() const { return !broken_; }
  const std::string& failed_at() const { return failed_at_; }
  std::span<const std::byte> rest() const { return in_; }

  void operator()(std::string_view name, auto& x, Field f = {}) {
    if (broken_ || !f.in(version_)) return;
    get(x, f);
    if (broken_) name_failure(name);
  }

  template <class M>
  void object(M& m) {
    M::describe(m, *this);
    if (version_.flexible && !broken_) tags(m);
  }

  template <std::integral T>
  void get(T& x, Field = {}) {
    const auto b = take(sizeof x);
    if (!broken_) x = base::load_big_endian<T>(b.data());
  }
  std::uint32_t get_varuint() {
    std::uint32_t x = 0;
    if (!broken_ && !base::read_varuint(in_, x)) broken_ = true;
    return x;
  }
  // The tag buffer of a header: nothing in it concerns us, but it must be well formed.
  void skip_tags() {
    for (auto n = get_varuint(); n > 0 && !broken_; --n) {
      get_varuint();
      take(get_varuint());
    }
  }

 private:
  template <class M>
  void tags(M& m) {
    std::int64_t previous = -1;
    for (auto n = get_varuint(); n > 0 && !broken_; --n) {
      const auto tag = get_varuint();
      const auto size = get_varuint();
      const auto bytes = take(size);
      if (broken_ || tag <= previous) return fail("tags");
      previous = tag;
      if constexpr (Tagged<M>) {
        auto pick = [&](int known, std::string_view name, auto& x, Field f = {}) {
          if (static_cast<std::uint32_t>(known) != tag || !f.in(version_)) return;
          Reader body(bytes, version_);
          body.get_tag_value(x, f);
          if (!body.broken_ && body.in_.empty()) return;
          broken_ = true;
          failed_at_ = body.failed_at_;
          name_failure(name);
        };
        M::describe_tags(m, pick);
      }
    }
    if (broken_ && failed_at_.empty()) fail("tags");
  }

  // A tagged field is absent, or has a value; only strings may also be present and null.
  template <class T>
  void get_tag_value(std::optional<T>& x, Field f) {
    if constexpr (std::same_as<T, std::string>) {
      if (f.null_tag) return get(x, f);
    }
    get(x.emplace(T{}), f);  // clang 14 does not believe in the default constructor of a nested T
  }

  void get(bool& x, Field) {
    std::int8_t raw = 0;
    get(raw);
    x = raw != 0;
  }
  void get(double& x, Field) {
    std::int64_t raw = 0;
    get(raw);
    x = std::bit_cast<double>(raw);
  }
  void get(base::ErrorCode& x, Field) {
    std::int16_t raw = 0;
    get(raw);
    x = static_cast<base::ErrorCode>(raw);
  }
  void get(base::Uuid& x, Field) {
    const auto b = take(x.bytes.size());
    if (!broken_) std::memcpy(x.bytes.data(), b.data(), b.size());
  }
  void get(std::string& x, Field) { text(x, short_length()); }
  void get(Bytes& x, Field) { text(x.raw, length()); }
  void get(Records& x, Field) {
    const auto n = length();
    x.is_null = n < 0;
    if (n >= 0) x.view = take(static_cast<std::size_t>(n));
  }
  template <class T>
  void get(std::vector<T>& xs, Field) {
    elements(xs, length());
  }
  template <class T>
  void get(std::optional<T>& x, Field f) {
    x.reset();
    if constexpr (Described<T>) {
      std::int8_t present = -1;
      get(present);
      if (!broken_ && present >= 0) object(x.emplace(T{}));
    } else {
      const auto n = std::same_as<T, std::string> ? short_length() : length();
      if (broken_) return;
      if (n < 0) {
        if (n != -1 || !f.null_in(version_)) broken_ = true;
        return;
      }
      if constexpr (is_vector<T>::value)
        elements(x.emplace(), n);
      else if constexpr (std::same_as<T, Bytes>)
        text(x.emplace().raw, n);
      else
        text(x.emplace(), n);
    }
  }
  template <StrongId T>
  void get(T& x, Field) {
    get(x.raw);
  }
  template <Described T>
  void get(T& x, Field) {
    object(x);
  }

  template <class T>
  void elements(std::vector<T>& xs, std::int64_t n) {
    xs.clear();
    // Every element takes at least one byte.
    if (n < 0 || static_cast<std::uint64_t>(n) > in_.size()) {
      broken_ = true;
      return;
    }
    xs.reserve(std::min<std::size_t>(static_cast<std::size_t>(n), 1024));
    for (std::int64_t i = 0; i < n && !broken_; ++i) {
      get(xs.emplace_back(), Field{});
      if (broken_) name_failure("[" + std::to_string(i) + "]");
    }
  }
  std::int64_t length() {
    if (version_.flexible) return static_cast<std::int64_t>(get_varuint()) - 1;
    std::int32_t n = 0;
    get(n);
    return n;
  }
  std::int64_t short_length() {
    if (version_.flexible) return static_cast<std::int64_t>(get_varuint()) - 1;
    std::int16_t n = 0;
    get(n);
    return n;
  }
  void text(std::string& s, std::int64_t n) {
    if (n < 0) broken_ = true;
    const auto b = take(broken_ ? 0 : static_cast<std::size_t>(n));
    if (!broken_) s.assign(base::as_text(b));
  }
  std::span<const std::byte> take(std::size_t n) {
    if (broken_ || n > in_.size()) {
      broken_ = true;
      return {};
    }
    const auto out = in_.first(n);
    in_ = in_.subspan(n);
    return out;
  }
  void fail(std::string_view name) {
    broken_ = true;
    name_failure(name);
  }
  // Called on the way out, innermost field first.
  void name_failure(std::string_view name) {
    if (failed_at_.empty())
      failed_at_ = name;
    else
      failed_at_ = std::string(name) + (failed_at_.front() == '[' ? "" : ".") + failed_at_;
  }

  std::span<const std::byte> in_;
  Version version_;
  bool broken_ = false;
  std::string failed_at_;
};

}  // namespace protocol
