// Bytes that carry their own version: keys and values of the internal topics, and what consumers tell each other
// through their group.
//
//   [ version : i16 ][ a message of that version ]
//
// The messages are declared as those of the wire are, with the same visitors. Bytes behind the message are left alone,
// as Kafka does. Pure; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "base/buffer.h"
#include "base/error.h"

namespace protocol {

// The version in front, or nothing when there are not even two bytes.
std::optional<std::int16_t> version_of(std::span<const std::byte> bytes);

enum class NewerVersions {
  refuse,         // records: a version we do not know means something we do not know
  as_the_newest,  // consumers' blobs: versions only ever add fields at the end
};

// Reads version and message; returns the version found. `corrupt_message` names the message and the field;
// `unsupported_version` for a version that is not known.
template <class M>
base::Result<std::int16_t> read_versioned(std::span<const std::byte> bytes, M& out,
                                          NewerVersions newer = NewerVersions::refuse);

template <class M>
base::Buffer write_versioned(std::int16_t version, const M& message);

// The message as Kafka's tools show it: {"group":"g","topic":"t","partition":0}. Bytes are base64.
template <class M>
std::string print_json(const M& message, std::int16_t version);

}  // namespace protocol
