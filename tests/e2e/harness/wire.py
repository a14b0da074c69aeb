"""A raw Kafka connection: any message in any version, and any bytes that are not a message."""

import socket
import struct

from harness import schema


class Connection:
    # What the broker under test serves, where that is less than the tests ask for (2.7.1): api key -> highest version.
    served: dict = None

    def __init__(self, address: str, timeout: float = 20, client_id: str = "e2e"):
        host, port = address.rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)), timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.client_id = client_id
        self.correlation = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    # Bytes

    def send_bytes(self, data: bytes):
        self.socket.sendall(data)

    def send_frame(self, payload: bytes):
        self.send_bytes(struct.pack(">i", len(payload)) + payload)

    def receive_bytes(self, n: int) -> bytes:
        data = bytearray()
        while len(data) < n:
            chunk = self.socket.recv(min(n - len(data), 1 << 20))
            if not chunk:
                raise EOFError("connection closed by the broker")
            data += chunk
        return bytes(data)

    def receive_frame(self) -> bytes:
        return self.receive_bytes(struct.unpack(">i", self.receive_bytes(4))[0])

    def closed(self) -> bool:
        """Whether the broker closes the connection without sending anything (within the timeout)."""
        try:
            return self.socket.recv(1) == b""
        except ConnectionError:
            return True

    # Messages

    def frame(self, name: str, version: int, values: dict) -> bytes:
        message = schema.MESSAGES[(name, "req", version)]
        if Connection.served is not None and version > Connection.served.get(message.key, -1):
            import pytest
            pytest.skip(f"{name} v{version} is newer than this broker")
        self.correlation += 1
        header = struct.pack(">hhi", message.key, version, self.correlation)
        if message.header != "h0":
            raw = self.client_id.encode()
            header += struct.pack(">h", len(raw)) + raw
        if message.header == "h2":
            header += b"\0"
        payload = header + schema.encode(name, "req", version, values)
        return struct.pack(">i", len(payload)) + payload

    def send(self, name: str, version: int, values: dict) -> int:
        self.send_bytes(self.frame(name, version, values))
        return self.correlation

    def receive(self, name: str, version: int):
        """(correlation id, values)"""
        payload = self.receive_frame()
        at = 4
        if schema.MESSAGES[(name, "resp", version)].header == "h1":
            assert payload[4] == 0, "tags in a response header"
            at = 5
        values, rest = schema.decode(name, "resp", version, payload[at:])
        assert not rest, f"{len(rest)} bytes left over in {name} v{version}"
        return struct.unpack(">i", payload[:4])[0], values

    def request(self, name: str, version: int, values: dict) -> dict:
        sent = self.send(name, version, values)
        correlation, answer = self.receive(name, version)
        assert correlation == sent, f"answer {correlation} to request {sent}"
        return answer


def create_topic(connection: Connection, name: str, partitions: int = 1, configs: dict = None):
    answer = connection.request("CREATE_TOPICS", 4, {
        "topics": [{"name": name, "num_partitions": partitions, "replication_factor": 1, "assignments": [],
                    "configs": [{"name": k, "value": v} for k, v in (configs or {}).items()]}],
        "timeout_ms": 20000})["topics"][0]
    assert answer["error_code"] == 0, answer
    wait_for_leaders(connection, name, partitions)


def wait_for_leaders(connection: Connection, name: str, partitions: int = 1):
    from harness.process import until

    def ready():
        topic = connection.request("METADATA", 5, {"topics": [{"name": name}], "allow_auto_topic_creation": False})["topics"][0]
        return (topic["error_code"] == 0 and len(topic["partitions"]) == partitions
                and all(p["error_code"] == 0 for p in topic["partitions"]))

    until(ready, 30, f"leaders of {name}")


def produce(connection: Connection, topic: str, data: bytes, version: int = 8, partition: int = 0, acks: int = -1,
            timeout_ms: int = 10000) -> dict:
    """The partition's part of the answer."""
    values = produce_values(topic, data, partition, acks, timeout_ms, version)
    answer = connection.request("PRODUCE", version, values)
    return answer["responses"][0]["partition_responses"][0]


def produce_values(topic: str, data, partition: int = 0, acks: int = -1, timeout_ms: int = 10000, version: int = 8) -> dict:
    return {"acks": acks, "timeout_ms": timeout_ms,
            "topic_data": [{"name": topic, "partition_data": [{"index": partition, "records": data}]}]}


def fetch_values(topic: str, offset: int, version: int = 11, partition: int = 0, max_bytes: int = 1 << 20, max_wait_ms: int = 500,
                 min_bytes: int = 1, **more) -> dict:
    part = {"partition": partition, "fetch_offset": offset, "partition_max_bytes": max_bytes}
    if version >= 9:
        part["current_leader_epoch"] = more.pop("current_leader_epoch", -1)
    if version >= 5:
        part["log_start_offset"] = -1
    if version >= 12:
        part["last_fetched_epoch"] = more.pop("last_fetched_epoch", -1)
    values = {"max_wait_ms": max_wait_ms, "min_bytes": min_bytes, "topics": [{"topic": topic, "partitions": [part]}]}
    if version < 15:
        values["replica_id"] = more.pop("replica_id", -1)
    if version >= 3:
        values["max_bytes"] = more.pop("request_max_bytes", 50 << 20)
    if version >= 4:
        values["isolation_level"] = more.pop("isolation_level", 0)
    if version >= 7:
        values["session_id"] = more.pop("session_id", 0)
        values["session_epoch"] = more.pop("session_epoch", -1)
        values["forgotten_topics_data"] = more.pop("forgotten", [])
    if version >= 11:
        values["rack_id"] = ""
    if version >= 13:
        values["topics"][0]["topic_id"] = more.pop("topic_id")
        del values["topics"][0]["topic"]
    assert not more, more
    return values


def fetch(connection: Connection, topic: str, offset: int, version: int = 11, **more) -> dict:
    """The partition's part of the answer."""
    answer = connection.request("FETCH", version, fetch_values(topic, offset, version, **more))
    return answer["responses"][0]["partitions"][0]


def read_all(connection: Connection, topic: str, partition: int = 0, start: int = 0, version: int = 11):
    """Every record from `start` to the high watermark: [(offset, timestamp, key, value, headers)]."""
    from harness.records import batches

    found = []
    while True:
        part = fetch(connection, topic, start, version, partition=partition, max_bytes=8 << 20, max_wait_ms=0)
        assert part["error_code"] == 0, part["error_code"]
        got = batches(part["records"] or b"")
        for each in got:
            assert each.crc_good, f"CRC of the batch at {each.base_offset}"
            found += [r for r in each.records() if r[0] >= start]
        if not got:
            return found
        start = got[-1].base_offset + got[-1].last_offset_delta + 1
