// What a disk or a process has too little of for a while. Unlike a failure it leaves everything written before as it
// was, and what was refused may be asked again.
#pragma once

#include <cerrno>
#include <system_error>

#include "base/file_system.h"

namespace storage {

// This process has too many open files, or the machine has: nothing was opened.
inline bool is_out_of_descriptors(const base::Error& error) {
  if (error.code != base::ErrorCode::kafka_storage_error) return false;
  for (const int number : {EMFILE, ENFILE})
    if (error.detail.ends_with(std::generic_category().message(number))) return true;
  return false;
}

inline bool is_shortage(const base::Error& error) {
  return base::is_out_of_space(error) || is_out_of_descriptors(error);
}

}  // namespace storage
