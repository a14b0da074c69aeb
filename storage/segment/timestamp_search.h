// Finding a record by its time inside one entry (pure).
#pragma once

#include <optional>

#include "base/error.h"
#include "protocol/records/batch.h"
#include "storage/segment/segment.h"

namespace storage {

// The first record of `entry` at or above `from` that is at least as young as `target`. Decompresses where needed.
Result<std::optional<TimestampedOffset>> find_timestamp_in(const protocol::EntryView& entry, Timestamp target,
                                                           Offset from);

}  // namespace storage
