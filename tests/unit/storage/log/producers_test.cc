#include "storage/log/producers.h"

#include <catch2/catch.hpp>

#include <limits>

#include "base/bytes.h"
#include "base/random.h"
#include "storage/log/producer_snapshot.h"
#include "tests/support/storage/golden.h"

using namespace storage;
using base::ErrorCode;
using base::Offset;
using base::ProducerEpoch;
using base::ProducerId;
using std::chrono::milliseconds;

namespace {

constexpr std::int32_t kLastSequence = std::numeric_limits<std::int32_t>::max();

std::int32_t sequence_after(std::int32_t first, std::int64_t count) {
  return static_cast<std::int32_t>((first + count) & kLastSequence);
}

ProducerClaim claim(std::int64_t id, int epoch, std::int32_t first, std::int32_t count = 1) {
  return {.id = ProducerId{id},
          .epoch = ProducerEpoch{static_cast<std::int16_t>(epoch)},
          .first_sequence = first,
          .last_sequence = sequence_after(first, count - 1)};
}

ProducerClaim transactional(ProducerClaim claim) {
  claim.transactional = true;
  return claim;
}

std::int64_t records_of(const ProducerClaim& claim) {
  return ((std::int64_t{claim.last_sequence} - claim.first_sequence) & kLastSequence) + 1;
}

TransactionMarker marker(std::int64_t id, int epoch, int coordinator_epoch, bool commit = true) {
  return {.id = ProducerId{id},
          .epoch = ProducerEpoch{static_cast<std::int16_t>(epoch)},
          .coordinator_epoch = coordinator_epoch,
          .commit = commit};
}

// A log that keeps only what matters here: how long it is, and its producers.
struct Partition {
  Producers producers;
  Offset end;
  base::Timestamp now = base::timestamp_from_ms(1'700'000'000'000);

  struct Answer {
    ErrorCode code = ErrorCode::none;
    Offset base_offset = base::kNoOffset;
    base::Timestamp duplicate_of = base::kNoTimestamp;
  };
  Answer send(const ProducerClaim& claim, AppendOrigin origin = AppendOrigin::client) {
    const auto verdict = producers.check(claim, origin);
    if (!verdict) return {.code = verdict.error().code};
    if (*verdict) return {.base_offset = (*verdict)->first_offset(), .duplicate_of = (*verdict)->timestamp};
    const auto base = end;
    end += records_of(claim);
    producers.appended(claim, base, end - 1, now);
    return {.base_offset = base};
  }
  ErrorCode code(const ProducerClaim& claim, AppendOrigin origin = AppendOrigin::client) {
    return send(claim, origin).code;
  }
  std::optional<CompletedTransaction> finish(const TransactionMarker& marker) {
    REQUIRE(producers.check(marker, AppendOrigin::client).ok());
    const auto offset = end;
    end += 1;
    return producers.appended(marker, offset, now);
  }
};

}  // namespace

TEST_CASE("a repetition of one of the last five batches is answered with the first one's offset and time") {
  Partition partition;
  for (int i = 0; i < 7; ++i) {
    CHECK(partition.send(claim(1, 0, 3 * i, 3)).base_offset == Offset{3 * i});
    partition.now += milliseconds{10};
  }
  for (int i = 2; i < 7; ++i) {
    const auto again = partition.send(claim(1, 0, 3 * i, 3));
    CHECK(again.base_offset == Offset{3 * i});
    CHECK(again.duplicate_of == base::timestamp_from_ms(1'700'000'000'000 + 10 * i));
  }
  CHECK(partition.code(claim(1, 0, 3, 3)) == ErrorCode::out_of_order_sequence_number);  // forgotten
  CHECK(partition.end == Offset{21});
}

TEST_CASE("only exactly the same sequences are a repetition") {
  Partition partition;
  partition.send(claim(1, 0, 0, 5));
  CHECK(partition.code(claim(1, 0, 0, 4)) == ErrorCode::out_of_order_sequence_number);
  CHECK(partition.code(claim(1, 0, 1, 4)) == ErrorCode::out_of_order_sequence_number);
  CHECK(partition.code(claim(1, 0, 0, 6)) == ErrorCode::out_of_order_sequence_number);
  CHECK(partition.code(claim(2, 0, 0, 5)) == ErrorCode::none);  // somebody else's
  CHECK(partition.end == Offset{10});
}

