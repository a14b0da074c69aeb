#include "broker/group/old_offsets.h"

#include <fmt/format.h>

#include <atomic>
#include <charconv>
#include <memory>
#include <optional>
#include <utility>

#include "replication/coordination/znodes.h"

namespace broker {
namespace {

using base::ErrorCode;
using replication::CommitReply;
using replication::Create;
using replication::Node;
using replication::Reply;
using replication::StoreCode;

// Counts the answers of one request, which come while it is still being asked.
struct Pending {
  Pending(std::vector<OldOffsets::Offset> asked, OldOffsets::Done then)
      : offsets(std::move(asked)), done(std::move(then)), left(offsets.size() + 1) {}

  void one_answered() {
    if (--left == 0) done(std::move(offsets));
  }

  std::vector<OldOffsets::Offset> offsets;
  OldOffsets::Done done;
  std::atomic<std::size_t> left;  // one more than asked: for whoever asks
};

// A name of a group becomes a part of a path, and not every name can.
std::optional<std::string> path_of(const std::string& group, const base::TopicPartition& partition) {
  auto path = replication::paths::consumer_offset(group, partition.topic, partition.partition);
  if (!replication::is_node_path(path)) return std::nullopt;
  for (const auto* forbidden : {"/./", "/../"})
    if (path.find(forbidden) != std::string::npos) return std::nullopt;
  for (const char c : path)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) return std::nullopt;
  return path;
}

std::optional<std::int64_t> number_in(const std::string& text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

void OldOffsets::commit(const std::string& group, std::vector<Offset> offsets, Done done) {
  auto all = std::make_shared<Pending>(std::move(offsets), std::move(done));
  for (auto& one : all->offsets) {
    const auto path = one.error == ErrorCode::none ? path_of(group, one.partition) : std::nullopt;
    if (!path) {
      if (one.error == ErrorCode::none) one.error = ErrorCode::unknown_server_error;
      all->one_answered();
      continue;
    }
    commit_one(*path, one.offset, [all, &one](StoreCode code) {
      if (code != StoreCode::ok) one.error = ErrorCode::unknown_server_error;
      all->one_answered();
    });
  }
  all->one_answered();
}

void OldOffsets::commit_one(const std::string& path, base::Offset offset, std::function<void(StoreCode)> then) {
  const replication::Set set{.path = path, .data = fmt::format("{}", offset)};
  store_.commit({set}, [this, set, then = std::move(then)](const CommitReply& reply) {
    if (reply.code != StoreCode::no_node) return then(reply.code);
    // The store does what we ask in order: whoever creates a node first, the last request finds them all.
    std::vector<std::string> missing{set.path};
    while (missing.back().find('/', 1) != std::string::npos)
      missing.push_back(replication::paths::parent(missing.back()));
    for (auto one = missing.rbegin(); one != missing.rend(); ++one)
      store_.commit({Create{.path = *one}}, [](const CommitReply&) {});
    store_.commit({set}, [then](const CommitReply& again) { then(again.code); });
  });
}

void OldOffsets::fetch(const std::string& group, std::vector<Offset> offsets, Done done) {
  auto all = std::make_shared<Pending>(std::move(offsets), std::move(done));
  for (auto& one : all->offsets) {
    const auto path = one.error == ErrorCode::none ? path_of(group, one.partition) : std::nullopt;
    if (!path) {
      if (one.error == ErrorCode::none) one.error = ErrorCode::unknown_topic_or_partition;
      all->one_answered();
      continue;
    }
    store_.get(*path, [all, &one](const Reply<Node>& node) {
      const auto offset = node.ok() ? number_in(node.value.data) : std::nullopt;
      if (offset)
        one.offset = base::Offset{*offset};
      else
        one.error = node.ok() || node.code == StoreCode::no_node ? ErrorCode::unknown_topic_or_partition
                                                                 : ErrorCode::unknown_server_error;
      all->one_answered();
    });
  }
  all->one_answered();
}

}  // namespace broker
