"""What a log no longer keeps: by time, by size, by request; with kill -9 in between."""

import json
import time

from harness import wire
from harness.process import until
from harness.records import batch
from test_cli import call

OUT_OF_RANGE, POLICY_VIOLATION = 1, 44


def fill(broker, topic, count, timestamp, size=1000):
    """`count` batches of one record."""
    with broker.connect() as connection:
        for i in range(count):
            answer = wire.produce(connection, topic, batch([(None, b"%06d" % i + b"." * size, [])], base_timestamp=timestamp))
            assert answer["error_code"] == 0, answer


def offset(broker, topic, when):
    with broker.connect() as connection:
        part = connection.request("LIST_OFFSETS", 1, {"replica_id": -1, "topics": [
            {"name": topic, "partitions": [{"partition_index": 0, "timestamp": when}]}]})["topics"][0]["partitions"][0]
        assert part["error_code"] == 0, part
        return part["offset"]


def earliest(broker, topic):
    return offset(broker, topic, -2)


def latest(broker, topic):
    return offset(broker, topic, -1)


def files(broker, topic, suffix):
    return sorted(p.name for p in (broker.data / f"{topic}-0").iterdir() if p.name.endswith(suffix))


def numbers(broker, topic):
    """Offsets that a consumer finds, read with kafka-python."""
    from kafka import KafkaConsumer, TopicPartition

    consumer = KafkaConsumer(bootstrap_servers=broker.address, auto_offset_reset="earliest", consumer_timeout_ms=2000)
    partition = TopicPartition(topic, 0)
    consumer.assign([partition])
    consumer.seek_to_beginning(partition)
    end = consumer.end_offsets([partition])[partition]
    found = []
    while consumer.position(partition) < end:
        for records in consumer.poll(1000).values():
            found += [r.offset for r in records]
    consumer.close()
    return found


def eager(cluster, **settings):
    return cluster.broker(log_retention_check_interval_ms="100", log_segment_delete_delay_ms="300", **settings).start()


def now_ms():
    return int(time.time() * 1000)


def test_by_time_with_kills(cluster):
    broker = eager(cluster)
    topic = broker.create_topic("old", configs={"segment.bytes": "5000", "retention.ms": "-1"})
    kept = broker.create_topic("kept", configs={"segment.bytes": "5000", "retention.ms": "-1"})
    fill(broker, topic, 20, now_ms() - 3_600_000)
    fill(broker, topic, 10, now_ms())
    fill(broker, kept, 20, now_ms() - 3_600_000)
    broker.kill()
    broker.start()
    assert numbers(broker, topic) == list(range(30))
    broker.kill()
    broker.settings["log.retention.ms"] = "1800000"
    broker.start()
    # The topics' own settings win over the broker's.
    assert earliest(broker, topic) == 0
    plain = broker.create_topic("plain", configs={"segment.bytes": "5000"})
    fill(broker, plain, 20, now_ms() - 3_600_000)
    fill(broker, plain, 10, now_ms())

    def settled():
        """Where the log begins when its first segment holds a record that stays."""
        begin = earliest(broker, plain)
        bases = [int(name[:20]) for name in files(broker, plain, ".log")]
        return begin if bases[0] == begin and bases[1] > 20 else None

    first = until(settled, 30, "records expire")
    assert 12 < first <= 20, "segments go whole"
    assert numbers(broker, plain) == list(range(first, 30))
    assert "due to retention time 1800000ms breach" in broker.output()
    broker.kill()
    broker.start()
    assert earliest(broker, plain) == first
    assert numbers(broker, plain) == list(range(first, 30))
    until(lambda: not files(broker, plain, ".deleted"), 30, "files are removed")
    assert numbers(broker, kept) == list(range(20))


def test_a_log_whose_records_have_all_expired_goes_on_at_its_end(cluster):
    broker = eager(cluster)
    topic = broker.create_topic("all", configs={"retention.ms": "1000"})
    fill(broker, topic, 5, now_ms() - 3_600_000)
    until(lambda: earliest(broker, topic) == 5, 30, "everything expires")
    broker.kill()
    broker.start()
    assert (earliest(broker, topic), latest(broker, topic)) == (5, 5)
    fill(broker, topic, 3, now_ms() + 60_000)
    assert numbers(broker, topic) == [5, 6, 7]
    until(lambda: files(broker, topic, ".log") == ["%020d.log" % 5], 30, "one segment is left")


def test_by_size_with_kills(cluster):
    broker = eager(cluster)
    topic = broker.create_topic("large", configs={"segment.bytes": "5000", "retention.bytes": "12000"})
    for _ in range(3):
        fill(broker, topic, 20, now_ms())
        until(lambda: sum(p.stat().st_size for p in (broker.data / f"{topic}-0").glob("*.log")) <= 12000 + 5000, 30, "the log shrinks")
        broker.kill()
        broker.start()
        first, end = earliest(broker, topic), latest(broker, topic)
        assert end - first >= 8, "what fits stays"
        assert numbers(broker, topic) == list(range(first, end))
    assert "due to retention size 12000 breach" in broker.output()
    assert latest(broker, topic) == 60


