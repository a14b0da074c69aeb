// The controller's answers to requests that create topics or give them more partitions.
#include <algorithm>

#include "replication/controller/controller.h"
#include "replication/controller/partition_steps.h"

namespace replication {

using base::ErrorCode;

namespace {

TopicResults named_results(const auto& items, auto name) {
  TopicResults results;
  for (const auto& item : items) results.push_back({.name = std::invoke(name, item)});
  return results;
}

void refuse(TopicResult& result, const base::Error& error) {
  result.code = error.code;
  result.message = error.detail;
}

TopicResults refuse_all(TopicResults results, ErrorCode code) {
  for (auto& result : results) result.code = code;
  return results;
}

// What a refused write means to who asked for it.
ErrorCode code_of(StoreCode code) {
  return code == StoreCode::session_expired || code == StoreCode::closed ? ErrorCode::not_controller
                                                                         : ErrorCode::unknown_server_error;
}

}  // namespace

TopicRules Controller::rules() const {
  TopicRules rules{.default_partitions = settings_.default_partitions,
                   .default_replication_factor = settings_.default_replication_factor,
                   .check_config = settings_.check_topic_config};
  for (const auto& [id, broker] : state_.brokers) rules.brokers.push_back({.id = id, .rack = broker.rack});
  return rules;
}

std::vector<std::string> Controller::colliding_with(std::string_view name) const {
  std::vector<std::string> colliding;
  if (name.find_first_of("._") == std::string_view::npos) return colliding;
  for (const auto& [other, topic] : state_.topics)
    if (topic_names_collide(name, other)) colliding.push_back(other);
  return colliding;
}

// ---- what both kinds of requests have in common --------------------------------------------------------------------

template <class Item>
void Controller::change_topics(TopicChange<Item> change, std::vector<Item> items, TopicRequestOptions options,
                               Done done) {
  auto refused = refuse_all(named_results(items, change.topic), ErrorCode::not_controller);
  request(
      change.name,
      [this, change, items = std::move(items), options, done] { return change_all(change, items, options, done); },
      [refused = std::move(refused), done] { done(refused); });
}

// One item after another, then the elections due, then the answer, which waits for them to show.
template <class Item>
Task<void> Controller::change_all(TopicChange<Item> change, std::vector<Item> items, TopicRequestOptions options,
                                  Done done) {
  auto results = named_results(items, change.topic);
  if (!active_) {
    done(refuse_all(std::move(results), ErrorCode::not_controller));
    co_return;
  }
  const auto repeated = repeated_names(items, change.topic);
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (repeated.contains(results[i].name)) {
      refuse(results[i], base::fail(ErrorCode::invalid_request, "{}", change.repeated));
      continue;
    }
    co_await (this->*change.one)(items[i], options.validate_only, &results[i]);
  }
  if (options.validate_only) {
    done(std::move(results));
    co_return;
  }
  std::vector<LeadershipChange> due;
  for (const auto& result : results)
    if (result.code == ErrorCode::none) std::ranges::move(due_changes(state_, result.name), std::back_inserter(due));
  const Decide again = [](const ControllerState& state, const base::TopicPartition& partition) {
    return due_change(state, partition);
  };
  co_await lead(std::move(due), again);
  if (active_) announcer_.send(state_);
  pending_.add(std::move(results), options.timeout, shows_leaders, std::move(done));
}

void Controller::create_topics(std::vector<NewTopic> topics, TopicRequestOptions options, Done done) {
  change_topics<NewTopic>({.name = "create topics",
                           .topic = &NewTopic::name,
                           .repeated = "Found multiple entries for this topic.",
                           .one = &Controller::create_one},
                          std::move(topics), options, std::move(done));
}

void Controller::create_partitions(std::vector<MorePartitions> topics, TopicRequestOptions options, Done done) {
  change_topics<MorePartitions>({.name = "create partitions",
                                 .topic = &MorePartitions::topic,
                                 .repeated = "Duplicate topic in request.",
                                 .one = &Controller::expand_one},
                                std::move(topics), options, std::move(done));
}

// ---- create --------------------------------------------------------------------------------------------------------

