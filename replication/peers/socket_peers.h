// PeerNetwork over TCP.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "base/clock.h"
#include "base/loop.h"
#include "replication/peers/peers.h"

namespace replication {

// Outlives its connections. Names are looked up on `names`, which may wait; addresses need it not. That pool is stopped
// before the loops of the connections are destroyed.
class SocketPeers final : public PeerNetwork {
 public:
  // No answer of a broker is larger: records of a fetch come in far smaller portions, and a size read from the middle
  // of something else must not be believed.
  static constexpr std::size_t kMaxAnswerBytes = std::size_t{1} << 30;

  SocketPeers(base::Clock& clock, base::BlockingPool& names, std::size_t max_answer_bytes = kMaxAnswerBytes)
      : clock_(clock), names_(names), max_answer_bytes_(max_answer_bytes) {}

  std::unique_ptr<PeerConnection> connect(PeerAddress to, base::Loop& loop, PeerOptions options) override;

 private:
  base::Clock& clock_;
  base::BlockingPool& names_;
  const std::size_t max_answer_bytes_;
};

}  // namespace replication
