#include "base/random.h"

#include <sys/random.h>

#include <algorithm>
#include <cstring>

#include "base/check.h"

namespace base {

std::uint64_t Random::below(std::uint64_t bound) {
  invariant(bound > 0, "a random bound is positive");
  // Rejection keeps it uniform: values past the last whole multiple of `bound` are drawn again.
  const std::uint64_t limit = UINT64_MAX - UINT64_MAX % bound;
  for (;;)
    if (auto x = next(); x < limit) return x % bound;
}

void Random::fill(std::span<std::byte> out) {
  while (!out.empty()) {
    const auto x = next();
    const auto n = std::min(out.size(), sizeof x);
    std::memcpy(out.data(), &x, n);
    out = out.subspan(n);
  }
}

std::uint64_t SystemRandom::next() {
  std::uint64_t x = 0;
  const auto n = getrandom(&x, sizeof x, 0);
  invariant(n == sizeof x, "the kernel gives eight random bytes");
  return x;
}

}  // namespace base
