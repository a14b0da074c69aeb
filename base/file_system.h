// The disk as we want to see it. The real one is in posix_files.h; tests have one that forgets what was not synced,
// tears the last write, or fails the n-th call.
//
// Errors are `kafka_storage_error` with the path, the call and the system's words in the detail. A failed write or sync
// is never tried again on the same file: the caller takes the log directory out of service, unless the disk was only
// full (is_out_of_space), which leaves everything written before as it was.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/ids.h"

namespace base {

// An open file. Reads may come from any thread; writes, truncation and sync from one at a time (the owner's lock).
class File {
 public:
  virtual ~File() = default;

  virtual const std::string& path() const = 0;
  virtual Result<std::uint64_t> size() const = 0;

  // Reads up to out.size() bytes from `position`; fewer only at the end of the file.
  virtual Result<std::size_t> read_at(std::uint64_t position, std::span<std::byte> out) const = 0;

  // Writes all pieces one after another from `position`, in as few calls as the system allows (pwritev).
  virtual Status write_at(std::uint64_t position, std::span<const std::span<const std::byte>> pieces) = 0;
  Status write_at(std::uint64_t position, std::span<const std::byte> bytes) {
    const std::span<const std::byte> one[] = {bytes};
    return write_at(position, std::span<const std::span<const std::byte>>(one));
  }

  virtual Status truncate(std::uint64_t size) = 0;
  // Data and the size needed to read it back (fdatasync).
  virtual Status sync() = 0;

  // For sendfile and cachestat; -1 when there is no such thing behind this file.
  virtual int descriptor() const = 0;
};

// Holds an exclusive advisory lock until destroyed.
class FileLock {
 public:
  virtual ~FileLock() = default;
};

enum class OpenMode { read_only, read_write, create_or_open, create_new };

struct DirectoryEntry {
  std::string name;
  bool is_directory = false;
};

struct FileInfo {
  bool is_directory = false;
  std::uint64_t size_bytes = 0;
  Timestamp modified{};
};

// Any thread may call.
class FileSystem {
 public:
  virtual ~FileSystem() = default;

  virtual Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) = 0;
  virtual Result<bool> exists(const std::string& path) = 0;
  virtual Result<FileInfo> info(const std::string& path) = 0;
  virtual Result<std::vector<DirectoryEntry>> list(const std::string& directory) = 0;  // sorted by name
  virtual Status create_directories(const std::string& path) = 0;
  virtual Status rename(const std::string& from, const std::string& to) = 0;
  // Removing what is not there succeeds.
  virtual Status remove(const std::string& path) = 0;
  virtual Status remove_tree(const std::string& path) = 0;
  virtual Status sync_directory(const std::string& path) = 0;
  virtual Status set_modified(const std::string& path, Timestamp time) = 0;
  virtual Result<std::uint64_t> free_bytes(const std::string& path) = 0;
  // `kafka_storage_error` when another process holds it.
  virtual Result<std::unique_ptr<FileLock>> lock(const std::string& path) = 0;
};

// A call that found no room, and is not a sync: what a sync could not write may be lost for ever.
bool is_out_of_space(const Error& error);

// Whole small files. write_file_atomically: <path>.tmp, sync, rename over, sync the directory; a crash leaves the
// old or the new contents, never a mixture.
Result<std::string> read_file(FileSystem& files, const std::string& path);
Status write_file_atomically(FileSystem& files, const std::string& path, std::string_view contents);

}  // namespace base
