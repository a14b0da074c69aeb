"""Bytes that are no requests, requests that lie, and clients that do not read: the others must not notice."""

import random
import socket
import struct

import pytest

from harness import records, wire
from harness.bystander import Bystander
from harness.records import batch

MIB = 1 << 20


@pytest.fixture
def undisturbed(broker, kind):
    """A bystander works on, and memory stays within bounds (a JVM's are its heap)."""
    before = broker.process.rss_bytes()
    with Bystander(broker):
        yield
    if kind == "weir":
        grown = broker.process.rss_bytes() - before
        assert grown < 256 * MIB, f"{grown / MIB:.0f} MiB more"
    assert broker.process.running()


def closes(broker, data: bytes) -> bool:
    with broker.connect(10) as connection:
        try:
            connection.send_bytes(data)
            connection.socket.shutdown(socket.SHUT_WR)
            while connection.socket.recv(65536):
                pass
        except socket.timeout:
            return False
        except OSError:
            pass
    return True


@pytest.mark.parametrize("seed", range(3))
def test_random_bytes(broker, undisturbed, seed):
    rng = random.Random(seed)
    for _ in range(100):
        assert closes(broker, rng.randbytes(rng.randrange(1, 2000)))


@pytest.mark.parametrize("size", [-1, -(2**31), 0, 104857601, 2**31 - 1], ids=str)
def test_sizes_that_cannot_be(broker, undisturbed, size):
    with broker.connect(10) as connection:
        connection.send_bytes(struct.pack(">i", size) + b"x" * 100)
        assert connection.closed()


def test_frames_that_are_never_finished(broker, undisturbed):
    for cut in (1, 3, 4, 5, 10, 20):
        with broker.connect() as connection:
            whole = connection.frame("METADATA", 5, {"topics": None, "allow_auto_topic_creation": False})
            connection.send_bytes(whole[:cut])


def test_frames_shorter_than_a_header(broker, undisturbed):
    for size in range(1, 10):
        assert closes(broker, struct.pack(">i", size) + b"\0" * size)


def test_announced_sizes_reserve_no_memory(broker, undisturbed, kind):
    if kind != "weir":
        pytest.skip("Apache Kafka reserves what is announced")
    held = [broker.connect() for _ in range(100)]
    for connection in held:
        connection.send_bytes(struct.pack(">i", 100 * MIB) + b"\0\0")
    for connection in held:
        connection.close()


LYING = [
    ("METADATA", 1, struct.pack(">i", 2**31 - 1)),
    ("METADATA", 1, struct.pack(">i", 50_000_000) + b"\0\1x"),
    ("METADATA", 9, b"\xff\xff\xff\xff\x0f"),
    ("METADATA", 9, b"\xff\xff\xff\xff\xff\xff\xff\x0f"),
    ("METADATA", 9, b"\x02\xff\xff\xff\xff\x07ab"),
    ("FETCH", 11, struct.pack(">iiiibii", -1, 100, 1, 1000, 0, 0, -1) + struct.pack(">i", 2**30)),
    ("PRODUCE", 8, struct.pack(">hhii", -1, -1, 1000, 2**30)),
    ("PRODUCE", 8, struct.pack(">hhii", -1, -1, 1000, 1) + b"\0\1t" + struct.pack(">iii", 1, 0, 2**30)),
    ("PRODUCE", 9, b"\0" + struct.pack(">hi", -1, 1000) + b"\x02\x02t\x02" + struct.pack(">i", 0) + b"\xff\xff\xff\xff\x07"),
    ("LIST_OFFSETS", 1, struct.pack(">ii", -1, 2**31 - 1)),
    ("CREATE_TOPICS", 5, b"\xff\xff\xff\xff\x07"),
    ("METADATA", 9, b"\x01\0\0\0" + b"\x01\x05\xff\xff\xff\x7f"),
]


@pytest.mark.parametrize("name,version,body", LYING, ids=[f"{n}-{i}" for i, (n, _, _) in enumerate(LYING)])
def test_counts_that_lie(broker, undisturbed, name, version, body):
    from harness.schema import KEYS, MESSAGES
    header = struct.pack(">hhih", KEYS[name], version, 1, -1) + (b"\0" if MESSAGES[(name, "req", version)].header == "h2" else b"")
    with broker.connect(10) as connection:
        connection.send_frame(header + body)
        assert connection.closed()


def test_requests_with_flipped_bytes(broker, undisturbed, topic):
    """Each either has an answer, or its connection is closed, or (a fetch, say) it waits; none disturbs."""
    rng = random.Random(11)
    probe = wire.Connection(broker.address)
    frames = [
        probe.frame("METADATA", 9, {"topics": [{"name": topic}], "allow_auto_topic_creation": False}),
        probe.frame("FETCH", 11, wire.fetch_values(topic, 0, max_wait_ms=0)),
        probe.frame("PRODUCE", 8, wire.produce_values(topic, batch([(b"k", b"v" * 50)] * 3))),
        probe.frame("PRODUCE", 9, wire.produce_values(topic, batch([(b"k", b"v" * 50)] * 3, "gzip"))),
        probe.frame("LIST_OFFSETS", 5, {"replica_id": -1, "topics": [{"name": topic, "partitions": [{"timestamp": -1}]}]}),
        probe.frame("DESCRIBE_CONFIGS", 4, {"resources": [{"resource_type": 2, "resource_name": topic, "configuration_keys": None}]}),
        probe.frame("API_VERSIONS", 3, {"client_software_name": "e2e", "client_software_version": "1"}),
    ]
    probe.close()
    for _ in range(600):
        frame = bytearray(rng.choice(frames))
        for _ in range(rng.randrange(1, 4)):
            at = rng.randrange(14, len(frame)) if rng.random() < 0.8 else rng.randrange(8, len(frame))
            frame[at] = rng.randrange(256)
        with broker.connect(0.3) as connection:
            connection.send_bytes(bytes(frame))
            try:
                connection.receive_frame()
            except (EOFError, OSError):
                pass


