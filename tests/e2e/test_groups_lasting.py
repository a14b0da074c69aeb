"""Groups that outlast restarts: of static members, and of the broker, killed with kill -9."""

import pytest

from harness.groups import Group, Load, all_read, check, generation, quiet_load, settle
from harness.hosts import CONFLUENT, FRANZ_GO, JAVAS, KAFKA_PYTHON, KAFKAJS, SARAMA

PARTITIONS = 6
# These keep their membership while the broker is away; the others join again as soon as a heartbeat cannot be sent.
PATIENT = [*JAVAS, CONFLUENT, KAFKA_PYTHON]


def static_members_restart(broker, hosts, topic, pairs):
    """One is killed and one leaves in order; both come back with their instance id and find what they had. Nobody else notices."""
    broker.create_topic(topic, PARTITIONS)
    load = Load(broker.address, topic, PARTITIONS)
    groups = {Group(f"{topic}-{library}-{strategy}", broker, hosts.history, topic, PARTITIONS, strategy, session=30000): library
              for library, strategy in pairs}
    libraries = set(groups.values())
    stay, restart = ({library: hosts.start(library) for library in libraries} for _ in range(2))
    for group, library in groups.items():
        group.join(stay[library], "a", "instance-a")
        group.join(restart[library], "b", "instance-b")
    settle(groups)
    before = {group: (generation(group), group.owners()) for group in groups}
    start = len(hosts.history.events)
    load.begin()

    for host in restart.values():
        host.kill()
    again = {library: hosts.start(library) for library in libraries}
    for group, library in groups.items():
        group.forget(restart[library])
        group.join(again[library], "b2", "instance-b")
    settle(groups)
    for group in groups:
        assert not [e for e in group.rebalances(start) if e["member"] == f"{group}/a"], f"{group}: {group.rebalances(start)}"
    for group in groups:
        group.leave("a")
    for group, library in groups.items():
        hosts.history.until(lambda: group.events("left"), 30, f"a left {group}")
        group.join(stay[library], "a2", "instance-a")
    settle(groups)
    load.end()

    for group, (number, owners) in before.items():
        assert generation(group) == number, f"{group}: {group.rebalances(start)}"
        assert {p: m + "2" for p, m in owners.items()} == group.owners(), f"{group}"
    quiet_load(groups, load, 100)
    check(list(groups), load)


def broker_is_killed(broker, hosts, topic, pairs, times):
    """The members go on where they were, the patient ones without a rebalance: every commit is kept, nothing is lost."""
    broker.create_topic(topic, PARTITIONS)
    load = Load(broker.address, topic, PARTITIONS)
    groups = {Group(f"{topic}-{library}-{strategy}", broker, hosts.history, topic, PARTITIONS, strategy, session=30000): library
              for library, strategy in pairs}
    host = {library: hosts.start(library) for library in set(groups.values())}
    for group, library in groups.items():
        group.join(host[library], "a")
        group.join(host[library], "b")
    settle(groups)
    load.begin()
    for _ in range(times):
        read = {group: sum(group.read().values()) for group in groups}
        for group in groups:  # commits are under way
            hosts.history.until(lambda: sum(group.read().values()) > read[group] + 100, 30, f"{group} reads")
        start = len(hosts.history.events)
        broker.kill()
        broker.start()
        for group in groups:
            hosts.history.until(lambda: group.describe()["group_state"] == "Stable", 60, f"{group} is loaded")
        read = {group: len(group.events("committed", "read")) for group in groups}
        for group in groups:
            hosts.history.until(lambda: len(group.events("committed", "read")) > read[group] + 10, 60, f"{group} goes on")
        settle(groups)
        for group, library in groups.items():
            assert library not in PATIENT or not group.rebalances(start), f"{group}: {group.rebalances(start)}"
    load.end()
    quiet_load(groups, load, 100)
    check(list(groups), load)


def test_static_members_restart_without_a_rebalance(broker, hosts):
    # franz-go's leader makes a plan of its own when it is back, and asks for a rebalance where a sticky one comes out otherwise.
    static_members_restart(broker, hosts, "static", [(CONFLUENT, "cooperative-sticky"), (FRANZ_GO, "range"), (SARAMA, "roundrobin")])


def test_a_killed_broker_keeps_its_groups(broker, hosts):
    broker_is_killed(broker, hosts, "killed", [(library, "range") for library in (CONFLUENT, FRANZ_GO, SARAMA, KAFKA_PYTHON, KAFKAJS)], 1)
