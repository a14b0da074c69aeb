"""GET /metrics: what it shows while the broker starts, works, and meets damage; and what strangers can do to it."""

import re
import socket
import time
import urllib.error

import pytest

from harness import wire
from harness.metrics import metrics, of_api, page, parse, shown
from harness.process import until
from harness.records import batch


@pytest.fixture(autouse=True)
def only_weir(kind):
    if kind != "weir":
        pytest.skip("Apache Kafka has JMX")


def produce(broker, topic, records, partition=0):
    with broker.connect() as connection:
        answer = wire.produce(connection, topic, batch(records), partition=partition)
        assert answer["error_code"] == 0, answer
        return answer["base_offset"]


def test_every_metric_says_what_it_is_in_which_unit(cluster):
    broker = shown(cluster.broker()).start()
    broker.create_topic("t", 3)
    text = page(broker)
    families = re.findall(r"^# HELP (\S+) (.+)\n# TYPE (\S+) (counter|gauge)$", text, re.M)
    assert len(families) == text.count("# HELP") == text.count("# TYPE") > 30
    for name, help, same_name, type in families:
        assert name == same_name and name.startswith("weir_")
        assert re.search(r"\w \([a-z0-9 ]+\)$", help), (name, help)
        assert name.endswith("_total") == (type == "counter"), name
    named = set(parse(text))
    assert named <= {name for name, *_ in families}


def test_the_numbers_follow_what_happens(cluster):
    broker = shown(cluster.broker(queued_max_request_bytes="200000000", log_retention_check_interval_ms="100")).start()
    topic = broker.create_topic("t", 2, {"retention.bytes": "1000", "segment.bytes": "10000"})
    before = metrics(broker)
    assert before["weir_partitions"] == before["weir_led_partitions"] == 2
    assert before["weir_active_controller"] == before["weir_metadata_connected"] == 1
    assert before["weir_offline_directories"] == 0
    assert before["weir_directory_online"] == {(str(broker.data),): 1}
    assert before["weir_directory_free_bytes"][(str(broker.data),)] > 0
    assert before["weir_request_memory_limit_bytes"] == 200000000
    assert before["weir_request_memory_bytes"] == 0
    with broker.connect() as connection:
        for i in range(50):
            wire.produce(connection, topic, batch([(b"k", b"x" * 2000)]))
        read = sum(len(r[3]) for r in wire.read_all(connection, topic, start=49))
        now = metrics(broker)
        assert now["weir_connections"] == 1
        # A long poll waits for both partitions.
        connection.send("FETCH", 11, wire.fetch_values("t", 50, max_wait_ms=20000))
        until(lambda: metrics(broker)["weir_parked_waiters"] == 1, 20, "a waiter")
    assert of_api(now, "weir_requests_total", "Produce") == 50
    assert of_api(now, "weir_request_bytes_total", "Produce") > 50 * 2000
    assert now["weir_fetched_record_bytes_total"] >= read > 0
    assert now["weir_received_bytes_total"] - before["weir_received_bytes_total"] > 50 * 2000
    assert now["weir_sent_bytes_total"] > before["weir_sent_bytes_total"]
    until(lambda: metrics(broker)["weir_connections"] == metrics(broker)["weir_parked_waiters"] == 0, 20, "an end of waiting")
    until(lambda: metrics(broker)["weir_retention_deleted_segments_total"] >= 5, 20, "retention")
    assert metrics(broker)["weir_retention_deleted_bytes_total"] > 50000


