"""Kill -9, damaged tails, clean stops: what was acknowledged is served, in order, and nothing is invented."""

import signal
import threading
import time

import pytest

from harness import records, wire
from harness.process import until
from harness.records import batch


def values(broker, topic, partition=0):
    with broker.connect() as connection:
        return [r[3] for r in wire.read_all(connection, topic, partition)]


class Writer:
    """librdkafka numbering its records, through every death of the broker."""

    def __init__(self, broker, topic, **options):
        from confluent_kafka import Producer

        self.broker, self.topic = broker, topic
        self.sent, self.acknowledged, self.failed = 0, [], []
        self.stopping = threading.Event()
        self.producer = Producer({"bootstrap.servers": broker.address, "message.timeout.ms": 60000, "linger.ms": 2,
                                  "reconnect.backoff.max.ms": 500, "queue.buffering.max.messages": 20000,
                                  "batch.num.messages": 500, "log_level": 0, **options})
        self.thread = threading.Thread(target=self.work, daemon=True)
        self.thread.start()

    def delivered(self, error, message):
        (self.failed if error else self.acknowledged).append(int(message.value()))

    def work(self):
        while not self.stopping.is_set():
            try:
                self.producer.produce(self.topic, b"%d" % self.sent, partition=0, on_delivery=self.delivered)
                self.sent += 1
            except BufferError:
                self.producer.poll(0.05)
            self.producer.poll(0)

    def finish(self):
        self.stopping.set()
        self.thread.join(30)
        self.producer.flush(60)


@pytest.mark.parametrize("options", [
    {"enable.idempotence": True},
    {"acks": "all", "retries": 0, "max.in.flight.requests.per.connection": 1},
    {"acks": "1", "compression.type": "lz4", "max.in.flight.requests.per.connection": 1},
], ids=["idempotent", "acks-all-without-retries", "acks-1-with-retries"])
def test_kill_during_production(cluster, options):
    broker = cluster.broker().start()
    topic = broker.create_topic("numbers", configs={"segment.bytes": "200000"})
    writer = Writer(broker, topic, **options)
    for _ in range(3):
        seen = len(writer.acknowledged)
        until(lambda: len(writer.acknowledged) > seen + 3000, 60, "acknowledged records")
        broker.kill()
        broker.start()
    seen = len(writer.acknowledged)
    until(lambda: len(writer.acknowledged) > seen + 1000, 60, "acknowledged records")
    writer.finish()
    held = [int(v) for v in values(broker, topic)]
    assert not set(writer.acknowledged) - set(held), "acknowledged and lost"
    assert set(held) <= set(range(writer.sent)), "invented"
    if "enable.idempotence" in options:
        assert not writer.failed
        assert held == list(range(writer.sent)), "each once, in order"
    elif options.get("retries") == 0:
        assert held == sorted(set(held)), "each at most once, in order"
    else:
        first = list(dict.fromkeys(held))
        assert first == sorted(first), "in order, but for repeats"


@pytest.fixture
def filled(cluster):
    """A broker that was killed while its log held 20 batches of two."""
    broker = cluster.broker(log_flush_offset_checkpoint_interval_ms="60000").start()
    broker.create_topic("tail")
    with broker.connect() as connection:
        for i in range(20):
            data = batch([(b"k", b"%d" % (2 * i)), (b"k", b"%d" % (2 * i + 1))], ["none", "gzip", "lz4"][i % 3])
            assert wire.produce(connection, "tail", data)["base_offset"] == 2 * i
    broker.kill()
    return broker


def segment(broker):
    (path,) = (broker.data / "tail-0").glob("*.log")
    return path


