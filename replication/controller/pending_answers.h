// Requests whose effect has been written but which are answered only when this broker's own metadata shows it, or when
// their time is over. Lives on the coordination loop.
#pragma once

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

using TopicResults = std::vector<TopicResult>;

class PendingAnswers {
 public:
  using Done = std::function<void(TopicResults)>;
  // Whether the metadata shows what the result (so far without error) promises.
  using Shown = std::function<bool(const ClusterMetadata&, const TopicResult&)>;

  PendingAnswers(base::Loop& loop, const MetadataCache& cache) : loop_(loop), cache_(cache) {}

  // Results with an error are final. With no time at all the others are `request_timed_out` at once.
  void add(TopicResults results, std::chrono::milliseconds timeout, Shown shown, Done done);
  // The metadata changed.
  void check();
  // Answers everybody now, and at once whoever comes later: a request that was at work when the controller stopped.
  void close(base::ErrorCode code);

  // Every partition has a leader, and there are as many as the result says.
  static bool has_leaders(const ClusterMetadata& metadata, const TopicResult& result);
  static bool is_gone(const ClusterMetadata& metadata, const TopicResult& result);

 private:
  struct Entry {
    TopicResults results;
    Shown shown;
    Done done;
    std::unique_ptr<base::Timer> timer;
  };
  static void finish(Entry entry, base::ErrorCode code, const std::function<bool(const TopicResult&)>& unfinished);

  base::Loop& loop_;
  const MetadataCache& cache_;
  std::list<Entry> entries_;
  std::optional<base::ErrorCode> closed_;
};

}  // namespace replication
