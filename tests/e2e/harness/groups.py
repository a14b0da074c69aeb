"""Consumer groups under load: who owns what as their members tell it and as __consumer_offsets holds it, and what must be true of both."""

import threading
from collections import Counter, namedtuple

from harness import wire
from harness.hosts import History, Host
from harness.internal_topics import parse_offsets_record

CLOCKS = 0.005  # some programs tell the time in whole milliseconds

# How it ended: revoked, lost, left, killed, or None. `first` and `last` are the places of its two events in the history.
Ownership = namedtuple("Ownership", "member partition start end how first last")


class Load:
    """Writes numbered records to all partitions of a topic, and remembers what was acknowledged: (partition, offset) -> value."""

    def __init__(self, address: str, topic: str, partitions: int):
        from confluent_kafka import Producer

        self.topic, self.partitions = topic, partitions
        self.producer = Producer({"bootstrap.servers": address, "enable.idempotence": True, "linger.ms": 5, "message.timeout.ms": 120000})
        self.acknowledged, self.failed = {}, []
        self.number = 0
        self.thread, self.ending = None, threading.Event()

    def delivered(self, error, message):
        if error:
            self.failed.append(str(error))
        else:
            self.acknowledged[message.partition(), message.offset()] = message.value().decode()

    def send(self, count: int):
        for _ in range(count):
            self.producer.produce(self.topic, value=f"{self.number}", partition=self.number % self.partitions, on_delivery=self.delivered)
            self.number += 1
        self.producer.poll(0)

    def finish(self):
        assert self.producer.flush(60) == 0 and not self.failed, self.failed[:3]

    def begin(self, each: int = 20, seconds: float = 0.05):
        """Goes on in the background, until `end`."""
        def run():
            while not self.ending.wait(seconds):
                self.send(each)

        self.ending.clear()
        self.thread = threading.Thread(target=run, daemon=True)
        self.thread.start()

    def end(self):
        if self.thread:
            self.ending.set()
            self.thread.join()
            self.thread = None
        self.finish()


class Group:
    """One group: starts and ends its members on hosts, and knows what they told."""

    def __init__(self, name, broker, history: History, topic: str, partitions: int, strategy: str, session: int = 6000):
        self.name, self.broker, self.history, self.topic, self.strategy, self.session = name, broker, history, topic, strategy, session
        self.partitions = {(topic, p) for p in range(partitions)}
        self.members, self.hosts = set(), {}

    def __repr__(self):
        return self.name

    def join(self, host: Host, member: str, instance: str = None) -> str:
        name = f"{self.name}/{member}"
        host.join(name, group=self.name, topics=self.topic, strategy=self.strategy, session=self.session, instance=instance)
        self.members.add(name)
        self.hosts[name] = host
        return name

    def leave(self, member: str):
        name = f"{self.name}/{member}"
        self.hosts[name].leave(name)
        self.members.discard(name)

    def forget(self, host: Host):
        """The host was killed."""
        self.members = {m for m in self.members if self.hosts[m] is not host}

    def events(self, *kinds, start: int = 0):
        return self.history.all(*kinds, members={m for m in self.hosts}, start=start)

    # Who owns what

    def ownerships(self) -> list:
        open_, done = {}, []

        for place, e in self.history.placed("assigned", "revoked", "lost", "left", "killed", members=set(self.hosts)):
            if e["event"] == "assigned":
                for p in e["partitions"]:
                    open_.setdefault((e["member"], tuple(p)), (e["at"], place))
                continue
            for member, p in [key for key in open_ if key[0] == e["member"] and ("partitions" not in e or list(key[1]) in e["partitions"])]:
                start, first = open_.pop((member, p))
                done.append(Ownership(member, p, start, e["at"], e["event"], first, place))
        return done + [Ownership(m, p, start, float("inf"), None, first, float("inf")) for (m, p), (start, first) in open_.items()]

    def owners(self) -> dict:
        return {o.partition: o.member for o in self.ownerships() if o.end == float("inf")}

    def settled(self) -> bool:
        """Every partition has an owner, every member one partition at least, and the coordinator calls it stable."""
        current = [o for o in self.ownerships() if o.end == float("inf")]
        if Counter(o.partition for o in current) != Counter(self.partitions) or {o.member for o in current} != self.members:
            return False
        described = self.describe()
        return described["group_state"] == "Stable" and len(described["members"]) == len(self.members)

    def describe(self) -> dict:
        with self.broker.connect() as connection:
            return connection.request("DESCRIBE_GROUPS", 4, {"groups": [self.name], "include_authorized_operations": False})["groups"][0]

    def committed(self) -> dict:
        with self.broker.connect() as connection:
            answer = connection.request("OFFSET_FETCH", 5, {"group_id": self.name, "topics": None})
        assert answer["error_code"] == 0, answer
        return {(t["name"], p["partition_index"]): p["committed_offset"] for t in answer["topics"] for p in t["partitions"]}

    def read(self, start: int = 0) -> Counter:
        return Counter((r[1], r[2], r[3]) for e in self.events("read", start=start) for r in e["records"])

    def rebalances(self, start: int) -> list:
        return [e for e in self.events("assigned", "revoked", "lost", start=start) if e["partitions"]]


