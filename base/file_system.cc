#include "base/file_system.h"

#include <cerrno>
#include <system_error>

#include "base/bytes.h"

namespace base {

bool is_out_of_space(const Error& error) {
  if (error.code != ErrorCode::kafka_storage_error || error.detail.starts_with("sync")) return false;
  for (const int number : {ENOSPC, EDQUOT})
    if (error.detail.ends_with(std::generic_category().message(number))) return true;
  return false;
}

Result<std::string> read_file(FileSystem& files, const std::string& path) {
  auto file = files.open(path, OpenMode::read_only);
  if (!file) return file.error();
  auto size = (*file)->size();
  if (!size) return size.error();
  std::string contents(*size, '\0');
  auto read = (*file)->read_at(0, {reinterpret_cast<std::byte*>(contents.data()), contents.size()});
  if (!read) return read.error();
  contents.resize(*read);
  return contents;
}

Status write_file_atomically(FileSystem& files, const std::string& path, std::string_view contents) {
  const std::string draft = path + ".tmp";
  {
    auto file = files.open(draft, OpenMode::create_or_open);
    if (!file) return file.error();
    if (auto s = (*file)->truncate(0); !s) return s;
    if (auto s = (*file)->write_at(0, as_bytes(contents)); !s) return s;
    if (auto s = (*file)->sync(); !s) return s;
  }
  // Commit point: after the rename readers see the new contents; the directory sync makes that survive power loss.
  if (auto s = files.rename(draft, path); !s) return s;
  const auto slash = path.rfind('/');
  return files.sync_directory(slash == std::string::npos ? "." : path.substr(0, slash));
}

}  // namespace base
