// A hash map keyed by strings that is asked with string_views. (Debian's abseil has a string_view of its own, which its
// default hash insists on.)
#pragma once

#include <absl/container/flat_hash_map.h>

#include <functional>
#include <string>
#include <string_view>

namespace base {

struct StringHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const { return absl::Hash<std::string_view>{}(text); }
};

template <class V>
using StringMap = absl::flat_hash_map<std::string, V, StringHash, std::equal_to<>>;

}  // namespace base
