"""kafka-consumer-groups.sh, kafka-get-offsets.sh and the console consumer as a member of a group: what they do to a
broker. What they print is held against Kafka's own programs in test_group_tools_beside_kafkas.py."""

import json
import signal

import pytest

from harness.clients import ConfluentPython, Record
from harness.kafka_tools import ours, said
from harness.paths import BUILD
from harness.process import Process, free_port, until

NO_MEMBERS = "Consumer group '{}' has no active members."


@pytest.fixture
def groups(broker):
    return lambda *arguments: ours("consumer-groups", "--bootstrap-server", broker.address, *arguments)


def filled(broker, name, partitions=3, records=10):
    """A topic with so many records in each partition, one a second."""
    from confluent_kafka import Producer

    broker.create_topic(name, partitions)
    producer = Producer({"bootstrap.servers": broker.address})
    for partition in range(partitions):
        for i in range(records):
            producer.produce(name, value=b"%d" % i, partition=partition, timestamp=1700000000000 + i * 1000)
    assert producer.flush(30) == 0
    return name


def member(broker, group, topic, **settings):
    from confluent_kafka import Consumer

    consumer = Consumer({"bootstrap.servers": broker.address, "group.id": group, "client.id": "cid", "session.timeout.ms": 10000,
                         "auto.offset.reset": "earliest", "enable.auto.commit": False, **settings})
    consumer.subscribe([topic])
    until(lambda: consumer.poll(0.1) is None and consumer.assignment() or consumer.assignment(), 60, "the assignment")
    return consumer


def rows(done):
    """The words of each line below the header."""
    lines = done.out.strip().splitlines()
    return [line.split() for line in lines[1:]]


def committed(groups, group):
    """partition -> offset"""
    return {int(row[2]): int(row[3]) for row in rows(groups("--describe", "--group", group)) if row[3] != "-"}


def reset(groups, group, topic, *how):
    done = groups("--reset-offsets", "--group", group, "--topic", topic, *how, "--execute")
    assert done.code == 0 and not said(done.err), done
    return {int(row[2]): int(row[3]) for row in rows(done)}


def test_a_group_with_a_member_is_listed_and_described(broker, groups):
    topic = filled(broker, "tools-live")
    consumer = member(broker, "live", topic, **{"group.instance.id": "instance-1"})
    consumer.commit(asynchronous=False) if consumer.poll(10) else None
    assert "live" in groups("--list").out.split()
    assert ["live", "Stable"] in rows(groups("--list", "--state", "Stable"))
    assert ["live", "Stable"] not in rows(groups("--list", "--state", "Empty"))
    table = rows(groups("--describe", "--group", "live"))
    assert [(row[1], row[2], row[4], row[7], row[8]) for row in table] == [(topic, str(p), "10", "/127.0.0.1", "cid") for p in range(3)]
    assert any(row[3] != "-" and int(row[5]) == 10 - int(row[3]) for row in table)
    (one,) = rows(groups("--describe", "--group", "live", "--members", "--verbose"))
    assert one[2:] == ["instance-1", "/127.0.0.1", "cid", "3", f"{topic}(0,1,2)"]
    (state,) = rows(groups("--describe", "--group", "live", "--state"))
    assert state == ["live", broker.address, "(0)", "range", "Stable", "1"]
    refused = groups("--reset-offsets", "--group", "live", "--all-topics", "--to-earliest", "--execute")
    assert refused.code == 0 and "Assignments can only be reset if the group 'live' is inactive, but the current state is Stable." in refused.out
    refused = groups("--delete", "--group", "live")
    assert "* Group 'live' could not be deleted due to: java.util.concurrent.ExecutionException: " \
           "org.apache.kafka.common.errors.GroupNotEmptyException: The group is not empty." in refused.out
    refused = groups("--delete-offsets", "--group", "live", "--topic", f"{topic}:0")
    assert "Encounter some partition level error" in refused.out and "GroupSubscribedToTopicException" in refused.out
    consumer.close()


