#include "replication/controller/pending_answers.h"

#include <algorithm>

namespace replication {

void PendingAnswers::finish(Entry entry, base::ErrorCode code,
                            const std::function<bool(const TopicResult&)>& unfinished) {
  for (auto& result : entry.results)
    if (result.code == base::ErrorCode::none && unfinished(result)) result.code = code;
  entry.done(std::move(entry.results));
}

void PendingAnswers::add(TopicResults results, std::chrono::milliseconds timeout, Shown shown, Done done) {
  Entry entry{.results = std::move(results), .shown = std::move(shown), .done = std::move(done), .timer = nullptr};
  if (closed_) return finish(std::move(entry), *closed_, [](const TopicResult&) { return true; });
  const bool nothing_to_wait_for =
      std::ranges::none_of(entry.results, [](const auto& result) { return result.code == base::ErrorCode::none; });
  if (nothing_to_wait_for || timeout.count() <= 0) {
    finish(std::move(entry), base::ErrorCode::request_timed_out, [](const TopicResult&) { return true; });
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
           [&](const TopicResult& result) { return !shown_now(*metadata, result); });
  });
  check();
}

void PendingAnswers::check() {
  const auto metadata = cache_.snapshot();
  std::list<Entry> ready;
  for (auto at = entries_.begin(); at != entries_.end();) {
    const auto here = at++;
    const bool complete = std::ranges::all_of(here->results, [&](const TopicResult& result) {
      return result.code != base::ErrorCode::none || here->shown(*metadata, result);
    });
    if (complete) ready.splice(ready.end(), entries_, here);
  }
  for (auto& entry : ready) finish(std::move(entry), base::ErrorCode::none, [](const TopicResult&) { return false; });
}

void PendingAnswers::close(base::ErrorCode code) {
  closed_ = code;
  auto all = std::move(entries_);
  entries_.clear();
  for (auto& entry : all) finish(std::move(entry), code, [](const TopicResult&) { return true; });
}

bool PendingAnswers::has_leaders(const ClusterMetadata& metadata, const TopicResult& result) {
  const auto topic = metadata.find_topic(result.name);
  return topic && topic->partitions.size() >= static_cast<std::size_t>(result.partitions) &&
         std::ranges::all_of(topic->partitions,
                             [](const PartitionInfo& partition) { return partition.leader.raw >= 0; });
}

bool PendingAnswers::is_gone(const ClusterMetadata& metadata, const TopicResult& result) {
  return !metadata.find_topic(result.name);
}

}  // namespace replication
