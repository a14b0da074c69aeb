// What an interrupted deletion, compaction or swap left in a partition's directory.
//
//   *.deleted   its deletion was only put off: remove
//   *.cleaned   not finished: remove
//   *.swap      finished, not yet in place. At or above the smallest *.cleaned: the swap of a split had not begun to
//               be complete: remove. Else delete the live segments it replaces and rename it into place.
#pragma once

#include <map>
#include <set>
#include <string>

#include "base/file_system.h"
#include "storage/segment/names.h"

namespace storage {

// What is then in the directory. Index files without data have been removed.
struct PartitionFiles {
  std::map<Offset, std::set<FileKind>> segments;  // kinds of files by base offset
  std::set<Offset> snapshots;
};
base::Result<PartitionFiles> clear_leftovers(base::FileSystem& files, const std::string& directory);

}  // namespace storage
