#include "storage/segment/names.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "base/check.h"
#include "base/random.h"

namespace storage {
namespace {

constexpr std::size_t kMaxTopicName = 249;
constexpr std::size_t kMaxDirectoryName = 255;  // NAME_MAX of Linux file systems
constexpr std::size_t kOffsetDigits = 20;

struct KindName {
  FileKind kind;
  std::string_view text;
};
constexpr std::array kKinds{KindName{FileKind::data, ".log"}, KindName{FileKind::offset_index, ".index"},
                            KindName{FileKind::time_index, ".timeindex"}, KindName{FileKind::txn_index, ".txnindex"},
                            KindName{FileKind::snapshot, ".snapshot"}};

struct SuffixName {
  FileSuffix suffix;
  std::string_view text;
};
constexpr std::array kSuffixes{SuffixName{FileSuffix::none, ""}, SuffixName{FileSuffix::deleted, ".deleted"},
                               SuffixName{FileSuffix::cleaned, ".cleaned"}, SuffixName{FileSuffix::swap, ".swap"}};

struct DirectorySuffix {
  DirectoryKind kind;
  std::string_view text;
};
constexpr std::array kDirectorySuffixes{DirectorySuffix{DirectoryKind::deleted, "-delete"},
                                        DirectorySuffix{DirectoryKind::future, "-future"},
                                        DirectorySuffix{DirectoryKind::stray, "-stray"}};

bool is_digits(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

template <class T>
std::optional<T> number(std::string_view digits) {
  if (!is_digits(digits)) return std::nullopt;
  T value{};
  auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error != std::errc{} || end != digits.data() + digits.size()) return std::nullopt;
  return value;
}

std::optional<TopicPartition> parse_topic_partition(std::string_view name) {
  const auto dash = name.rfind('-');
  if (dash == std::string_view::npos) return std::nullopt;
  const auto partition = number<base::PartitionIndex>(name.substr(dash + 1));
  if (!partition || !is_topic_name(name.substr(0, dash))) return std::nullopt;
  return TopicPartition{std::string(name.substr(0, dash)), *partition};
}

}  // namespace

bool is_topic_name(std::string_view name) {
  if (name.empty() || name.size() > kMaxTopicName || name == "." || name == "..") return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
           c == '-';
  });
}

std::string file_name(Offset base, FileKind kind, FileSuffix suffix) {
  base::invariant(base.raw >= 0, "files are named after offsets that exist");
  return fmt::format("{:020}{}{}", base.raw, kKinds[static_cast<std::size_t>(kind)].text,
                     kSuffixes[static_cast<std::size_t>(suffix)].text);
}

std::optional<PartitionFile> parse_file_name(std::string_view name) {
  if (name.size() <= kOffsetDigits) return std::nullopt;
  const auto base = number<Offset::Raw>(name.substr(0, kOffsetDigits));
  if (!base) return std::nullopt;
  const auto rest = name.substr(kOffsetDigits);
  for (const auto& kind : kKinds) {
    if (!rest.starts_with(kind.text)) continue;
    for (const auto& suffix : kSuffixes)
      if (rest.substr(kind.text.size()) == suffix.text) return PartitionFile{Offset{*base}, kind.kind, suffix.suffix};
  }
  return std::nullopt;
}

std::string directory_name(const TopicPartition& partition) { return partition.text(); }

std::string directory_name(const TopicPartition& partition, DirectoryKind kind, base::Random& random) {
  base::invariant(kind == DirectoryKind::deleted || kind == DirectoryKind::future, "only these names carry an id");
  std::string id = fmt::format("{:016x}", random.next());
  id += fmt::format("{:016x}", random.next());
  const auto ending =
      fmt::format("-{}.{}{}", partition.partition, id, kind == DirectoryKind::deleted ? "-delete" : "-future");
  const auto topic = std::string_view(partition.topic).substr(0, kMaxDirectoryName - ending.size());
  return fmt::format("{}{}", topic, ending);
}

std::optional<PartitionDirectory> parse_directory_name(std::string_view name) {
  for (const auto& ending : kDirectorySuffixes) {
    if (!name.ends_with(ending.text)) continue;
    const auto front = name.substr(0, name.size() - ending.text.size());
    const auto dot = front.rfind('.');
    if (dot == std::string_view::npos || dot + 1 == front.size()) return std::nullopt;
    auto partition = parse_topic_partition(front.substr(0, dot));
    if (!partition) return std::nullopt;
    return PartitionDirectory{std::move(*partition), ending.kind};
  }
  auto partition = parse_topic_partition(name);
  if (!partition) return std::nullopt;
  return PartitionDirectory{std::move(*partition), DirectoryKind::live};
}

}  // namespace storage
