#include "replication/peers/socket_peers.h"

#include <utility>

#include "replication/peers/socket_connection.h"

namespace replication {
namespace {

class SocketPeer final : public PeerConnection {
 public:
  SocketPeer(std::shared_ptr<SocketConnection> connection, std::string client_id)
      : PeerConnection(std::move(client_id)), connection_(std::move(connection)) {}
  ~SocketPeer() override { connection_->abandon(); }

  void send(std::int32_t correlation_id, base::BufferChain frame, base::Duration timeout, Done done) override {
    connection_->send(correlation_id, std::move(frame), timeout, std::move(done));
  }
  void disconnect() override { connection_->disconnect(); }

 private:
  const std::shared_ptr<SocketConnection> connection_;
};

}  // namespace

std::unique_ptr<PeerConnection> SocketPeers::connect(PeerAddress to, base::Loop& loop, PeerOptions options) {
  auto client_id = options.client_id;
  auto connection = std::make_shared<SocketConnection>(
      std::move(to), std::move(options),
      SocketConnection::Services{
          .loop = loop, .clock = clock_, .names = names_, .max_answer_bytes = max_answer_bytes_});
  return std::make_unique<SocketPeer>(std::move(connection), std::move(client_id));
}

}  // namespace replication
