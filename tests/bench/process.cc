#include <dirent.h>

#include <fstream>

#include "tests/bench/wire.h"

namespace bench {

// Threads that have ended are not counted: the servers measured keep theirs.
double cpu_seconds_of(int pid) {
  const auto tasks = fmt::format("/proc/{}/task", pid);
  DIR* directory = ::opendir(tasks.c_str());
  if (!directory) die("no process {}", pid);
  double nanoseconds = 0;
  while (const auto* entry = ::readdir(directory)) {
    if (entry->d_name[0] == '.') continue;
    std::ifstream in(fmt::format("{}/{}/schedstat", tasks, entry->d_name));
    double on_cpu = 0;
    if (in >> on_cpu) nanoseconds += on_cpu;
  }
  ::closedir(directory);
  return nanoseconds / 1e9;
}

double memory_mib_of(int pid, const std::string& field) {
  std::ifstream in(fmt::format("/proc/{}/status", pid));
  for (std::string line; std::getline(in, line);)
    if (line.starts_with(field + ":")) return std::strtod(line.c_str() + field.size() + 1, nullptr) / 1024;
  die("no {} of process {}", field, pid);
}

}  // namespace bench
