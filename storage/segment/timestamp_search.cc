#include "storage/segment/timestamp_search.h"

#include "protocol/records/legacy.h"
#include "protocol/records/record.h"

namespace storage {

Result<std::optional<TimestampedOffset>> find_timestamp_in(const protocol::EntryView& entry, Timestamp target,
                                                           Offset from) {
  std::optional<TimestampedOffset> found;
  const auto consider = [&](Offset offset, Timestamp timestamp) {
    if (timestamp < target || offset < from) return false;
    found = TimestampedOffset{offset, timestamp, entry.leader_epoch()};
    return true;
  };
  if (entry.is_batch()) {
    const auto batch = entry.batch();
    protocol::RecordReader reader(batch);
    protocol::RecordView record;
    while (reader.next(record))
      if (consider(protocol::offset_of(batch, record), protocol::timestamp_of(batch, record))) return found;
    if (!reader.status()) return reader.status().error();
    return found;
  }
  protocol::LegacyReader reader(entry);
  protocol::LegacyRecordView record;
  while (reader.next(record))
    if (consider(record.offset, record.timestamp)) return found;
  if (!reader.status()) return reader.status().error();
  return found;
}

}  // namespace storage
