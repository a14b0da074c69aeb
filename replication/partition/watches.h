// Who wants to hear of every change of a partition, for as long as it watches: fetch sessions, which look at a
// partition only when it may have news. A thing that happens once is waited for through Waiters instead.
//
// The list is copied when it changes and only handed on when something happens, under the partition's lock; it is told
// by whoever caused the change, without that lock.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "base/clock.h"

namespace replication {

class Watch {
 public:
  // What happened, so that nobody is woken for what does not concern him.
  enum class Of {
    log_end,         // more for readers up to the log end
    high_watermark,  // more for readers of what is committed
    anything,        // both, where the log begins, the role, the settings or the disk
  };

  virtual ~Watch() = default;
  // Also without reason. Any thread. Must not block.
  virtual void changed(Of what) = 0;
  // When its reader last asked for what comes next where it stands, though the replica was not looked at. Any thread.
  virtual std::optional<base::Instant> last_asked() const { return std::nullopt; }
};

class Watches {
 public:
  using List = std::shared_ptr<const std::vector<std::shared_ptr<Watch>>>;  // null: nobody

  void add(std::shared_ptr<Watch> watch);
  void remove(const Watch& watch);
  bool holds(const Watch& watch) const;
  const List& list() const { return list_; }

 private:
  List list_;
};

// All but `except`, who has brought it about and knows.
void tell(const Watches::List& watches, Watch::Of what = Watch::Of::anything, const Watch* except = nullptr);

}  // namespace replication
