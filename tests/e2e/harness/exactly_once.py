"""Topics copied in transactions by workers of a group, and what a reader of committed records must see of it."""

from harness import wire
from harness.groups import Load
from harness.paths import counterpart
from harness.process import run

PARTITIONS = 4


class Copy:
    """Workers of one group copy `<name>-in` to `<name>-out`, partition by partition. Each worker is a process of its own with its own transactional id."""

    def __init__(self, broker, hosts, name: str):
        self.broker, self.hosts, self.name = broker, hosts, name
        self.input = broker.create_topic(f"{name}-in", PARTITIONS)
        self.output = broker.create_topic(f"{name}-out", PARTITIONS)
        self.load = Load(broker.address, self.input, PARTITIONS)
        self.workers = {}
        self.started = 0

    def start(self, library, transactional_id: str, timeout: int = 60000):
        host = self.hosts.start(library)
        self.started += 1
        host.work(f"{self.name}/{transactional_id}-{self.started}", group=self.name, input=self.input, output=self.output,
                  txn=f"{self.name}-{transactional_id}", session=6000, timeout=timeout)
        self.workers[transactional_id] = host
        return host

    def kill_and_restart(self, library, transactional_id: str):
        self.workers[transactional_id].kill()
        self.start(library, transactional_id)

    def transactions(self) -> int:
        return len(self.hosts.history.all("transaction"))

    def progress(self, transactions: int, seconds: float = 60):
        """Until that many more transactions have been committed."""
        wanted = self.transactions() + transactions
        self.hosts.history.until(lambda: self.transactions() >= wanted, seconds, f"{self.name} goes on: {self.hosts.history.all('refused')[-5:]}")

    def finish(self):
        """All that was written is copied, by commits; no transaction is open."""
        self.load.end()
        ends = {p: max((o + 1 for q, o in self.load.acknowledged if q == p), default=-1) for p in range(PARTITIONS)}
        self.hosts.history.until(lambda: self.committed() == ends, 60, f"{self.name} is copied to its end")
        self.hosts.history.until(lambda: self.ends(1) == self.ends(0), 30, "no transaction is open")

    def committed(self) -> dict:
        with self.broker.connect() as connection:
            answer = connection.request("OFFSET_FETCH", 7, {"group_id": self.name, "topics": None, "require_stable": False})
        return {p["partition_index"]: p["committed_offset"] for t in answer["topics"] for p in t["partitions"]}

    def ends(self, isolation: int) -> list:
        with self.broker.connect() as connection:
            return [wire_end(connection, self.output, p, isolation) for p in range(PARTITIONS)]

    def check(self):
        """The independent reader is franz-go: no worker is."""
        expected = {p: [] for p in range(PARTITIONS)}
        for (p, _), value in sorted(self.load.acknowledged.items()):
            expected[p].append(value + "!")
        got = read_committed(self.broker, self.output, self.ends(1))
        for p in range(PARTITIONS):
            assert got[p] == expected[p], f"{self.name}-{p}: {len(got[p])} of {len(expected[p])}; {difference(got[p], expected[p])}"
        with self.broker.connect() as connection:
            held = sum(r[3] is not None and r[3].endswith(b"!") for p in range(PARTITIONS) for r in wire.read_all(connection, self.output, p))
        assert held > sum(map(len, expected.values())), "nothing was ever aborted"


def difference(got: list, expected: list) -> str:
    if len(set(got)) != len(got):
        return f"twice: {sorted(v for v in set(got) if got.count(v) > 1)[:10]}"
    return f"missing {sorted(set(expected) - set(got))[:10]}, strange {sorted(set(got) - set(expected))[:10]}, else the order"


def wire_end(connection, topic: str, partition: int, isolation: int) -> int:
    answer = connection.request("LIST_OFFSETS", 5, {"replica_id": -1, "isolation_level": isolation, "topics": [
        {"name": topic, "partitions": [{"partition_index": partition, "current_leader_epoch": -1, "timestamp": -1}]}]})
    found = answer["topics"][0]["partitions"][0]
    assert found["error_code"] == 0, found
    return found["offset"]


def read_committed(broker, topic: str, ends: list) -> dict:
    """partition -> values, as franz-go reads them."""
    lines = run([counterpart("franz-go") / "client", broker.address, "read_committed", topic, *ends]).stdout.decode().splitlines()
    found = {p: [] for p in range(len(ends))}
    for line in lines:
        partition, _, value = line.split(" ", 2)
        found[int(partition)].append(value)
    return found
