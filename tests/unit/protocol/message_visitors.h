// Visitors that only tests need: one fills a message with random values, one counts its fields, one walks its structs.
#pragma once

#include <catch2/catch.hpp>

#include "base/random.h"
#include "protocol/wire/field.h"
#include "protocol/wire/types.h"

namespace protocol::testing {

class RandomFiller {
 public:
  RandomFiller(base::Random& random, Version version) : random_(random), version_(version) {}

  template <class M>
  void object(M& m) {
    M::describe(m, *this);
    if constexpr (Tagged<M>) M::describe_tags(m, *this);
  }
  void operator()(std::string_view, auto& x, Field f = {}) {
    if (f.in(version_)) fill(x, f);
  }
  template <class T>
  void operator()(int, std::string_view, std::optional<T>& x, Field f = {}) {
    if (f.in(version_) && version_.flexible && random_.below(2)) fill(x.emplace(), f);
  }

 private:
  void fill(bool& x, Field) { x = random_.below(2); }
  void fill(double& x, Field) { x = static_cast<double>(random_.below(1000)) / 8; }
  template <std::integral T>
  void fill(T& x, Field) {
    x = static_cast<T>(random_.next());
  }
  void fill(base::ErrorCode& x, Field) { x = static_cast<base::ErrorCode>(random_.below(100)); }
  void fill(base::Uuid& x, Field) { x = base::Uuid::generate(random_); }
  void fill(std::string& x, Field) { x = std::string(random_.below(8) ? random_.below(20) : 300, 'a'); }
  void fill(Bytes& x, Field) { x.raw = std::string(random_.below(200), '\x7f'); }
  void fill(Records& x, Field) {
    x.is_null = !random_.below(4);
    if (!x.is_null) x.pieces.append(base::Buffer(random_.below(2) ? 200 : 0));
  }
  template <class T>
  void fill(std::vector<T>& xs, Field) {
    xs.resize(random_.below(4));
    for (auto& x : xs) fill(x, Field{});
  }
  template <class T>
  void fill(std::optional<T>& x, Field f) {
    if (f.null_in(version_) && !random_.below(3)) return x.reset();
    fill(x.emplace(), f);
  }
  template <StrongId T>
  void fill(T& x, Field) {
    fill(x.raw, Field{});
  }
  template <Described T>
  void fill(T& x, Field) {
    object(x);
  }

  base::Random& random_;
  Version version_;
};

// How many members an aggregate has: the largest number of initialisers it takes.
struct Anything {
  template <class T>
  operator T() const;  // NOLINT: only named in unevaluated code
};
template <class T, class... Given>
consteval std::size_t member_count() {
  if constexpr (requires { T{Given{}..., Anything{}}; })
    return member_count<T, Given..., Anything>();
  else
    return sizeof...(Given);
}

// Checks of every struct of a message that `describe` and `describe_tags` name each member once.
class FieldCounter {
 public:
  template <class T>
  static void check() {
    FieldCounter counter;
    T t{};
    T::describe(t, counter);
    if constexpr (Tagged<T>) T::describe_tags(t, counter);
    CHECK(counter.count_ == member_count<T>());
  }
  template <class T>
  void operator()(std::string_view, T&, Field = {}) {
    ++count_;
    nested<T>();
  }
  template <class T>
  void operator()(int, std::string_view, T&, Field = {}) {
    ++count_;
    nested<T>();
  }

 private:
  template <class T>
  static void nested() {
    if constexpr (is_vector<T>::value)
      nested<typename is_vector<T>::Element>();
    else if constexpr (is_optional<T>::value)
      nested<typename is_optional<T>::Value>();
    else if constexpr (Described<T>)
      check<T>();
  }
  std::size_t count_ = 0;
};

}  // namespace protocol::testing
