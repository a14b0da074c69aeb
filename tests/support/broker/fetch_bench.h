// The Fetch handler without sockets, and the requests that tests put to it.
#pragma once

#include <catch2/catch.hpp>

#include <cstdint>
#include <string>
#include <vector>

#include "broker/handlers/fetch.h"
#include "protocol/messages/fetch.h"
#include "tests/support/broker/handler_bench.h"

namespace broker::test {

struct FetchBench : HandlerBench {
  using HandlerBench::HandlerBench;
  FetchSessionCache sessions{10, clock, random};
  FetchServices services{.metadata = metadata,
                         .partitions = table,
                         .sessions = sessions,
                         .pool = pool,
                         .reads = reads,
                         .max_answer_bytes = 1 << 20};
  FetchHandler handler{services};
};

struct From {
  std::int32_t partition = 0;
  std::int64_t offset = 0;
  std::int32_t max_bytes = 1 << 20;
  std::string topic = "orders";
};

inline protocol::FetchRequest fetch(const std::vector<From>& partitions, int max_wait_ms = 0, int min_bytes = 1) {
  protocol::FetchRequest out;
  out.max_wait_ms = max_wait_ms;
  out.min_bytes = min_bytes;
  for (const auto& from : partitions) {
    auto& topic = out.topics.emplace_back();
    topic.topic = from.topic;
    auto& one = topic.partitions.emplace_back();
    one.partition = from.partition;
    one.fetch_offset = base::Offset{from.offset};
    one.partition_max_bytes = from.max_bytes;
  }
  return out;
}

inline protocol::FetchResponse::Topic::Partition only(const protocol::FetchResponse& response) {
  REQUIRE(response.responses.size() == 1);
  REQUIRE(response.responses[0].partitions.size() == 1);
  return response.responses[0].partitions[0];
}

// Fetches of one session, in turn.
struct SessionOf {
  FetchBench& bench;
  std::int32_t id = 0;
  std::int32_t epoch = 0;

  protocol::FetchRequest next(protocol::FetchRequest request) {
    request.session_id = id;
    request.session_epoch = epoch++;
    return request;
  }
  protocol::FetchResponse ask(const protocol::FetchRequest& request) {
    auto answer = bench.ask<protocol::FetchResponse>(bench.handler, next(request), kByName);
    id = answer.session_id;
    return answer;
  }
  // What the next request would look at.
  std::vector<std::int32_t> due() {
    const auto context = bench.sessions.open(next(fetch({})), kByName);
    std::vector<std::int32_t> out;
    for (const auto& partition : context->partitions) out.push_back(partition->partition);
    return out;
  }
  static constexpr std::int16_t kByName = 12;
};

}  // namespace broker::test
