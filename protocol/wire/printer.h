// Two visitors for people: Printer shows a message's values (secrets hidden), SchemaPrinter its fields and wire types.
#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>

#include "protocol/wire/value_printer.h"

namespace protocol {

class Printer final : public ValuePrinter<Printer> {
 public:
  using ValuePrinter::ValuePrinter;

  template <class M>
  std::string object(const M& m) {
    show_object(m, true);
    return std::move(out_);
  }

 private:
  friend class ValuePrinter<Printer>;
  static constexpr std::string_view kBetweenFields = " ", kBetweenValues = ", ";
  static constexpr bool kHidesSecrets = true;

  void name(std::string_view name) { out_.append(name).append("="); }
  void text(double x) { out_ += fmt::format("{}", x); }
  void text(base::ErrorCode x) { out_ += base::error_name(x); }
  void text(const base::Uuid& x) { out_ += x.text(); }
  void text(const std::string& x) { out_.append("'").append(x).append("'"); }
  void text(const Bytes& x) { out_ += fmt::format("<{} bytes>", x.raw.size()); }
  void text(const Records& x) { out_ += x.is_null ? "null" : fmt::format("<{} bytes>", x.size_bytes()); }
  void nested(const auto& m) { show_object(m, true); }
};

// "name:TYPE" of every field of one version, in the notation of Apache Kafka's own schema printer:
// [x] array, c[x] compact array, a trailing ? nullable, <tags N=name:TYPE> tagged fields.
class SchemaPrinter {
 public:
  explicit SchemaPrinter(Version version) : version_(version) {}

  template <class M>
  std::string object() {
    const M m{};
    M::describe(m, *this);
    if (version_.flexible) {
      separate();
      out_ += "<tags";
      if constexpr (Tagged<M>) M::describe_tags(m, *this);
      out_ += ">";
    }
    return out_;
  }

  template <class T>
  void operator()(std::string_view name, const T&, Field f = {}) {
    if (!f.in(version_)) return;
    separate();
    out_.append(name).append(":");
    type<T>(f);
  }
  template <class T>
  void operator()(int tag, std::string_view name, const std::optional<T>&, Field f = {}) {
    if (!f.in(version_)) return;
    out_ += fmt::format(" {}={}:", tag, name);
    if (f.null_tag)
      type<std::optional<T>>(f);
    else
      type<T>(f);
  }

 private:
  void separate() {
    if (!out_.empty()) out_ += " ";
  }
  void compact(std::string_view name) { out_.append(version_.flexible ? "COMPACT_" : "").append(name); }

  template <class T>
  void type(Field f) {
    if constexpr (is_optional<T>::value) {
      using V = typename is_optional<T>::Value;
      const bool null = f.null_in(version_);
      if constexpr (std::same_as<V, std::string>) {
        compact(null ? "NULLABLE_STRING" : "STRING");
      } else if constexpr (std::same_as<V, Bytes>) {
        compact(null ? "NULLABLE_BYTES" : "BYTES");
      } else {
        type<V>(f);
        if (null && !Described<V>) out_ += "?";  // Kafka's printer does not mark nullable structs
      }
    } else if constexpr (is_vector<T>::value) {
      out_ += version_.flexible ? "c[" : "[";
      type<typename is_vector<T>::Element>({});
      out_ += "]";
    } else if constexpr (std::same_as<T, bool>) {
      out_ += "BOOLEAN";
    } else if constexpr (std::same_as<T, double>) {
      out_ += "FLOAT64";
    } else if constexpr (std::same_as<T, base::ErrorCode>) {
      out_ += "INT16";
    } else if constexpr (std::integral<T>) {
      out_ += std::is_unsigned_v<T> ? "UINT" : "INT";
      out_ += std::to_string(sizeof(T) * 8);
    } else if constexpr (std::same_as<T, base::Uuid>) {
      out_ += "UUID";
    } else if constexpr (std::same_as<T, std::string>) {
      compact("STRING");
    } else if constexpr (std::same_as<T, Bytes>) {
      compact("BYTES");
    } else if constexpr (std::same_as<T, Records>) {
      compact("RECORDS");
    } else if constexpr (StrongId<T>) {
      type<typename T::Raw>(f);
    } else {
      out_ += "{" + SchemaPrinter(version_).object<T>() + "}";
    }
  }

  Version version_;
  std::string out_;
};

}  // namespace protocol
