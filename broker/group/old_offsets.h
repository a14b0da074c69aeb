// Offsets as consumers of before 0.9 kept them: OffsetCommit and OffsetFetch v0, in the metadata store at
// /consumers/<group>/offsets/<topic>/<partition>, as decimal text. They know no members, generations or metadata.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/ids.h"
#include "replication/coordination/metadata_store.h"

namespace broker {

// Any thread may call; answers come on the coordination loop, once. Outlived by the store.
class OldOffsets {
 public:
  explicit OldOffsets(replication::MetadataStore& store) : store_(store) {}

  struct Offset {
    base::TopicPartition partition;
    base::Offset offset = base::kNoOffset;
    base::ErrorCode error = base::ErrorCode::none;
  };
  using Done = std::function<void(std::vector<Offset>)>;  // in their order

  void commit(const std::string& group, std::vector<Offset> offsets, Done done);
  // `unknown_topic_or_partition` where nothing is stored.
  void fetch(const std::string& group, std::vector<Offset> offsets, Done done);

 private:
  void commit_one(const std::string& path, base::Offset offset, std::function<void(replication::StoreCode)> then);

  replication::MetadataStore& store_;
};

}  // namespace broker
