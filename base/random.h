// Where chance comes from. Injected, so that a simulated cluster repeats itself from a seed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <span>

namespace base {

// Any thread may call the real one; the seeded one belongs to one thread.
class Random {
 public:
  virtual ~Random() = default;
  virtual std::uint64_t next() = 0;

  // Uniform in [0, bound); `bound` > 0.
  std::uint64_t below(std::uint64_t bound);
  void fill(std::span<std::byte> out);
};

// getrandom(2): ids that must not collide between brokers.
class SystemRandom final : public Random {
 public:
  std::uint64_t next() override;
};

class SeededRandom final : public Random {
 public:
  explicit SeededRandom(std::uint64_t seed) : engine_(seed) {}
  std::uint64_t next() override { return engine_(); }

 private:
  std::mt19937_64 engine_;
};

}  // namespace base
