// How values of every shape become text: what the visitors that print messages have in common.
#pragma once

#include <concepts>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/wire/field.h"
#include "protocol/wire/types.h"

namespace protocol {

// `Self` tells how fields are named and kept apart (name, kBetweenFields, kBetweenValues), whether it hides secrets,
// how a message inside a message looks (nested), and how the values do that not all forms show alike: text(), by
// overload.
template <class Self>
class ValuePrinter {
 public:
  explicit ValuePrinter(Version version) : version_(version) {}

  void operator()(std::string_view name, const auto& x, Field f = {}) {
    if (!f.in(version_)) return;
    if (out_.back() != '{') out_ += Self::kBetweenFields;
    self().name(name);
    if (Self::kHidesSecrets && f.hidden)
      out_ += "[hidden]";
    else
      show(x);
  }
  void operator()(int, std::string_view name, const auto& x, Field f = {}) {
    if (x) (*this)(name, *x, f);
  }

 protected:
  template <class M>
  void show_object(const M& m, bool with_tags) {
    out_ += "{";
    M::describe(m, *this);
    if constexpr (Tagged<M>) {
      if (with_tags) M::describe_tags(m, *this);
    }
    out_ += "}";
  }

  Version version_;
  std::string out_;

 private:
  Self& self() { return static_cast<Self&>(*this); }

  template <class T>
  void show(const T& x) {
    if constexpr (std::same_as<T, bool>)
      out_ += x ? "true" : "false";
    else if constexpr (std::integral<T>)
      out_ += std::to_string(+x);
    else if constexpr (is_optional<T>::value)
      x ? show(*x) : void(out_ += "null");
    else if constexpr (is_vector<T>::value)
      show_all(x);
    else if constexpr (requires { self().text(x); })
      self().text(x);
    else if constexpr (StrongId<T>)
      show(x.raw);
    else
      self().nested(x);
  }
  void show_all(const auto& xs) {
    out_ += "[";
    for (std::size_t i = 0; i < xs.size(); ++i) {
      if (i > 0) out_ += Self::kBetweenValues;
      show(xs[i]);
    }
    out_ += "]";
  }
};

}  // namespace protocol