def test_offsets_are_reset_in_every_way(groups, broker, tmp_path):
    topic, group = filled(broker, "tools-reset"), "reset"
    every = lambda offset: dict.fromkeys(range(3), offset)
    plan = groups("--reset-offsets", "--group", group, "--topic", topic, "--to-latest", "--dry-run")
    assert {row[3] for row in rows(plan)} == {"10"}
    assert "does not exist" in groups("--describe", "--group", group).out
    for how, expected in [(["--to-latest"], every(10)), (["--to-earliest"], every(0)), (["--to-offset", "4"], every(4)),
                          (["--shift-by", "3"], every(7)), (["--shift-by", "-2"], every(5)), (["--to-current"], every(5)),
                          (["--to-datetime", "2023-11-14T22:13:28.000"], every(8)), (["--to-datetime", "2023-11-15T00:13:26.500+02:00"], every(7)),
                          (["--by-duration", "PT1H"], every(10)), (["--by-duration", "P20000D"], every(0))]:
        assert reset(groups, group, topic, *how) == expected, how
        assert committed(groups, group) == expected, how
    assert reset(groups, group, f"{topic}:2,0", "--to-offset", "9") == {0: 9, 2: 9}
    assert committed(groups, group) == {0: 9, 1: 0, 2: 9}
    done = groups("--reset-offsets", "--group", group, "--topic", f"{topic}:1", "--to-offset", "99", "--execute")
    assert f"New offset (99) is higher than latest offset for topic partition {topic}-1. Value will be set to 10" in done.err
    exported = groups("--reset-offsets", "--group", group, "--all-topics", "--to-current", "--export", "--dry-run")
    assert exported.out == f"{topic},0,9\n{topic},1,10\n{topic},2,9\n\n"
    (tmp_path / "plan").write_text(f"{topic},0,3\n{topic},1,2\n{topic},2,1\n")
    assert rows(groups("--reset-offsets", "--group", group, "--from-file", tmp_path / "plan", "--execute"))
    assert committed(groups, group) == {0: 3, 1: 2, 2: 1}
    (tmp_path / "plan").write_text(f"{group},{topic},0,6\nother,{topic},1,2\n")
    groups("--reset-offsets", "--group", group, "--group", "other", "--from-file", tmp_path / "plan", "--execute")
    assert committed(groups, group)[0] == 6 and committed(groups, "other") == {1: 2}


def test_offsets_and_groups_are_deleted(groups, broker):
    topic = filled(broker, "tools-delete")
    for group in ("gone-a", "gone-b"):
        reset(groups, group, topic, "--to-latest")
    done = groups("--delete-offsets", "--group", "gone-a", "--topic", f"{topic}:0,7")
    assert "Successful" in done.out and "UnknownTopicOrPartitionException" in done.out
    assert committed(groups, "gone-a") == {1: 10, 2: 10}
    done = groups("--delete-offsets", "--group", "gone-a", "--topic", topic)
    assert f"Request succeed for deleting offsets with topic {topic} group gone-a" in done.out
    done = groups("--delete", "--group", "gone-b", "--group", "nosuch")
    assert "* Group 'nosuch' could not be deleted due to: java.util.concurrent.ExecutionException: " \
           "org.apache.kafka.common.errors.GroupIdNotFoundException: The group id does not exist." in done.out
    assert "These consumer groups were deleted successfully: 'gone-b'" in done.out
    assert "gone-b" not in groups("--list").out.split()


def test_refusals_and_a_broker_that_is_not_there(groups):
    for arguments, text in [(["--list", "--describe", "--group", "g"], "Option \"[group]\" can't be used with option \"[list]\""),
                            ([], "Command must include exactly one action"), (["--describe"], "Option [describe] takes one of these options")]:
        done = groups(*arguments)
        assert done.code == 1 and text in said(done.err)[0], (arguments, done)
    done = ours("consumer-groups", "--list", "--bootstrap-server", f"127.0.0.1:{free_port()}", "--timeout", "1500")
    assert done.code == 0 and done.out == ("\nError: Executing consumer group command failed due to org.apache.kafka.common.KafkaException: "
                                           "Failed to find brokers to send ListGroups\n")


def test_get_offsets(broker):
    topic = filled(broker, "tools-offsets")
    offsets = lambda *arguments: ours("get-offsets", "--bootstrap-server", broker.address, *arguments)
    assert offsets("--topic", topic).out == "".join(f"{topic}:{p}:10\n" for p in range(3))
    assert offsets("--topic-partitions", f"{topic}:1-", "--time", "earliest").out == f"{topic}:1:0\n{topic}:2:0\n"
    assert offsets("--topic", topic, "--partitions", "2", "--time", "1700000004500").out == f"{topic}:2:5\n"
    assert offsets("--topic", topic, "--time", "1800000000000").out == ""
    assert offsets("--topic", topic, "--partitions", "0", "--time", "-3").out == f"{topic}:0:9\n" or offsets("--topic", topic, "--time", "-3").err
    assert offsets("--topic", "nosuch").code == 1


