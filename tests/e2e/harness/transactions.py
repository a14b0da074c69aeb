"""A transactional producer of raw requests, which can be wrong in any of them."""

from harness import records, wire
from harness.errors import *  # noqa: F403
from harness.process import until

TRANSACTIONAL = 16  # of a batch's attributes
GROUP, TRANSACTION = 0, 1


def find_coordinator(connection, key, kind=TRANSACTION, version=3) -> dict:
    if version >= 4:
        answer = connection.request("FIND_COORDINATOR", version, {"key_type": kind, "coordinator_keys": [key]})
        return answer["coordinators"][0]
    return connection.request("FIND_COORDINATOR", version, {"key": key, **({"key_type": kind} if version else {})})


def wait_for_coordinator(connection, key, kind=TRANSACTION) -> dict:
    def found():
        answer = find_coordinator(connection, key, kind)
        return answer if answer["error_code"] == 0 else None

    return until(found, 60, f"a coordinator of {key!r}")


class Producer:
    """`again`: answers after which a client asks once more are not shown."""

    def __init__(self, connection, transactional_id: str, timeout_ms: int = 60000):
        self.connection = connection
        self.id = transactional_id
        self.timeout_ms = timeout_ms
        self.producer_id = self.epoch = -1
        self.sequences = {}

    # Requests, each answered with its error code

    def try_init(self, version: int = 2, expected=None, timeout_ms: int = None) -> dict:
        values = {"transactional_id": self.id, "transaction_timeout_ms": self.timeout_ms if timeout_ms is None else timeout_ms}
        if version >= 3:
            values["producer_id"], values["producer_epoch"] = expected or (-1, -1)
        return self.connection.request("INIT_PRODUCER_ID", version, values)

    def init(self, version: int = 2, expected=None):
        """Until it succeeds: the coordinator may be loading, or ending what was open."""
        def done():
            answer = self.try_init(version, expected)
            if answer["error_code"] in (COORDINATOR_LOAD_IN_PROGRESS, NOT_COORDINATOR, CONCURRENT_TRANSACTIONS):
                return None
            assert answer["error_code"] == 0, answer
            return answer

        answer = until(done, 60, f"a producer id for {self.id}")
        self.producer_id, self.epoch = answer["producer_id"], answer["producer_epoch"]
        self.sequences = {}
        return self

    def who(self, producer_id=None, epoch=None) -> dict:
        return {"producer_id": self.producer_id if producer_id is None else producer_id,
                "producer_epoch": self.epoch if epoch is None else epoch}

    def add(self, partitions, version: int = 2, again: bool = True, **lies):
        """The code of one partition, or {(topic, partition): code} of several."""
        def ask():
            who = self.who(**lies)
            answer = self.connection.request("ADD_PARTITIONS_TO_TXN", version, {
                "v3_and_below_transactional_id": self.id, "v3_and_below_producer_id": who["producer_id"],
                "v3_and_below_producer_epoch": who["producer_epoch"], "v3_and_below_topics": topics(partitions, "partitions")})
            return {(t["name"], p["partition_index"]): p["partition_error_code"]
                    for t in answer["results_by_topic_v3_and_below"] for p in t["results_by_partition"]}

        codes = until(lambda: (lambda c: None if again and CONCURRENT_TRANSACTIONS in c.values() else c)(ask()))
        assert set(codes) == set(partitions)
        return codes[partitions[0]] if len(partitions) == 1 else codes

    def add_offsets(self, group: str, version: int = 2, **lies) -> int:
        return self.connection.request("ADD_OFFSETS_TO_TXN", version, {
            "transactional_id": self.id, "group_id": group, **self.who(**lies)})["error_code"]

    def commit_offset(self, group: str, topic: str, offset: int, version: int = 2, **lies) -> int:
        partition = {"partition_index": 0, "committed_offset": offset, "committed_metadata": ""}
        if version >= 2:
            partition["committed_leader_epoch"] = -1
        values = {"transactional_id": self.id, "group_id": group, **self.who(**lies),
                  "topics": [{"name": topic, "partitions": [partition]}]}
        if version >= 3:
            values.update(generation_id=-1, member_id="", group_instance_id=None)
        return self.connection.request("TXN_OFFSET_COMMIT", version, values)["topics"][0]["partitions"][0]["error_code"]

    def end(self, commit: bool, version: int = 2, **lies) -> int:
        return self.connection.request("END_TXN", version, {
            "transactional_id": self.id, "committed": commit, **self.who(**lies)})["error_code"]

    def write(self, topic: str, values, partition: int = 0, version: int = 8, sequence: int = None, attributes: int = TRANSACTIONAL,
              named: bool = True, **lies) -> dict:
        """The partition's part of the answer."""
        first = self.sequences.get((topic, partition), 0) if sequence is None else sequence
        data = records.batch([(b"k", v) for v in values], attributes=attributes, base_sequence=first, **self.who(**lies))
        request = wire.produce_values(topic, data, partition, version=version)
        if named:
            request["transactional_id"] = self.id
        answer = self.connection.request("PRODUCE", version, request)["responses"][0]["partition_responses"][0]
        if answer["error_code"] == 0:
            self.sequences[(topic, partition)] = first + len(values)
        return answer

    # Several at once, all of which succeed

    def begin(self, topic: str, values, partition: int = 0):
        assert self.add([(topic, partition)]) == 0
        assert self.write(topic, values, partition)["error_code"] == 0
        return self

    def finish(self, commit: bool):
        assert self.end(commit) == 0
        self.wait_until_over()
        return self

    def wait_until_over(self):
        """Until the coordinator has written every marker, which it tells by not calling it concurrent any more."""
        def over():
            return self.end(True) not in (CONCURRENT_TRANSACTIONS, COORDINATOR_LOAD_IN_PROGRESS, NOT_COORDINATOR)

        until(over, 60, f"the end of the transaction of {self.id}")


