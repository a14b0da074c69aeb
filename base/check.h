// invariant(): what only we can do wrong. It stays on in release builds: a broker that no longer believes its own
// state must stop before it writes that state to disk.
#pragma once

#include <string_view>

namespace base {

// Where a call stands, when default arguments fill it in. std::source_location would do, but clang 14 cannot use the
// one of libstdc++ 12.
struct CodeLocation {
  const char* file;
  int line;
  const char* function;

  static CodeLocation current(const char* file = __builtin_FILE(), int line = __builtin_LINE(),
                              const char* function = __builtin_FUNCTION()) {
    return {file, line, function};
  }
};

// Prints what was believed, where, and a stack; then aborts.
[[noreturn]] void broken_invariant(std::string_view believed, CodeLocation where = CodeLocation::current());

inline void invariant(bool condition, std::string_view believed, CodeLocation where = CodeLocation::current()) {
  if (!condition) [[unlikely]]
    broken_invariant(believed, where);
}

}  // namespace base
