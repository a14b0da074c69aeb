"""Every library and strategy under churn, every library as the leader of a mixed group, and Java's groups that outlast restarts."""

import pytest

from harness.hosts import CONFLUENT, FRANZ_GO, JAVAS, KAFKA_PYTHON, KAFKAJS, SARAMA, SARAMA_AS_FILEBEAT
from test_groups import churn
from test_groups_lasting import broker_is_killed, static_members_restart
from test_groups_mixed import mixed

ALL = [*JAVAS, CONFLUENT, FRANZ_GO, SARAMA, SARAMA_AS_FILEBEAT, KAFKA_PYTHON, KAFKAJS]


@pytest.mark.parametrize("library", ALL, ids=str)
def test_members_come_go_and_are_killed_under_load(broker, hosts, library):
    churn(broker, hosts, f"churn-{library}", [(library, strategy) for strategy in library.strategies])


@pytest.mark.parametrize("leader", ALL, ids=str)
@pytest.mark.parametrize("strategy", ["range", "roundrobin", "sticky", "cooperative-sticky"])
def test_mixed_libraries_in_one_group(broker, hosts, strategy, leader):
    able = [library for library in ALL if strategy in library.strategies and library is not SARAMA_AS_FILEBEAT]
    if leader not in able:
        pytest.skip(f"{leader} has no {strategy}")
    at = able.index(leader)
    mixed(broker, hosts, f"mixed-{strategy}-{leader}", strategy, able[at:] + able[:at])


@pytest.mark.parametrize("strategy", ["range", "cooperative-sticky"])
def test_javas_static_members_restart_without_a_rebalance(broker, hosts, strategy):
    static_members_restart(broker, hosts, f"static-{strategy}", [(library, strategy) for library in JAVAS])


def test_a_broker_killed_thrice_keeps_its_groups(broker, hosts):
    pairs = [(library, "cooperative-sticky") for library in (*JAVAS, CONFLUENT)] + [(library, "range") for library in (FRANZ_GO, SARAMA, KAFKA_PYTHON, KAFKAJS)]
    broker_is_killed(broker, hosts, "killed", pairs, 3)
