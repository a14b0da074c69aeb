// What was promised to clients and what they have seen of it. The first contradiction is the failure of the run.
//
// Every record has a value of its own, "<producer>/<number>", and a producer numbers what it writes to a partition from
// 0. Topics are never deleted and made again under the same name, so a name stands for one topic.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/ids.h"

namespace simulation {

class Ledger {
 public:
  // Keeps the first only.
  void fail(std::string what);
  bool failed() const { return !failure_.empty(); }
  const std::string& failure() const { return failure_; }

  // -1: somewhere; the broker did not say where, because it had told us before.
  void acknowledged(const base::TopicPartition& partition, base::Offset offset, const std::string& value);
  // The broker says that what it was sent comes too late: then it must be there.
  void overtaken(const base::TopicPartition& partition, const std::string& value) {
    partitions_[partition].overtaken.push_back(value);
  }
  // By a consumer, hence committed.
  void read(const base::TopicPartition& partition, base::Offset offset, const std::string& value);
  // By a consumer: everything below is committed, for ever.
  void saw_end(const base::TopicPartition& partition, base::Offset end);

  struct Partition {
    std::map<base::Offset, std::string> at;            // acknowledged or read
    std::map<std::string, base::Offset> acknowledged;  // -1: somewhere
    std::vector<std::string> overtaken;
    base::Offset end{};  // the furthest committed end anybody saw
  };
  const std::map<base::TopicPartition, Partition>& partitions() const { return partitions_; }
  std::uint64_t acknowledgements() const { return acknowledgements_; }
  std::uint64_t reads() const { return reads_; }
  // No promise holds for it any more.
  void forget_topic(const std::string& topic);

 private:
  void stands_at(const base::TopicPartition& partition, base::Offset offset, const std::string& value);

  std::string failure_;
  std::map<base::TopicPartition, Partition> partitions_;
  std::uint64_t acknowledgements_ = 0;
  std::uint64_t reads_ = 0;
};

}  // namespace simulation
