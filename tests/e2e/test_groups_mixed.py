"""Members of different libraries in one group, with a strategy that all of them have; the leader's host is killed, so that another library leads."""

import pytest

from harness.groups import Group, Load, check, quiet_load, settle
from harness.hosts import CONFLUENT, FRANZ_GO, JAVAS, KAFKA_PYTHON, KAFKAJS, SARAMA
from harness.paths import BROKER


def mixed(broker, hosts, topic, strategy, libraries):
    """The first leads; it is killed, the second leaves in order, and the third leads."""
    partitions = len(libraries) + 1
    broker.create_topic(topic, partitions)
    load = Load(broker.address, topic, partitions)
    group = Group(topic, broker, hosts.history, topic, partitions, strategy)
    first = hosts.start(libraries[0])
    group.join(first, libraries[0].name)
    settle([group])
    load.begin()
    for library in libraries[1:]:
        group.join(hosts.start(library), library.name)
    settle([group])
    assert group.describe()["protocol_data"] == strategy
    first.kill()
    group.forget(first)
    settle([group])
    group.leave(libraries[1].name)
    settle([group])
    load.end()
    quiet_load([group], load, 100)
    check([group], load)


LIGHT = [CONFLUENT, FRANZ_GO, SARAMA, KAFKA_PYTHON, KAFKAJS]


def test_five_libraries_in_one_group(broker, hosts):
    mixed(broker, hosts, "mixed", "range", LIGHT)