TEST_CASE("a producer fenced by a later epoch is refused, whatever its sequence") {
  Partition partition;
  partition.send(claim(1, 4, 0));
  for (const auto sequence : {0, 1, 7})
    CHECK(partition.code(claim(1, 3, sequence)) == ErrorCode::invalid_producer_epoch);
  CHECK(partition.code(claim(1, 3, 1), AppendOrigin::coordinator) == ErrorCode::invalid_producer_epoch);
  // A follower takes what its leader took.
  CHECK(partition.code(claim(1, 3, 1), AppendOrigin::replication) == ErrorCode::none);
}

TEST_CASE("a new epoch begins at sequence 0") {
  Partition partition;
  partition.send(claim(1, 0, 0, 5));
  CHECK(partition.code(claim(1, 1, 5)) == ErrorCode::out_of_order_sequence_number);
  CHECK(partition.code(claim(1, 1, 1)) == ErrorCode::out_of_order_sequence_number);
  CHECK(partition.code(claim(1, 1, 0, 5)) == ErrorCode::none);  // no repetition: another epoch
  CHECK(partition.end == Offset{10});
  CHECK(partition.code(claim(1, 1, 5)) == ErrorCode::none);
  CHECK(partition.producers.find(ProducerId{1})->batches().size() == 2);  // the old epoch's are forgotten
}

TEST_CASE("an epoch goes on where it stopped") {
  Partition partition;
  partition.send(claim(1, 0, 0, 5));
  for (const auto sequence : {4, 6, 100, kLastSequence})
    CHECK(partition.code(claim(1, 0, sequence)) == ErrorCode::out_of_order_sequence_number);
  CHECK(partition.code(claim(1, 0, 5)) == ErrorCode::none);
}

TEST_CASE("after the last sequence number comes 0, also inside a batch") {
  Partition partition;
  CHECK(partition.code(claim(1, 0, kLastSequence - 1, 2)) == ErrorCode::none);
  CHECK(partition.code(claim(1, 0, 0)) == ErrorCode::none);
  CHECK(partition.send(claim(1, 0, kLastSequence - 1, 2)).base_offset == Offset{0});

  CHECK(partition.code(claim(2, 0, kLastSequence - 1, 5)) == ErrorCode::none);  // ..., 2^31 - 1, 0, 1, 2
  CHECK(partition.send(claim(2, 0, kLastSequence - 1, 5)).base_offset == Offset{3});
  CHECK(partition.code(claim(2, 0, 4)) == ErrorCode::out_of_order_sequence_number);
  CHECK(partition.code(claim(2, 0, 3)) == ErrorCode::none);
}

TEST_CASE("a producer nobody knows may begin anywhere") {
  Partition partition;
  CHECK(partition.code(claim(1, 7, 1234)) == ErrorCode::none);
  CHECK(partition.code(claim(1, 7, 1235)) == ErrorCode::none);
}

TEST_CASE("a producer known from a marker alone begins at sequence 0") {
  Partition partition;
  partition.finish(marker(1, 3, 0));
  CHECK(partition.code(transactional(claim(1, 3, 5))) == ErrorCode::out_of_order_sequence_number);
  CHECK(partition.code(transactional(claim(1, 2, 0))) == ErrorCode::invalid_producer_epoch);
  CHECK(partition.code(transactional(claim(1, 3, 0))) == ErrorCode::none);
}

TEST_CASE("a coordinator's batches are not numbered") {
  Partition partition;
  partition.send(claim(1, 0, 5, 3));
  CHECK(partition.code(claim(1, 0, 0), AppendOrigin::coordinator) == ErrorCode::none);
  CHECK(partition.code(claim(1, 0, 0), AppendOrigin::coordinator) == ErrorCode::none);  // and never a repetition
  CHECK(partition.end == Offset{5});
}

TEST_CASE("a producer with an open transaction may not write outside of it") {
  Partition partition;
  partition.send(transactional(claim(1, 0, 0)));
  CHECK(partition.code(claim(1, 0, 1)) == ErrorCode::invalid_txn_state);
  partition.finish(marker(1, 0, 0));
  CHECK(partition.code(claim(1, 0, 1)) == ErrorCode::none);
}

