// Messages as Kafka's Java client 3.9.1 wrote them, with their values as JSON (tests/golden/wire/messages.golden):
//   <api key> <version> <req|resp> <variant> <hex> <json>
#pragma once

#include <absl/strings/escaping.h>
#include <absl/strings/match.h>
#include <absl/strings/str_replace.h>
#include <absl/strings/str_split.h>
#include <boost/json.hpp>
#include <catch2/catch.hpp>

#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "protocol/wire/field.h"
#include "protocol/wire/types.h"

namespace protocol::testing {

struct GoldenMessage {
  std::int16_t version;
  std::string name;  // for INFO
  std::string bytes;
  boost::json::value values;
};

inline const std::vector<GoldenMessage>& golden_messages(std::int16_t key, bool request) {
  static const auto all = [] {
    std::map<std::pair<int, bool>, std::vector<GoldenMessage>> out;
    std::ifstream file(WEIR_TEST_DATA "/golden/wire/messages.golden");
    std::string line;
    while (std::getline(file, line)) {
      if (line.empty() || line[0] == '#') continue;
      const std::vector<std::string> column = absl::StrSplit(line, absl::MaxSplits(' ', 5));
      REQUIRE(column.size() == 6);
      out[{std::stoi(column[0]), column[2] == "req"}].push_back({static_cast<std::int16_t>(std::stoi(column[1])),
                                                                 line.substr(0, 40), absl::HexStringToBytes(column[4]),
                                                                 boost::json::parse(column[5])});
    }
    return out;
  }();
  const auto at = all.find({key, request});
  REQUIRE(at != all.end());
  return at->second;
}

// Compares a decoded message with the JSON, field by field; Kafka's JSON names are ours in camel case.
class JsonMatcher {
 public:
  explicit JsonMatcher(Version version) : version_(version) {}

  template <class M>
  void object(const M& m, const boost::json::value& json) {
    JsonMatcher fields(version_);
    fields.object_ = &json.as_object();
    M::describe(m, fields);
    if constexpr (Tagged<M>) M::describe_tags(m, fields);
  }
  void operator()(std::string_view name, const auto& x, Field f = {}) {
    if (!f.in(version_)) return;
    INFO("field " << name);
    const auto* json = find(name);
    REQUIRE(json);
    match(x, *json);
  }
  template <class T>
  void operator()(int, std::string_view name, const std::optional<T>& x, Field f = {}) {
    if (!f.in(version_) || !version_.flexible) return;
    INFO("tagged field " << name);
    const auto* json = find(name);
    if (x) {
      REQUIRE(json);
      match(*x, *json);
    }
  }

 private:
  // "is_kraft_controller" is "isKRaftController" there: underscores and case do not count.
  const boost::json::value* find(std::string_view name) const {
    const std::string wanted = absl::StrReplaceAll({name.data(), name.size()}, {{"_", ""}});
    for (const auto& [key, value] : *object_)
      if (absl::EqualsIgnoreCase({key.data(), key.size()}, wanted)) return &value;
    return nullptr;
  }
  static std::string unbase64(const boost::json::value& json) {
    std::string out;
    REQUIRE(absl::Base64Unescape(std::string(json.as_string()), &out));
    return out;
  }

  void match(bool x, const boost::json::value& json) { CHECK(x == json.as_bool()); }
  void match(double x, const boost::json::value& json) { CHECK(x == json.to_number<double>()); }
  template <std::integral T>
  void match(T x, const boost::json::value& json) {
    CHECK(static_cast<std::int64_t>(x) == json.to_number<std::int64_t>());
  }
  void match(base::ErrorCode x, const boost::json::value& json) { match(static_cast<std::int16_t>(x), json); }
  void match(const base::Uuid& x, const boost::json::value& json) { CHECK(x.text() == json.as_string()); }
  void match(const std::string& x, const boost::json::value& json) { CHECK(x == json.as_string()); }
  void match(const Bytes& x, const boost::json::value& json) { CHECK(x.raw == unbase64(json)); }
  void match(const Records& x, const boost::json::value& json) {
    CHECK(x.is_null == json.is_null());
    if (!x.is_null) CHECK(base::as_text(x.view) == unbase64(json));
  }
  template <class T>
  void match(const std::optional<T>& x, const boost::json::value& json) {
    CHECK(x.has_value() == !json.is_null());
    if (x && !json.is_null()) match(*x, json);
  }
  template <class T>
  void match(const std::vector<T>& xs, const boost::json::value& json) {
    REQUIRE(xs.size() == json.as_array().size());
    for (std::size_t i = 0; i < xs.size(); ++i) match(xs[i], json.as_array()[i]);
  }
  template <StrongId T>
  void match(const T& x, const boost::json::value& json) {
    match(x.raw, json);
  }
  template <Described T>
  void match(const T& x, const boost::json::value& json) {
    object(x, json);
  }

  Version version_;
  const boost::json::object* object_ = nullptr;
};

}  // namespace protocol::testing
