"""Exactly once by Java's and librdkafka's workers, one beside the other, with more kills; and a producer of each library fenced by another library's."""

import pytest

from harness.exactly_once import Copy
from harness.hosts import CONFLUENT, FRANZ_GO, JAVAS, KAFKAJS, SARAMA
from test_exactly_once import copy_under_kills, zombie_producer, zombie_worker

WORKERS = [JAVAS[0], JAVAS[1], CONFLUENT]
PRODUCERS = [*JAVAS, CONFLUENT, FRANZ_GO, SARAMA, KAFKAJS]


@pytest.mark.parametrize("library", WORKERS, ids=str)
def test_a_copy_while_workers_and_broker_are_killed(broker, hosts, library):
    copy_under_kills(broker, hosts, f"copy-{library}", [library, library], worker_kills=3, broker_kills=3)


def test_a_copy_by_workers_of_different_libraries(broker, hosts):
    copy_under_kills(broker, hosts, "copy-mixed", WORKERS, worker_kills=3, broker_kills=2)


@pytest.mark.parametrize("library", WORKERS, ids=str)
def test_a_zombie_worker_is_refused(broker, hosts, library):
    zombie_worker(broker, hosts, f"zombie-worker-{library}", library)


@pytest.mark.parametrize("library", [JAVAS[1], CONFLUENT], ids=str)
def test_what_a_killed_worker_left_open_times_out(broker, hosts, library):
    """Its successor has a transactional id of its own: it waits for offsets that are pending until the coordinator aborts them."""
    copy = Copy(broker, hosts, f"copy-abandoned-{library}")
    copy.load.begin(each=10)
    for n in range(3):
        copy.start(library, f"w{n}", timeout=5000)
        copy.progress(8)
        copy.workers[f"w{n}"].kill()
    copy.start(library, "last")
    copy.progress(4)
    copy.finish()
    copy.check()


@pytest.mark.parametrize("at", range(len(PRODUCERS)), ids=lambda at: str(PRODUCERS[at]))
def test_a_producer_is_fenced_by_another_librarys(broker, hosts, at):
    zombie_producer(broker, hosts, f"zombie-{PRODUCERS[at]}", PRODUCERS[at], PRODUCERS[(at + 1) % len(PRODUCERS)])