Task<void> Controller::create_one(NewTopic topic, bool validate_only, TopicResult* result) {
  const auto exists = [this](std::string_view name) {
    return state_.topics.contains(name) || state_.deleting.contains(name);
  };
  auto plan = plan_topic(topic, rules(), exists, colliding_with(topic.name), random_);
  if (!plan.ok()) {
    refuse(*result, plan.error());
    co_return;
  }
  TopicNode node{.replicas = std::move(plan->replicas)};
  if (settings_.topic_ids) node.topic_id = base::Uuid::generate(random_);
  const auto partitions = static_cast<std::int32_t>(node.replicas.size());
  const auto factor = static_cast<std::int32_t>(node.replicas.begin()->second.size());
  if (!validate_only) {
    const auto written = co_await write_new_topic(topic.name, node, encode_config(plan->config));
    if (written == StoreCode::node_exists) {
      refuse(*result, base::fail(ErrorCode::topic_already_exists, "Topic '{}' already exists.", topic.name));
      co_return;
    }
    if (written != StoreCode::ok) {
      result->code = code_of(written);
      co_return;
    }
    result->topic_id = node.topic_id.value_or(base::Uuid{});
    state_.put_node(topic.name, std::move(node));
    watch_topic(topic.name);
    log_.info("topic {} created with {} partitions, {} replicas each", topic.name, partitions, factor);
  }
  result->partitions = partitions;
  result->replication_factor = factor;
}

// The configuration stands before the topic does, always, and what an earlier topic of that name left is replaced.
Task<StoreCode> Controller::write_new_topic(std::string name, TopicNode node, std::string config) {
  const std::string config_path = paths::config("topics", name);
  const std::string topic_path = paths::topic(name);
  const std::string assignment = encode(node);
  bool config_exists = false;
  for (;;) {
    std::vector<Operation> steps;
    if (config_exists)
      steps.push_back(Set{.path = config_path, .data = config});
    else
      steps.push_back(Create{.path = config_path, .data = config});
    steps.push_back(Create{.path = topic_path, .data = assignment});
    const auto written = co_await fenced_.commit(std::move(steps));
    if (written.code == StoreCode::node_exists && written.failed_at == 0) {
      // A left-over, or our own commit whose answer was lost: then the topic, too, is as we wrote it.
      const auto found = co_await async_.get(topic_path);
      if (found.ok()) co_return found.value.data == assignment ? StoreCode::ok : StoreCode::node_exists;
      if (found.code != StoreCode::no_node) co_return found.code;
      config_exists = true;
      continue;
    }
    if (written.code == StoreCode::no_node && config_exists) {
      config_exists = false;
      continue;
    }
    if (written.code == StoreCode::node_exists) {
      const auto found = co_await async_.get(topic_path);
      if (found.ok() && found.value.data == assignment) co_return StoreCode::ok;
    }
    co_return written.code;
  }
}

// ---- expand --------------------------------------------------------------------------------------------------------

Task<void> Controller::expand_one(MorePartitions topic, bool validate_only, TopicResult* result) {
  if (state_.deleting.contains(topic.topic)) {
    refuse(*result, base::fail(ErrorCode::invalid_topic_exception, "The topic is queued for deletion."));
    co_return;
  }
  const auto known = state_.topics.find(topic.topic);
  if (known == state_.topics.end() || known->second.node.replicas.empty()) {
    refuse(*result, base::fail(ErrorCode::unknown_topic_or_partition, "The topic '{}' does not exist.", topic.topic));
    co_return;
  }
  TopicNode node = known->second.node;
  if (!node.adding.empty() || !node.removing.empty()) {
    refuse(*result, base::fail(ErrorCode::reassignment_in_progress,
                               "A partition reassignment is in progress for the topic '{}'.", topic.topic));
    co_return;
  }
  auto added = plan_expansion(topic, node, rules().brokers, random_);
  if (!added.ok()) {
    refuse(*result, added.error());
    co_return;
  }
  node.replicas.merge(*added);
  result->topic_id = node.topic_id.value_or(base::Uuid{});
  result->partitions = static_cast<std::int32_t>(node.replicas.size());
  result->replication_factor = static_cast<std::int32_t>(node.replicas.begin()->second.size());
  if (validate_only) co_return;
  std::vector<Operation> change;
  change.push_back(Set{.path = paths::topic(topic.topic), .data = encode(node)});
  const auto written = co_await fenced_.commit(std::move(change));
  if (!written.ok()) {
    result->code = code_of(written.code);
    co_return;
  }
  state_.put_node(topic.topic, std::move(node));
  log_.info("topic {} has {} partitions now", topic.topic, result->partitions);
}

}  // namespace replication