TEST_CASE("markers of a fenced producer or coordinator are refused") {
  Partition partition;
  partition.send(transactional(claim(1, 5, 0)));
  CHECK(partition.producers.check(marker(1, 4, 9), AppendOrigin::client).error().code ==
        ErrorCode::invalid_producer_epoch);
  partition.finish(marker(1, 6, 9));
  CHECK(partition.producers.check(marker(1, 6, 8), AppendOrigin::client).error().code ==
        ErrorCode::transaction_coordinator_fenced);
  CHECK(partition.producers.check(marker(1, 6, 8), AppendOrigin::replication).ok());
  CHECK(partition.producers.check(marker(2, 0, 0), AppendOrigin::client).ok());
}

TEST_CASE("committed reading stops at the oldest transaction that is open or not yet replicated") {
  Partition partition;
  CHECK_FALSE(partition.producers.first_unstable_offset());
  partition.send(claim(9, 0, 0, 10));
  partition.send(transactional(claim(1, 0, 0)));  // at 10
  partition.send(transactional(claim(2, 0, 0)));  // at 11
  partition.send(transactional(claim(1, 0, 1)));
  CHECK(partition.producers.first_unstable_offset() == Offset{10});

  const auto aborted = partition.finish(marker(1, 0, 0, false));  // marker at 13
  CHECK(aborted == CompletedTransaction{ProducerId{1}, Offset{10}, Offset{13}, true});
  CHECK(partition.producers.last_stable_offset_after(*aborted) == Offset{11});
  CHECK(partition.producers.first_unstable_offset() == Offset{10});
  partition.producers.high_watermark_moved(Offset{13});
  CHECK(partition.producers.first_unstable_offset() == Offset{10});
  partition.producers.high_watermark_moved(Offset{14});
  CHECK(partition.producers.first_unstable_offset() == Offset{11});

  const auto committed = partition.finish(marker(2, 0, 0));  // marker at 14
  CHECK(partition.producers.last_stable_offset_after(*committed) == Offset{15});
  partition.producers.high_watermark_moved(Offset{15});
  CHECK_FALSE(partition.producers.first_unstable_offset());
  CHECK_FALSE(partition.finish(marker(2, 0, 0)));  // nothing was open
}

TEST_CASE("silent producers are forgotten, but not while their transaction is open") {
  Partition partition;
  partition.send(claim(1, 0, 0));
  partition.send(transactional(claim(2, 0, 0)));
  partition.now += milliseconds{500};
  partition.send(claim(3, 0, 0));
  const auto silence = milliseconds{1000};
  CHECK(partition.producers.remove_expired(partition.now + milliseconds{499}, silence) == 0);
  CHECK(partition.producers.remove_expired(partition.now + milliseconds{500}, silence) == 1);
  CHECK(partition.producers.remove_expired(partition.now + milliseconds{5000}, silence) == 1);
  CHECK(partition.producers.size() == 1);
  CHECK(partition.code(claim(1, 0, 77)) == ErrorCode::none);  // unknown again
}

TEST_CASE("timestamps at the ends of time expire without overflow") {
  for (const auto ms : {std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::int64_t>::max()}) {
    Producers producers;
    producers.appended(claim(1, 0, 0), Offset{0}, Offset{0}, base::timestamp_from_ms(ms));
    CHECK(producers.remove_expired(base::timestamp_from_ms(1'700'000'000'000), milliseconds{1000}) == (ms < 0 ? 1 : 0));
  }
}

TEST_CASE("Apache Kafka answers the same batches alike, and its snapshot then holds the same producers") {
  Partition partition;
  int repeated = 0;
  int refused = 0;
  for (const auto& row : support::golden_table("idempotent.tsv")) {
    const auto records = std::stoi(row[3]);
    const auto sent = claim(std::stoll(row[0]), std::stoi(row[1]), std::stoi(row[2]), records);
    INFO(row[0] << " " << row[1] << " " << row[2] << " " << row[3]);
    const auto answer = partition.send(sent);
    CHECK(static_cast<int>(answer.code) == std::stoi(row[4]));
    CHECK(answer.base_offset.raw == std::stoll(row[5]));
    CHECK(base::to_ms(answer.duplicate_of) == std::stoll(row[6]));
    partition.now += milliseconds{1};
    repeated += answer.duplicate_of != base::kNoTimestamp;
    refused += answer.code != ErrorCode::none;
  }
  CHECK(repeated > 50);
  CHECK(refused > 50);

  for (const std::string release : {"2.7.1", "3.9.1"}) {
    const auto file = support::golden("idempotent-" + release + ".snapshot");
    auto theirs = parse_producer_snapshot(base::as_bytes(file));
    REQUIRE(theirs.ok());
    std::ranges::sort(*theirs, {}, &ProducerEntry::id);
    CHECK(partition.producers.entries() == *theirs);
  }
}

