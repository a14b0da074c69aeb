"""What a cluster must bear: requests of a controller that is none, or was one; state in ZooKeeper that is no state; nodes that
vanish; followers that lie. The answers are the specified errors, no broker ends, no record is lost."""

import json

import pytest
from kazoo.exceptions import NoNodeError

from harness import wire
from harness.brokers import Brokers, quietly
from harness.errors import FENCED_LEADER_EPOCH, INVALID_UPDATE_VERSION, NONE, NOT_CONTROLLER, OFFSET_OUT_OF_RANGE, STALE_BROKER_EPOCH, STALE_CONTROLLER_EPOCH, UNKNOWN_TOPIC_OR_PARTITION
from harness.paths import BROKER
from harness.process import until
from harness.records import batch



@pytest.fixture(scope="module")
def brokers(module_cluster):
    made = Brokers(module_cluster).start()
    made.create_topic("safe", assignment=[[1, 2, 3], [2, 3, 1], [3, 1, 2]])
    for n in range(30):
        assert made.produce("safe", batch([(None, b"%d" % n)]), partition=n % 3)["error_code"] == NONE
    return made


@pytest.fixture
def look(brokers):
    made = brokers.zookeeper.client()
    yield made
    made.stop()
    made.close()


@pytest.fixture(autouse=True)
def unharmed(brokers):
    """All of them still run, agree with each other, hold what was acknowledged, and go on."""
    before = {b: brokers[b].process.pid for b in brokers.all}
    held = sum(map(len, brokers.read("safe").values()))
    yield
    assert {b: brokers[b].process.pid for b in brokers.all if brokers[b].process and brokers[b].process.running()} == before
    brokers.know_each_other()
    brokers.in_sync("safe")
    assert sum(map(len, brokers.read("safe").values())) == held
    for partition in range(3):
        until(quietly(lambda: brokers.produce("safe", batch([(None, b"after")]), partition=partition)["error_code"] == NONE), 30)


def epochs(look, broker_id):
    """(controller epoch, broker epoch)"""
    return int(look.get("/controller_epoch")[0]), look.exists(f"/brokers/ids/{broker_id}").czxid


def state(look, topic, partition):
    data, stat = look.get(f"/brokers/topics/{topic}/partitions/{partition}/state")
    return json.loads(data), stat


def leader_and_isr(connection, controller, controller_epoch, broker_epoch, topic, partition, *, leader, leader_epoch, isr, replicas, partition_epoch=99):
    return connection.request("LEADER_AND_ISR", 4, {
        "controller_id": controller, "controller_epoch": controller_epoch, "broker_epoch": broker_epoch,
        "topic_states": [{"topic_name": topic, "partition_states": [
            {"partition_index": partition, "controller_epoch": controller_epoch, "leader": leader, "leader_epoch": leader_epoch, "isr": isr,
             "partition_epoch": partition_epoch, "replicas": replicas, "adding_replicas": [], "removing_replicas": [], "is_new": False}]}],
        "live_leaders": [{"broker_id": leader, "host_name": "127.0.0.1", "port": 1}]})


def test_a_controller_of_the_past_is_refused(brokers, look):
    controller, epoch = brokers.controller(), epochs(look, 1)[0]
    for target in brokers.all:
        broker_epoch = epochs(look, target)[1]
        with brokers[target].connect() as connection:
            answer = leader_and_isr(connection, controller, epoch - 1, broker_epoch, "safe", 0, leader=3, leader_epoch=1000, isr=[3], replicas=[1, 2, 3])
            assert answer["error_code"] == STALE_CONTROLLER_EPOCH
            answer = connection.request("STOP_REPLICA", 3, {
                "controller_id": controller, "controller_epoch": epoch - 1, "broker_epoch": broker_epoch,
                "topic_states": [{"topic_name": "safe", "partition_states": [{"partition_index": 0, "leader_epoch": -2, "delete_partition": True}]}]})
            assert (answer["error_code"], answer["partition_errors"]) == (STALE_CONTROLLER_EPOCH, [])
            answer = connection.request("UPDATE_METADATA", 6, {
                "controller_id": controller, "controller_epoch": epoch - 1, "broker_epoch": broker_epoch, "topic_states": [], "live_brokers": []})
            assert answer["error_code"] == STALE_CONTROLLER_EPOCH


def test_a_request_for_a_former_life_of_the_broker_is_refused(brokers, look):
    controller = brokers.controller()
    for target in brokers.all:
        epoch, broker_epoch = epochs(look, target)
        with brokers[target].connect() as connection:
            answer = leader_and_isr(connection, controller, epoch, broker_epoch - 1, "safe", 0, leader=3, leader_epoch=1000, isr=[3], replicas=[1, 2, 3])
            assert answer["error_code"] == STALE_BROKER_EPOCH
            answer = connection.request("UPDATE_METADATA", 6, {
                "controller_id": controller, "controller_epoch": epoch, "broker_epoch": broker_epoch - 1, "topic_states": [], "live_brokers": []})
            assert answer["error_code"] == STALE_BROKER_EPOCH
            answer = connection.request("STOP_REPLICA", 3, {
                "controller_id": controller, "controller_epoch": epoch, "broker_epoch": broker_epoch - 1,
                "topic_states": [{"topic_name": "safe", "partition_states": [{"partition_index": 0, "leader_epoch": -2, "delete_partition": True}]}]})
            assert answer["error_code"] == STALE_BROKER_EPOCH


