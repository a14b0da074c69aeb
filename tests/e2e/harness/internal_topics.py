"""Keys and values of __consumer_offsets and __transaction_state, and consumers' blobs, built and read byte by byte."""

import struct


def string(text) -> bytes:
    return struct.pack(">h", -1) if text is None else struct.pack(">h", len(text.encode())) + text.encode()


def data(raw) -> bytes:
    return struct.pack(">i", -1) if raw is None else struct.pack(">i", len(raw)) + raw


def topics_and_partitions(topics) -> bytes:
    return struct.pack(">i", len(topics)) + b"".join(
        string(t) + struct.pack(">i", len(ps)) + b"".join(struct.pack(">i", p) for p in ps) for t, ps in topics)


def offset_key(group, topic, partition, version=1) -> bytes:
    return struct.pack(">h", version) + string(group) + string(topic) + struct.pack(">i", partition)


def offset_value(offset, metadata="", time=0, version=3, leader_epoch=-1, expires=-1) -> bytes:
    return (struct.pack(">hq", version, offset) + (struct.pack(">i", leader_epoch) if version >= 3 else b"") + string(metadata)
            + struct.pack(">q", time) + (struct.pack(">q", expires) if version == 1 else b""))


def group_key(group) -> bytes:
    return struct.pack(">h", 2) + string(group)


def member(name, instance=None, assignment=b"", subscription=b"", rebalance=60000, session=10000) -> dict:
    return dict(name=name, instance=instance, assignment=assignment, subscription=subscription, rebalance=rebalance, session=session)


def group_value(protocol_type, generation, protocol, leader, members, time=0, version=3) -> bytes:
    out = struct.pack(">h", version) + string(protocol_type) + struct.pack(">i", generation) + string(protocol) + string(leader)
    out += (struct.pack(">q", time) if version >= 2 else b"") + struct.pack(">i", len(members))
    for m in members:
        out += string(m["name"]) + (string(m["instance"]) if version >= 3 else b"") + string("client") + string("/10.0.0.1")
        out += (struct.pack(">i", m["rebalance"]) if version >= 1 else b"") + struct.pack(">i", m["session"])
        out += data(m["subscription"]) + data(m["assignment"])
    return out


def subscription(topics, version=1) -> bytes:
    out = struct.pack(">hi", version, len(topics)) + b"".join(map(string, topics)) + data(None)
    return out + (struct.pack(">i", 0) if version >= 1 else b"")


def assignment(topics, user_data=None, version=1) -> bytes:
    return struct.pack(">h", version) + topics_and_partitions(topics) + data(user_data)


def txn_key(transactional_id) -> bytes:
    return struct.pack(">h", 0) + string(transactional_id)


def txn_value(producer_id, epoch, status, topics, updated=0, started=-1) -> bytes:
    return (struct.pack(">hqhib", 0, producer_id, epoch, 60000, status)
            + (struct.pack(">i", -1) if topics is None else topics_and_partitions(topics)) + struct.pack(">qq", updated, started))


class Parser:
    """Reads what the functions above build."""

    def __init__(self, raw: bytes):
        self.raw, self.at = raw, 0

    def take(self, format):
        value, = struct.unpack_from(format, self.raw, self.at)
        self.at += struct.calcsize(format)
        return value

    def bytes(self, size):
        if size < 0:
            return None
        self.at += size
        return self.raw[self.at - size:self.at]

    def string(self):
        text = self.bytes(self.take(">h"))
        return None if text is None else text.decode()

    def data(self):
        return self.bytes(self.take(">i"))


def parse_assignment(raw: bytes):
    """[(topic, partition)]"""
    if not raw:
        return []
    p = Parser(raw)
    p.take(">h")
    return [(topic, p.take(">i")) for topic in (p.string() for _ in range(p.take(">i"))) for _ in range(p.take(">i"))]


def parse_group_value(raw: bytes) -> dict:
    p = Parser(raw)
    version = p.take(">h")
    group = {"protocol_type": p.string(), "generation": p.take(">i"), "protocol": p.string(), "leader": p.string()}
    if version >= 2:
        p.take(">q")
    group["members"] = []
    for _ in range(p.take(">i")):
        m = {"id": p.string(), "instance": p.string() if version >= 3 else None}
        p.string(), p.string(), p.take(">i") if version >= 1 else None, p.take(">i"), p.data()
        m["partitions"] = parse_assignment(p.data())
        group["members"].append(m)
    return group


def parse_offsets_record(key: bytes, value):
    """("offset", group, topic, partition, offset) or ("group", group, its value); the last is None where it was deleted."""
    p = Parser(key)
    version = p.take(">h")
    if version == 2:
        return "group", p.string(), value and parse_group_value(value)
    group, topic, partition = p.string(), p.string(), p.take(">i")
    return "offset", group, topic, partition, value and struct.unpack_from(">hq", value)[1]


TIME = 1600000000000


def some_group_records():
    """(key, value): every version that Apache Kafka 2.7 reads, tombstones, groups of one and of many members."""
    many = [member(f"consumer-{i}-abc", f"instance{i}" if i % 2 else None, subscription=subscription(["t1", "t2"]),
                   assignment=assignment([("t1", [i, i + 1]), ("t2", [0])], b"\x0f\x02" if i == 3 else None)) for i in range(14)]
    return [(offset_key("newg", "t1", 0), offset_value(1, time=TIME)),
            (offset_key("newg", "t1", 3), offset_value(5, 'me"ta', TIME, leader_epoch=4)),
            (offset_key("g0", "a-b", 3, version=0), offset_value(5, "m", TIME, version=0)),
            (offset_key("g1", "a", 3), offset_value(5, "m", TIME, version=1, expires=TIME + 5)),
            (offset_key("g1", "a", 3), offset_value(5, "m", TIME, version=1)),
            (offset_key("g2", "a", 3), offset_value(5, "", TIME, version=2)),
            (offset_key("g2", "a", 3), None),
            (group_key("g"), group_value("consumer", 1, "range", many[0]["name"], many, TIME)),
            (group_key("g"), group_value("consumer", 2, None, None, [], TIME)),
            (group_key("g"), group_value("", 0, None, None, [], TIME)),
            *[(group_key("g"), group_value("consumer", 1, "range", many[0]["name"], many[:3], TIME, version=v)) for v in range(4)],
            (group_key("connect-g"), group_value("connect", 1, "sessioned", "m1", [member("m1", assignment=b"\0\xab\xcd"), member("m2")], TIME)),
            (group_key("g"), None)]


def some_txn_records():
    many = [(f"topic{i}", [0, 1, 2]) for i in range(7)]
    key = txn_key("tx1")
    return [(key, txn_value(2, 0, 0, None, TIME)), (key, txn_value(2, 0, 1, [("txn", [0])], TIME, TIME)),
            (key, txn_value(2, 0, 2, many, TIME, TIME)), *[(key, txn_value(2, 0, s, [], TIME, TIME)) for s in (3, 4, 5)], (key, None)]
