"""Consumer groups of every library and strategy: joins, leaves and kills under load. test_groups_matrix.py has all of it, this what fits every run."""

from harness.groups import Group, Load, check, quiet_load, settle
from harness.hosts import CONFLUENT, FRANZ_GO, JAVAS, KAFKA_PYTHON, KAFKAJS, SARAMA

PARTITIONS = 6


def churn(broker, hosts, topic, pairs):
    """A group for each library and strategy, all at the same time: the members come, go and are killed while records are written."""
    broker.create_topic(topic, PARTITIONS)
    load = Load(broker.address, topic, PARTITIONS)
    libraries = {library.name: library for library, _ in pairs}
    first, second = ({name: hosts.start(library) for name, library in libraries.items()} for _ in range(2))
    groups = {Group(f"{topic}-{library}-{strategy}", broker, hosts.history, topic, PARTITIONS, strategy): library.name for library, strategy in pairs}

    for group, library in groups.items():
        group.join(first[library], "a")
        group.join(first[library], "b")
    settle(groups)
    quiet_load(groups, load, 300)

    load.begin()
    for group, library in groups.items():
        group.join(second[library], "c")
    settle(groups)
    for group, library in groups.items():
        group.leave("b")
        group.join(second[library], "d")
    settle(groups)
    for host in second.values():
        host.kill()
    for group, library in groups.items():
        group.forget(second[library])
        group.join(first[library], "e")
    settle(groups)
    load.end()

    quiet_load(groups, load, 300)
    for group in groups:
        for name in sorted(group.members):
            group.leave(name.rsplit("/", 1)[1])
    for group in groups:
        group.history.until(lambda: group.describe()["group_state"] == "Empty", 30, f"{group} is empty")
    check(list(groups), load)


def test_members_come_go_and_are_killed_under_load(broker, hosts):
    churn(broker, hosts, "churn", [(CONFLUENT, "range"), (CONFLUENT, "cooperative-sticky"), (FRANZ_GO, "sticky"), (FRANZ_GO, "cooperative-sticky"),
                                   (SARAMA, "roundrobin"), (SARAMA, "sticky"), (KAFKA_PYTHON, "range"), (KAFKAJS, "RoundRobinAssigner"),
                                   (JAVAS[1], "cooperative-sticky")])