WHOLE = batch([(b"k", b"invented")], base_offset=40, leader_epoch=0)
TAILS = {
    "garbage": bytes((i * 7919) % 256 for i in range(1000)),
    "zeros": bytes(4096),
    "half-a-batch": WHOLE[:40],
    "all-but-a-byte": WHOLE[:-1],
    "half-a-header": WHOLE[:7],
    "wrong-crc": batch([(b"k", b"invented")], base_offset=40, crc=99),
    "offset-of-the-past": batch([(b"k", b"invented")], base_offset=3, leader_epoch=0),
    "absurd-length": batch([(b"k", b"invented")], base_offset=40, length=2**31 - 1),
    "negative-length": batch([(b"k", b"invented")], base_offset=40, length=-5),
}


@pytest.mark.parametrize("tail", TAILS)
def test_a_damaged_tail_is_cut(filled, tail, kind):
    if tail == "offset-of-the-past" and kind != "weir":
        pytest.skip("Apache Kafka keeps such a batch")
    with open(segment(filled), "ab") as file:
        file.write(TAILS[tail])
    filled.start()
    assert values(filled, "tail") == [b"%d" % i for i in range(40)]
    with filled.connect() as connection:
        assert wire.produce(connection, "tail", batch([(b"k", b"40")]))["base_offset"] == 40
    filled.kill()
    filled.start()
    assert values(filled, "tail") == [b"%d" % i for i in range(41)]


def test_a_cut_last_batch_goes_and_the_rest_stays(filled):
    path = segment(filled)
    with open(path, "r+b") as file:
        file.truncate(path.stat().st_size - 5)
    filled.start()
    assert values(filled, "tail") == [b"%d" % i for i in range(38)]
    with filled.connect() as connection:
        assert wire.produce(connection, "tail", batch([(b"k", b"38")]))["base_offset"] == 38


@pytest.mark.parametrize("suffix", [".index", ".timeindex"])
@pytest.mark.parametrize("damage", ["removed", "garbage"])
def test_indexes_are_rebuilt(filled, suffix, damage):
    path = segment(filled).with_suffix(suffix)
    path.unlink(missing_ok=True)
    if damage == "garbage":
        path.write_bytes(b"\xff" * 240)
    filled.start()
    assert values(filled, "tail") == [b"%d" % i for i in range(40)]
    with filled.connect() as connection:
        assert records.batches(wire.fetch(connection, "tail", 30)["records"])[0].base_offset == 30


@pytest.mark.parametrize("how", ["kill", "stop"])
def test_a_repeat_is_known_after_a_restart(cluster, how):
    broker = cluster.broker().start()
    broker.create_topic("repeats")
    # Producers are forgotten by the time of their records: these must be of today.
    ids = {"producer_id": 4711, "producer_epoch": 1, "base_timestamp": int(time.time() * 1000)}
    with broker.connect() as connection:
        for s in (0, 2, 4):
            assert wire.produce(connection, "repeats", batch([(b"k", b"a"), (b"k", b"b")], base_sequence=s, **ids))["base_offset"] == s
    getattr(broker, how)()
    broker.start()
    with broker.connect() as connection:
        assert wire.produce(connection, "repeats", batch([(b"k", b"a"), (b"k", b"b")], base_sequence=4, **ids))["base_offset"] == 4
        assert wire.produce(connection, "repeats", batch([(b"k", b"a")], base_sequence=9, **ids))["error_code"] == 45
        assert wire.produce(connection, "repeats", batch([(b"k", b"c")], base_sequence=6, **ids))["base_offset"] == 6
    assert len(values(broker, "repeats")) == 7


def kill_in_a_loop(cluster, rounds):
    """Kills the broker after ever different stretches of load, with many small segments; every start serves all that was acknowledged."""
    broker = cluster.broker(num_recovery_threads_per_data_dir="4").start()
    topic = broker.create_topic("looped", configs={"segment.bytes": "100000"})
    writer = Writer(broker, topic, **{"enable.idempotence": True, "message.timeout.ms": 300000})
    for i in range(rounds):
        enough = len(writer.acknowledged) + 1 + i * 397 % 3000
        until(lambda: len(writer.acknowledged) >= enough, 60, "acknowledged records")
        broker.kill()
        broker.start()
    writer.finish()
    assert not writer.failed
    assert [int(v) for v in values(broker, topic)] == list(range(writer.sent)), "each once, in order, none invented"


