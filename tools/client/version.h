// What --version prints: the release of Kafka whose command line this is, in Kafka's place for it, then our own.
#pragma once

namespace tools {

inline constexpr char kVersion[] = "2.7.1 (Weir 0.1.0)";
inline constexpr char kSoftwareName[] = "weir-tools";
inline constexpr char kSoftwareVersion[] = "0.1.0";

}  // namespace tools
