#include "replication/follower/truncation.h"

#include <catch2/catch.hpp>

#include <algorithm>
#include <functional>
#include <vector>

namespace {

using base::LeaderEpoch;
using base::Offset;
using replication::truncation_for;
using storage::EpochEnd;
using storage::EpochTable;

EpochTable table(const std::vector<std::pair<int, int>>& entries) {
  EpochTable out;
  for (const auto& [epoch, start] : entries) out.assign(LeaderEpoch{epoch}, Offset{start});
  return out;
}

// A log as the epochs of its records, by offset.
using Epochs = std::vector<int>;

EpochTable table_of(const Epochs& log) {
  EpochTable out;
  for (std::size_t i = 0; i < log.size(); ++i) out.assign(LeaderEpoch{log[i]}, Offset{static_cast<std::int64_t>(i)});
  return out;
}

Offset end_of(const Epochs& log) { return Offset{static_cast<std::int64_t>(log.size())}; }

std::size_t common_length(const Epochs& a, const Epochs& b) {
  return static_cast<std::size_t>(std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first - a.begin());
}

// One broker leads in an epoch, and whoever has a record of it has all that this leader had before: so whatever two
// logs share an epoch share everything up to its beginning.
bool can_be(const Epochs& a, const Epochs& b) {
  for (const int epoch : {0, 1, 2, 3}) {
    const auto in_a = std::find(a.begin(), a.end(), epoch) - a.begin();
    const auto in_b = std::find(b.begin(), b.end(), epoch) - b.begin();
    const bool both = in_a < std::ssize(a) && in_b < std::ssize(b);
    if (both && (in_a != in_b || common_length(a, b) <= static_cast<std::size_t>(in_a))) return false;
  }
  return true;
}

void for_each_log(std::size_t longest, const std::function<void(const Epochs&)>& call) {
  Epochs log;
  const std::function<void()> grow = [&] {
    call(log);
    if (log.size() == longest) return;
    for (int epoch = log.empty() ? 0 : log.back(); epoch <= 3; ++epoch) {
      log.push_back(epoch);
      grow();
      log.pop_back();
    }
  };
  grow();
}

}  // namespace

TEST_CASE("a leader that cannot tell where an epoch ends leaves what is committed") {
  const auto epochs = table({{1, 0}, {2, 5}});
  const auto decision = truncation_for({}, {epochs, Offset{7}, Offset{9}});
  CHECK(decision.to == Offset{7});
  CHECK_FALSE(decision.asks_again);
}

TEST_CASE("a leader of old names no epoch: its word on where it ended is taken") {
  const auto epochs = table({{1, 0}, {2, 5}});
  CHECK(truncation_for({LeaderEpoch{-1}, Offset{6}}, {epochs, Offset{0}, Offset{9}}).to == Offset{6});
  CHECK(truncation_for({LeaderEpoch{-1}, Offset{60}}, {epochs, Offset{0}, Offset{9}}).to == Offset{9});
  CHECK_FALSE(truncation_for({LeaderEpoch{-1}, Offset{6}}, {epochs, Offset{0}, Offset{9}}).asks_again);
}

TEST_CASE("the same epoch on both sides ends where it ended first") {
  const auto epochs = table({{1, 0}, {2, 5}});
  CHECK(truncation_for({LeaderEpoch{2}, Offset{8}}, {epochs, Offset{0}, Offset{9}}).to == Offset{8});
  CHECK(truncation_for({LeaderEpoch{2}, Offset{12}}, {epochs, Offset{0}, Offset{9}}).to == Offset{9});
  CHECK(truncation_for({LeaderEpoch{1}, Offset{8}}, {epochs, Offset{0}, Offset{9}}).to == Offset{5});
  CHECK(truncation_for({LeaderEpoch{1}, Offset{3}}, {epochs, Offset{0}, Offset{9}}).to == Offset{3});
}

TEST_CASE("an epoch the follower does not know is cut to the one before it, and the logs are compared again") {
  const auto epochs = table({{1, 0}, {4, 5}});
  const auto decision = truncation_for({LeaderEpoch{3}, Offset{8}}, {epochs, Offset{0}, Offset{9}});
  CHECK(decision.to == Offset{5});
  CHECK(decision.asks_again);
}

TEST_CASE("an epoch above all that the follower knows says nothing but where the leader's ended") {
  const auto epochs = table({{1, 0}});
  CHECK(truncation_for({LeaderEpoch{3}, Offset{4}}, {epochs, Offset{0}, Offset{9}}).to == Offset{4});
  CHECK(truncation_for({LeaderEpoch{3}, Offset{4}}, {EpochTable{}, Offset{2}, Offset{9}}).to == Offset{4});
}

TEST_CASE("an epoch older than all that the follower has left ends where its log begins") {
  const auto epochs = table({{4, 20}, {5, 25}});
  const auto decision = truncation_for({LeaderEpoch{2}, Offset{22}}, {epochs, Offset{25}, Offset{30}});
  CHECK(decision.to == Offset{20});
  CHECK_FALSE(decision.asks_again);
}

TEST_CASE("every follower cuts exactly what it does not share with its leader, whatever both have been through") {
  const bool on_fetch = GENERATE(false, true);
  std::vector<Epochs> logs;
  for_each_log(5, [&](const Epochs& log) { logs.push_back(log); });
  std::size_t pairs = 0;
  for (const auto& leader : logs)
    for (const auto& before : logs) {
      if (!can_be(leader, before)) continue;
      ++pairs;
      auto leaders_epochs = table_of(leader);
      leaders_epochs.assign(LeaderEpoch{9}, end_of(leader));  // it leads, and has written nothing yet
      auto follower = before;
      bool again = true;
      for (int round = 0; again; ++round) {
        if (round > 5) FAIL("the two logs are compared for ever");
        const auto epochs = table_of(follower);
        const auto latest = epochs.latest();
        if (!latest) break;
        const auto end = leaders_epochs.end_offset_for(latest->epoch, end_of(leader));
        const bool diverges = end.epoch < latest->epoch || end.end < end_of(follower);
        if (on_fetch && !diverges) break;
        // Nothing is known to be committed, so that the watermark is of no help.
        const auto decision = truncation_for(end, {epochs, Offset{0}, end_of(follower)});
        follower.resize(static_cast<std::size_t>(decision.to.raw));
        again = on_fetch || decision.asks_again;
      }
      if (follower.size() != common_length(leader, before))
        FAIL("leader " << Catch::rangeToString(leader) << " follower " << Catch::rangeToString(before) << " keeps "
                       << follower.size());
    }
  CHECK(pairs > 1000);
}
