"""kafka-log-check.sh on what a broker leaves: sound after every kind of stop, damage found and mended, records kept."""

import shutil

import pytest

from harness import wire
from harness.log_check import findings, log_check
from harness.records import CODECS, batch


@pytest.fixture
def stopped(cluster):
    """A broker that wrote small segments and has stopped, and what a reader saw."""
    broker = cluster.broker().start()
    broker.create_topic("t", 2, {"segment.bytes": "20000", "index.interval.bytes": "1000"})
    with broker.connect() as connection:
        for i in range(150):
            data = batch([(b"k%d" % i, b"x" * 500, [("h", b"v")])] * 3, list(CODECS)[i % 5], base_timestamp=1_700_000_000_000 + i)
            assert wire.produce(connection, "t", data)["error_code"] == 0
        broker.seen = wire.read_all(connection, "t")
    broker.stop()
    return broker


def seen_again(broker):
    broker.start()
    with broker.connect() as connection:
        found = wire.read_all(connection, "t")
    broker.stop()
    return found


def test_what_a_broker_leaves_is_sound(stopped):
    assert findings(stopped.data) == []
    stopped.start()
    with stopped.connect() as connection:
        for i in range(20):
            wire.produce(connection, "t", batch([(b"k", b"x" * 500)]))
    stopped.kill()
    assert findings(stopped.data) == []


def test_a_running_broker_is_left_alone(stopped):
    stopped.start()
    refused = log_check(stopped.data, repair=True)
    assert refused.returncode == 2 and b"is in use" in refused.stderr and not refused.stdout
    assert log_check(stopped.data / "nowhere").returncode == 2


def test_damage_is_mended_and_nothing_is_lost(stopped):
    partition = stopped.data / "t-0"
    logs = sorted(partition.glob("*.log"))
    assert len(logs) > 3
    index, times = logs[0].with_suffix(".index"), logs[1].with_suffix(".timeindex")
    damaged = bytearray(index.read_bytes())
    damaged[5] ^= 0x10
    index.write_bytes(damaged)
    times.unlink()
    (partition / "leader-epoch-checkpoint").write_bytes(b"rubbish")
    max(partition.glob("*.snapshot")).write_bytes(b"rubbish")
    with logs[-1].open("ab") as log:
        log.write(b"\0" * 1000)
    checkpoint = stopped.data / "recovery-point-offset-checkpoint"
    checkpoint.write_text(checkpoint.read_text() + "rubbish\n")
    found = findings(stopped.data)
    assert len(found) == 6, found
    for part in (f"{index}:", f"{times}: the index is missing", "leader-epoch-checkpoint: ", ".snapshot: ", f"{logs[-1]}:", f"{checkpoint}: "):
        assert any(part in line for line in found), (part, found)
    mended = log_check(stopped.data, repair=True)
    assert mended.returncode == 0 and b"Nothing is left to repair." in mended.stderr
    assert findings(stopped.data) == []
    assert seen_again(stopped) == stopped.seen


def test_damage_between_records_is_never_cut_away(stopped):
    log = sorted((stopped.data / "t-0").glob("*.log"))[0]
    raw = bytearray(log.read_bytes())
    raw[5000] ^= 1
    log.write_bytes(raw)
    before = {p: p.read_bytes() for p in (stopped.data / "t-0").iterdir()}
    done = log_check(stopped.data, repair=True)
    assert done.returncode == 1 and b"damaged: the checksum is wrong" in done.stdout and b"copy the directory first" in done.stderr
    assert {p: p.read_bytes() for p in (stopped.data / "t-0").iterdir()} == before


def test_directories_of_two_brokers_are_told_apart(stopped, cluster, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(stopped.data, other)
    (other / "meta.properties").write_text((other / "meta.properties").read_text().replace("broker.id=0", "broker.id=1"))
    done = log_check(stopped.data, other)
    assert done.returncode == 1 and done.stdout.decode().splitlines() == [
        f"{other}/meta.properties: another broker or cluster than that of {stopped.data}"]
