// Recovering the segments of one log after a broken stop: read side by side, judged in order.
//
// Checking a segment and writing its indexes needs nothing of the segments before it. What does (producers, their
// transactions, leader epochs) is noted per batch and applied when it is the segment's turn; the reader whose turn it
// is applies at once. A reader that has noted kMaxNotes waits for its turn, so memory is bounded by that, one piece of
// file and one segment's newest index entries per reader. Every byte is read once.
//
// The log's own thread calls finish(); any other thread may call help() at any time, also when there is nothing left to
// help with. Segments are taken up in order, and the earliest one under way never waits: nobody waits for ever.
#pragma once

#include <absl/synchronization/mutex.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "storage/log/epochs.h"
#include "storage/log/producer_replay.h"
#include "storage/segment/segment_list.h"

namespace storage {

// What the opener of many logs lends to the opening of one. All of it may be missing, and outlives the opening.
struct LoadCrew {
  const std::atomic<bool>* give_up = nullptr;  // once set the opening fails soon; the log can be opened again later
  std::atomic<std::uint64_t>* bytes_read = nullptr;
  std::size_t helpers = 0;  // threads that might come
  // Work that may be done by another thread, or never.
  std::function<void(std::function<void()>)> offer{};

  bool gives_up() const { return give_up && give_up->load(std::memory_order_relaxed); }
};

class SegmentRecovery {
 public:
  static constexpr std::size_t kMaxNotes = 1 << 18;  // of about 80 bytes: 20 MiB

  struct Place {
    FileSystem& files;
    std::string directory;
    SegmentList& segments;
    std::size_t first;  // segments from here to the end are recovered
  };
  // `producers` and `epochs` are what they were before the first of the segments; finish() leaves them as they are at
  // the log end. All references must stay good until finish() returns.
  SegmentRecovery(Place place, Producers& producers, EpochTable& epochs, const LoadCrew& crew);

  struct Outcome {
    Offset log_end;
    std::size_t segments = 0;
    std::uint64_t bytes = 0;
    std::uint64_t dropped_bytes = 0;       // behind the last sound entry, later segments included
    std::string why_dropped;               // empty: everything was sound
    std::optional<std::size_t> drop_from;  // segments behind the damage, still there
    std::vector<Offset> snapshots;         // written
  };
  void help();
  base::Result<Outcome> finish();

 private:
  // What a batch means for those after it.
  struct Note {
    AppendedBatch batch;
    base::LeaderEpoch epoch;
    bool is_batch = true;  // or an entry of old, which knows neither producers nor epochs
  };
  struct Reader;

  std::optional<std::size_t> claim() ABSL_LOCKS_EXCLUDED(mutex_);
  void leave() ABSL_LOCKS_EXCLUDED(mutex_);
  void end_with(base::Status status) ABSL_LOCKS_EXCLUDED(mutex_);
  void pass_turn(std::size_t to);
  // False when the end came first.
  bool await_turn(std::size_t of);
  bool has_turn(std::size_t i) const { return turn_.load(std::memory_order_acquire) == i; }

  base::Status recover_one(std::size_t i);
  base::Status take(Reader& reader, const protocol::EntryView& entry);
  base::Status apply(Segment& segment, const Note& note);
  base::Status apply_all(Reader& reader);
  base::Status settle(std::size_t i, const Segment::Recovered& found);

  const Place place_;
  std::vector<std::uint64_t> sizes_;  // of all segments as they were found; whoever reads ahead may cut one
  const LoadCrew crew_;

  // Whose turn it is; everything up to `outcome_` belongs to that reader.
  static constexpr std::size_t kOver = static_cast<std::size_t>(-1);
  std::atomic<std::size_t> turn_;
  Producers& producers_;
  EpochTable& epochs_;
  Outcome outcome_;

  absl::Mutex mutex_;
  std::size_t next_ ABSL_GUARDED_BY(mutex_);
  std::size_t inside_ ABSL_GUARDED_BY(mutex_) = 0;
  bool over_ ABSL_GUARDED_BY(mutex_) = false;  // nothing is left to be taken up
  base::Status failure_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace storage
