// A disk in memory that can go wrong on purpose: it counts the calls that change something and at a chosen one fails,
// or stops for good as a killed process or a lost machine would, tearing that very write.
//
// After a stop every call fails until restart(), which says what the world kept:
//   kept_cache     the process died, the machine went on: all that was written is there
//   lost_unsynced  power failed: each file is what its last sync made it, names are what the last directory sync made
//                  them (a synced file keeps its name)
//   lost_in_part   power failed: some of what was not synced is there all the same, as chance has it: of a file that
//   grew
//                  a part of the growth, perhaps with zeros behind; of names the old ones or the new
// Any thread may call; one mutex guards all of it.
#pragma once

#include <absl/synchronization/mutex.h>

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "base/file_system.h"
#include "base/random.h"

namespace storage::testing {

class FaultyFiles final : public base::FileSystem {
 public:
  FaultyFiles() : disk_(std::make_shared<Disk>()) {}

  enum class AfterStop { kept_cache, lost_unsynced, lost_in_part };

  // The n-th changing call from now on (1 is the next) stops everything. A write then leaves `torn_bytes` of itself.
  void stop_at(std::size_t n, std::size_t torn_bytes = 0);
  // The n-th changing call from now on fails once, without effect.
  void fail_at(std::size_t n);
  // Every changing call on a path containing `part` fails; empty: none.
  void fail_paths_with(std::string part);
  void never_fail();
  // A full disk: nothing grows or is made, but everything else can be done. A write takes in `torn_bytes` all the same.
  void fill_up(std::size_t torn_bytes = 0);
  void make_room(std::uint64_t free_bytes = std::uint64_t{1} << 40);
  // Nothing can be opened, and nothing else goes wrong.
  void run_out_of_descriptors(bool now);
  std::size_t open_files() const;
  bool stopped() const;
  // Now, between two calls.
  void stop();
  std::size_t changes() const;  // changing calls so far
  // `chance` decides what is lost in part.
  void restart(AfterStop what, base::Random* chance = nullptr);

  std::string contents(const std::string& path) const;
  void put(const std::string& path, std::string contents);
  std::vector<std::string> all_paths() const;

  base::Result<std::unique_ptr<base::File>> open(const std::string& path, base::OpenMode mode) override;
  base::Result<bool> exists(const std::string& path) override;
  base::Result<base::FileInfo> info(const std::string& path) override;
  base::Result<std::vector<base::DirectoryEntry>> list(const std::string& directory) override;
  base::Status create_directories(const std::string& path) override;
  base::Status rename(const std::string& from, const std::string& to) override;
  base::Status remove(const std::string& path) override;
  base::Status remove_tree(const std::string& path) override;
  base::Status sync_directory(const std::string& path) override;
  base::Status set_modified(const std::string& path, base::Timestamp time) override;
  base::Result<std::uint64_t> free_bytes(const std::string& path) override;
  base::Result<std::unique_ptr<base::FileLock>> lock(const std::string& path) override;

 private:
  struct Inode {
    std::string bytes;
    std::string synced;
    base::Timestamp modified{};
  };
  using Names = std::map<std::string, std::shared_ptr<Inode>>;

  struct Disk {
    mutable absl::Mutex mutex;
    Names names ABSL_GUARDED_BY(mutex);
    Names durable_names ABSL_GUARDED_BY(mutex);
    std::set<std::string> directories ABSL_GUARDED_BY(mutex);
    std::set<std::string> locked ABSL_GUARDED_BY(mutex);
    std::size_t changes ABSL_GUARDED_BY(mutex) = 0;
    std::size_t stop_at ABSL_GUARDED_BY(mutex) = 0;
    std::size_t fail_at ABSL_GUARDED_BY(mutex) = 0;
    std::size_t torn_bytes ABSL_GUARDED_BY(mutex) = 0;
    std::string fail_part ABSL_GUARDED_BY(mutex);
    bool stopped ABSL_GUARDED_BY(mutex) = false;
    bool full ABSL_GUARDED_BY(mutex) = false;
    bool no_descriptors ABSL_GUARDED_BY(mutex) = false;
    std::size_t open_files ABSL_GUARDED_BY(mutex) = 0;
    std::uint64_t free_bytes ABSL_GUARDED_BY(mutex) = std::uint64_t{1} << 40;
    std::size_t generation ABSL_GUARDED_BY(mutex) = 0;  // files opened before a restart are dead

    // Before every changing call. An error: it must not happen (but a write tears when `tear` is set).
    base::Status change(const std::string& path, bool* tear = nullptr) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
    // The disk is full.
    base::Error no_room(std::string_view call, const std::string& path) const;
    base::Status look(const std::string& path) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  };
  class MemoryFile;
  class MemoryLock;
  static void lose_in_part(Inode& inode, base::Random& chance);

  std::shared_ptr<Disk> disk_;
};

}  // namespace storage::testing
