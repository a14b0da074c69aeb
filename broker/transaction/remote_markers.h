// Markers into partitions that other brokers lead: WriteTxnMarkers, one request at a time to each of them. What comes
// meanwhile goes together in the next.
//
// Lives on the coordinators' loop. Outlived by its parts.
#pragma once

#include <chrono>
#include <deque>
#include <map>
#include <vector>

#include "base/loop.h"
#include "broker/peers/other_brokers.h"
#include "broker/transaction/marker_writer.h"
#include "protocol/messages/write_txn_markers.h"

namespace broker {

class RemoteMarkers {
 public:
  // `last_version`: of WriteTxnMarkers, which the inter-broker protocol selects.
  RemoteMarkers(OtherBrokers& others, base::Loop& loop, std::int16_t last_version)
      : others_(others), loop_(loop), last_version_(last_version) {}

  // As MarkerWriter::write(), which the leader calls. What the network does is `network_exception` or
  // `request_timed_out`: worth another try, perhaps elsewhere. `done` is called on the loop and never inside the call.
  void write(base::BrokerId leader, const TransactionEnd& end, const base::TopicPartition& partition,
             std::chrono::milliseconds timeout, MarkerWriter::Done done);

 private:
  struct Marker {
    TransactionEnd end;
    base::TopicPartition partition;
    std::chrono::milliseconds timeout;
    MarkerWriter::Done done;
  };
  struct Leader {
    std::deque<Marker> waiting;
    bool sending = false;
  };
  void send(base::BrokerId leader);
  void answered(base::BrokerId leader, std::vector<Marker> sent,
                base::Result<replication::PeerAnswer<protocol::WriteTxnMarkersResponse>> answer);

  OtherBrokers& others_;
  base::Loop& loop_;
  const std::int16_t last_version_;
  std::map<base::BrokerId, Leader> leaders_;
};

}  // namespace broker
