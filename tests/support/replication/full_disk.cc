#include "tests/support/replication/full_disk.h"

#include <sqlite3.h>

#include <atomic>
#include <cstring>

namespace test_support {
namespace {

constexpr const char* kName = "weir-full-disk";
std::atomic<bool> full{false};
sqlite3_vfs* real_vfs = nullptr;

// The real file follows in the same memory.
struct File {
  sqlite3_file base;
  sqlite3_file* real() { return reinterpret_cast<sqlite3_file*>(this + 1); }
};
File* of(sqlite3_file* file) { return reinterpret_cast<File*>(file); }

int write_file(sqlite3_file* file, const void* bytes, int count, sqlite3_int64 at) {
  auto* real = of(file)->real();
  sqlite3_int64 size = 0;
  if (full && (real->pMethods->xFileSize(real, &size) != SQLITE_OK || at + count > size)) return SQLITE_FULL;
  return real->pMethods->xWrite(real, bytes, count, at);
}

// Everything but xWrite as it is. Version 1 has no shared memory, which an exclusive lock makes unnecessary.
const sqlite3_io_methods kMethods = [] {
  sqlite3_io_methods m{};
  m.iVersion = 1;
  m.xClose = [](sqlite3_file* f) { return of(f)->real()->pMethods->xClose(of(f)->real()); };
  m.xRead = [](sqlite3_file* f, void* bytes, int count, sqlite3_int64 at) {
    return of(f)->real()->pMethods->xRead(of(f)->real(), bytes, count, at);
  };
  m.xWrite = write_file;
  m.xTruncate = [](sqlite3_file* f, sqlite3_int64 to) { return of(f)->real()->pMethods->xTruncate(of(f)->real(), to); };
  m.xSync = [](sqlite3_file* f, int flags) { return of(f)->real()->pMethods->xSync(of(f)->real(), flags); };
  m.xFileSize = [](sqlite3_file* f, sqlite3_int64* size) {
    return of(f)->real()->pMethods->xFileSize(of(f)->real(), size);
  };
  m.xLock = [](sqlite3_file* f, int kind) { return of(f)->real()->pMethods->xLock(of(f)->real(), kind); };
  m.xUnlock = [](sqlite3_file* f, int kind) { return of(f)->real()->pMethods->xUnlock(of(f)->real(), kind); };
  m.xCheckReservedLock = [](sqlite3_file* f, int* held) {
    return of(f)->real()->pMethods->xCheckReservedLock(of(f)->real(), held);
  };
  m.xFileControl = [](sqlite3_file* f, int what, void* argument) {
    sqlite3_int64 size = 0;
    const bool grows = what == SQLITE_FCNTL_SIZE_HINT &&
                       of(f)->real()->pMethods->xFileSize(of(f)->real(), &size) == 0 &&
                       *static_cast<sqlite3_int64*>(argument) > size;
    if (full && grows) return SQLITE_FULL;
    return of(f)->real()->pMethods->xFileControl(of(f)->real(), what, argument);
  };
  m.xSectorSize = [](sqlite3_file* f) { return of(f)->real()->pMethods->xSectorSize(of(f)->real()); };
  m.xDeviceCharacteristics = [](sqlite3_file* f) {
    return of(f)->real()->pMethods->xDeviceCharacteristics(of(f)->real());
  };
  return m;
}();

int open_file(sqlite3_vfs*, const char* name, sqlite3_file* file, int flags, int* flags_out) {
  file->pMethods = nullptr;
  const int code = real_vfs->xOpen(real_vfs, name, of(file)->real(), flags, flags_out);
  if (code == SQLITE_OK) file->pMethods = &kMethods;
  return code;
}

sqlite3_vfs vfs;

}  // namespace

FullDisk::FullDisk() {
  real_vfs = sqlite3_vfs_find(nullptr);
  vfs = *real_vfs;
  vfs.zName = kName;
  vfs.szOsFile = static_cast<int>(sizeof(File)) + real_vfs->szOsFile;
  vfs.pNext = nullptr;
  vfs.xOpen = open_file;
  sqlite3_vfs_register(&vfs, 1);
}

FullDisk::~FullDisk() {
  full = false;
  sqlite3_vfs_unregister(&vfs);
  sqlite3_vfs_register(real_vfs, 1);
}

void FullDisk::fill() { full = true; }
void FullDisk::empty() { full = false; }

}  // namespace test_support
