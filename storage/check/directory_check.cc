#include "storage/check/directory_check.h"

#include <absl/strings/str_split.h>

#include <array>

#include "storage/dirs/log_dirs.h"

namespace storage {

using base::ErrorCode;
using base::fail;
using base::Result;
using base::Status;

namespace {

// The rows that can be read, one by one.
OffsetCheckpoint salvage(std::string_view text) {
  OffsetCheckpoint rows;
  for (const auto line : absl::StrSplit(absl::string_view(text.data(), text.size()), '\n')) {
    const auto one = fmt::format("0\n1\n{}\n", std::string_view(line.data(), line.size()));
    if (auto row = parse_offset_checkpoint(one); row && row->size() == 1) rows.insert(*row->begin());
  }
  return rows;
}

}  // namespace

DirectoryCheck::~DirectoryCheck() {
  lock_.reset();
  // Apache Kafka 3.9 leaves none behind, and neither do we.
  if (made_lock_file_) (void)files_.remove(path_ + "/" + std::string(kLockFile));
}

Status DirectoryCheck::open() {
  auto there = files_.exists(path_);
  if (!there) return there.error();
  if (!*there) return fail(ErrorCode::kafka_storage_error, "there is no directory {}", path_);
  const auto lock_path = path_ + "/" + std::string(kLockFile);
  auto lock_file = files_.exists(lock_path);
  if (!lock_file) return lock_file.error();
  auto lock = files_.lock(lock_path);
  if (!lock)
    return fail(ErrorCode::kafka_storage_error, "{} is in use: {}. Stop the broker first", path_, lock.error().detail);
  lock_ = std::move(lock).value();
  made_lock_file_ = !*lock_file;
  auto clean = files_.exists(path_ + "/" + std::string(kCleanMarker));
  if (!clean) return clean.error();
  clean_stop_ = *clean;
  if (auto s = check_identity_file(); !s) return s;
  return look_at_names();
}

Status DirectoryCheck::check_identity_file() {
  const auto path = path_ + "/" + std::string(kMetaProperties);
  auto text = read_file_if_there(files_, path);
  if (!text) return text.error();
  if (!*text) return {};  // a broker writes it at its first start
  auto identity = parse_identity(**text);
  if (identity)
    identity_ = *identity;
  else
    opening_findings_.push_back({path, std::nullopt, identity.error().detail, Remedy::none});
  return {};
}

Status DirectoryCheck::look_at_names() {
  // One that cannot be read is told of later.
  auto recovery_points = load_offset_checkpoint(files_, path_ + "/" + std::string(kRecoveryPointCheckpoint));
  auto entries = files_.list(path_);
  if (!entries) return entries.error();
  for (const auto& entry : *entries) {
    if (!entry.is_directory) continue;
    const auto path = path_ + "/" + entry.name;
    const auto directory = parse_directory_name(entry.name);
    if (!directory) {
      opening_findings_.push_back(
          {path, std::nullopt, "not the directory of a partition: no broker starts with it", Remedy::none});
      continue;
    }
    if (directory->kind == DirectoryKind::deleted || directory->kind == DirectoryKind::stray) continue;
    PartitionCheck::LastStop stop{.clean = clean_stop_};
    if (recovery_points)
      if (const auto row = recovery_points->find(directory->partition); row != recovery_points->end())
        stop.recovery_point = row->second;
    partitions_.push_back({directory->partition, std::make_unique<PartitionCheck>(files_, path, stop)});
  }
  return {};
}

Status DirectoryCheck::finish() {
  findings_ = opening_findings_;
  rewritten_.clear();
  for (const auto name : {kRecoveryPointCheckpoint, kLogStartCheckpoint, kHighWatermarkCheckpoint, kCleanerCheckpoint})
    if (auto s = check_checkpoint(name); !s) return s;
  return {};
}

Status DirectoryCheck::check_checkpoint(std::string_view name) {
  const auto path = path_ + "/" + std::string(name);
  auto text = read_file_if_there(files_, path);
  if (!text) return text.error();
  if (!*text) return {};
  const auto before = findings_.size();
  auto parsed = parse_offset_checkpoint(**text);
  if (!parsed) findings_.push_back({path, std::nullopt, parsed.error().detail, Remedy::rewrite_checkpoint});
  auto rows = parsed ? std::move(parsed).value() : salvage(**text);
  for (const auto& [partition, check] : partitions_) {
    const auto row = rows.find(partition);
    if (row == rows.end() || row->second <= check->log_end()) continue;
    findings_.push_back({path, std::nullopt,
                         fmt::format("{} stands at {}, the log ends at {}", partition, row->second, check->log_end()),
                         Remedy::rewrite_checkpoint});
    // Without a row the log begins with its first record, and compaction with its first segment. The other two are
    // promises about records that are not there.
    if (name == kLogStartCheckpoint || name == kCleanerCheckpoint)
      rows.erase(row);
    else
      row->second = check->log_end();
  }
  if (findings_.size() > before) rewritten_.emplace_back(path, std::move(rows));
  return {};
}

Result<std::vector<std::string>> DirectoryCheck::repair() {
  std::vector<std::string> done;
  for (const auto& [path, rows] : rewritten_) {
    if (auto s = store_offset_checkpoint(files_, path, rows); !s) return s.error();
    done.push_back(fmt::format("{}: wrote {} rows anew", path, rows.size()));
  }
  return done;
}

}  // namespace storage
