// What every message must pass in every version: see check_message().
#pragma once

#include "base/bytes.h"
#include "golden_messages.h"
#include "message_visitors.h"
#include "protocol/codec.h"

namespace protocol::testing {

inline base::Buffer bytes_of(const base::BufferChain& chain) { return base::flatten(chain).value(); }

inline bool same(const base::Buffer& a, const base::Buffer& b) {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size()) == 0);
}

template <class M>
void check_message() {
  INFO(M::api.name);
  FieldCounter::check<M>();
  base::SeededRandom random{7};
  for (auto v = M::api.versions.min; v <= M::api.versions.max; ++v) {
    INFO("version " << v);
    for (int round = 0; round < 20; ++round) {
      M m{};
      RandomFiller(random, M::api.at(v)).object(m);
      const auto bytes = bytes_of(encode_body(v, m));

      M back{};
      REQUIRE(decode(bytes.bytes(), v, back).ok());
      REQUIRE(same(bytes_of(encode_body(v, back)), bytes));

      // Cut anywhere, it is refused (or shorter than the cut), never read past its end.
      const std::size_t cut = bytes.size() ? random.below(bytes.size()) : 0;
      base::Buffer less(cut);
      if (cut) std::memcpy(less.data(), bytes.data(), cut);
      M cut_message{};
      if (!bytes.empty()) CHECK_FALSE(decode(less.bytes(), v, cut_message).ok());

      // Damaged anywhere, it is read or refused; what was read encodes again.
      base::Buffer damaged(bytes.size());
      if (!bytes.empty()) std::memcpy(damaged.data(), bytes.data(), bytes.size());
      for (int i = 0; i < 3 && !damaged.empty(); ++i)
        damaged.data()[random.below(damaged.size())] = static_cast<std::byte>(random.next());
      M odd{};
      if (decode(damaged.bytes(), v, odd)) CHECK(encode_body(v, odd).size_bytes() <= 2 * damaged.size() + 64);
    }
  }
}

// What Kafka's client wrote we read to the same values, and write back to the same bytes.
template <class M>
void check_golden(bool request) {
  auto version = M::api.versions.min;
  for (const auto& golden : golden_messages(M::api.key, request)) {
    INFO(golden.name);
    CHECK(golden.version - version <= 1);  // no version is left out
    version = golden.version;
    M m{};
    const auto status = decode(base::as_bytes(golden.bytes), version, m);
    INFO((status.ok() ? "" : status.error().detail));
    REQUIRE(status.ok());
    JsonMatcher(M::api.at(version)).object(m, golden.values);
    CHECK(base::as_text(bytes_of(encode_body(version, m)).bytes()) == golden.bytes);
  }
  CHECK(version == M::api.versions.max);
}

template <class Request, class Response>
void check_api() {
  check_golden<Request>(true);
  check_golden<Response>(false);
  check_message<Request>();
  check_message<Response>();
}

}  // namespace protocol::testing
