#include "storage/clean/key_map.h"

#include <catch2/catch.hpp>
#include <fmt/format.h>

#include <unordered_map>

#include "base/bytes.h"
#include "base/random.h"

using namespace storage;

namespace {

std::string hex(const KeyHash& hash) {
  std::string text;
  for (const auto word : {hash.low, hash.high})
    for (int i = 0; i < 8; ++i) text += fmt::format("{:02X}", word >> (8 * i) & 0xff);
  return text;
}

KeyHash hash_in(const KeyMap& map, const std::string& key) { return map.hash(base::as_bytes(key)); }

}  // namespace

TEST_CASE("the hash of keys is SipHash-2-4-128, as OpenSSL computes it") {
  const HashSecret secret{0x0706050403020100, 0x0f0e0d0c0b0a0908};
  const std::vector<std::pair<std::size_t, std::string>> expected{
      {0, "A3817F04BA25A8E66DF67214C7550293"},  {1, "DA87C1D86B99AF44347659119B22FC45"},
      {7, "A1F1EBBED8DBC153C0B84AA61FF08239"},  {8, "3B62A9BA6258F5610F83E264F31497B4"},
      {15, "5493E99933B0A8117E08EC0F97CFC3D9"}, {16, "6EE2A4CA67B054BBFD3315BF85230577"},
      {33, "77C6077146F01C32B6B69D5F4EA9FFCF"}};
  for (const auto& [size, text] : expected) {
    std::string input;
    for (std::size_t i = 0; i < size; ++i) input += static_cast<char>(i);
    CHECK(hex(hash_key(secret, base::as_bytes(input))) == text);
  }
}

TEST_CASE("the map of keys agrees with an ordinary one, at every load up to the last slot") {
  base::SeededRandom random(11);
  KeyMap map({.memory_bytes = 1000 * KeyMap::kSlotBytes, .load_factor = 1.0}, {random.next(), random.next()});
  CHECK(map.room() == 999);
  std::unordered_map<std::string, std::int64_t> model;
  for (std::int64_t offset = 0; offset < 20'000; ++offset) {
    const auto key = "key-" + std::to_string(random.below(1100));
    const auto put = map.put(hash_in(map, key), base::Offset{offset});
    REQUIRE(put == (model.contains(key) || model.size() < 999));
    if (put) model[key] = offset;
  }
  CHECK(map.size() == 999);
  for (int i = 0; i < 1200; ++i) {
    const auto key = "key-" + std::to_string(i);
    const auto found = model.find(key);
    REQUIRE(map.find(hash_in(map, key)).raw == (found == model.end() ? -1 : found->second));
  }
}

TEST_CASE("a full map takes newer offsets of the keys it knows, and no new key") {
  KeyMap map({.memory_bytes = 10 * KeyMap::kSlotBytes, .load_factor = 0.5}, {1, 2});
  CHECK(map.room() == 5);
  for (int i = 0; i < 5; ++i) CHECK(map.put(hash_in(map, std::to_string(i)), base::Offset{i}));
  CHECK_FALSE(map.put(hash_in(map, "new"), base::Offset{5}));
  CHECK(map.put(hash_in(map, "3"), base::Offset{6}));
  CHECK(map.find(hash_in(map, "3")) == base::Offset{6});
  CHECK(map.find(hash_in(map, "new")) == base::Offset{-1});
  CHECK(map.size() == 5);
}

TEST_CASE("the smallest map holds one key, so that a cleaning always gets on") {
  KeyMap map({.memory_bytes = 0, .load_factor = 0.0}, {1, 2});
  CHECK(map.room() == 1);
  CHECK(map.put(hash_in(map, "a"), base::Offset{0}));
  CHECK_FALSE(map.put(hash_in(map, "b"), base::Offset{1}));
  CHECK(map.find(hash_in(map, "b")) == base::Offset{-1});
}
