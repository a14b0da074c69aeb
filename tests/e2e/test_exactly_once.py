"""Exactly once: topics copied in transactions while workers and the broker are killed, and producers that were replaced."""

import re
import signal

import pytest

from harness.exactly_once import Copy, read_committed, wire_end
from harness.hosts import CONFLUENT, FRANZ_GO, JAVAS, KAFKAJS, SARAMA
from harness.process import until

FENCED = re.compile("fenced|fencing|epoch|newer producer", re.IGNORECASE)


def copy_under_kills(broker, hosts, name, libraries, worker_kills, broker_kills):
    copy = Copy(broker, hosts, name)
    copy.load.begin(each=10)
    for i, library in enumerate(libraries):
        copy.start(library, f"w{i}")
    copy.progress(12)
    for n in range(max(worker_kills, broker_kills)):
        if n < worker_kills:
            at = n % len(libraries)
            copy.kill_and_restart(libraries[at], f"w{at}")
            copy.progress(8)
        if n < broker_kills:
            broker.kill()
            broker.start()
            copy.progress(8)
    copy.finish()
    copy.check()


def zombie_worker(broker, hosts, name, library):
    """A worker that stops for a while is replaced by one with its transactional id: when it goes on it is refused."""
    copy = Copy(broker, hosts, name)
    copy.load.begin(each=10)
    zombie = copy.start(library, "w")
    copy.progress(8)
    zombie.signal(signal.SIGSTOP)
    copy.start(library, "w")
    copy.progress(8)
    zombie.signal(signal.SIGCONT)
    hosts.history.until(lambda: hosts.history.all("fenced", members=set(zombie.members)), 60, "the zombie is refused")
    copy.progress(4)
    copy.finish()
    copy.check()


def zombie_producer(broker, hosts, topic, old_library, new_library):
    """After a new producer with its transactional id an old one cannot write, commit or abort, and what it wrote is never shown."""
    broker.create_topic(topic)
    old, new = hosts.start(old_library), hosts.start(new_library)
    names = {"old": f"{topic}/old", "new": f"{topic}/new"}

    def step(which, what, **options):
        return (old if which == "old" else new).step(what, names[which], **options)

    def done(which, what, **options):
        event = step(which, what, **options)
        assert event["event"] == "done", event

    def send(which, value):
        return step(which, "send", topic=topic, partition=0, value=value)

    done("old", "init", txn=topic)
    done("old", "begin")
    assert send("old", "committed")["event"] == "done"
    done("old", "commit")
    done("old", "begin")
    assert send("old", "of-the-zombie")["event"] == "done"
    # franz-go and sarama leave it to the user to ask again while the old one's transaction is being aborted.
    until(lambda: step("new", "init", txn=topic)["event"] == "done", 30, "the new producer has its id")
    done("new", "begin")
    assert send("new", "of-the-new")["event"] == "done"
    refused = [e for e in (send("old", "of-the-zombie-too"), step("old", "commit")) if e["event"] == "refused"]
    assert refused and any(FENCED.search(e["error"]) for e in refused), refused
    done("new", "commit")
    with broker.connect() as connection:
        end = until(lambda: wire_end(connection, topic, 0, 1) == wire_end(connection, topic, 0, 0) and wire_end(connection, topic, 0, 1), 30, "no open transaction")
    assert read_committed(broker, topic, [end])[0] == ["committed", "of-the-new"]


def test_a_copy_by_librdkafka_while_worker_and_broker_are_killed(broker, hosts):
    copy_under_kills(broker, hosts, "copy", [CONFLUENT, CONFLUENT], 1, 1)


@pytest.mark.parametrize("library", [CONFLUENT, FRANZ_GO, SARAMA, KAFKAJS], ids=str)
def test_a_replaced_producer_is_fenced(broker, hosts, library):
    zombie_producer(broker, hosts, f"zombie-{library}", library, library)