TEST_CASE("what is restored from entries decides as before, for the last batch") {
  Partition partition;
  partition.send(claim(1, 2, 10, 5));
  partition.send(claim(1, 2, 15, 5));
  partition.send(transactional(claim(2, 0, 0)));
  partition.finish(marker(3, 1, 7));
  Partition restored;
  restored.end = partition.end;
  restored.producers.restore(partition.producers.entries());
  CHECK(restored.producers.entries() == partition.producers.entries());
  CHECK(restored.producers.first_unstable_offset() == Offset{10});
  CHECK(restored.send(claim(1, 2, 15, 5)).base_offset == Offset{5});
  CHECK(restored.code(claim(1, 2, 10, 5)) == ErrorCode::out_of_order_sequence_number);  // only the last is kept
  CHECK(restored.code(claim(1, 2, 20)) == ErrorCode::none);
  CHECK(restored.code(claim(3, 1, 1)) == ErrorCode::out_of_order_sequence_number);
}

// The model keeps every batch ever accepted and decides by looking through that history.
TEST_CASE("producers decide as a model that remembers everything") {
  struct Sent {
    ProducerClaim claim;
    Offset base;
  };
  const auto seed = GENERATE(range(0u, 20u));
  base::SeededRandom random{seed};
  Partition partition;
  std::vector<std::vector<Sent>> history(4);
  for (int step = 0; step < 1'000; ++step) {
    const auto id = random.below(history.size());
    auto& mine = history[id];
    ProducerClaim next;
    if (mine.empty()) {
      next = claim(static_cast<std::int64_t>(id), static_cast<int>(random.below(3)),
                   kLastSequence - static_cast<std::int32_t>(random.below(40)),
                   static_cast<std::int32_t>(random.below(20) + 1));
    } else {
      const auto& last = mine.back().claim;
      const auto count = static_cast<std::int32_t>(random.below(20) + 1);
      next = claim(static_cast<std::int64_t>(id), last.epoch.raw, sequence_after(last.last_sequence, 1), count);
      switch (random.below(8)) {
        case 0:
          next = mine[mine.size() - 1 - random.below(std::min<std::size_t>(mine.size(), 8))].claim;
          break;
        case 1:
          next = claim(next.id.raw, next.epoch.raw + 1, 0, count);
          break;
        case 2:
          next = claim(next.id.raw, next.epoch.raw + static_cast<int>(random.below(3)) - 1, next.first_sequence, count);
          break;
        case 3:
          next = claim(next.id.raw, next.epoch.raw, sequence_after(next.first_sequence, random.below(3)), count);
          break;
        default:
          break;
      }
    }

    Partition::Answer expected{.base_offset = partition.end};
    if (!mine.empty()) {
      const auto epoch = mine.back().claim.epoch;
      const Sent* same = nullptr;
      int looked_at = 0;
      for (auto sent = mine.rbegin(); sent != mine.rend() && sent->claim.epoch == epoch && looked_at < 5;
           ++sent, ++looked_at)
        if (next.epoch == epoch && sent->claim.first_sequence == next.first_sequence &&
            sent->claim.last_sequence == next.last_sequence)
          same = &*sent;
      const auto follows = next.epoch == epoch ? sequence_after(mine.back().claim.last_sequence, 1) : 0;
      if (same)
        expected.base_offset = same->base;
      else if (next.epoch < epoch)
        expected = {.code = ErrorCode::invalid_producer_epoch};
      else if (next.first_sequence != follows)
        expected = {.code = ErrorCode::out_of_order_sequence_number};
    }
    const auto before = partition.end;
    const auto answer = partition.send(next);
    REQUIRE(answer.code == expected.code);
    REQUIRE(answer.base_offset == expected.base_offset);
    if (partition.end != before) mine.push_back({next, answer.base_offset});
  }
}
