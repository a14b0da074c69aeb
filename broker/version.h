// What --version prints: the release of Kafka whose commands and files these are, in Kafka's place for it, then our
// own.
#pragma once

namespace broker {

inline constexpr char kVersionLine[] = "2.7.1 (Weir 0.1.0)";

}  // namespace broker
