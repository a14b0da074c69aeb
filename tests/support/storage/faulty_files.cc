#include "tests/support/storage/faulty_files.h"

#include <algorithm>
#include <cstring>

namespace storage::testing {

using base::ErrorCode;
using base::fail;
using base::Result;
using base::Status;

namespace {

std::string parent_of(const std::string& path) {
  const auto slash = path.rfind('/');
  return slash == std::string::npos ? std::string() : path.substr(0, slash);
}
base::Error no_such(const std::string& path) {
  return fail(ErrorCode::kafka_storage_error, "open {}: No such file or directory", path);
}

}  // namespace

Status FaultyFiles::Disk::look(const std::string& path) const {
  if (stopped) return fail(ErrorCode::kafka_storage_error, "{}: the machine has stopped", path);
  return {};
}

Status FaultyFiles::Disk::change(const std::string& path, bool* tear) {
  if (auto s = look(path); !s) return s;
  ++changes;
  if (!fail_part.empty() && path.find(fail_part) != std::string::npos)
    return fail(ErrorCode::kafka_storage_error, "write {}: Input/output error", path);
  if (changes == stop_at) {
    stopped = true;
    if (tear) *tear = true;
    return fail(ErrorCode::kafka_storage_error, "{}: the machine stops here", path);
  }
  if (changes == fail_at) return fail(ErrorCode::kafka_storage_error, "write {}: Input/output error", path);
  return {};
}

base::Error FaultyFiles::Disk::no_room(std::string_view call, const std::string& path) const {
  return fail(ErrorCode::kafka_storage_error, "{} {}: No space left on device", call, path);
}

class FaultyFiles::MemoryFile final : public base::File {
 public:
  MemoryFile(std::shared_ptr<Disk> disk, std::string path, std::shared_ptr<Inode> inode, std::size_t generation)
      : disk_(std::move(disk)), path_(std::move(path)), inode_(std::move(inode)), generation_(generation) {}
  ~MemoryFile() override {
    absl::MutexLock lock(&disk_->mutex);
    --disk_->open_files;
  }

  const std::string& path() const override { return path_; }
  int descriptor() const override { return -1; }

  Result<std::uint64_t> size() const override {
    absl::MutexLock lock(&disk_->mutex);
    if (auto s = disk_->look(path_); !s) return s.error();
    return static_cast<std::uint64_t>(inode_->bytes.size());
  }
  Result<std::size_t> read_at(std::uint64_t position, std::span<std::byte> out) const override {
    absl::MutexLock lock(&disk_->mutex);
    if (auto s = disk_->look(path_); !s) return s.error();
    if (position >= inode_->bytes.size()) return std::size_t{0};
    const auto n = std::min<std::size_t>(out.size(), inode_->bytes.size() - position);
    std::memcpy(out.data(), inode_->bytes.data() + position, n);
    return n;
  }
  Status write_at(std::uint64_t position, std::span<const std::span<const std::byte>> pieces) override {
    absl::MutexLock lock(&disk_->mutex);
    std::string all;
    for (auto piece : pieces) all.append(reinterpret_cast<const char*>(piece.data()), piece.size());
    bool tear = false;
    auto allowed = change(&tear);
    if (!allowed && !tear) return allowed;
    const bool grows = position + all.size() > inode_->bytes.size();
    if (disk_->full && grows && !tear) {
      tear = true;
      allowed = disk_->no_room("write", path_);
    }
    if (tear) all.resize(std::min(all.size(), disk_->torn_bytes));
    if (all.empty()) return allowed;
    if (inode_->bytes.size() < position + all.size()) inode_->bytes.resize(position + all.size());
    inode_->bytes.replace(position, all.size(), all);
    return allowed;
  }
  Status truncate(std::uint64_t size) override {
    absl::MutexLock lock(&disk_->mutex);
    if (auto s = change(); !s) return s;
    inode_->bytes.resize(size);
    return {};
  }
  Status sync() override {
    absl::MutexLock lock(&disk_->mutex);
    if (auto s = change(); !s) return s;
    inode_->synced = inode_->bytes;
    for (const auto& [name, inode] : disk_->names)
      if (inode == inode_) disk_->durable_names[name] = inode;
    return {};
  }

