// Changes configuration in the metadata store: the entity's node and the announcement every broker acts on, in one
// commit. Others may change the same node: then what they wrote is read and the change made on that.
#pragma once

#include <functional>
#include <string>

#include "base/error.h"
#include "base/loop.h"
#include "replication/coordination/async_store.h"
#include "replication/coordination/znodes.h"

namespace replication {

// Any thread.
class StoredConfigs {
 public:
  // What becomes of the entries that are stored, or why nothing does. Called on the coordination loop, perhaps again.
  using Alter = std::function<base::Result<ConfigEntries>(ConfigEntries stored)>;
  using Done = std::function<void(base::Status)>;

  // Outlived by its parts.
  StoredConfigs(MetadataStore& store, base::Loop& loop) : store_(store), loop_(loop) {}

  struct Entity {
    std::string type;  // "topics", "brokers", ...
    std::string name;  // as it stands in the path
  };
  enum class Mode { store, only_check };
  // `done` is called on the coordination loop.
  void change(Entity entity, Mode mode, Alter alter, Done done) const;

 private:
  Task<void> run_change(Entity entity, Mode mode, Alter alter, Done done) const;

  AsyncStore store_;
  base::Loop& loop_;
};

}  // namespace replication
