#include "base/check.h"

#include <execinfo.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

namespace base {

void broken_invariant(std::string_view believed, CodeLocation where) {
  std::fprintf(stderr, "FATAL broken invariant: %.*s (%s:%d, %s)\n", static_cast<int>(believed.size()), believed.data(),
               where.file, where.line, where.function);
  void* frames[64];
  backtrace_symbols_fd(frames, backtrace(frames, 64), STDERR_FILENO);
  std::abort();
}

}  // namespace base
