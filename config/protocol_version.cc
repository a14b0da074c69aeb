#include "config/protocol_version.h"

#include <algorithm>
#include <iterator>

#include "base/check.h"

namespace config {
namespace {

// In order of age; the last step of a release closes its row.
constexpr std::string_view kTags[] = {
    "0.8.0",      "0.8.1",                                           //
    "0.8.2",      "0.9.0",                                           //
    "0.10.0-IV0", "0.10.0-IV1",                                      //
    "0.10.1-IV0", "0.10.1-IV1", "0.10.1-IV2",                        //
    "0.10.2-IV0",                                                    //
    "0.11.0-IV0", "0.11.0-IV1", "0.11.0-IV2",                        //
    "1.0-IV0",    "1.1-IV0",                                         //
    "2.0-IV0",    "2.0-IV1",                                         //
    "2.1-IV0",    "2.1-IV1",    "2.1-IV2",                           //
    "2.2-IV0",    "2.2-IV1",                                         //
    "2.3-IV0",    "2.3-IV1",                                         //
    "2.4-IV0",    "2.4-IV1",                                         //
    "2.5-IV0",    "2.6-IV0",                                         //
    "2.7-IV0",    "2.7-IV1",    "2.7-IV2",                           //
    "2.8-IV0",    "2.8-IV1",                                         //
    "3.0-IV0",    "3.0-IV1",                                         //
    "3.1-IV0",    "3.2-IV0",                                         //
    "3.3-IV0",    "3.3-IV1",    "3.3-IV2",    "3.3-IV3",             //
    "3.4-IV0",                                                       //
    "3.5-IV0",    "3.5-IV1",    "3.5-IV2",                           //
    "3.6-IV0",    "3.6-IV1",    "3.6-IV2",                           //
    "3.7-IV0",    "3.7-IV1",    "3.7-IV2",    "3.7-IV3", "3.7-IV4",  //
    "3.8-IV0",    "3.9-IV0",                                         //
    "4.0-IV0",    "4.0-IV1",
};

std::string_view release_of(std::string_view tag) { return tag.substr(0, tag.find('-')); }

std::string_view first_segments(std::string_view text, int count) {
  std::size_t end = 0;
  for (int i = 0; i < count; ++i) {
    end = text.find('.', i == 0 ? 0 : end + 1);
    if (end == std::string_view::npos) return text;
  }
  return text.substr(0, end);
}

ProtocolVersion version_of(std::string_view tag) {
  const auto version = find_protocol_version(tag);
  base::invariant(version.has_value(), "a release named in the program is in its list");
  return *version;
}

}  // namespace

std::string_view ProtocolVersion::tag() const { return kTags[rank]; }

int ProtocolVersion::record_version() const {
  if (*this >= version_of("0.11.0-IV0")) return 2;
  return *this >= version_of("0.10.0-IV0") ? 1 : 0;
}

std::optional<ProtocolVersion> find_protocol_version(std::string_view text) {
  const auto key = first_segments(text, text.starts_with("0.") ? 3 : 2);
  for (int i = static_cast<int>(std::size(kTags)) - 1; i >= 0; --i)
    if (kTags[i] == key || release_of(kTags[i]) == key) return ProtocolVersion{i};
  return std::nullopt;
}

std::string_view first_release_with_record_version(int record_version) {
  return record_version == 0 ? "0.8.0" : record_version == 1 ? "0.10.0" : "0.11.0";
}

}  // namespace config
