// Records of __consumer_offsets and __transaction_state as Kafka's tools show them: kafka-dump-log.sh and the message
// formatters of the console consumer. Pure.
//
// Texts are those of Apache Kafka 2.7.1; versions of values that only later releases know are shown the same way.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "tools/client/failure.h"

namespace tools {

using MaybeBytes = std::optional<std::span<const std::byte>>;

// kafka-dump-log.sh: what stands behind "key: " and "payload: ".
struct DumpedRecord {
  std::string key;
  std::string payload;
};
std::variant<DumpedRecord, Failure> dump_group_record(const MaybeBytes& key, const MaybeBytes& value);
std::variant<DumpedRecord, Failure> dump_txn_record(const MaybeBytes& key, const MaybeBytes& value);

// A formatter's line or document, line end included where it has one; nothing for a record of another kind, which is
// left out.
using FormattedRecord = std::variant<std::optional<std::string>, Failure>;
using RecordFormatter = FormattedRecord (*)(const MaybeBytes& key, const MaybeBytes& value);
// By the name of the Java class, in its old package (texts) or its new one (JSON); null when there is none.
RecordFormatter find_record_formatter(std::string_view java_class);

}  // namespace tools
