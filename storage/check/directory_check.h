// One log directory: whose it is, its partitions, and its checkpoints held against them.
//
// open() takes the lock a broker would hold and keeps it; then every partition() is checked as partition_check.h says,
// by whatever threads; finish() judges the checkpoints by what the partitions hold. repair() mends those.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/file_system.h"
#include "storage/check/partition_check.h"
#include "storage/dirs/checkpoints.h"
#include "storage/dirs/identity.h"
#include "storage/segment/names.h"

namespace storage {

class DirectoryCheck {
 public:
  DirectoryCheck(base::FileSystem& files, std::string path) : files_(files), path_(std::move(path)) {}
  ~DirectoryCheck();
  DirectoryCheck(const DirectoryCheck&) = delete;
  DirectoryCheck& operator=(const DirectoryCheck&) = delete;

  // Fails when it is not there, cannot be read, or a broker uses it.
  base::Status open();
  struct Partition {
    TopicPartition name;
    std::unique_ptr<PartitionCheck> check;
  };
  std::vector<Partition>& partitions() { return partitions_; }
  // After every partition's.
  base::Status finish();

  const std::string& path() const { return path_; }
  const std::optional<Identity>& identity() const { return identity_; }
  // Of the directory itself; the partitions have their own.
  const std::vector<Finding>& findings() const { return findings_; }

  base::Result<std::vector<std::string>> repair();

 private:
  base::Status look_at_names();
  base::Status check_identity_file();
  base::Status check_checkpoint(std::string_view name);

  base::FileSystem& files_;
  std::string path_;
  std::unique_ptr<base::FileLock> lock_;
  bool made_lock_file_ = false;
  bool clean_stop_ = false;
  std::optional<Identity> identity_;
  std::vector<Partition> partitions_;
  std::vector<Finding> opening_findings_;
  std::vector<Finding> findings_;
  std::vector<std::pair<std::string, OffsetCheckpoint>> rewritten_;  // what repair() writes
};

}  // namespace storage