def zeros(codec: str, size: int) -> bytes:
    """`size` zero bytes, compressed without holding them."""
    if codec == "gzip":
        import zlib
        packer = zlib.compressobj(9, zlib.DEFLATED, 31)
        return b"".join(packer.compress(bytes(MIB)) for _ in range(size // MIB)) + packer.flush()
    if codec == "zstd":
        import zstandard
        packer = zstandard.ZstdCompressor(level=9).compressobj()
        return b"".join(packer.compress(bytes(MIB)) for _ in range(size // MIB)) + packer.flush()
    if codec == "lz4":
        import lz4.frame
        packer = lz4.frame.LZ4FrameCompressor(block_size=lz4.frame.BLOCKSIZE_MAX4MB)
        return packer.begin() + b"".join(packer.compress(bytes(MIB)) for _ in range(size // MIB)) + packer.flush()
    import snappy
    chunk = snappy.compress(bytes(32 * MIB))
    return b"\x82SNAPPY\0" + struct.pack(">ii", 1, 1) + (struct.pack(">i", len(chunk)) + chunk) * (size // (32 * MIB))


@pytest.mark.parametrize("codec,size", [("gzip", 512 * MIB), ("zstd", 2048 * MIB), ("lz4", 128 * MIB), ("snappy", 0)])
def test_a_batch_that_unpacks_to_zeros_without_end(broker, undisturbed, codec, size):
    topic = broker.create_topic(f"bomb-{codec}", configs={"max.message.bytes": "20000000"})
    raw = zeros(codec, size or 256 * MIB)
    with broker.connect(120) as connection:
        for count in (1, 1_000_000):
            # Zeros are records of length 0, which none has.
            part = wire.produce(connection, topic, batch([(b"k", b"v")], codec, raw=raw, count=count, last_offset_delta=count - 1))
            assert part["error_code"] != 0


@pytest.mark.parametrize("codec", ["gzip", "zstd"])
def test_a_record_that_unpacks_to_very_much(broker, undisturbed, codec, kind):
    """One honest record of 400 MiB in a few hundred KiB: refused or stored, but never held in memory at once."""
    topic = broker.create_topic(f"large-{codec}", configs={"max.message.bytes": "20000000"})
    value = 400 * MIB
    body = b"\0\0\0" + records.varint(-1) + records.varint(value)
    head = records.varint(len(body) + value + 1) + body
    import zlib
    import zstandard
    packer = zlib.compressobj(9, zlib.DEFLATED, 31) if codec == "gzip" else zstandard.ZstdCompressor().compressobj()
    raw = packer.compress(head) + b"".join(packer.compress(bytes(MIB)) for _ in range(400)) + packer.compress(b"\0") + packer.flush()
    with broker.connect(120) as connection:
        stored = wire.produce(connection, topic, batch([(None, b"v")], codec, raw=raw))["error_code"] == 0
        if stored and kind == "weir":  # an old consumer wants it in the old format (Apache Kafka runs out of heap)
            try:
                wire.fetch(connection, topic, 0, 3)
            except (EOFError, ConnectionError):
                pass


# Other protocols on the port


TLS_HELLO = bytes.fromhex("16030100c8010000c403035f") + bytes(range(190))


@pytest.mark.parametrize("name,data", [
    ("TLS", TLS_HELLO), ("HTTP", b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"), ("HTTP", b"POST /topics HTTP/1.1\r\n\r\n"),
    ("SSH", b"SSH-2.0-OpenSSH_9.2\r\n")], ids=["tls", "get", "post", "ssh"])
def test_another_protocol_is_hung_up_on_and_named(broker, undisturbed, kind, name, data):
    before = len(broker.output())
    assert closes(broker, data)
    if kind == "weir" and name != "SSH":
        from harness.process import until
        line = until(lambda: [t for t in broker.output()[before:].splitlines() if name in t], 10, f"a log line that says {name}")[0]
        assert "127.0.0.1" in line


# Slow readers


def test_clients_that_do_not_read_hold_no_memory(broker, undisturbed):
    topic = broker.create_topic("for-slow-readers")
    with broker.connect() as connection:
        for _ in range(16):
            assert wire.produce(connection, topic, batch([(None, b"x" * 900_000)]))["error_code"] == 0
    slow = []
    for _ in range(60):
        connection = broker.connect(60)
        connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        connection.socket.settimeout(5)
        try:
            for _ in range(40):
                connection.send("FETCH", 11, wire.fetch_values(topic, 0, max_bytes=15 * MIB))
        except socket.timeout:
            pass
        connection.socket.settimeout(60)
        slow.append(connection)
    with Bystander(broker, "beside-slow-readers"):
        pass
    for i in range(3):  # one of them wakes up
        part = slow[0].receive("FETCH", 11)[1]["responses"][0]["partitions"][0]
        assert part["error_code"] == 0 and len(records.batches(part["records"])) >= 15, i
    for connection in slow:
        connection.close()


def test_a_flood_of_requests_is_answered_in_order(broker, undisturbed, connection):
    sent = [connection.send("API_VERSIONS", 0, {}) for _ in range(500)]
    assert [connection.receive("API_VERSIONS", 0)[0] for _ in sent] == sent


def test_many_connections(broker, undisturbed):
    many = [broker.connect() for _ in range(400)]
    for connection in many:
        connection.send("API_VERSIONS", 0, {})
    for connection in many:
        assert connection.receive("API_VERSIONS", 0)[1]["error_code"] == 0
        connection.close()
