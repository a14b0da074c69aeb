// The follower's half of a fetch session (KIP-227): what the leader remembers of us, so that a fetch names only
// partitions that changed. Pure.
#pragma once

#include <cstdint>
#include <limits>

namespace replication {

class FetchSession {
 public:
  // What the next request says.
  std::int32_t id() const { return id_; }
  std::int32_t epoch() const { return epoch_; }
  // It has to name every partition: the leader remembers none.
  bool lists_all() const { return epoch_ == 0; }

  // The leader answered. False: that is no answer within this session, which is begun anew.
  bool answered(std::int32_t id) {
    if (!lists_all() && id != id_) return begin_anew(), false;
    id_ = id;
    if (id == 0) return epoch_ = 0, true;  // it has no room for sessions
    epoch_ = epoch_ == std::numeric_limits<std::int32_t>::max() ? 1 : epoch_ + 1;
    return true;
  }
  // Nobody knows what became of the last request. The next one closes the old session.
  void begin_anew() { epoch_ = 0; }
  // The leader does not know it.
  void is_unknown() { id_ = epoch_ = 0; }

 private:
  std::int32_t id_ = 0;
  std::int32_t epoch_ = 0;
};

}  // namespace replication
