#include "base/posix_files.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdio>
#include <filesystem>
#include <system_error>

namespace base {
namespace {

Error disk_error(std::string_view call, const std::string& path, int number = errno) {
  return fail(ErrorCode::kafka_storage_error, "{} {}: {}", call, path, std::generic_category().message(number));
}

// A descriptor that is closed once. Closing a file opened for writing loses nothing that sync() promised.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const { return fd_; }
  bool ok() const { return fd_ >= 0; }

 private:
  int fd_;
};

class PosixFile final : public File {
 public:
  PosixFile(int fd, std::string path) : fd_(fd), path_(std::move(path)) {}

  const std::string& path() const override { return path_; }
  int descriptor() const override { return fd_.get(); }

  Result<std::uint64_t> size() const override {
    struct stat st {};
    if (::fstat(fd_.get(), &st) != 0) return disk_error("stat", path_);
    return static_cast<std::uint64_t>(st.st_size);
  }

  Result<std::size_t> read_at(std::uint64_t position, std::span<std::byte> out) const override {
    std::size_t done = 0;
    while (done < out.size()) {
      const auto n = ::pread(fd_.get(), out.data() + done, out.size() - done, static_cast<off_t>(position + done));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return disk_error("read", path_);
      if (n == 0) break;
      done += static_cast<std::size_t>(n);
    }
    return done;
  }

  Status write_at(std::uint64_t position, std::span<const std::span<const std::byte>> pieces) override {
    std::vector<iovec> vectors;
    vectors.reserve(pieces.size());
    for (auto piece : pieces)
      if (!piece.empty()) vectors.push_back({const_cast<std::byte*>(piece.data()), piece.size()});
    std::size_t first = 0;
    while (first < vectors.size()) {
      const auto count = std::min<std::size_t>(vectors.size() - first, IOV_MAX);
      auto n = ::pwritev(fd_.get(), &vectors[first], static_cast<int>(count), static_cast<off_t>(position));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return disk_error("write", path_);
      position += static_cast<std::uint64_t>(n);
      auto left = static_cast<std::size_t>(n);
      while (left > 0 && left >= vectors[first].iov_len) left -= vectors[first++].iov_len;
      if (left > 0) {
        vectors[first].iov_base = static_cast<char*>(vectors[first].iov_base) + left;
        vectors[first].iov_len -= left;
      }
    }
    return {};
  }

  Status truncate(std::uint64_t size) override {
    if (::ftruncate(fd_.get(), static_cast<off_t>(size)) != 0) return disk_error("truncate", path_);
    return {};
  }

  Status sync() override {
    if (::fdatasync(fd_.get()) != 0) return disk_error("sync", path_);
    return {};
  }

 private:
  Descriptor fd_;
  std::string path_;
};

class PosixLock final : public FileLock {
 public:
  explicit PosixLock(int fd) : fd_(fd) {}

 private:
  Descriptor fd_;
};

int flags_of(OpenMode mode) {
  switch (mode) {
    case OpenMode::read_only:
      return O_RDONLY;
    case OpenMode::read_write:
      return O_RDWR;
    case OpenMode::create_or_open:
      return O_RDWR | O_CREAT;
    case OpenMode::create_new:
      return O_RDWR | O_CREAT | O_EXCL;
  }
  return O_RDONLY;
}

}  // namespace

Result<std::unique_ptr<File>> PosixFiles::open(const std::string& path, OpenMode mode) {
  const int fd = ::open(path.c_str(), flags_of(mode) | O_CLOEXEC, 0644);
  if (fd < 0) return disk_error("open", path);
  return std::unique_ptr<File>(std::make_unique<PosixFile>(fd, path));
}

Result<bool> PosixFiles::exists(const std::string& path) {
  if (::access(path.c_str(), F_OK) == 0) return true;
  if (errno == ENOENT || errno == ENOTDIR) return false;
  return disk_error("access", path);
}

Result<FileInfo> PosixFiles::info(const std::string& path) {
  struct stat st {};
  if (::stat(path.c_str(), &st) != 0) return disk_error("stat", path);
  return FileInfo{.is_directory = S_ISDIR(st.st_mode),
                  .size_bytes = static_cast<std::uint64_t>(st.st_size),
                  .modified = timestamp_from_ms(st.st_mtim.tv_sec * 1000 + st.st_mtim.tv_nsec / 1'000'000)};
}

Result<std::vector<DirectoryEntry>> PosixFiles::list(const std::string& directory) {
  std::unique_ptr<DIR, int (*)(DIR*)> dir(::opendir(directory.c_str()), ::closedir);
  if (!dir) return disk_error("list", directory);
  std::vector<DirectoryEntry> entries;
  for (;;) {
    errno = 0;
    const dirent* entry = ::readdir(dir.get());
    if (!entry) {
      if (errno != 0) return disk_error("list", directory);
      break;
    }
    std::string name = entry->d_name;
    if (name == "." || name == "..") continue;
    bool is_directory = entry->d_type == DT_DIR;
    if (entry->d_type == DT_UNKNOWN || entry->d_type == DT_LNK) {
      auto known = info(directory + "/" + name);
      is_directory = known && known->is_directory;
    }
    entries.push_back({std::move(name), is_directory});
  }
  std::sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  return entries;
}

Status PosixFiles::create_directories(const std::string& path) {
  std::error_code ec;
  std::filesystem::create_directories(path, ec);
  if (ec) return disk_error("create directory", path, ec.value());
  return {};
}

Status PosixFiles::rename(const std::string& from, const std::string& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) return disk_error("rename to " + to + " from", from);
  return {};
}

Status PosixFiles::remove(const std::string& path) {
  if (::remove(path.c_str()) != 0 && errno != ENOENT) return disk_error("remove", path);
  return {};
}

Status PosixFiles::remove_tree(const std::string& path) {
  std::error_code ec;
  std::filesystem::remove_all(path, ec);
  if (ec) return disk_error("remove", path, ec.value());
  return {};
}

Status PosixFiles::sync_directory(const std::string& path) {
  Descriptor fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.ok()) return disk_error("open directory", path);
  if (::fsync(fd.get()) != 0) return disk_error("sync directory", path);
  return {};
}

Status PosixFiles::set_modified(const std::string& path, Timestamp time) {
  const auto ms = to_ms(time);
  const timespec times[2] = {{0, UTIME_OMIT}, {ms / 1000, (ms % 1000) * 1'000'000}};
  if (::utimensat(AT_FDCWD, path.c_str(), times, 0) != 0) return disk_error("set time of", path);
  return {};
}

Result<std::uint64_t> PosixFiles::free_bytes(const std::string& path) {
  struct statvfs vfs {};
  if (::statvfs(path.c_str(), &vfs) != 0) return disk_error("statvfs", path);
  return static_cast<std::uint64_t>(vfs.f_bavail) * vfs.f_frsize;
}

Result<std::unique_ptr<FileLock>> PosixFiles::lock(const std::string& path) {
  // Java's FileChannel.lock is a POSIX record lock, so ours must be one too for either process to see the other's.
  // It belongs to the process and would go if any descriptor of this file were closed: nobody else opens it.
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (fd < 0) return disk_error("open", path);
  auto lock = std::make_unique<PosixLock>(fd);
  struct flock whole {};
  whole.l_type = F_WRLCK;
  whole.l_whence = SEEK_SET;
  if (::fcntl(fd, F_SETLK, &whole) != 0)
    return fail(ErrorCode::kafka_storage_error,
                "{} is locked by another process: is a broker already running on this directory?", path);
  return std::unique_ptr<FileLock>(std::move(lock));
}

}  // namespace base
