// The values settings take: Kafka's nine types, from text and back. Text forms are Kafka's, down to the spelling of
// doubles, because DescribeConfigs shows them.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/error.h"

namespace config {

// Raw keys and values, as a file, an override or a stored node holds them.
using Texts = std::map<std::string, std::string, std::less<>>;

// Numbers as DescribeConfigs carries them.
enum class Type : std::int8_t {
  unknown = 0,
  boolean = 1,
  string = 2,
  integer = 3,
  short_integer = 4,
  long_integer = 5,
  real = 6,
  list = 7,
  class_name = 8,
  password = 9,
};

// "INT", "LONG", ...: the words of Kafka's messages.
std::string_view type_name(Type type);

// Empty: Kafka's null.
using Value = std::variant<std::monostate, bool, std::int16_t, std::int32_t, std::int64_t, double, std::string,
                           std::vector<std::string>>;

// Surrounding blanks do not count, except inside passwords. The error's detail is Kafka's reason alone, for example
// "Not a number of type INT"; `value_error` puts the usual sentence around it.
base::Result<Value> parse_value(Type type, std::string_view text);

// The canonical text: numbers plain, lists joined by commas, doubles as Java prints them. Nothing for null.
std::optional<std::string> text_of(const Value& value);
std::string text_of(double value);

// "Invalid value x for configuration k: why", INVALID_CONFIG.
base::Error value_error(std::string_view key, std::string_view value, std::string_view why);

// As Java's String.trim: everything up to and including the blank counts as blank.
std::string_view trim(std::string_view text);
// Splits at commas, dropping the blanks around them; an empty text is an empty list.
std::vector<std::string> split_list(std::string_view text);
std::string join(const std::vector<std::string>& items, std::string_view separator);
std::string upper_case(std::string_view text);

// The types as settings name them in their tables, each with the C++ type of its field.
template <Type kType, class T>
struct Of {
  using Field = T;
  static constexpr Type type = kType;
  static void assign(Field& field, const Value& value) { field = std::get<T>(value); }
  static Value value(const Field& field) { return field; }
};
template <class Base>
struct Maybe {  // null is a value of its own
  using Field = std::optional<typename Base::Field>;
  static constexpr Type type = Base::type;
  static void assign(Field& field, const Value& value) {
    if (std::holds_alternative<std::monostate>(value))
      field.reset();
    else
      Base::assign(field.emplace(), value);
  }
  static Value value(const Field& field) { return field ? Base::value(*field) : Value{}; }
};
using Boolean = Of<Type::boolean, bool>;
using String = Of<Type::string, std::string>;
using Int = Of<Type::integer, std::int32_t>;
using Short = Of<Type::short_integer, std::int16_t>;
using Long = Of<Type::long_integer, std::int64_t>;
using Double = Of<Type::real, double>;
using List = Of<Type::list, std::vector<std::string>>;
using Class = Of<Type::class_name, std::string>;
using Password = Of<Type::password, std::string>;

}  // namespace config