@pytest.mark.parametrize("threads", [1, 3])
def test_recovery_can_be_watched(cluster, threads):
    partitions = 300
    broker = shown(cluster.broker(num_recovery_threads_per_data_dir=str(threads)))
    directories = [broker.directory / f"disk-{i}" for i in range(2)]
    broker.settings["log.dirs"] = ",".join(map(str, directories))
    broker.start()
    broker.create_topic("t", partitions, {"segment.bytes": "100"})  # a segment for each batch
    with broker.connect() as connection:
        for i in range(10 * partitions):
            connection.send("PRODUCE", 8, wire.produce_values("t", batch([(b"k", b"%d" % i)]), i % partitions, 1, 10000, 8))
            if i % 50 == 49:
                for _ in range(50):
                    answer = connection.receive("PRODUCE", 8)[1]["responses"][0]["partition_responses"][0]
                    assert answer["error_code"] == 0
    broker.kill()

    def sums(name):
        return sum(seen[name].values())

    for killed_again in (True, False):
        broker.launch()
        steps = []
        while True:
            try:
                seen = metrics(broker)
            except (urllib.error.URLError, OSError):
                assert broker.process.running(), broker.output()
                continue
            if "weir_recovery_partitions" not in seen:
                continue
            assert set(seen["weir_recovery_partitions"]) == {(str(d),) for d in directories}
            assert sums("weir_recovery_partitions") == partitions
            assert sums("weir_recovery_done_bytes") <= sums("weir_recovery_bytes")
            steps.append((sums("weir_recovery_done_partitions"), sums("weir_recovery_done_bytes")))
            if steps[-1][0] == partitions or (killed_again and steps[-1][0] > 10):
                break
        assert steps == sorted(steps)
        if killed_again:
            broker.kill()
    assert len({done for done, _ in steps}) > 2, steps  # it was seen to rise
    assert sums("weir_recovery_done_bytes") == sums("weir_recovery_bytes") > 0
    until(broker.ready, 20, "a broker that serves")
    for p in (0, partitions - 1):
        with broker.connect() as connection:
            until(lambda: len(wire.read_all(connection, "t", p)) == 10, 20, "all records")


def test_a_partition_that_cannot_be_cleaned_shows(cluster):
    broker = shown(cluster.broker(log_cleaner_backoff_ms="50", log_cleaner_enable="false")).start()
    for topic in ("broken", "sound"):
        broker.create_topic(topic, 1, {"cleanup.policy": "compact", "segment.bytes": "5000", "min.cleanable.dirty.ratio": "0.01"})
        for i in range(40):
            produce(broker, topic, [(b"key-%d" % (i % 3), b"v" * 1000)])
    assert "weir_cleaner_runs_total" not in metrics(broker)
    broker.stop()
    first = min((broker.data / "broken-0").glob("*.log"))
    damaged = bytearray(first.read_bytes())
    damaged[200] ^= 1
    first.write_bytes(damaged)
    broker.settings["log.cleaner.enable"] = "true"
    broker.start()
    until(lambda: metrics(broker)["weir_cleaner_uncleanable_partitions"] == 1, 30, "an uncleanable partition")
    until(lambda: metrics(broker)["weir_cleaner_runs_total"] >= 1, 30, "a cleaning of the other")
    seen = metrics(broker)
    assert seen["weir_cleaner_read_bytes_total"] > seen["weir_cleaner_written_bytes_total"] > 0
    assert abs(seen["weir_cleaner_last_run_timestamp_seconds"] - time.time()) < 600
    assert 0 <= seen["weir_cleaner_max_dirty_ratio"] <= 1
    assert "Marking broken-0 as uncleanable" in broker.output()


def test_a_wrong_listener_stops_the_start(cluster):
    for value, complaint in (("9644", "Invalid value 9644 for configuration metrics.listener"),
                             ("no-such-host.invalid:0", "metrics.listener=no-such-host.invalid:0: cannot resolve it")):
        broker = cluster.broker()
        broker.settings["metrics.listener"] = value
        broker.launch()
        until(lambda: not broker.process.running(), 20, "the end of the broker")
        assert broker.process.popen.returncode == 1
        assert complaint in broker.output()


def test_strangers_cannot_hold_it_up(cluster):
    broker = shown(cluster.broker()).start()
    strangers = []
    for i in range(40):  # more than are served at a time
        stranger = socket.create_connection(("127.0.0.1", broker.metrics_port), timeout=20)
        stranger.sendall([b"", b"GET /metrics HTTP/1.1\r\n", b"\0" * 100, b"\x16\x03\x01" + b"x" * 5000][i % 4])
        strangers.append(stranger)
    produce(broker, broker.create_topic("t"), [(b"k", b"v")])
    begin = time.monotonic()
    assert broker.stop() == 143
    assert time.monotonic() - begin < 5
    for stranger in strangers:
        stranger.close()


def test_without_the_setting_nothing_is_shown(cluster):
    broker = cluster.broker().start()
    assert "/metrics" not in broker.output()
