// One group's life: who its members are, when they join anew, who gets which assignment.
//
//   empty -> preparing_rebalance -> completing_rebalance -> stable
//                  ^  the members join      |  they wait for the leader's assignment, which is stored first
//                  +------------------------+---- whenever the members, or what they want, change
//
// Pure: an event comes in with the time it happened, the new state stays here, and what is to be done goes out as
// Effects: answers, a record to be written, lines for the operator. Calls that wait are named by tickets; each ticket
// is answered once. Offsets are kept beside this (committed_offsets.h), connections and locks in the coordinator.
//
// Rules: GroupCoordinator and GroupMetadata of Apache Kafka 2.7.1, of 3.9.1 where the request is newer.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "protocol/internal/group_records.h"

namespace broker {

enum class GroupState { empty, preparing_rebalance, completing_rebalance, stable, dead };
std::string_view group_state_name(GroupState state);  // as DescribeGroups and ListGroups say it

using Ticket = std::uint64_t;  // a call that is owed an answer, in its owner's numbering

struct Moment {
  base::Instant now;     // for deadlines
  base::Timestamp wall;  // for what is stored
};

struct GroupLimits {
  std::chrono::milliseconds initial_rebalance_delay{3000};
  std::size_t max_size = 2147483647;
};

struct GroupProtocol {
  std::string name;
  std::string metadata;
  bool operator==(const GroupProtocol&) const = default;
};

struct JoinCall {
  Ticket ticket = 0;
  std::string member_id;  // empty: a new member
  std::optional<std::string> instance_id;
  std::string client_id;
  std::string client_host;
  std::chrono::milliseconds session_timeout{0};
  std::chrono::milliseconds rebalance_timeout{0};
  std::string protocol_type;
  std::vector<GroupProtocol> protocols;
  std::string reason;               // the client's own, for the operator
  std::string fresh_id;             // a UUID: makes the id of a new member unique
  bool member_id_required = true;   // JoinGroup v4+: a new dynamic member is told its id first
  bool may_skip_assignment = true;  // JoinGroup v9+
};

struct JoinAnswer {
  struct Member {
    std::string id;
    std::optional<std::string> instance_id;
    std::string metadata;
  };
  Ticket ticket = 0;
  base::ErrorCode error = base::ErrorCode::none;
  std::string member_id;
  std::int32_t generation = -1;
  std::optional<std::string> protocol_type;
  std::optional<std::string> protocol;
  std::string leader;
  bool skip_assignment = false;
  std::vector<Member> members;  // told to the leader
};

// Who says something, and of which generation.
struct MemberCall {
  std::string member_id;
  std::optional<std::string> instance_id;
  std::int32_t generation = -1;
};

struct SyncCall {
  Ticket ticket = 0;
  MemberCall from;
  std::optional<std::string> protocol_type;
  std::optional<std::string> protocol;
  std::vector<std::pair<std::string, std::string>> assignments;  // member id, assignment; the leader's
};

struct SyncAnswer {
  Ticket ticket = 0;
  base::ErrorCode error = base::ErrorCode::none;
  std::optional<std::string> protocol_type;
  std::optional<std::string> protocol;
  std::string assignment;
};

struct LeaveCall {
  std::string member_id{};  // may be empty when the instance is named
  std::optional<std::string> instance_id{};
  std::string reason{};
};

// A record to be written with acks=all, then reported by Group::stored.
struct StoreGroup {
  std::uint64_t number = 0;
  protocol::GroupRecordValue value;
};

struct GenerationNews {
  std::int32_t generation = 0;
  std::string reason;
  std::size_t members_before = 0;
  std::size_t members_after = 0;
  base::Duration took{};
};
struct MemberGoneNews {
  std::string member_id;
  std::string client;  // id and host
  std::string why;
};

struct Effects {
  std::vector<JoinAnswer> joins;
  std::vector<SyncAnswer> syncs;
  std::vector<StoreGroup> stores;  // in the order they must be written
  std::vector<GenerationNews> generations;
  std::vector<MemberGoneNews> gone;
};

struct MemberView {
  std::string id;
  std::optional<std::string> instance_id;
  std::string client_id;
  std::string client_host;
  std::string metadata;  // both only while the group is stable
  std::string assignment;
};

class Group {
 public:
  Group(GroupLimits limits, Moment at);
  // As a record of __consumer_offsets says. Members have their session to be heard of again. A record that contradicts
  // itself (a member twice) keeps what makes sense.
  static Group from_record(const protocol::GroupRecordValue& record, GroupLimits limits, Moment at, Effects& out);

