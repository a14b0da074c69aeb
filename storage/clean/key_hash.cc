#include "storage/clean/key_hash.h"

#include <bit>
#include <cstring>

namespace storage {
namespace {

static_assert(std::endian::native == std::endian::little, "words of the input are read as they lie");

struct State {
  std::uint64_t v0, v1, v2, v3;

  void round() {
    v0 += v1;
    v1 = std::rotl(v1, 13) ^ v0;
    v0 = std::rotl(v0, 32);
    v2 += v3;
    v3 = std::rotl(v3, 16) ^ v2;
    v0 += v3;
    v3 = std::rotl(v3, 21) ^ v0;
    v2 += v1;
    v1 = std::rotl(v1, 17) ^ v2;
    v2 = std::rotl(v2, 32);
  }
  void take(std::uint64_t word) {
    v3 ^= word;
    round();
    round();
    v0 ^= word;
  }
  std::uint64_t finish() {
    for (int i = 0; i < 4; ++i) round();
    return v0 ^ v1 ^ v2 ^ v3;
  }
};

}  // namespace

KeyHash hash_key(const HashSecret& secret, std::span<const std::byte> key) {
  State state{secret.first ^ 0x736f6d6570736575, secret.second ^ 0x646f72616e646f6d ^ 0xee,
              secret.first ^ 0x6c7967656e657261, secret.second ^ 0x7465646279746573};
  const auto* at = key.data();
  std::uint64_t word = 0;
  for (auto left = key.size(); left >= 8; left -= 8, at += 8) {
    std::memcpy(&word, at, 8);
    state.take(word);
  }
  word = 0;
  if (key.size() % 8 != 0) std::memcpy(&word, at, key.size() % 8);
  state.take(word | static_cast<std::uint64_t>(key.size()) << 56);
  KeyHash hash;
  state.v2 ^= 0xee;
  hash.low = state.finish();
  state.v1 ^= 0xdd;
  hash.high = state.finish();
  return hash;
}

}  // namespace storage
