#include "tests/simulation/client.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/bytes.h"
#include "protocol/messages/fetch.h"
#include "protocol/messages/list_offsets.h"
#include "protocol/messages/metadata.h"
#include "protocol/messages/produce.h"
#include "protocol/records/builder.h"
#include "protocol/records/record.h"

namespace simulation {

using base::ErrorCode;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {
constexpr std::int16_t kMetadataVersion = 9;
constexpr std::int16_t kProduceVersion = 8;
constexpr std::int16_t kFetchVersion = 11;
constexpr std::int16_t kListOffsetsVersion = 5;
constexpr milliseconds kRequestTimeout{3000};
constexpr milliseconds kFetchWait{500};
constexpr milliseconds kMetadataAge{5000};
constexpr int kMostOutOfOrder = 20;
}  // namespace

// ---- the host
// --------------------------------------------------------------------------------------------------------

ClientHost::ClientHost(SimNetwork& network, HostId id, std::vector<base::BrokerId> bootstrap)
    : network_(network),
      bootstrap_(std::move(bootstrap)),
      process_(network.scheduler(), fmt::format("client-{}", id)),
      clock_(network.scheduler(), {}),
      peers_(network, id, clock_),
      timer_(loop_.make_timer()),
      age_timer_(loop_.make_timer()) {
  loop_.post([this] { age(); });
}

ClientHost::~ClientHost() { process_.end(); }

std::optional<ClientHost::Leader> ClientHost::leader(const base::TopicPartition& partition) const {
  const auto found = leaders_.find(partition);
  if (found == leaders_.end() || found->second.id == base::kNoBroker) return std::nullopt;
  return found->second;
}

std::set<base::TopicPartition> ClientHost::partitions(const std::string& topic) const {
  std::set<base::TopicPartition> all;
  for (const auto& [partition, leader] : leaders_)
    if (partition.topic == topic) all.insert(partition);
  return all;
}

base::BrokerId ClientHost::anybody() { return bootstrap_[dice().below(bootstrap_.size())]; }

replication::PeerConnection& ClientHost::to(base::BrokerId broker) {
  auto& connection = connections_[broker];
  if (!connection) connection = peers_.connect({.id = broker}, loop_, {.client_id = process_.name()});
  return *connection;
}

void ClientHost::age() {
  refresh();
  age_timer_->arm(kMetadataAge, [this] { age(); });
}

void ClientHost::refresh() {
  if (std::exchange(refreshing_, true)) return;
  timer_->arm(dice().between(milliseconds(20), milliseconds(150)), [this] { ask_for_metadata(); });
}

void ClientHost::ask_for_metadata() {
  protocol::MetadataRequest request;
  request.allow_auto_topic_creation = false;
  replication::ask<protocol::MetadataResponse>(
      to(anybody()), request, kMetadataVersion, kRequestTimeout,
      [this](base::Result<replication::PeerAnswer<protocol::MetadataResponse>> answer) {
        refreshing_ = false;
        if (!answer) return refresh();
        controller_ = answer->message.controller_id;
        for (const auto& topic : answer->message.topics)
          for (const auto& partition : topic.partitions) {
            auto& leader = leaders_[{*topic.name, partition.partition_index}];
            if (partition.leader_epoch < leader.epoch) continue;  // of a broker that knows less than we do
            leader = {partition.leader_id, partition.leader_epoch};
          }
      });
}

// ---- producer
// --------------------------------------------------------------------------------------------------------

Producer::Producer(ClientHost& host, Ledger& ledger, How how)
    : host_(host),
      ledger_(ledger),
      how_(std::move(how)),
      ticker_(host.loop().make_timer()),
      retry_(host.loop().make_timer()) {
  host.loop().post([this] {
    host_.refresh();
    tick();
  });
}

void Producer::tick() {
  if (stopping_ || abandoned_) return;
  if (unacknowledged_.size() < 20) {
    Batch batch{.sequence = next_, .values = {}};
    for (auto n = 1 + host_.dice().below(3); n > 0; --n) batch.values.push_back(fmt::format("{}/{}", how_.id, next_++));
    unacknowledged_.push_back(std::move(batch));
    pump();
  }
  ticker_->arm(how_.every / 2 + host_.dice().between({}, how_.every), [this] { tick(); });
}

void Producer::pump() {
  if (waiting_ || abandoned_) return;
  const auto leader = host_.leader(how_.partition);
  if (!leader) return try_again();
  const auto window = std::min(how_.in_flight, unacknowledged_.size());
  for (std::size_t i = 0; i < window; ++i)
    if (!unacknowledged_[i].sent) send(unacknowledged_[i]);
}

void Producer::send(Batch& batch) {
  batch.sent = true;
  protocol::BatchBuilder builder(
      {.producer_id = how_.id, .producer_epoch = base::ProducerEpoch{0}, .base_sequence = batch.sequence});
  const auto now = base::timestamp_from_ms(1'700'000'000'000);
  for (const auto& value : batch.values) builder.add({.timestamp = now, .key = {}, .value = base::as_bytes(value)});
  const auto records = std::move(builder).build().value();
  protocol::ProduceRequest request;
  request.acks = -1;
  request.timeout_ms = 2000;
  auto& partition = request.topic_data.emplace_back();
  partition.name = how_.partition.topic;
  auto& data = partition.partition_data.emplace_back();
  data.index = how_.partition.partition;
  data.records.view = records.bytes();
  replication::ask<protocol::ProduceResponse>(
      host_.to(host_.leader(how_.partition)->id), request, kProduceVersion, kRequestTimeout,
      [this, attempt = attempt_,
       sequence = batch.sequence](base::Result<replication::PeerAnswer<protocol::ProduceResponse>> answer) {
        if (attempt != attempt_) return;
        if (!answer) return answered(sequence, answer.error().code, base::kNoOffset);
        const auto& told = answer->message.responses.at(0).partition_responses.at(0);
        answered(sequence, told.error_code, told.base_offset);
      });
}

void Producer::answered(std::int32_t sequence, ErrorCode code, base::Offset offset) {
  last_error_ = code;
  out_of_order_ = code == ErrorCode::out_of_order_sequence_number ? out_of_order_ + 1 : 0;
  if (out_of_order_ > kMostOutOfOrder) return begin_anew();
  if (unacknowledged_.front().sequence != sequence) return try_again();  // the leader changed in between
  if (code == ErrorCode::duplicate_sequence_number)
    offset = base::kNoOffset;
  else if (code != ErrorCode::none)
    return try_again();
  std::int64_t i = 0;
  for (const auto& value : unacknowledged_.front().values) {
    ledger_.acknowledged(how_.partition, offset == base::kNoOffset ? offset : offset + i, value);
    ++i;
  }
  unacknowledged_.pop_front();
  pump();
}

// All that is not acknowledged, in order: what was appended already the broker recognises by its sequence numbers.
void Producer::try_again() {
  ++attempt_;
  for (auto& batch : unacknowledged_) batch.sent = false;
  host_.refresh();
  waiting_ = true;
  retry_->arm(host_.dice().between(milliseconds(50), milliseconds(300)), [this] {
    waiting_ = false;
    pump();
  });
}

// A broker remembers the last five batches of a producer, but of those it has read from a snapshot after a restart or a
// cut only the last one, as Kafka's does. What was appended before and not acknowledged it then refuses for ever; a
// producer gives up on what it has in flight, which may be there or not, and goes on with another epoch, here: id.
void Producer::begin_anew() {
  out_of_order_ = 0;
  ledger_.overtaken(how_.partition, unacknowledged_.front().values.front());
  unacknowledged_.clear();
  next_ = 0;
  how_.id.raw += 1000;
  try_again();
}

std::string Producer::describe() const {
  return fmt::format("producer {} of {}: {} batches unacknowledged, last error {}", how_.id, how_.partition,
                     unacknowledged_.size(), base::error_name(last_error_));
}

// ---- consumer
// --------------------------------------------------------------------------------------------------------

Consumer::Consumer(ClientHost& host, Ledger& ledger, base::TopicPartition partition)
    : host_(host), ledger_(ledger), partition_(std::move(partition)), timer_(host.loop().make_timer()) {
  host.loop().post([this] {
    host_.refresh();
    fetch();
  });
}

void Consumer::fetch_later(base::Duration after) {
  if (abandoned_) return;
  timer_->arm(after, [this] {
    if (host_.dice().one_in(20))
      ask_for_end();
    else
      fetch();
  });
}

void Consumer::fetch() {
  const auto leader = host_.leader(partition_);
  if (!leader) {
    host_.refresh();
    return fetch_later(milliseconds(200));
  }
  protocol::FetchRequest request;
  request.max_wait_ms = kFetchWait.count();
  request.min_bytes = 1;
  auto& topic = request.topics.emplace_back();
  topic.topic = partition_.topic;
  auto& wanted = topic.partitions.emplace_back();
  wanted.partition = partition_.partition;
  wanted.current_leader_epoch = leader->epoch;
  wanted.fetch_offset = position_;
  wanted.partition_max_bytes = 1 << 20;
  replication::ask<protocol::FetchResponse>(
      host_.to(leader->id), request, kFetchVersion, kFetchWait + kRequestTimeout,
      [this, leader = *leader](base::Result<replication::PeerAnswer<protocol::FetchResponse>> answer) {
        if (abandoned_) return;
        last_error_ = answer ? answer->message.error_code : answer.error().code;
        if (answer && last_error_ == ErrorCode::none && !answer->message.responses.empty()) {
          const auto& told = answer->message.responses[0].partitions.at(0);
          last_error_ = told.error_code;
          if (last_error_ == ErrorCode::none) take(told.records.view);
        }
        if (last_error_ == ErrorCode::offset_out_of_range)
          ledger_.fail(
              fmt::format("{}: a consumer that had read up to offset {} was told by leader {} of epoch {} "
                          "that it is out of range",
                          partition_, position_, leader.id, leader.epoch));
        if (last_error_ == ErrorCode::none) return fetch_later(milliseconds(5));
        host_.refresh();
        fetch_later(host_.dice().between(milliseconds(50), milliseconds(300)));
      });
}

void Consumer::take(std::span<const std::byte> records) {
  protocol::EntryCursor entries(records);
  while (const auto entry = entries.next()) {
    if (!entry->crc_ok()) ledger_.fail(fmt::format("{}: a batch is damaged", partition_));
    const auto batch = entry->batch();
    protocol::RecordReader reader(batch);
    protocol::RecordView record;
    while (reader.next(record)) {
      const auto offset = batch.base_offset() + record.offset_delta;
      if (offset < position_) continue;
      if (offset > position_)
        ledger_.fail(fmt::format("{}: a consumer at offset {} was given {} next", partition_, position_, offset));
      ledger_.read(partition_, offset, std::string(base::as_text(*record.value)));
      position_ = offset + 1;
    }
  }
}

void Consumer::ask_for_end() {
  const auto leader = host_.leader(partition_);
  if (!leader) return fetch();
  protocol::ListOffsetsRequest request;
  auto& topic = request.topics.emplace_back();
  topic.name = partition_.topic;
  auto& wanted = topic.partitions.emplace_back();
  wanted.partition_index = partition_.partition;
  wanted.current_leader_epoch = leader->epoch;
  wanted.timestamp = -1;
  replication::ask<protocol::ListOffsetsResponse>(
      host_.to(leader->id), request, kListOffsetsVersion, kRequestTimeout,
      [this, leader = *leader](base::Result<replication::PeerAnswer<protocol::ListOffsetsResponse>> answer) {
        if (abandoned_) return;
        if (answer) {
          const auto& told = answer->message.topics.at(0).partitions.at(0);
          if (told.error_code == ErrorCode::none) {
            if (told.offset < std::max(known_end_, position_))
              ledger_.fail(fmt::format("{}: leader {} of epoch {} says the end is {}, but a consumer has seen {}",
                                       partition_, leader.id, leader.epoch, told.offset,
                                       std::max(known_end_, position_)));
            known_end_ = told.offset;
            ledger_.saw_end(partition_, told.offset);
          }
        }
        fetch_later(milliseconds(5));
      });
}

bool Consumer::is_done(const Ledger& ledger) const {
  const auto told = ledger.partitions().find(partition_);
  if (abandoned_ || told == ledger.partitions().end()) return true;
  const auto& at = told->second.at;
  return position_ >= told->second.end && (at.empty() || position_ > at.rbegin()->first);
}

std::string Consumer::describe() const {
  return fmt::format("consumer of {}: at {}, last error {}", partition_, position_, base::error_name(last_error_));
}

}  // namespace simulation