def settle(groups, seconds: float = 60):
    for group in groups:
        try:
            group.history.until(group.settled, seconds, f"{group} settled")
        except TimeoutError as e:
            raise AssertionError(f"{e}\nmembers {sorted(group.members)}\nowners {group.owners()}\n{group.describe()}\n"
                                 f"{[x for x in group.events('assigned', 'revoked', 'lost', 'left', 'killed', 'refused')][-12:]}")


def missing(group: Group, load: Load, start: int = 0) -> list:
    seen = group.read(start)
    return [(p, o, v) for (p, o), v in load.acknowledged.items() if (p, o, v) not in seen]


def all_read(groups, load: Load, seconds: float = 60):
    load.finish()
    for group in groups:
        try:
            group.history.until(lambda: not missing(group, load), seconds, f"{group} has read all")
        except TimeoutError:
            lost = missing(group, load)
            raise AssertionError(f"{group} never read {len(lost)} of {len(load.acknowledged)}: {sorted(lost)[:10]}; committed {group.committed()}; "
                                 f"owners {group.owners()}; {group.events('refused')[-5:]}")


def quiet_load(groups, load: Load, count: int):
    """Records that are written while no group rebalances are read exactly once, and committed."""
    groups = list(groups)
    for _ in range(3):
        start = len(groups[0].history.events)
        before = set(load.acknowledged)
        load.send(count)
        all_read(groups, load)
        ends = {}
        for p, o in load.acknowledged:
            ends[load.topic, p] = max(o + 1, ends.get((load.topic, p), 0))
        for group in groups:
            group.history.until(lambda: group.committed() == ends, 20, f"{group} has committed all: {ends}, not {group.committed()}")
        disturbed = [g for g in groups if g.rebalances(start)]
        fresh = {(p, o, v) for (p, o), v in load.acknowledged.items() if (p, o) not in before}
        for group in groups:
            if group not in disturbed:
                twice = {k: n for k, n in group.read().items() if k in fresh and n != 1}
                assert not twice, f"{group}: {twice}"
        groups = disturbed
        if not groups:
            return
        settle(groups)
    raise AssertionError(f"{groups} rebalance without a cause: {groups[0].rebalances(0)[-6:]}")


# What the coordinator wrote down

def log_of_groups(broker) -> list:
    """Every record of __consumer_offsets as parse_offsets_record shows it; those of one group in the order they were written."""
    found = []
    with broker.connect() as connection:
        topic = connection.request("METADATA", 5, {"topics": [{"name": "__consumer_offsets"}], "allow_auto_topic_creation": False})["topics"][0]
        for partition in topic["partitions"]:
            found += [parse_offsets_record(r[2], r[3]) for r in wire.read_all(connection, "__consumer_offsets", partition["partition_index"])]
    return found