def test_five_kills_under_load(cluster, kind):
    if kind != "weir":
        pytest.skip("Apache Kafka starts too slowly")
    kill_in_a_loop(cluster, 5)


@pytest.mark.parametrize("how", ["kill", "stop"])
def test_topics_and_their_configs_survive(cluster, how):
    broker = cluster.broker().start()
    broker.create_topic("kept", 3, {"retention.ms": "12345678", "cleanup.policy": "compact"})
    with broker.connect() as connection:
        before = connection.request("METADATA", 10, {"topics": [{"name": "kept"}]})
    getattr(broker, how)()
    broker.start()
    with broker.connect() as connection:
        wire.wait_for_leaders(connection, "kept", 3)
        after = connection.request("METADATA", 10, {"topics": [{"name": "kept"}]})
        assert after["cluster_id"] == before["cluster_id"]
        assert after["topics"][0]["topic_id"] == before["topics"][0]["topic_id"]
        values = {"resources": [{"resource_type": 2, "resource_name": "kept", "configuration_keys": ["retention.ms", "cleanup.policy"]}]}
        found = connection.request("DESCRIBE_CONFIGS", 1, values)["results"][0]["configs"]
        assert {c["name"]: c["value"] for c in found} == {"retention.ms": "12345678", "cleanup.policy": "compact"}


def test_several_log_directories(cluster, tmp_path):
    broker = cluster.broker()
    directories = [tmp_path / f"disk-{i}" for i in range(3)]
    broker.settings["log.dirs"] = ",".join(map(str, directories))
    broker.start()
    broker.create_topic("spread", 9)
    with broker.connect() as connection:
        for p in range(9):
            assert wire.produce(connection, "spread", batch([(b"k", b"%d" % p)]), partition=p)["error_code"] == 0
    assert [len(list(d.glob("spread-*"))) for d in directories] == [3, 3, 3]
    for how in ("kill", "stop"):
        getattr(broker, how)()
        broker.start()
        assert [values(broker, "spread", p) for p in range(9)] == [[b"%d" % p] for p in range(9)]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT], ids=["TERM", "INT", "QUIT"])
def test_an_orderly_stop_under_load(cluster, kind, number):
    if kind != "weir" and number == signal.SIGQUIT:
        pytest.skip("a JVM prints its threads and goes on")
    broker = cluster.broker().start()
    topic = broker.create_topic("load")
    writer = Writer(broker, topic, **{"enable.idempotence": True})
    waiting = broker.connect()
    waiting.send("FETCH", 11, wire.fetch_values(topic, 0, max_wait_ms=30000, min_bytes=1 << 30))
    until(lambda: len(writer.acknowledged) > 3000, 60, "acknowledged records")
    process = broker.process
    start = time.monotonic()
    process.signal(number)
    process.popen.wait(30)
    took = time.monotonic() - start
    waiting.close()
    marker = broker.data / ".kafka_cleanshutdown"
    assert marker.exists(), "the clean-shutdown marker"
    if kind == "weir":
        assert took < 5, f"{took:.1f} s"
        assert process.popen.returncode in (0, 128 + number, -number)
    broker.start()
    assert not marker.exists()
    seen = len(writer.acknowledged)
    until(lambda: len(writer.acknowledged) > seen + 1000, 60, "acknowledged records")
    writer.finish()
    assert not writer.failed
    assert [int(v) for v in values(broker, topic)] == list(range(writer.sent))


def test_a_second_broker_on_the_same_directory_is_refused(cluster, kind):
    first = cluster.broker().start()
    second = cluster.broker(zookeeper=cluster.zookeeper() if kind != "weir" else None)
    second.settings["log.dirs"] = first.settings["log.dirs"]
    second.launch()
    until(lambda: not second.process.running(), 30, "the end of the second broker")
    assert second.process.popen.returncode != 0
    assert str(first.data) in second.output()
    assert first.ready()