  // ---- what members ask
  void join(JoinCall call, Moment at, Effects& out);
  void sync(SyncCall call, Moment at, Effects& out);
  base::ErrorCode heartbeat(const MemberCall& call, Moment at);
  base::ErrorCode leave(const LeaveCall& call, Moment at, Effects& out);
  // Whether this member may store offsets now. `transactional`: by TxnOffsetCommit, whose old versions name no member.
  struct CommitCall {
    MemberCall from;
    bool transactional = false;
  };
  base::ErrorCode may_commit(const CommitCall& call, Moment at);

  // ---- what happens to it
  // How the write of a StoreGroup ended. Codes are the log's; members are told what Kafka makes of them.
  void stored(std::uint64_t number, base::ErrorCode outcome, Moment at, Effects& out);
  // Whatever is due by now. To be called at next_deadline() at the latest; too early does no harm.
  void expire(Moment at, Effects& out);
  // Not later than the first moment at which expire() has something to do. A heartbeat does not move it.
  std::optional<base::Instant> next_deadline() const { return next_deadline_; }
  // The group is no longer here, or no longer at all: whoever waits is told `why`.
  void kill(base::ErrorCode why, Effects& out);

  // ---- what it is
  GroupState state() const { return state_; }
  std::int32_t generation() const { return generation_; }
  const std::optional<std::string>& protocol_type() const { return protocol_type_; }
  const std::optional<std::string>& protocol() const { return protocol_; }
  const std::optional<std::string>& leader() const { return leader_; }
  // Since when it is in this state; nothing when an old record did not say.
  std::optional<base::Timestamp> state_since() const { return state_since_; }
  std::size_t member_count() const { return members_.size(); }
  std::size_t pending_count() const { return pending_.size(); }
  std::vector<MemberView> members() const;
  bool is_consumer_group() const;
  // The topics its consumers read; nothing when unknown: no consumers, or a subscription that cannot be read.
  const std::optional<std::set<std::string, std::less<>>>& topics() const { return topics_; }

 private:
  struct Member {
    std::string id;
    std::optional<std::string> instance_id;
    std::string client_id;
    std::string client_host;
    std::chrono::milliseconds session_timeout{0};
    std::chrono::milliseconds rebalance_timeout{0};
    std::vector<GroupProtocol> protocols;
    std::string assignment;
    std::uint64_t order = 0;  // of joining
    base::Instant deadline;   // to be heard of
    bool is_new = false;      // its first join has not been answered
    bool owes_sync = false;   // has not synced in this generation
    std::optional<Ticket> joining;
    std::optional<Ticket> syncing;

    const std::string& metadata_for(std::string_view protocol) const;
    bool waits() const { return joining || syncing; }
  };
  using Members = std::map<std::string, Member, std::less<>>;

  // What a store under way is for.
  struct StoringAssignment {
    std::int32_t generation = 0;
    std::map<std::string, std::string, std::less<>> assignments;
  };
  struct StoringReplacement {  // of a static member by a newcomer of the same instance
    std::string old_id;
    std::string new_id;
    std::string leader_before;
    std::vector<GroupProtocol> old_protocols;
    std::chrono::milliseconds old_session_timeout{0};
    std::chrono::milliseconds old_rebalance_timeout{0};
    Ticket ticket = 0;
    bool may_skip_assignment = false;
  };
  struct StoringEmptiness {};
  using Storing = std::variant<StoringAssignment, StoringReplacement, StoringEmptiness>;

