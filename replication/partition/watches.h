// Who wants to hear of every change of a partition, for as long as it watches: fetch sessions, which look at a
// partition only when it may have news. A thing that happens once is waited for through Waiters instead.
//
// The list is copied when it changes and only handed on when something happens, under the partition's lock; it is told
// by whoever caused the change, without that lock.
#pragma once

#include <memory>
#include <vector>

namespace replication {

class Watch {
 public:
  virtual ~Watch() = default;
  // What readers may see, where the log begins, the role, the settings or the disk may have changed; also without
  // reason. Any thread. Must not block.
  virtual void changed() = 0;
};

class Watches {
 public:
  using List = std::shared_ptr<const std::vector<std::shared_ptr<Watch>>>;  // null: nobody

  void add(std::shared_ptr<Watch> watch);
  void remove(const Watch& watch);
  const List& list() const { return list_; }

 private:
  List list_;
};

void tell(const Watches::List& watches);

}  // namespace replication
