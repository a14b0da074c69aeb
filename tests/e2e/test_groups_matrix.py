"""Every library and strategy under churn, and every library as the leader of a mixed group."""

import pytest

from harness.hosts import CONFLUENT, FRANZ_GO, JAVAS, KAFKA_PYTHON, KAFKAJS, SARAMA, SARAMA_AS_FILEBEAT
from test_groups import churn
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