 private:
  Status change(bool* tear = nullptr) ABSL_EXCLUSIVE_LOCKS_REQUIRED(disk_->mutex) {
    if (generation_ != disk_->generation)
      return fail(ErrorCode::kafka_storage_error, "{} was opened before the restart", path_);
    return disk_->change(path_, tear);
  }

  std::shared_ptr<Disk> disk_;
  std::string path_;
  std::shared_ptr<Inode> inode_;
  std::size_t generation_;
};

class FaultyFiles::MemoryLock final : public base::FileLock {
 public:
  MemoryLock(std::shared_ptr<Disk> disk, std::string path) : disk_(std::move(disk)), path_(std::move(path)) {}
  ~MemoryLock() override {
    absl::MutexLock lock(&disk_->mutex);
    disk_->locked.erase(path_);
  }

 private:
  std::shared_ptr<Disk> disk_;
  std::string path_;
};

void FaultyFiles::stop_at(std::size_t n, std::size_t torn_bytes) {
  absl::MutexLock lock(&disk_->mutex);
  disk_->stop_at = disk_->changes + n;
  disk_->torn_bytes = torn_bytes;
}
void FaultyFiles::fail_at(std::size_t n) {
  absl::MutexLock lock(&disk_->mutex);
  disk_->fail_at = disk_->changes + n;
}
void FaultyFiles::fail_paths_with(std::string part) {
  absl::MutexLock lock(&disk_->mutex);
  disk_->fail_part = std::move(part);
}
void FaultyFiles::never_fail() {
  absl::MutexLock lock(&disk_->mutex);
  disk_->stop_at = disk_->fail_at = 0;
  disk_->fail_part.clear();
}
void FaultyFiles::run_out_of_descriptors(bool now) {
  absl::MutexLock lock(&disk_->mutex);
  disk_->no_descriptors = now;
}
std::size_t FaultyFiles::open_files() const {
  absl::MutexLock lock(&disk_->mutex);
  return disk_->open_files;
}
bool FaultyFiles::stopped() const {
  absl::MutexLock lock(&disk_->mutex);
  return disk_->stopped;
}
std::size_t FaultyFiles::changes() const {
  absl::MutexLock lock(&disk_->mutex);
  return disk_->changes;
}

void FaultyFiles::stop() {
  absl::MutexLock lock(&disk_->mutex);
  disk_->stopped = true;
}

void FaultyFiles::lose_in_part(Inode& inode, base::Random& chance) {
  if (!inode.bytes.starts_with(inode.synced)) {  // written over, or cut
    if (chance.below(2) == 0) inode.bytes = inode.synced;
  } else {
    const auto size = inode.bytes.size();
    inode.bytes.resize(inode.synced.size() + chance.below(size - inode.synced.size() + 1));
    if (chance.below(4) == 0) inode.bytes.resize(size);
  }
  inode.synced = inode.bytes;
}

void FaultyFiles::restart(AfterStop what, base::Random* chance) {
  absl::MutexLock lock(&disk_->mutex);
  disk_->stopped = false;
  disk_->stop_at = disk_->fail_at = 0;
  ++disk_->generation;
  disk_->locked.clear();
  if (what == AfterStop::lost_unsynced) {
    disk_->names = disk_->durable_names;
    for (auto& [name, inode] : disk_->names) inode->bytes = inode->synced;
  } else if (what == AfterStop::lost_in_part) {
    if (chance->below(2) == 0) disk_->names = disk_->durable_names;
    for (auto& [name, inode] : disk_->names) lose_in_part(*inode, *chance);
    disk_->durable_names = disk_->names;
  } else {
    for (auto& [name, inode] : disk_->names) inode->synced = inode->bytes;
    disk_->durable_names = disk_->names;
  }
}

std::string FaultyFiles::contents(const std::string& path) const {
  absl::MutexLock lock(&disk_->mutex);
  auto found = disk_->names.find(path);
  return found == disk_->names.end() ? std::string("(missing)") : found->second->bytes;
}
void FaultyFiles::put(const std::string& path, std::string contents) {
  absl::MutexLock lock(&disk_->mutex);
  auto inode = std::make_shared<Inode>();
  inode->bytes = inode->synced = std::move(contents);
  disk_->names[path] = disk_->durable_names[path] = inode;
  for (auto directory = parent_of(path); !directory.empty(); directory = parent_of(directory))
    disk_->directories.insert(directory);
}
std::vector<std::string> FaultyFiles::all_paths() const {
  absl::MutexLock lock(&disk_->mutex);
  std::vector<std::string> paths;
  for (const auto& [name, inode] : disk_->names) paths.push_back(name);
  return paths;
}

Result<std::unique_ptr<base::File>> FaultyFiles::open(const std::string& path, base::OpenMode mode) {
  absl::MutexLock lock(&disk_->mutex);
  if (auto s = disk_->look(path); !s) return s.error();
  if (disk_->no_descriptors) return fail(ErrorCode::kafka_storage_error, "open {}: Too many open files", path);
  auto found = disk_->names.find(path);
  if (found == disk_->names.end()) {
    if (mode != base::OpenMode::create_new && mode != base::OpenMode::create_or_open) return no_such(path);
    if (!disk_->directories.contains(parent_of(path))) return no_such(path);
    if (auto s = disk_->change(path); !s) return s.error();
    if (disk_->full) return disk_->no_room("open", path);
    found = disk_->names.emplace(path, std::make_shared<Inode>()).first;
  } else if (mode == base::OpenMode::create_new) {
    return fail(ErrorCode::kafka_storage_error, "open {}: File exists", path);
  }
  ++disk_->open_files;
  return std::unique_ptr<base::File>(std::make_unique<MemoryFile>(disk_, path, found->second, disk_->generation));
}

Result<bool> FaultyFiles::exists(const std::string& path) {
  absl::MutexLock lock(&disk_->mutex);
  if (auto s = disk_->look(path); !s) return s.error();
  return disk_->names.contains(path) || disk_->directories.contains(path);
}

Result<base::FileInfo> FaultyFiles::info(const std::string& path) {
  absl::MutexLock lock(&disk_->mutex);
  if (auto s = disk_->look(path); !s) return s.error();
  if (disk_->directories.contains(path)) return base::FileInfo{.is_directory = true};
  auto found = disk_->names.find(path);
  if (found == disk_->names.end()) return no_such(path);
  return base::FileInfo{
      .is_directory = false, .size_bytes = found->second->bytes.size(), .modified = found->second->modified};
}

Result<std::vector<base::DirectoryEntry>> FaultyFiles::list(const std::string& directory) {
  absl::MutexLock lock(&disk_->mutex);
  if (auto s = disk_->look(directory); !s) return s.error();
  if (!disk_->directories.contains(directory)) return no_such(directory);
  std::vector<base::DirectoryEntry> entries;
  for (const auto& name : disk_->directories)
    if (parent_of(name) == directory) entries.push_back({name.substr(directory.size() + 1), true});
  for (const auto& [name, inode] : disk_->names)
    if (parent_of(name) == directory) entries.push_back({name.substr(directory.size() + 1), false});
  std::sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  return entries;
}

Status FaultyFiles::create_directories(const std::string& path) {
  absl::MutexLock lock(&disk_->mutex);
  if (disk_->directories.contains(path)) return disk_->look(path);
  if (auto s = disk_->change(path); !s) return s;
  for (auto directory = path; !directory.empty(); directory = parent_of(directory))
    disk_->directories.insert(directory);
  return {};
}

Status FaultyFiles::rename(const std::string& from, const std::string& to) {
  absl::MutexLock lock(&disk_->mutex);
  if (auto s = disk_->change(from); !s) return s;
  if (disk_->directories.contains(from)) {
    const auto moved = [&](const std::string& name) { return to + name.substr(from.size()); };
    const auto inside = [&](const std::string& name) { return name == from || name.starts_with(from + "/"); };
    for (auto* names : {&disk_->names, &disk_->durable_names}) {
      Names next;
      for (auto& [name, inode] : *names) next[inside(name) ? moved(name) : name] = inode;
      *names = std::move(next);
    }
    std::set<std::string> directories;
    for (const auto& name : disk_->directories) directories.insert(inside(name) ? moved(name) : name);
    disk_->directories = std::move(directories);
    return {};
  }
  auto found = disk_->names.find(from);
  if (found == disk_->names.end()) return no_such(from);
  auto inode = found->second;
  disk_->names.erase(found);
  disk_->names[to] = std::move(inode);
  return {};
}

Status FaultyFiles::remove(const std::string& path) {
  absl::MutexLock lock(&disk_->mutex);
  if (!disk_->names.contains(path) && !disk_->directories.contains(path)) return disk_->look(path);
  if (auto s = disk_->change(path); !s) return s;
  disk_->names.erase(path);
  disk_->directories.erase(path);
  return {};
}

Status FaultyFiles::remove_tree(const std::string& path) {
  absl::MutexLock lock(&disk_->mutex);
  if (auto s = disk_->change(path); !s) return s;
  const auto inside = [&](const std::string& name) { return name == path || name.starts_with(path + "/"); };
  std::erase_if(disk_->names, [&](const auto& entry) { return inside(entry.first); });
  std::erase_if(disk_->directories, inside);
  return {};
}

Status FaultyFiles::sync_directory(const std::string& path) {
  absl::MutexLock lock(&disk_->mutex);
  if (auto s = disk_->change(path); !s) return s;
  std::erase_if(disk_->durable_names, [&](const auto& entry) {
    return parent_of(entry.first) == path && !disk_->names.contains(entry.first);
  });
  for (const auto& [name, inode] : disk_->names)
    if (parent_of(name) == path) disk_->durable_names[name] = inode;
  return {};
}

Status FaultyFiles::set_modified(const std::string& path, base::Timestamp time) {
  absl::MutexLock lock(&disk_->mutex);
  if (auto s = disk_->change(path); !s) return s;
  auto found = disk_->names.find(path);
  if (found == disk_->names.end()) return no_such(path);
  found->second->modified = time;
  return {};
}

Result<std::uint64_t> FaultyFiles::free_bytes(const std::string& path) {
  absl::MutexLock lock(&disk_->mutex);
  if (auto s = disk_->look(path); !s) return s.error();
  return disk_->free_bytes;
}

void FaultyFiles::fill_up(std::size_t torn_bytes) {
  absl::MutexLock lock(&disk_->mutex);
  disk_->full = true;
  disk_->torn_bytes = torn_bytes;
  disk_->free_bytes = 0;
}

void FaultyFiles::make_room(std::uint64_t free_bytes) {
  absl::MutexLock lock(&disk_->mutex);
  disk_->full = false;
  disk_->free_bytes = free_bytes;
}

Result<std::unique_ptr<base::FileLock>> FaultyFiles::lock(const std::string& path) {
  absl::MutexLock lock(&disk_->mutex);
  if (auto s = disk_->look(path); !s) return s.error();
  if (!disk_->names.contains(path)) {
    if (auto s = disk_->change(path); !s) return s.error();
    disk_->names[path] = std::make_shared<Inode>();
  }
  if (!disk_->locked.insert(path).second)
    return fail(ErrorCode::kafka_storage_error, "{} is locked by another process", path);
  return std::unique_ptr<base::FileLock>(std::make_unique<MemoryLock>(disk_, path));
}

}  // namespace storage::testing
