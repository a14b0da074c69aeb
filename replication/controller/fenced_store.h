// The controller's writes: each is one commit with a check of /controller_epoch, so that a controller that has been
// replaced without noticing cannot change anything. Lives on the coordination loop.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/logging.h"
#include "replication/controller/partition_steps.h"
#include "replication/controller/state.h"
#include "replication/coordination/async_store.h"

namespace replication {

class FencedStore {
 public:
  explicit FencedStore(AsyncStore store) : store_(store) {}

  // A new reign begins.
  void use(std::int32_t epoch_version) {
    epoch_version_ = epoch_version;
    lost_ = false;
  }
  // Another controller was elected, or the store is gone: nothing more can be written in this reign.
  bool lost() const { return lost_; }

  // As MetadataStore::commit; `failed_at` counts the given operations.
  Task<CommitReply> commit(std::vector<Operation> operations);

  // Writes state nodes and puts what then holds into `state`: what was written or, where somebody else was first, what
  // was found there.
  struct Written {
    std::vector<LeadershipChange> changes{};
    std::vector<base::TopicPartition> found{};  // somebody else's: to be decided again
    bool complete = true;                       // otherwise the store took no more, though the reign goes on
  };
  Task<Written> write_leadership(ControllerState* state, std::vector<LeadershipChange> changes);
  // Reads state nodes again. Those that cannot be read are left as they are known. False: the store is gone.
  Task<bool> read_leadership(ControllerState* state, std::vector<base::TopicPartition> partitions);

  // The node and everything below it, the deepest first. What is already gone is fine.
  Task<bool> remove_tree(std::string path);

 private:
  struct Step {
    Operation operation;
    std::size_t change;  // which of the changes it belongs to
    bool is_state;       // otherwise a parent that may exist already
  };
  struct Chunk {
    std::vector<LeadershipChange> changes{};
    std::set<std::string> existing{};  // parents found to exist
  };
  static std::vector<Step> steps_of(const Chunk& chunk, const ControllerState& state);
  Task<bool> write_chunk(ControllerState* state, Chunk* chunk, Written* written);
  Task<void> adopt(ControllerState* state, LeadershipChange refused, Written* written);

  AsyncStore store_;
  std::int32_t epoch_version_ = 0;
  bool lost_ = true;
  const base::Logger log_{"weir.Controller"};
};

}  // namespace replication
