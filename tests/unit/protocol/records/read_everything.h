// Every reader of records over bytes of any kind: for tests with damaged bytes, and the fuzz target.
#pragma once

#include <algorithm>

#include "base/check.h"
#include "protocol/records/builder.h"
#include "protocol/records/convert.h"
#include "protocol/records/legacy.h"
#include "protocol/records/record.h"

namespace protocol {

// Everything that looks at bytes it did not write, over bytes of any kind.
inline void read_everything(std::span<const std::byte> bytes) {
  constexpr std::size_t kLimit = 1 << 20;
  EntryCursor cursor(bytes);
  while (const auto entry = cursor.next()) {
    (void)entry->crc_ok();
    (void)first_offset(*entry, kLimit);
    if (entry->is_batch()) {
      const auto batch = entry->batch();
      (void)batch.last_sequence();
      RecordReader reader(batch, kLimit);
      RecordView record;
      while (reader.next(record)) {
        (void)offset_of(batch, record);
        (void)timestamp_of(batch, record);
        (void)parse_txn_marker(record);
        auto headers = record.headers();
        std::int32_t seen = 0;
        while (headers.next()) ++seen;
        base::invariant(seen == record.header_count, "headers that were checked can be walked");
      }
      base::invariant(reader.unpacked_bytes() <= std::max(kLimit, bytes.size()), "the limit holds");
      (void)recompress(batch, Codec::lz4, kDefaultLevel, kLimit);
    } else {
      LegacyReader reader(*entry, kLimit);
      LegacyRecordView record;
      while (reader.next(record)) (void)record.crc_ok();
    }
  }
  for (const std::int8_t magic : {0, 1}) (void)down_convert(bytes, {.to_magic = magic, .limit_bytes = kLimit});
  (void)up_convert(bytes, {.codec = Codec::snappy}, kLimit);
}

}  // namespace protocol
