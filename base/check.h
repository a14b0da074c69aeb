// invariant(): what only we can do wrong. It stays on in release builds: a broker that no longer believes its own
// state must stop before it writes that state to disk.
#pragma once

#include <source_location>
#include <string_view>

namespace base {

// Prints what was believed, where, and a stack; then aborts.
[[noreturn]] void broken_invariant(std::string_view believed, const std::source_location& where);

inline void invariant(bool condition, std::string_view believed,
                      const std::source_location& where = std::source_location::current()) {
  if (!condition) [[unlikely]]
    broken_invariant(believed, where);
}

}  // namespace base