  // ---- joining
  bool has_room_for(std::string_view member_id) const;
  void join_as_new(JoinCall& call, Moment at, Effects& out);
  void join_as_known(JoinCall& call, Moment at, Effects& out);
  void rejoin(Member& member, JoinCall& call, Moment at, Effects& out);
  void add_member(std::string id, JoinCall& call, Moment at, Effects& out);
  void replace_static(const std::string& old_id, std::string new_id, JoinCall& call, Moment at, Effects& out);
  void update(Member& member, JoinCall& call, Effects& out);
  void update_and_rebalance(Member& member, JoinCall& call, std::string reason, Moment at, Effects& out);
  Member& rename(const std::string& old_id, const std::string& new_id);
  JoinAnswer join_answer(const Member& member, Ticket ticket) const;
  static JoinAnswer join_refusal(Ticket ticket, base::ErrorCode code, std::string member_id = {});

  // ---- rebalancing
  void prepare_rebalance(std::string reason, Moment at, Effects& out);
  void maybe_prepare_rebalance(std::string reason, Moment at, Effects& out);
  void look_at_joins(Moment at, Effects& out);  // complete the rebalance if it can be
  void join_time_is_up(Moment at, Effects& out);
  void complete_join(Moment at, Effects& out);
  bool elect_leader_who_joined();
  void begin_generation(Moment at, Effects& out);
  std::chrono::milliseconds rebalance_timeout() const;
  std::string choose_protocol() const;
  bool shares_protocol(std::string_view type, const std::vector<GroupProtocol>& protocols) const;
  void count_protocols(const Member& member, int by);
  void find_topics();

  // ---- syncing
  void store_assignment(SyncCall& call, Effects& out);
  void assignment_stored(StoringAssignment& what, base::ErrorCode code, Moment at, Effects& out);
  void replacement_stored(StoringReplacement& what, base::ErrorCode code, Moment at, Effects& out);
  void hand_out(base::ErrorCode code, Moment at, Effects& out);
  void store(Storing what, Effects& out);
  SyncAnswer sync_answer(const Member& member, Ticket ticket, base::ErrorCode code) const;
  void sync_time_is_up(Moment at, Effects& out);

  // ---- members
  base::ErrorCode check_member(std::string_view member_id, const std::optional<std::string>& instance_id) const;
  Member* find(std::string_view member_id);
  void heard_of(Member& member, Moment at) { expect_by(member.deadline = at.now + member.session_timeout); }
  // Answers what it waits for, then forgets it.
  void forget(Members::iterator member, Effects& out);
  void remove(Members::iterator member, std::string why, Moment at, Effects& out);
  void expect_by(base::Instant deadline);
  void find_next_deadline();
  void enter(GroupState state, Moment at);

  GroupLimits limits_;
  GroupState state_ = GroupState::empty;
  std::optional<base::Timestamp> state_since_;
  std::int32_t generation_ = 0;
  std::optional<std::string> protocol_type_;
  std::optional<std::string> protocol_;
  std::optional<std::string> leader_;
  std::optional<std::set<std::string, std::less<>>> topics_;

  Members members_;
  std::map<std::string, std::string, std::less<>> static_ids_;       // instance id -> member id
  std::map<std::string, base::Instant, std::less<>> pending_;        // ids given out, to be joined with by then
  std::map<std::string, std::size_t, std::less<>> protocol_counts_;  // members that support it
  std::size_t joining_count_ = 0;
  std::uint64_t next_order_ = 0;

  std::map<std::uint64_t, Storing> storing_;
  std::uint64_t next_store_ = 1;

  std::optional<base::Instant> next_deadline_;
  std::optional<base::Instant> join_deadline_;  // of the rebalance under way
  std::optional<base::Instant> sync_deadline_;  // of the generation's members that owe a sync
  // The first rebalance of an empty group waits a while for more members, and a while longer when some come.
  bool initial_delay_ = false;
  bool joined_during_delay_ = false;
  std::chrono::milliseconds delay_left_{0};

  // For the operator.
  std::string rebalance_reason_;
  base::Instant rebalance_began_;
  std::size_t members_before_ = 0;
};

}  // namespace broker
