// Something in a data directory that should not be as it is: one line for people.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace storage {

// What repair() can do about it without losing a valid record.
enum class Remedy {
  none,  // a person has to decide
  settle_leftovers,
  cut_tail,
  rebuild_indexes,
  rebuild_txn_index,
  rebuild_snapshot,
  remove_snapshot,
  rewrite_epochs,
  rewrite_checkpoint,
};

struct Finding {
  std::string file;
  std::optional<std::uint64_t> position;  // in bytes, where there is one
  std::string what;
  Remedy remedy = Remedy::none;

  // "/data/orders-0/00000000000000000000.log:4711: the checksum is wrong"
  std::string text() const { return file + (position ? ":" + std::to_string(*position) : "") + ": " + what; }
};

}  // namespace storage