def topics(partitions, field: str):
    named = {}
    for topic, partition in partitions:
        named.setdefault(topic, []).append(partition)
    return [{"name": topic, field: numbers} for topic, numbers in named.items()]


def write_markers(connection, producer_id, epoch, commit, partitions, coordinator_epoch=0, version=0) -> dict:
    answer = connection.request("WRITE_TXN_MARKERS", version, {"markers": [
        {"producer_id": producer_id, "producer_epoch": epoch, "transaction_result": commit,
         "topics": topics(partitions, "partition_indexes"), "coordinator_epoch": coordinator_epoch}]})
    assert [m["producer_id"] for m in answer["markers"]] == [producer_id]
    return {(t["name"], p["partition_index"]): p["error_code"] for t in answer["markers"][0]["topics"] for p in t["partitions"]}


def describe_transaction(connection, transactional_id) -> dict:
    return connection.request("DESCRIBE_TRANSACTIONS", 0, {"transactional_ids": [transactional_id]})["transaction_states"][0]


def describe_producers(connection, topic, partition=0) -> dict:
    return connection.request("DESCRIBE_PRODUCERS", 0, {"topics": [
        {"name": topic, "partition_indexes": [partition]}]})["topics"][0]["partitions"][0]


def committed(connection, topic, partition=0, version=11) -> list:
    """The values a read_committed consumer is given: it drops what the aborted list and the markers tell it to."""
    values, start = [], 0
    while True:
        part = wire.fetch(connection, topic, start, version, partition=partition, isolation_level=1, max_wait_ms=0)
        assert part["error_code"] == 0, part
        aborts = sorted((a["first_offset"], a["producer_id"]) for a in part["aborted_transactions"] or [])
        aborting = set()
        got = records.batches(part["records"] or b"")
        if not got:
            return values
        for batch in got:
            last = batch.base_offset + batch.last_offset_delta
            while aborts and aborts[0][0] <= last:
                aborting.add(aborts.pop(0)[1])
            if batch.attributes & 32:
                aborting.discard(batch.producer_id)
            elif not (batch.attributes & TRANSACTIONAL and batch.producer_id in aborting):
                values += [r[3] for r in batch.records() if r[0] >= start]
            start = last + 1
