// In-sync sets changed by their leaders themselves, who write the partition's state node: with
// inter.broker.protocol.version below 2.7-IV2.
//
// The write holds only for the state it starts from (the node's version is the partition epoch), so that a leader the
// controller has replaced changes nothing. The controller hears of it through isr_change nodes, each of which names
// what has changed for a while.
#pragma once

#include <memory>

#include "base/clock.h"
#include "base/loop.h"
#include "replication/coordination/metadata_store.h"
#include "replication/partition/isr_changes.h"

namespace replication {

class StateNodeIsrChanges final : public IsrChanges {
 public:
  // All outlive this. `loop` is the store's, on which answers are given.
  StateNodeIsrChanges(base::BrokerId self, MetadataStore& store, base::Loop& loop, const base::Clock& clock);
  ~StateNodeIsrChanges() override;

  void ask(IsrChange change, Done done) override;
  // Nothing is written and nobody is answered any more. On the loop, or once it has stopped; then this may go.
  void stop();

 private:
  class Writer;
  const std::shared_ptr<Writer> writer_;
};

}  // namespace replication
