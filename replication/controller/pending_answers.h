// Requests whose effect has been written but which are answered only when this broker's own metadata shows it, or when
// their time is over. Lives on the coordination loop.
#pragma once

#include <algorithm>
#include <chrono>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <vector>

#include "base/loop.h"
#include "replication/cluster/metadata.h"
#include "replication/controller/topic_requests.h"

namespace replication {

// `Result` is what is answered for one item, with a `code`.
template <class Result>
class PendingAnswers {
 public:
  using Results = std::vector<Result>;
  using Done = std::function<void(Results)>;
  // Whether the metadata shows what the result (so far without error) promises.
  using Shown = std::function<bool(const ClusterMetadata&, const Result&)>;

  PendingAnswers(base::Loop& loop, const MetadataCache& cache) : loop_(loop), cache_(cache) {}

  // Results with an error are final. With no time at all the others are `request_timed_out` at once.
  void add(Results results, std::chrono::milliseconds timeout, Shown shown, Done done) {
    Entry entry{.results = std::move(results), .shown = std::move(shown), .done = std::move(done), .timer = nullptr};
    if (closed_) return finish(std::move(entry), *closed_, [](const Result&) { return true; });
    const bool nothing_to_wait_for =
        std::ranges::none_of(entry.results, [](const auto& result) { return result.code == base::ErrorCode::none; });
    if (nothing_to_wait_for || timeout.count() <= 0) {
      finish(std::move(entry), base::ErrorCode::request_timed_out, [](const Result&) { return true; });
      return;
    }
    entry.timer = loop_.make_timer();
    auto at = entries_.insert(entries_.end(), std::move(entry));
    at->timer->arm(timeout, [this, at] {
      Entry expired = std::move(*at);
      entries_.erase(at);
      const auto metadata = cache_.snapshot();
      const Shown shown_now = expired.shown;
      finish(std::move(expired), base::ErrorCode::request_timed_out,
             [&](const Result& result) { return !shown_now(*metadata, result); });
    });
    check();
  }

  // The metadata changed.
  void check() {
    const auto metadata = cache_.snapshot();
    std::list<Entry> ready;
    for (auto at = entries_.begin(); at != entries_.end();) {
      const auto here = at++;
      const bool complete = std::ranges::all_of(here->results, [&](const Result& result) {
        return result.code != base::ErrorCode::none || here->shown(*metadata, result);
      });
      if (complete) ready.splice(ready.end(), entries_, here);
    }
    for (auto& entry : ready) finish(std::move(entry), base::ErrorCode::none, [](const Result&) { return false; });
  }

  // Answers everybody now, and at once whoever comes later: a request that was at work when the controller stopped.
  void close(base::ErrorCode code) {
    closed_ = code;
    auto all = std::move(entries_);
    entries_.clear();
    for (auto& entry : all) finish(std::move(entry), code, [](const Result&) { return true; });
  }

 private:
  struct Entry {
    Results results;
    Shown shown;
    Done done;
    std::unique_ptr<base::Timer> timer;
  };
  static void finish(Entry entry, base::ErrorCode code, const std::function<bool(const Result&)>& unfinished) {
    for (auto& result : entry.results)
      if (result.code == base::ErrorCode::none && unfinished(result)) result.code = code;
    entry.done(std::move(entry.results));
  }

  base::Loop& loop_;
  const MetadataCache& cache_;
  std::list<Entry> entries_;
  std::optional<base::ErrorCode> closed_;
};

using TopicResults = std::vector<TopicResult>;

// Every partition has a leader, and there are as many as the result says.
bool shows_leaders(const ClusterMetadata& metadata, const TopicResult& result);
bool shows_no_topic(const ClusterMetadata& metadata, const TopicResult& result);

}  // namespace replication
