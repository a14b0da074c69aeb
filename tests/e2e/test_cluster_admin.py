"""A cluster as Kafka's Java AdminClient sees it, 2.7.1's and 3.9.1's, while it creates, grows, moves and elects: the answers
are those that Apache Kafka gives to the same questions, 2.7.1 and 3.9.1 alike."""

import re

import pytest

from harness.brokers import Brokers
from harness.paths import counterpart
from harness.process import run

# @ stands for the topic; what stands for … is told differently by each release (lists as Scala prints them).
EXPECTED = """nodes | [1, 2, 3]
controller is one of them | true
create | done
described | 0:1/[1, 2, 3]/[1, 2, 3] 1:2/[2, 3, 1]/[1, 2, 3] 2:3/[3, 1, 2]/[1, 2, 3]
create by numbers | done
leaders and replicas are spread | [2, 2, 2] [4, 4, 4]
create with factor 4 | InvalidReplicationFactorException: Replication factor: 4 larger than available brokers: 3.
create with a repeat | InvalidReplicaAssignmentException: Duplicate replica assignment found: …
create with a gap | InvalidReplicaAssignmentException: partitions should be a consecutive 0-based integer sequence
create unevenly | InvalidReplicaAssignmentException: All partitions should have the same number of replicas
grow | done
grown | 0:1/[1, 2, 3]/[1, 2, 3] 1:2/[2, 3, 1]/[1, 2, 3] 2:3/[3, 1, 2]/[1, 2, 3] 3:1/[1, 3, 2]/[1, 2, 3] 4:2/[2, 1, 3]/[1, 2, 3]
grow unevenly | InvalidReplicaAssignmentException: Inconsistent replication factor between partitions, partition 0 has 3 while partitions [5] have replication factors [1], respectively.
grow with a stranger | InvalidReplicaAssignmentException: Unknown broker(s) in replica assignment: 9.
grow with too few | InvalidReplicaAssignmentException: Increasing the number of partitions by 2 but 1 assignments provided.
shrink | InvalidPartitionsException: Topic currently has 5 partitions, which is higher than the requested 2.
nothing moves | {}
another order | done
reordered | {}
fewer | done
other | done
moved | 0:1/[2, 1, 3]/[1, 2, 3] 1:2/[2, 3]/[2, 3] 2:1/[1, 2]/[1, 2] 3:1/[1, 3, 2]/[1, 2, 3] 4:2/[2, 1, 3]/[1, 2, 3]
back | done
moved back | 0:1/[2, 1, 3]/[1, 2, 3] 1:2/[1, 2, 3]/[1, 2, 3] 2:1/[1, 2]/[1, 2] 3:1/[1, 3, 2]/[1, 2, 3] 4:2/[2, 1, 3]/[1, 2, 3]
to a stranger | InvalidReplicaAssignmentException: Replica assignment has brokers that are not alive. …
to nobody twice | InvalidReplicaAssignmentException: Duplicate replica ids in partition reassignment replica list: …
below zero | InvalidReplicaAssignmentException: Invalid broker id in replica list: …
of no partition | UnknownTopicOrPartitionException: The partition does not exist.
of no topic | UnknownTopicOrPartitionException: The partition does not exist.
called off | NoReassignmentInProgressException: No partition reassignment is in progress.
moves of a partition | {}
elect | {@-0=elected, @-3=ElectionNotNeededException: Leader election not needed for topic partition.}
elected | 0:2/[2, 1, 3]/[1, 2, 3] 1:2/[1, 2, 3]/[1, 2, 3] 2:1/[1, 2]/[1, 2] 3:1/[1, 3, 2]/[1, 2, 3] 4:2/[2, 1, 3]/[1, 2, 3]
elect all | {@-1=elected}
elect all again | {}
elect uncleanly | {@-0=ElectionNotNeededException: Leader election not needed for topic partition.}
elect for strangers | {@-17=UnknownTopicOrPartitionException: The partition does not exist., no-such-topic-0=UnknownTopicOrPartitionException: The partition does not exist.}
directory of a replica | [@-0-3 true false 0, @-2-3 false false -1]
alter configs | done
topic config | 0:1,1:2/2
broker config | 12345
throttle nonsense | …Invalid value [nonsense] for configuration follower.replication.throttled.replicas: …
config removed | done
delete | done
listed after delete | []
create with a stranger | done
led by who is there | 0:1/[1, 9]/[1]""".splitlines()


@pytest.fixture(scope="module")
def brokers(module_cluster):
    return Brokers(module_cluster).start()


def told(brokers, version: str, topic: str) -> list:
    directory = counterpart(f"java-{version}")
    done = run(["java", "-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", f"{directory}/classes:{directory}/libs/*", "ClusterAdmin",
                brokers.address, topic], timeout=300)
    return done.stdout.decode().replace(topic, "@").replace("\t", " | ").splitlines()


@pytest.mark.parametrize("version", ["2.7.1", "3.9.1"])
def test_the_admin_client_is_told_what_kafka_tells(brokers, version):
    found = told(brokers, version, f"admin-{version}")
    matches = [re.fullmatch(re.escape(e).replace("…", ".*"), f) for e, f in zip(EXPECTED, found)]
    differences = [f"expected {e}\n   found {f}" for e, f, m in zip(EXPECTED, found, matches) if not m]
    assert not differences and len(found) == len(EXPECTED), "\n".join(differences + [f"{len(found)} answers of {len(EXPECTED)}"])
