#include "protocol/internal/txn_records.h"

#include <array>

#include "protocol/internal/versioned_impl.h"

namespace protocol {

WEIR_COMPILE_VERSIONED(TxnRecordKey)
WEIR_COMPILE_VERSIONED(TxnRecordValue)

std::optional<std::string_view> txn_status_name(std::int8_t status) {
  static constexpr std::array<std::string_view, 8> kNames{"Empty",        "Ongoing",          "PrepareCommit",
                                                          "PrepareAbort", "CompleteCommit",   "CompleteAbort",
                                                          "Dead",         "PrepareEpochFence"};
  const auto at = static_cast<std::size_t>(static_cast<std::uint8_t>(status));
  return at < kNames.size() ? std::optional(kNames[at]) : std::nullopt;
}

}  // namespace protocol
