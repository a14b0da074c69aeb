#include "protocol/internal/group_records.h"

#include "protocol/internal/versioned_impl.h"

namespace protocol {

WEIR_COMPILE_VERSIONED(OffsetRecordKey)
WEIR_COMPILE_VERSIONED(OffsetRecordValue)
WEIR_COMPILE_VERSIONED(GroupRecordKey)
WEIR_COMPILE_VERSIONED(GroupRecordValue)

namespace {

template <class Key>
base::Result<GroupTopicKey> read_as(std::span<const std::byte> bytes) {
  Key key;
  if (auto version = read_versioned(bytes, key); !version) return version.error();
  return GroupTopicKey{std::move(key)};
}

}  // namespace

base::Result<GroupTopicKey> read_group_topic_key(std::span<const std::byte> key) {
  const auto version = version_of(key);
  if (!version) return base::fail(base::ErrorCode::corrupt_message, "a key of {} bytes has no version", key.size());
  if (OffsetRecordKey::api.versions.contains(*version)) return read_as<OffsetRecordKey>(key);
  if (GroupRecordKey::api.versions.contains(*version)) return read_as<GroupRecordKey>(key);
  return GroupTopicKey{UnknownRecordKey{*version}};
}

}  // namespace protocol
