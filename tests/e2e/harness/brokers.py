"""Several brokers that form a cluster on one ZooKeeper, and what their clients and operators see of it."""

from harness import wire
from harness.broker import Broker
from harness.paths import BROKER
from harness.process import until

SETTINGS = {
    "default_replication_factor": "3",
    "min_insync_replicas": "1",
    "offsets_topic_replication_factor": "3",
    "transaction_state_log_replication_factor": "3",
    "transaction_state_log_min_isr": "2",
    "transaction_state_log_num_partitions": "5",
    "controlled_shutdown_enable": "true",
    "controlled_shutdown_retry_backoff_ms": "500",
    "auto_leader_rebalance_enable": "false",
    "replica_lag_time_max_ms": "4000",
    "num_network_threads": "2",
    "num_io_threads": "4",
}


class Brokers:
    """Ids count from 1. Settings are given with _ for the dots of Kafka's names."""

    def __init__(self, cluster, count: int = 3, kind: str = BROKER, network=None, **settings):
        """With a network (harness.network) every broker is on a machine of its own there."""
        self.cluster, self.kind, self.network = cluster, kind, network
        self.settings = SETTINGS | settings
        self.zookeeper = cluster.zookeeper(**({"host": network.host} if network else {}))
        self.all = {}
        for broker_id in range(1, count + 1):
            self.add(broker_id)

    def add(self, broker_id: int, **settings) -> Broker:
        """Not yet started."""
        made = self.cluster.broker(f"broker-{broker_id}", self.kind, self.zookeeper, **(self.settings | {"broker_id": str(broker_id)} | settings))
        made.heap = "300m"
        if self.network:
            self.network.place(broker_id, made)
        self.all[broker_id] = made
        return made

    def __getitem__(self, broker_id: int) -> Broker:
        return self.all[broker_id]

    def start(self):
        for broker in self.all.values():
            broker.launch()
        for broker in self.all.values():
            broker.wait()
        self.know_each_other()
        return self

    def know_each_other(self, seconds: float = 60):
        """Every running broker knows all running ones, and the controller among them."""
        def known():
            metadata = [self.metadata(b, []) for b in self.running()]
            ids = set(self.running())
            return all({b["node_id"] for b in m["brokers"]} == ids and m["controller_id"] in ids for m in metadata)

        until(quietly(known), seconds, "brokers that know each other")

    # Who there is

    def running(self) -> list:
        return [i for i, b in self.all.items() if b.process and b.process.running() and not b.paused]

    @property
    def address(self) -> str:
        """For clients: all of them."""
        return ",".join(b.address for b in self.all.values())

    def connect(self, timeout: float = 20) -> wire.Connection:
        """To a running one."""
        return self.all[self.running()[0]].connect(timeout)

    def metadata(self, broker_id: int, topics=None) -> dict:
        with self.all[broker_id].connect(5) as connection:
            return connection.request("METADATA", 5, {"topics": None if topics is None else [{"name": t} for t in topics],
                                                      "allow_auto_topic_creation": False})

    def controller(self) -> int:
        return until(quietly(lambda: next((c for c in (self.metadata(b, [])["controller_id"] for b in self.running()) if c in self.running()), None)),
                     30, "a controller")

    # Topics

    def create_topic(self, name: str, partitions: int = 1, factor: int = 3, configs: dict = None, assignment: list = None) -> str:
        """`assignment`: the replicas of each partition, instead of numbers."""
        values = {"name": name, "num_partitions": -1 if assignment else partitions, "replication_factor": -1 if assignment else factor,
                  "assignments": [{"partition_index": p, "broker_ids": ids} for p, ids in enumerate(assignment or [])],
                  "configs": [{"name": k, "value": v} for k, v in (configs or {}).items()]}

        def created():
            with self.all[self.controller()].connect() as connection:
                error = connection.request("CREATE_TOPICS", 4, {"topics": [values], "timeout_ms": 20000, "validate_only": False})["topics"][0]
            assert error["error_code"] in (0, 7, 36, 41), error  # in time, late, already, the controller has moved
            return error["error_code"] in (0, 36)

        until(created, 60, f"topic {name}")
        self.in_sync(name)
        return name

    def partitions(self, topic: str, broker_id: int = None) -> dict:
        """partition -> {leader_id, replica_nodes, isr_nodes, error_code}, as a running broker (or that one) tells it."""
        told = self.metadata(broker_id or self.running()[0], [topic])["topics"][0]
        return {p["partition_index"]: p for p in told["partitions"]}

    def leader(self, topic: str, partition: int = 0, other_than: int = None) -> int:
        """All running brokers agree on it, and it runs."""
        def agreed():
            told = {self.partitions(topic, b)[partition]["leader_id"] for b in self.running()}
            return told.pop() if len(told) == 1 and told <= set(self.running()) - {other_than} else None

        return until(quietly(agreed), 60, f"a leader of {topic}-{partition}")

    def in_sync(self, *topics, seconds: float = 60):
        """Every replica of every partition is in sync, and all running brokers say so."""
        def whole():
            for b in self.running():
                for topic in topics:
                    told = self.partitions(topic, b)
                    if not told or any(p["error_code"] or sorted(p["isr_nodes"]) != sorted(p["replica_nodes"]) for p in told.values()):
                        return False
            return True

        try:
            until(quietly(whole), seconds, f"all replicas of {', '.join(topics)} in sync")
        except TimeoutError as e:
            raise AssertionError(f"{e}: { {b: [self.partitions(t, b) for t in topics] for b in self.running()} }")

    def elect_preferred(self):
        """Every partition is led by the first of its replicas, where that can be."""
        with self.all[self.controller()].connect(60) as connection:
            assert connection.request("ELECT_LEADERS", 1, {"election_type": 0, "topic_partitions": None, "timeout_ms": 60000})["error_code"] == 0

    # Records

    def produce(self, topic: str, data: bytes, partition: int = 0, acks: int = -1) -> dict:
        with self.all[self.leader(topic, partition)].connect() as connection:
            return wire.produce(connection, topic, data, partition=partition, acks=acks)

    def read(self, topic: str) -> dict:
        """partition -> every record below the high watermark of its leader, as wire.read_all has them."""
        found = {}
        for partition in sorted(self.partitions(topic)):
            with self.all[self.leader(topic, partition)].connect() as connection:
                found[partition] = wire.read_all(connection, topic, partition)
        return found

    def end(self, topic: str, partition: int, isolation: int = 0) -> int:
        from harness.exactly_once import wire_end

        with self.all[self.leader(topic, partition)].connect() as connection:
            return wire_end(connection, topic, partition, isolation)

    def coordinator(self, key: str, key_type: int = 0) -> int:
        """Of a group, or (1) of a transactional id."""
        def found():
            with self.connect() as connection:
                answer = connection.request("FIND_COORDINATOR", 2, {"key": key, "key_type": key_type})
            return answer["node_id"] if answer["error_code"] == 0 and answer["node_id"] in self.running() else None

        return until(quietly(found), 60, f"the coordinator of {key}")

    # Ends

    def restart(self, broker_id: int):
        """As a supervisor would, after any end; comes back when it serves."""
        self.all[broker_id].start()

    def output(self) -> str:
        return "\n".join(f"--- {i}\n{b.output()[-3000:]}" for i, b in self.all.items())


def quietly(condition):
    """The condition, not yet true while brokers come and go."""
    def tried():
        try:
            return condition()
        except (OSError, EOFError, IndexError, KeyError):
            return None

    return tried
