#include "storage/dirs/checkpoints.h"

#include <charconv>
#include <cstdint>
#include <iterator>
#include <vector>

namespace storage {

using base::Error;
using base::ErrorCode;
using base::Result;
using base::Status;

namespace {

constexpr std::string_view kVersion = "0";

// Takes a line off the front, without its end. A last line need not end in a newline.
std::string_view take_line(std::string_view& text) {
  const auto end = text.find('\n');
  const auto line = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return line;
}

void split(std::string_view line, std::vector<std::string_view>& fields) {
  constexpr std::string_view kBlanks = " \t\r";
  fields.clear();
  while (true) {
    const auto begin = line.find_first_not_of(kBlanks);
    if (begin == std::string_view::npos) return;
    line.remove_prefix(begin);
    const auto size = std::min(line.find_first_of(kBlanks), line.size());
    fields.push_back(line.substr(0, size));
    line.remove_prefix(size);
  }
}

// Bad files may hold anything; the log line about them should not.
std::string shown(std::string_view line) {
  std::string out;
  for (const char c : line.substr(0, 80)) out += c >= ' ' && c < 0x7f ? c : '?';
  return out;
}

}  // namespace

template <std::integral T>
Result<T> parse_number(std::string_view text) {
  T number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size() || number < 0)
    return base::fail(ErrorCode::kafka_storage_error, "'{}' is not a number from 0 to {}", shown(text),
                      std::numeric_limits<T>::max());
  return number;
}
template Result<std::int32_t> parse_number(std::string_view);
template Result<std::int64_t> parse_number(std::string_view);

Status parse_text_table(std::string_view text, std::size_t columns,
                        absl::FunctionRef<Status(std::span<const std::string_view>)> take_row) {
  if (text.empty()) return {};
  std::vector<std::string_view> fields;

  const auto version = take_line(text);
  split(version, fields);
  if (fields.size() != 1 || fields[0] != kVersion)
    return base::fail(ErrorCode::kafka_storage_error, "line 1: expected version {}, found '{}'", kVersion,
                      shown(version));

  const auto count = take_line(text);
  split(count, fields);
  if (fields.size() != 1)
    return base::fail(ErrorCode::kafka_storage_error, "line 2: expected the number of rows, found '{}'", shown(count));
  const auto expected = parse_number<std::int64_t>(fields[0]);
  if (!expected) return base::fail(ErrorCode::kafka_storage_error, "line 2: {}", expected.error().detail);

  std::int64_t rows = 0;
  for (; !text.empty(); ++rows) {
    const auto line_number = rows + 3;
    const auto line = take_line(text);
    split(line, fields);
    if (fields.size() != columns)
      return base::fail(ErrorCode::kafka_storage_error, "line {}: expected {} fields, found '{}'", line_number, columns,
                        shown(line));
    if (auto taken = take_row(fields); !taken)
      return base::fail(ErrorCode::kafka_storage_error, "line {}: {}", line_number, taken.error().detail);
  }
  if (rows != *expected)
    return base::fail(ErrorCode::kafka_storage_error, "line 2 promises {} rows, {} follow", *expected, rows);
  return {};
}

std::string format_text_table(std::size_t rows, absl::FunctionRef<void(std::string& out)> write_rows) {
  std::string out = fmt::format("{}\n{}\n", kVersion, rows);
  write_rows(out);
  return out;
}

Result<OffsetCheckpoint> parse_offset_checkpoint(std::string_view text) {
  OffsetCheckpoint offsets;
  auto parsed = parse_text_table(text, 3, [&](std::span<const std::string_view> row) -> Status {
    const auto partition = parse_number<std::int32_t>(row[1]);
    if (!partition) return partition.error();
    const auto offset = parse_number<std::int64_t>(row[2]);
    if (!offset) return offset.error();
    offsets.insert_or_assign(base::TopicPartition{std::string{row[0]}, *partition}, base::Offset{*offset});
    return {};
  });
  if (!parsed) return parsed.error();
  return offsets;
}

std::string format_offset_checkpoint(const OffsetCheckpoint& offsets) {
  return format_text_table(offsets.size(), [&](std::string& out) {
    for (const auto& [partition, offset] : offsets)
      fmt::format_to(std::back_inserter(out), "{} {} {}\n", partition.topic, partition.partition, offset);
  });
}

Result<OffsetCheckpoint> load_offset_checkpoint(base::FileSystem& files, const std::string& path) {
  auto text = read_file_if_there(files, path);
  if (!text) return text.error();
  if (!*text) return OffsetCheckpoint{};
  auto offsets = parse_offset_checkpoint(**text);
  if (!offsets) return in_file(path, offsets.error());
  return offsets;
}

Status store_offset_checkpoint(base::FileSystem& files, const std::string& path, const OffsetCheckpoint& offsets) {
  return base::write_file_atomically(files, path, format_offset_checkpoint(offsets));
}

Result<base::Uuid> parse_partition_metadata(std::string_view text) {
  std::vector<std::string_view> fields;
  const auto version = take_line(text);
  split(version, fields);
  if (fields.size() != 2 || fields[0] != "version:" || fields[1] != kVersion)
    return base::fail(ErrorCode::kafka_storage_error, "line 1: expected 'version: {}', found '{}'", kVersion,
                      shown(version));
  const auto id = take_line(text);
  split(id, fields);
  const auto uuid =
      fields.size() == 2 && fields[0] == "topic_id:" ? base::Uuid::from_text(fields[1]) : std::optional<base::Uuid>{};
  if (!uuid || uuid->is_zero() || !text.empty())
    return base::fail(ErrorCode::kafka_storage_error,
                      "line 2: expected 'topic_id: ' and an id as the last line, "
                      "found '{}'",
                      shown(id));
  return *uuid;
}

std::string format_partition_metadata(const base::Uuid& topic_id) {
  return fmt::format("version: {}\ntopic_id: {}", kVersion, topic_id.text());
}

Result<std::optional<base::Uuid>> load_partition_metadata(base::FileSystem& files, const std::string& path) {
  auto text = read_file_if_there(files, path);
  if (!text) return text.error();
  if (!*text) return std::optional<base::Uuid>{};
  auto id = parse_partition_metadata(**text);
  if (!id) return in_file(path, id.error());
  return std::optional{*id};
}

Status store_partition_metadata(base::FileSystem& files, const std::string& path, const base::Uuid& topic_id) {
  return base::write_file_atomically(files, path, format_partition_metadata(topic_id));
}

Result<std::optional<std::string>> read_file_if_there(base::FileSystem& files, const std::string& path) {
  const auto there = files.exists(path);
  if (!there) return there.error();
  if (!*there) return std::optional<std::string>{};
  auto text = base::read_file(files, path);
  if (!text) return text.error();
  return std::optional{std::move(*text)};
}

Error in_file(const std::string& path, const Error& error) {
  return base::fail(error.code, "{}: {}", path, error.detail);
}

}  // namespace storage