def test_a_reader_of_a_deleted_segment_goes_on(cluster):
    broker = eager(cluster)
    topic = broker.create_topic("read", configs={"segment.bytes": "5000000", "retention.ms": "-1"})
    fill(broker, topic, 40, now_ms(), size=100_000)
    with broker.connect() as slow:
        # More than fits into the socket's buffers: most of it is sent after the segment is gone.
        slow.send("FETCH", 11, wire.fetch_values(topic, 0, max_bytes=4 << 20))
        with broker.connect() as connection:
            fill(broker, topic, 12, now_ms())
            answer = delete(connection, topic, 40)
            assert answer["error_code"] == 0 and answer["low_watermark"] == 40
        until(lambda: files(broker, topic, ".deleted") == [] and earliest(broker, topic) == 40, 30)
        _, answer = slow.receive("FETCH", 11)
        assert len(answer["responses"][0]["partitions"][0]["records"]) > 3_900_000


def delete(connection, topic, up_to, version=1, partition=0):
    answer = connection.request("DELETE_RECORDS", version, {"topics": [
        {"name": topic, "partitions": [{"partition_index": partition, "offset": up_to}]}], "timeout_ms": 5000})
    return answer["topics"][0]["partitions"][0]


def test_records_deleted_on_request_stay_deleted_after_a_kill(cluster):
    broker = eager(cluster)
    topic = broker.create_topic("asked", configs={"segment.bytes": "5000"})
    fill(broker, topic, 30, now_ms())
    with broker.connect() as connection:
        for version in range(3):
            answer = delete(connection, topic, 17, version)
            assert (answer["error_code"], answer["low_watermark"]) == (0, 17)
        assert delete(connection, topic, 31)["error_code"] == OUT_OF_RANGE
        assert delete(connection, topic, 3)["low_watermark"] == 17
        assert wire.fetch(connection, topic, 16)["error_code"] == OUT_OF_RANGE
    broker.kill()
    broker.start()
    assert numbers(broker, topic) == list(range(17, 30))
    assert (broker.data / "log-start-offset-checkpoint").read_text() == f"0\n1\n{topic} 0 17\n"
    until(lambda: len([n for n in files(broker, topic, ".log") if int(n[:20]) + 4 <= 17]) <= 1, 30, "segments below go")
    broker.stop()
    assert (broker.data / f"{topic}-0" / "leader-epoch-checkpoint").read_text().splitlines()[2].endswith(" 17")
    broker.start()
    with broker.connect() as connection:
        assert delete(connection, topic, -1)["low_watermark"] == 30
    assert (earliest(broker, topic), latest(broker, topic)) == (30, 30)


def test_only_what_the_policy_deletes_may_be_deleted(cluster):
    broker = eager(cluster)
    topic = broker.create_topic("compacted", configs={"cleanup.policy": "compact"})
    with broker.connect() as connection:
        assert delete(connection, topic, 0)["error_code"] == POLICY_VIOLATION


def test_the_command(cluster, tmp_path):
    broker = eager(cluster)
    topic = broker.create_topic("commanded", 2)
    fill(broker, topic, 5, now_ms())

    def command(partitions):
        path = tmp_path / "offsets.json"
        path.write_text(partitions if isinstance(partitions, str) else json.dumps({"version": 1, "partitions": [
            {"topic": t, "partition": p, "offset": o} for t, p, o in partitions]}))
        return call("kafka-delete-records", "--bootstrap-server", broker.address, "--offset-json-file", str(path))

    code, out, _ = command([(topic, 0, 3), (topic, 1, 1), ("nosuch", 0, 1), (topic, 7, 1)])
    head, then, *rows = out.splitlines()
    assert (code, head, then) == (0, "Executing records delete operation", "Records delete operation completed:")
    assert sorted(rows) == sorted([
        f"partition: {topic}-0\tlow_watermark: 3",
        f"partition: {topic}-1\terror: org.apache.kafka.common.errors.OffsetOutOfRangeException: The requested offset is not within "
        "the range of offsets maintained by the server.",
        "partition: nosuch-0\terror: org.apache.kafka.common.errors.UnknownTopicOrPartitionException: This server does not host "
        "this topic-partition.",
        f"partition: {topic}-7\terror: org.apache.kafka.common.errors.LeaderNotAvailableException: There is no leader for this "
        "topic-partition as we are in the middle of a leadership election."])
    assert earliest(broker, topic) == 3
    code, out, error = command([(topic, 0, 3), (topic, 0, 4)])
    assert (code, out) == (1, "") and f"Offset json file contains duplicate topic partitions: {topic}-0" in error
    code, out, error = command("{")
    assert (code, out) == (1, "") and "The input string is not a valid JSON" in error
    code, out, error = call("kafka-delete-records", "--bootstrap-server", broker.address, "--offset-json-file", "/nonexistent")
    assert code == 1 and "Unable to read file /nonexistent" in error
