#include "tools/dump_log/dump.h"

#include <algorithm>
#include <filesystem>

#include "tools/dump_log/output.h"
#include "tools/internal_topics/hash_order.h"

namespace tools {

void PairsByFile::add(const std::string& file, std::int64_t first, std::int64_t second) {
  auto found = std::find_if(entries_.begin(), entries_.end(), [&](const Entry& entry) { return entry.file == file; });
  if (found == entries_.end()) found = entries_.insert(found, {file, {}});
  found->pairs.emplace_back(first, second);
}

std::vector<PairsByFile::Entry> PairsByFile::entries() const {
  HashOrder order;
  for (const auto& entry : entries_) order.add(java_hash(entry.file));
  std::vector<Entry> out;
  for (const auto at : order.order()) out.push_back(entries_[at]);
  return out;
}

void Findings::print() const {
  const auto each = [](const PairsByFile& what, auto&& header, auto&& line) {
    for (const auto& [file, pairs] : what.entries()) {
      header(file);
      for (const auto& [first, second] : pairs) line(first, second);
    }
  };
  // Kafka gathers the first two kinds last to first.
  const auto backwards = [](const PairsByFile& what, auto&& header, auto&& line) {
    for (const auto& [file, pairs] : what.entries()) {
      header(file);
      for (auto at = pairs.rbegin(); at != pairs.rend(); ++at) line(at->first, at->second);
    }
  };
  const auto titled = [](std::string_view title) {
    return [title](const std::string& file) { fmt::print(stderr, "{}{}\n", title, file); };
  };
  backwards(index_mismatches, titled("Mismatches in :"),
            [](auto index, auto log) { fmt::print(stderr, "  Index offset: {}, log offset: {}\n", index, log); });
  each(timestamp_mismatches, titled("Found timestamp mismatch in :"),
       [](auto index, auto log) { fmt::print(stderr, "  Index timestamp: {}, log timestamp: {}\n", index, log); });
  each(timestamps_out_of_order, titled("Found out of order timestamp in :"), [](auto index, auto previous) {
    fmt::print(stderr, "  Index timestamp: {}, Previously indexed timestamp: {}\n", index, previous);
  });
  each(
      offsets_not_found,
      [](const std::string&) { fmt::print(stderr, "The following indexed offsets are not found in the log.\n"); },
      [](auto index, auto log) { fmt::print(stderr, "Indexed offset: {}, found log offset: {}\n", index, log); });
  backwards(not_consecutive, titled("Non-consecutive offsets in "),
            [](auto first, auto second) { fmt::print(stderr, "  {} is followed by {}\n", first, second); });
}

Outcome Dump::file(const std::string& path) {
  out("Dumping {}\n", path);
  const auto name = path.substr(path.find_last_of('/') + 1);
  const auto dot = name.find_last_of('.');
  if (dot == std::string::npos)
    return Failure{"java.lang.StringIndexOutOfBoundsException",
                   fmt::format("begin -1, end {0}, length {0}", name.size()), ""};
  const auto suffix = name.substr(dot);
  if (suffix == ".log") return log(path);
  if (suffix == ".index") return offset_index(path);
  if (suffix == ".timeindex") return time_index(path);
  if (suffix == ".snapshot") return snapshot(path);
  if (suffix == ".txnindex") return txn_index(path);
  fmt::print(stderr, "Ignoring unknown file {}\n", path);
  return std::nullopt;
}

std::string absolute(const std::string& path) { return std::filesystem::absolute(path).string(); }

std::variant<std::int64_t, Failure> base_offset_of(const std::string& path) {
  const auto name = path.substr(path.find_last_of('/') + 1);
  const auto number = name.substr(0, name.find('.'));
  try {
    std::size_t used = 0;
    const auto offset = std::stoll(number, &used);
    if (used == number.size()) return static_cast<std::int64_t>(offset);
  } catch (const std::exception&) {
  }
  return Failure{"java.lang.NumberFormatException", fmt::format("For input string: \"{}\"", number), ""};
}

std::string sibling(const std::string& path, std::string_view suffix) {
  const auto slash = path.find_last_of('/') + 1;
  return path.substr(0, path.find('.', slash)) + std::string(suffix);
}

std::variant<std::unique_ptr<base::File>, Failure> open_file(base::FileSystem& files, const std::string& path) {
  auto there = files.exists(path);
  if (there && !*there) return Failure{"java.nio.file.NoSuchFileException", path, ""};
  auto file = files.open(path, base::OpenMode::read_only);
  if (!file) return Failure{"java.io.IOException", file.error().detail, ""};
  return std::move(file).value();
}

}  // namespace tools