def test_a_leader_epoch_that_is_known_already_changes_nothing(brokers, look):
    """With the true controller's epochs, but of a state that everybody has: also one that is older, and a partition for somebody else."""
    controller = brokers.controller()
    now = state(look, "safe", 0)[0]["leader_epoch"]
    for target in brokers.all:
        epoch, broker_epoch = epochs(look, target)
        with brokers[target].connect() as connection:
            for leader_epoch in (now, now - 1):
                answer = leader_and_isr(connection, controller, epoch, broker_epoch, "safe", 0, leader=3, leader_epoch=leader_epoch, isr=[3], replicas=[1, 2, 3])
                told = [p["error_code"] for p in answer["partition_errors"]]
                # 3.9 has no word against the epoch it knows when the request, being old, names no topic id.
                assert answer["error_code"] == NONE and told in ([STALE_CONTROLLER_EPOCH], [NONE] if leader_epoch == now else [])
            others = [b for b in brokers.all if b != target]
            answer = leader_and_isr(connection, controller, epoch, broker_epoch, "not-mine", 0, leader=others[0], leader_epoch=5, isr=others, replicas=others)
            assert answer["error_code"] == NONE and [p["error_code"] for p in answer["partition_errors"]] == [UNKNOWN_TOPIC_OR_PARTITION]
            assert not (brokers[target].data / "not-mine-0").exists()


def test_only_the_controller_takes_what_is_the_controllers(brokers, look):
    other = next(b for b in brokers.all if b != brokers.controller())
    with brokers[other].connect() as connection:
        answer = connection.request("ALTER_PARTITION", 0, {"broker_id": 1, "broker_epoch": epochs(look, 1)[1], "topics": []})
        assert answer["error_code"] == NOT_CONTROLLER
        answer = connection.request("CONTROLLED_SHUTDOWN", 3, {"broker_id": 1, "broker_epoch": epochs(look, 1)[1]})
        assert answer["error_code"] != NONE
    with brokers[brokers.controller()].connect() as connection:
        answer = connection.request("ALTER_PARTITION", 0, {"broker_id": 1, "broker_epoch": epochs(look, 1)[1] - 1, "topics": []})
        assert answer["error_code"] == STALE_BROKER_EPOCH
        answer = connection.request("CONTROLLED_SHUTDOWN", 3, {"broker_id": 1, "broker_epoch": epochs(look, 1)[1] - 1})
        assert answer["error_code"] == STALE_BROKER_EPOCH
        told = state(look, "safe", 0)
        for leader_epoch, partition_epoch, expected in ((told[0]["leader_epoch"] - 1, told[1].version, FENCED_LEADER_EPOCH), (told[0]["leader_epoch"], told[1].version - 1, INVALID_UPDATE_VERSION)):
            answer = connection.request("ALTER_PARTITION", 0, {"broker_id": 1, "broker_epoch": epochs(look, 1)[1], "topics": [{"topic_name": "safe", "partitions": [
                {"partition_index": 0, "leader_epoch": leader_epoch, "new_isr": [1], "partition_epoch": partition_epoch}]}]})
            assert answer["error_code"] == NONE and answer["topics"][0]["partitions"][0]["error_code"] == expected
        assert state(look, "safe", 0)[0] == told[0]


def test_a_follower_that_is_none_learns_nothing_and_moves_nothing(brokers):
    """Fetches as a replica with ids and offsets that are not true."""
    leader = brokers.leader("safe", 0)
    with brokers[leader].connect() as connection:
        end = wire.fetch(connection, "safe", 0, max_wait_ms=0)["high_watermark"]
        for replica_id in (77, 2**31 - 1):
            wire.fetch(connection, "safe", end + 1000, max_wait_ms=0, replica_id=replica_id)
            wire.fetch(connection, "safe", end, max_wait_ms=0, replica_id=replica_id, current_leader_epoch=2**31 - 1)
        # A true follower's id, with an offset that it cannot have.
        follower = next(b for b in brokers.all if b != leader)
        assert wire.fetch(connection, "safe", end + 1000, max_wait_ms=0, replica_id=follower)["error_code"] == OFFSET_OUT_OF_RANGE
        assert wire.fetch(connection, "safe", -5, max_wait_ms=0, replica_id=follower)["error_code"] == OFFSET_OUT_OF_RANGE
        assert wire.fetch(connection, "safe", 0, max_wait_ms=0)["high_watermark"] == end


NOT_STATES = [b"", b"{", b"[]", b"null", b"7", b"\xff\xfe", b'{"version":1}', b'{"version":99,"partitions":"x"}', b'{"version":"1","partitions":{"0":"1"}}', b"{" * 20000]


