// Messages of magic 0 or 1 on their way into a log that keeps such a format: made before the partition's lock, numbered
// under it.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "base/buffer.h"
#include "base/error.h"
#include "base/ids.h"
#include "protocol/records/compression.h"

namespace storage {

struct MessageSet {
  std::span<std::byte> bytes;  // whole entries, in the request's frame or in `rewritten`; their offsets mean nothing
  base::Buffer rewritten;
  std::int32_t record_count = 0;
  // Magic 0 numbers the messages inside a compressed one by their place in the log, so such a set can be packed only
  // when that is known. Until then the messages lie in `bytes` one by one.
  protocol::Codec pack_as = protocol::Codec::none;
  int level = protocol::kDefaultLevel;
  std::size_t max_entry_bytes = 0;             // max.message.bytes, for what is packed late
  std::optional<base::Timestamp> append_time;  // set when the topic stamps it: belongs into the answer
};

// Numbers the records from `first` on, in place or, when the set is to be packed, in `rewritten`. The entries as they
// are to be written.
base::Result<std::span<const std::byte>> number(MessageSet& set, base::Offset first);

}  // namespace storage