def test_the_console_consumer_goes_on_where_its_group_left_off(broker, groups):
    topic = broker.create_topic("tools-console")
    ConfluentPython().produce(broker, topic, [Record(None, None, b"line %d" % i, []) for i in range(6)])
    consume = lambda *more: ours("console-consumer", "--bootstrap-server", broker.address, "--topic", topic, "--group", "console", *more)
    assert consume("--from-beginning", "--max-messages", "4").out == "line 0\nline 1\nline 2\nline 3\n"
    assert committed(groups, "console") == {0: 4}
    assert consume("--max-messages", "2").out == "line 4\nline 5\n"
    assert committed(groups, "console") == {0: 6}
    shown = ours("console-consumer", "--bootstrap-server", broker.address, "--topic", "__consumer_offsets", "--from-beginning", "--timeout-ms", "5000",
                 "--formatter", "kafka.coordinator.group.GroupMetadataManager$OffsetsMessageFormatter")
    assert f"[console,{topic},0]::OffsetAndMetadata(offset=6, " in shown.out


def events(text):
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


def named(all_events, name):
    return [e for e in all_events if e["name"] == name]


def test_the_verifiable_producer_and_consumer(broker, groups, tmp_path):
    topic = broker.create_topic("tools-verifiable", 2)
    sent = ours("verifiable-producer", "--bootstrap-server", broker.address, "--topic", topic, "--max-messages", "1000", "--value-prefix", "7",
                "--repeating-keys", "3")
    assert sent.code == 0
    told = events(sent.out)
    acked = named(told, "producer_send_success")
    assert [e["name"] for e in told if e["name"] != "producer_send_success"] == ["startup_complete", "shutdown_complete", "tool_data"]
    assert sorted(int(e["value"].removeprefix("7.")) for e in acked) == list(range(1000)) and {e["key"] for e in acked} == {"0", "1", "2"}
    assert {k: told[-1][k] for k in ("sent", "acked", "target_throughput")} == {"sent": 1000, "acked": 1000, "target_throughput": -1}

    read = ours("verifiable-consumer", "--bootstrap-server", broker.address, "--topic", topic, "--group-id", "verifiable", "--max-messages", "1000", "--verbose")
    assert read.code == 0
    told = events(read.out)
    assert [told[0]["name"], told[-1]["name"]] == ["startup_complete", "shutdown_complete"]
    assert named(told, "partitions_assigned")[-1]["partitions"] == [{"topic": topic, "partition": p} for p in range(2)]
    assert {(e["partition"], e["offset"]) for e in named(told, "record_data")} == {(e["partition"], e["offset"]) for e in acked}
    assert sum(p["count"] for e in named(told, "records_consumed") for p in e["partitions"]) == 1000
    assert all(e["success"] for e in named(told, "offsets_committed"))
    last = {p["partition"]: p["offset"] for e in named(told, "offsets_committed") for p in e["offsets"]}
    assert committed(groups, "verifiable") == last and sum(last.values()) == 1000


def test_the_verifiable_clients_stop_in_order(broker, tmp_path):
    topic = broker.create_topic("tools-signals")
    server = ["--bootstrap-server", broker.address, "--topic", topic]
    consumer = Process([BUILD / "bin" / "kafka-verifiable-consumer.sh", *server, "--group-id", "signals"], tmp_path / "consumer")
    producer = Process([BUILD / "bin" / "kafka-verifiable-producer.sh", *server, "--throughput", "200"], tmp_path / "producer")
    try:
        until(lambda: sum(e["count"] for e in named(events(consumer.output()), "records_consumed")) > 50, 60, "records")
        producer.signal(signal.SIGTERM)
        assert producer.popen.wait(30) == 143
        sent = events(producer.output())
        acked = named(sent, "producer_send_success")
        assert sent[-1]["name"] == "tool_data" and sent[-1]["acked"] == sent[-1]["sent"] == len(acked)
        until(lambda: sum(p["count"] for e in named(events(consumer.output()), "records_consumed") for p in e["partitions"]) == len(acked), 60, "all records")
        consumer.signal(signal.SIGINT)
        assert consumer.popen.wait(30) == 130
        assert [e["name"] for e in events(consumer.output())][-2:] == ["partitions_revoked", "shutdown_complete"]
    finally:
        producer.kill()
        consumer.kill()