def generation(group: Group) -> int:
    return [r[2]["generation"] for r in log_of_groups(group.broker) if r[0] == "group" and r[1] == group.name and r[2]][-1]


def check_ownership(group: Group):
    """No partition has two owners at a time. One whose member was thrown out (lost) ends when its member is told so."""
    by_partition = {}
    for o in group.ownerships():
        by_partition.setdefault(o.partition, []).append(o)
    for owned in by_partition.values():
        owned.sort(key=lambda o: o.start)
        for before, after in zip(owned, owned[1:]):
            assert before.how == "lost" or before.end <= after.start + CLOCKS, f"{group}: {before} and {after}"


def check_generations(group: Group, log: list):
    """In each generation one member owns a partition, and the members were told what was written down."""
    written = [r[2] for r in log if r[0] == "group" and r[1] == group.name and r[2] is not None]
    assert written, f"{group} was never written down"
    generations, told = {}, {}
    for value in written:
        owned = [p for m in value["members"] for p in m["partitions"]]
        assert len(owned) == len(set(owned)), f"{group}: two owners in {value}"
        by_identity = {m["instance"] or m["id"]: sorted(m["partitions"]) for m in value["members"]}
        assert generations.setdefault(value["generation"], by_identity) == by_identity, f"{group}: {value} was {generations[value['generation']]}"
        for m in value["members"]:
            told.setdefault(m["id"], {}).setdefault(value["generation"], set()).update(m["partitions"])
    numbers = [value["generation"] for value in written]
    assert numbers == sorted(numbers), f"{group}: {numbers}"
    for e in group.events("assigned"):
        if "id" in e and e["partitions"]:
            assignments = told.get(e["id"], {})
            if e["generation"] is not None:
                assignments = {e["generation"]: assignments.get(e["generation"], set())}
            assert any({tuple(p) for p in e["partitions"]} <= a for a in assignments.values()), f"{group}: {e} but written {told.get(e['id'])}"


def check_commits(group: Group, log: list):
    """An acknowledged commit is written down, and whoever owns the partition next goes on from there, offset by offset."""
    written = {r[1:] for r in log if r[0] == "offset" and r[1] == group.name}
    committed = [(e["at"], (t, p), o) for e in group.events("committed") for t, p, o in e["offsets"]]
    lost = [(p, o) for _, p, o in committed if (group.name, *p, o) not in written]
    assert not lost, f"{group}: {lost[:10]}"
    reads = {}
    for place, e in group.history.placed("read", members=set(group.hosts)):
        for t, p, o, _ in e["records"]:
            reads.setdefault((e["member"], (t, p)), []).append((place, o))
    for o in group.ownerships():
        offsets = [offset for place, offset in reads.get((o.member, o.partition), []) if o.first < place < o.last]
        if offsets:
            floor = max((c for at, p, c in committed if p == o.partition and at < o.start - CLOCKS), default=0)
            assert offsets[0] >= floor, f"{group}: {o} began at {offsets[0]}, committed was {floor}"
            gaps = [pair for pair in zip(offsets, offsets[1:]) if pair[1] != pair[0] + 1]
            assert not gaps, f"{group}: {o} read {gaps[:5]} of {offsets[0]} to {offsets[-1]}"


def check(groups, load: Load):
    groups[0].history.check()
    log = log_of_groups(groups[0].broker)
    for group in groups:
        check_ownership(group)
        check_generations(group, log)
        check_commits(group, log)


class Hosts:
    """Starts hosts for a test and ends them with it."""

    def __init__(self, broker, directory):
        self.broker, self.directory, self.history, self.all = broker, directory, History(), []
        directory.mkdir(parents=True, exist_ok=True)

    def start(self, library) -> Host:
        self.all.append(Host(library, self.broker.address, self.history, self.directory))
        return self.all[-1]

    def end(self):
        for host in self.all:
            host.kill()
