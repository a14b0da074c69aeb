#include "storage/log/leftovers.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "storage/segment/entry_scan.h"

namespace storage {
namespace {

using base::Result;
using base::Status;

struct Leftovers {
  std::vector<PartitionFile> live;
  std::vector<PartitionFile> swaps;
  std::vector<std::string> useless;
  std::optional<Offset> first_cleaned;
};

Leftovers sort_out(const std::vector<base::DirectoryEntry>& entries) {
  Leftovers found;
  for (const auto& entry : entries) {
    if (entry.is_directory) continue;
    if (entry.name.ends_with(".deleted")) {
      found.useless.push_back(entry.name);
      continue;
    }
    const auto file = parse_file_name(entry.name);
    if (!file) continue;  // not ours: left alone
    switch (file->suffix) {
      case FileSuffix::none:
        found.live.push_back(*file);
        break;
      case FileSuffix::swap:
        found.swaps.push_back(*file);
        break;
      case FileSuffix::cleaned:
        found.useless.push_back(entry.name);
        if (file->kind == FileKind::data)
          found.first_cleaned = std::min(found.first_cleaned.value_or(file->base), file->base);
        break;
      case FileSuffix::deleted:
        break;
    }
  }
  return found;
}

// Behind the last whole entry of a data file.
Result<Offset> next_offset_of(base::FileSystem& files, const std::string& path, Offset base) {
  auto file = files.open(path, base::OpenMode::read_only);
  if (!file) return file.error();
  auto size = (*file)->size();
  if (!size) return size.error();
  HeaderScan scan(**file, 0, *size);
  auto next = base;
  for (;;) {
    auto found = scan.next();
    if (!found) return found.error();
    if (!*found) return next;
    next = (*found)->header.next_offset();
  }
}

}  // namespace

Result<PartitionFiles> clear_leftovers(base::FileSystem& files, const std::string& directory) {
  auto entries = files.list(directory);
  if (!entries) return entries.error();
  auto found = sort_out(*entries);
  const auto path = [&](const std::string& name) { return directory + "/" + name; };
  const auto remove = [&](const PartitionFile& file) {
    return files.remove(path(file_name(file.base, file.kind, file.suffix)));
  };

  if (found.first_cleaned) {
    for (const auto& file : found.swaps)
      if (file.base >= *found.first_cleaned) found.useless.push_back(file_name(file.base, file.kind, file.suffix));
    std::erase_if(found.swaps, [&](const PartitionFile& file) { return file.base >= *found.first_cleaned; });
  }
  // Swaps that are to be dropped go before the *.cleaned files that condemn them.
  std::stable_sort(found.useless.begin(), found.useless.end(),
                   [](const auto& a, const auto& b) { return a.ends_with(".swap") && !b.ends_with(".swap"); });
  for (const auto& name : found.useless)
    if (auto s = files.remove(path(name)); !s) return s.error();

  std::optional<Offset> from, to;
  for (const auto& file : found.swaps) {
    if (file.kind != FileKind::data) continue;
    auto next = next_offset_of(files, path(file_name(file.base, file.kind, FileSuffix::swap)), file.base);
    if (!next) return next.error();
    from = std::min(from.value_or(file.base), file.base);
    to = std::max(to.value_or(*next), *next);
  }
  const auto is_swapped = [&](Offset base) {
    return std::ranges::any_of(found.swaps,
                               [&](const auto& file) { return file.base == base && file.kind == FileKind::data; });
  };
  if (from) {
    // A swap without entries replaces at least the segment whose name it bears.
    const auto replaced = [&](const PartitionFile& file) {
      return file.kind != FileKind::snapshot && file.base >= *from && (file.base < *to || is_swapped(file.base));
    };
    for (const auto& file : found.live)
      if (replaced(file))
        if (auto s = remove(file); !s) return s.error();
    std::erase_if(found.live, replaced);
  }
  // Data first. Up to then this can be done again from the beginning; after it the old indexes are gone, and a
  // *.index.swap beside live data is the new one. The other way round the next start would take a new index that is in
  // place already for one of the old.
  std::stable_sort(found.swaps.begin(), found.swaps.end(),
                   [](const auto& a, const auto& b) { return a.kind == FileKind::data && b.kind != FileKind::data; });
  for (const auto& file : found.swaps) {
    if (auto s = files.rename(path(file_name(file.base, file.kind, FileSuffix::swap)),
                              path(file_name(file.base, file.kind)));
        !s)
      return s.error();
    found.live.push_back({file.base, file.kind, FileSuffix::none});
  }

  PartitionFiles left;
  auto& segments = left.segments;
  for (const auto& file : found.live)
    if (file.kind == FileKind::data) segments[file.base].insert(file.kind);
  for (const auto& file : found.live) {
    if (file.kind == FileKind::snapshot) left.snapshots.insert(file.base);
    if (file.kind == FileKind::data || file.kind == FileKind::snapshot) continue;
    if (auto segment = segments.find(file.base); segment != segments.end())
      segment->second.insert(file.kind);
    else if (auto s = remove(file); !s)
      return s.error();
  }
  return left;
}

}  // namespace storage