@pytest.mark.parametrize("path", ["/admin/reassign_partitions", "/admin/preferred_replica_election"])
def test_nodes_that_ask_for_nonsense(brokers, look, path):
    for content in NOT_STATES + [b'{"version":1,"partitions":[{"topic":"no-such-topic","partition":0,"replicas":[1]}]}',
                                 b'{"version":1,"partitions":[{"topic":"safe","partition":99,"replicas":[1,2,3]}]}',
                                 b'{"version":1,"partitions":[{"topic":5,"partition":"x","replicas":{}}]}']:
        remove(look, path)
        look.create(path, content)
    with_controller_alive(brokers, "after-" + path.rsplit("_", 1)[1])
    remove(look, path)


def remove(look, path):
    """Unless the controller was faster."""
    try:
        look.delete(path)
    except NoNodeError:
        pass


def with_controller_alive(brokers, topic):
    """It still does its work."""
    brokers.create_topic(topic, partitions=3)
    assert brokers.produce(topic, batch([(None, b"x")]))["error_code"] == NONE


@pytest.mark.parametrize("path", ["/isr_change_notification/isr_change_", "/log_dir_event_notification/log_dir_event_", "/config/changes/config_change_"])
def test_notifications_of_nonsense(brokers, look, path):
    for content in NOT_STATES + [b'{"version":1,"partitions":[{"topic":"no-such-topic","partition":0}]}', b'{"version":1,"broker":77,"event":1}',
                                 b'{"version":1,"broker":1,"event":99}', b'{"version":2,"entity_path":"topics/no-such-topic"}',
                                 b'{"version":2,"entity_path":"planets/venus"}', b'{"version":1,"entity_type":"brokers","entity_name":"x"}']:
        look.create(path, content, sequence=True)
    look.create(path.rsplit("/", 1)[0] + "/not-even-a-name", b"x")
    with_controller_alive(brokers, "after-" + path.split("_")[0].split("/")[-1])
    remove(look, path.rsplit("/", 1)[0] + "/not-even-a-name")


@pytest.mark.skipif(BROKER != "weir", reason="no controller of Apache Kafka can start any more then")
def test_topics_that_are_none(brokers, look):
    """What stands among the topics but cannot be read is no topic, and harms none."""
    names = []
    for n, content in enumerate(NOT_STATES):
        names.append(f"nonsense-{n}")
        look.create(f"/brokers/topics/{names[-1]}", content)
    names.append("name with blanks")
    look.create(f"/brokers/topics/{names[-1]}", b'{"version":1,"partitions":{"0":[1]}}')
    names.append("ids-of-strangers")
    look.create(f"/brokers/topics/{names[-1]}", b'{"version":1,"partitions":{"0":[77,78],"x":[1],"-3":[1]}}')
    with_controller_alive(brokers, "after-topics")
    lost = brokers.controller()
    before = int(look.get("/controller_epoch")[0])
    remove(look, "/controller")  # another is elected, and must read all this
    until(lambda: look.exists("/controller") and int(look.get("/controller_epoch")[0]) > before, 30, "a new controller")
    assert lost in brokers.running()
    for name in names:
        look.delete(f"/brokers/topics/{name}", recursive=True)
    with_controller_alive(brokers, "after-their-end")


def test_state_that_is_none_under_a_living_partition(brokers, look):
    """Somebody writes over the state of a partition, or removes it; with the next change it is written anew, or stays as it is known."""
    brokers.create_topic("victim", assignment=[[1, 2, 3], [2, 3, 1]])
    path = "/brokers/topics/victim/partitions/0/state"
    for content in NOT_STATES[:6]:
        look.set(path, content)
        assert brokers.produce("victim", batch([(None, b"x")]))["error_code"] == NONE, "its leader serves on"
    look.delete(path)
    assert brokers.produce("victim", batch([(None, b"x")]))["error_code"] == NONE
    assert brokers.produce("victim", batch([(None, b"x")]), partition=1)["error_code"] == NONE
    with_controller_alive(brokers, "after-state")


def test_the_controller_is_deposed_by_hand(brokers, look):
    for n in range(3):
        before = int(look.get("/controller_epoch")[0])
        remove(look, "/controller")
        until(lambda: look.exists("/controller") and int(look.get("/controller_epoch")[0]) > before, 30, "a new controller")
        with_controller_alive(brokers, f"after-deposition-{n}")


def test_a_registration_is_removed_by_hand(brokers, look):
    """The broker lives, but the cluster takes it for dead; its session goes on, so nobody registers it again but itself."""
    brokers.create_topic("unregistered", assignment=[[3, 1, 2]])
    session = look.exists("/brokers/ids/3").ephemeralOwner
    brokers.zookeeper.end_session(session)
    until(lambda: (found := look.exists("/brokers/ids/3")) and found.ephemeralOwner != session, 30, "its new registration")
    brokers.in_sync("unregistered", "safe")
    assert brokers.produce("unregistered", batch([(None, b"x")]))["error_code"] == NONE
