"""Transactions by raw requests: what a producer, its coordinator and its readers are told, and what a crash leaves."""

import time

import pytest

from harness import internal_topics, records, wire
from harness.errors import *  # noqa: F403
from harness.process import until
from harness.transactions import (GROUP, TRANSACTION, Producer, committed, describe_producers, describe_transaction,
                                  find_coordinator, wait_for_coordinator, write_markers)

# A coordinator that looks often: transactions are timed out, and ids forgotten, while a test waits.
SETTINGS = {"transaction_state_log_num_partitions": "3",
            "transaction_abort_timed_out_transaction_cleanup_interval_ms": "200",
            "transaction_remove_expired_transaction_cleanup_interval_ms": "200"}


@pytest.fixture(scope="module")
def broker(module_cluster):
    made = module_cluster.broker(**SETTINGS).start()
    with made.connect() as connection:
        wait_for_coordinator(connection, "any")
        wait_for_coordinator(connection, "any", GROUP)
    return made


@pytest.fixture
def producer(connection, request):
    return Producer(connection, request.node.name).init()


def values_of(connection, topic):
    return [r[3] for r in wire.read_all(connection, topic) if r[2] == b"k"]


# What readers see


@pytest.mark.parametrize("commit", [True, False])
def test_readers_of_committed_data_wait_for_the_end(connection, topic, producer, commit):
    producer.begin(topic, [b"a", b"b"])
    open_now = wire.fetch(connection, topic, 0, isolation_level=1, max_wait_ms=0)
    assert (open_now["records"] or b"") == b"" and open_now["last_stable_offset"] == 0 and open_now["high_watermark"] == 2
    assert values_of(connection, topic) == [b"a", b"b"], "others see it at once"
    latest = connection.request("LIST_OFFSETS", 5, {"replica_id": -1, "isolation_level": 1, "topics": [
        {"name": topic, "partitions": [{"partition_index": 0, "current_leader_epoch": -1, "timestamp": -1}]}]})
    assert latest["topics"][0]["partitions"][0]["offset"] == 0

    producer.finish(commit)
    part = wire.fetch(connection, topic, 0, isolation_level=1)
    assert part["last_stable_offset"] == part["high_watermark"] == 3
    marker = records.batches(wire.fetch(connection, topic, 2)["records"])[-1]  # Apache Kafka may deliver it apart
    assert marker.attributes & 32 and (marker.producer_id, marker.producer_epoch) == (producer.producer_id, producer.epoch)
    assert marker.records()[0][2] == (b"\0\0\0\1" if commit else b"\0\0\0\0")
    assert part["aborted_transactions"] == ([] if commit else [{"producer_id": producer.producer_id, "first_offset": 0}])
    assert committed(connection, topic) == ([b"a", b"b"] if commit else [])


def test_transactions_of_several_producers_are_told_apart(connection, topic):
    one, two, three = (Producer(connection, f"apart-{i}").init() for i in range(3))
    one.begin(topic, [b"one-a"])
    two.begin(topic, [b"two-a"])
    three.begin(topic, [b"three-a"])
    assert one.write(topic, [b"one-b"])["error_code"] == 0
    two.finish(False)
    assert committed(connection, topic) == [], "the first one is still open"
    one.finish(True)
    assert committed(connection, topic) == [b"one-a"], "up to the first of the third"
    three.finish(True)
    assert committed(connection, topic) == [b"one-a", b"three-a", b"one-b"]
    two.begin(topic, [b"two-b"]).finish(True)
    assert committed(connection, topic) == [b"one-a", b"three-a", b"one-b", b"two-b"]


def test_sequences_go_on_over_markers_and_begin_anew_with_an_epoch(connection, topic, producer):
    producer.begin(topic, [b"1", b"2"]).finish(True)
    assert producer.add([(topic, 0)]) == 0
    assert producer.write(topic, [b"x"], sequence=5)["error_code"] == OUT_OF_ORDER_SEQUENCE_NUMBER
    assert producer.write(topic, [b"3"])["error_code"] == 0
    producer.finish(True)
    producer.init()
    assert producer.add([(topic, 0)]) == 0
    assert producer.write(topic, [b"x"], sequence=1)["error_code"] == OUT_OF_ORDER_SEQUENCE_NUMBER
    assert producer.write(topic, [b"4"])["error_code"] == 0
    producer.finish(True)
    assert committed(connection, topic) == [b"1", b"2", b"3", b"4"]


def test_a_batch_sent_twice_is_stored_once(connection, topic, producer):
    producer.begin(topic, [b"a"])
    assert producer.write(topic, [b"a"], sequence=0)["base_offset"] == 0
    producer.finish(True)
    assert committed(connection, topic) == [b"a"]


def test_a_transaction_over_many_partitions(broker, connection):
    topic = broker.create_topic("many", 20)
    producer = Producer(connection, "many").init()
    assert set(producer.add([(topic, i) for i in range(20)]).values()) == {0}
    for i in range(20):
        assert producer.write(topic, [b"%d" % i], i)["error_code"] == 0
    producer.finish(True)
    assert [committed(connection, topic, i) for i in range(20)] == [[b"%d" % i] for i in range(20)]


# Who coordinates


@pytest.mark.parametrize("version", range(0, 7))
def test_the_coordinator_is_found_in_every_version(connection, broker, version):
    for kind in (GROUP, TRANSACTION):
        found = find_coordinator(connection, "any", kind, version)
        assert (found["error_code"], found["node_id"], found["host"], found["port"]) == (0, 0, "127.0.0.1", broker.port)
        if version >= 1:
            assert found["error_message"] == ("NONE" if version < 4 else "")


def test_a_kind_of_coordinator_that_there_is_not(connection, kind):
    wanted = UNKNOWN_SERVER_ERROR if kind == "kafka-2.7.1" else INVALID_REQUEST
    for version in (1, 3):
        found = find_coordinator(connection, "any", 9, version)
        assert (found["error_code"], found["node_id"], found["host"], found["port"]) == (wanted, -1, "", -1), found
    if kind != "kafka-2.7.1":
        assert find_coordinator(connection, "any", 9, 4)["error_code"] == INVALID_REQUEST
        assert find_coordinator(connection, "any", 2, 5)["error_code"] == INVALID_REQUEST
        assert find_coordinator(connection, "any", 2, 6)["error_code"] == COORDINATOR_NOT_AVAILABLE


def test_nobody_coordinates_before_the_first_has_asked_who_does(cluster, kind):
    broker = cluster.broker(**SETTINGS).start()
    topic = broker.create_topic("t")
    with broker.connect() as connection:
        producer = Producer(connection, "early")
        assert producer.try_init()["error_code"] == NOT_COORDINATOR
        producer.producer_id, producer.epoch = 5, 0
        assert producer.add([(topic, 0)]) == NOT_COORDINATOR
        assert producer.add_offsets("g") == NOT_COORDINATOR
        assert producer.end(True) == NOT_COORDINATOR
        if kind == "kafka-2.7.1":
            return
        assert describe_transaction(connection, producer.id)["error_code"] == NOT_COORDINATOR
        answer = producer.write(topic, [b"v"])
        assert answer["error_code"] == NOT_ENOUGH_REPLICAS
        assert answer["error_message"] == ("Unable to verify the partition has been added to the transaction. "
                                           "Underlying error: COORDINATOR_NOT_AVAILABLE")
        first = find_coordinator(connection, producer.id)
        assert (first["error_code"], first["error_message"]) == (COORDINATOR_NOT_AVAILABLE, "The coordinator is not available.")
        wait_for_coordinator(connection, producer.id)
        producer.init().begin(topic, [b"v"]).finish(True)


# InitProducerId


@pytest.mark.parametrize("version", range(0, 6))
def test_each_initialisation_raises_the_epoch(connection, version):
    producer = Producer(connection, f"raises-{version}")
    producer.init(version)
    first = (producer.producer_id, producer.epoch)
    assert first[1] == 0
    assert (producer.init(version).producer_id, producer.epoch) == (first[0], 1)


def test_time_outs_out_of_bounds(connection):
    producer = Producer(connection, "bounds")
    for timeout in (0, -1, 900001, 2**31 - 1):
        answer = producer.try_init(timeout_ms=timeout)
        assert (answer["error_code"], answer["producer_id"], answer["producer_epoch"]) == (INVALID_TRANSACTION_TIMEOUT, -1, -1)
    assert producer.try_init(timeout_ms=900000)["error_code"] == 0


def test_an_empty_id_is_refused_everywhere(connection, topic):
    nobody = Producer(connection, "")
    assert nobody.try_init()["error_code"] == INVALID_REQUEST
    assert nobody.add([(topic, 0)], producer_id=1, epoch=0) == INVALID_REQUEST
    assert nobody.add_offsets("g", producer_id=1, epoch=0) == INVALID_REQUEST
    assert nobody.end(True, producer_id=1, epoch=0) == INVALID_REQUEST


@pytest.mark.parametrize("version", [3, 4])
def test_a_producer_that_says_who_it_is(connection, version):
    fenced = PRODUCER_FENCED if version >= 4 else INVALID_PRODUCER_EPOCH
    producer = Producer(connection, f"says-{version}").init(version)
    who = (producer.producer_id, 0)
    assert producer.try_init(version, (producer.producer_id, -1))["error_code"] == INVALID_REQUEST
    assert producer.try_init(version, (-1, 0))["error_code"] == INVALID_REQUEST
    for _ in range(2):  # the same request once more is answered with the same
        answer = producer.try_init(version, who)
        assert (answer["error_code"], answer["producer_id"], answer["producer_epoch"]) == (0, who[0], 1)
    assert producer.try_init(version, (who[0], 1))["producer_epoch"] == 2
    assert producer.try_init(version, who)["error_code"] == fenced
    assert producer.try_init(version, (who[0] + 1000, 2))["error_code"] == fenced


def test_a_second_producer_ends_what_the_first_left_open(connection, topic, producer):
    producer.begin(topic, [b"lost"])
    second = Producer(connection, producer.id)
    assert second.try_init()["error_code"] == CONCURRENT_TRANSACTIONS
    second.init()
    assert (second.producer_id, second.epoch) == (producer.producer_id, 2)
    for version, code in ((1, INVALID_PRODUCER_EPOCH), (2, PRODUCER_FENCED)):
        assert producer.add([(topic, 0)], version) == code
        assert producer.add_offsets("g", version) == code
        assert producer.end(True, version) == code
    assert producer.write(topic, [b"late"])["error_code"] == INVALID_PRODUCER_EPOCH
    second.begin(topic, [b"kept"]).finish(True)
    assert committed(connection, topic) == [b"kept"]


def test_an_epoch_that_runs_out(cluster, kind):
    """A record with the last epoch, written as tools do that repair a cluster, and loaded by the next start."""
    broker = cluster.broker(**SETTINGS).start()
    with broker.connect() as connection:
        wait_for_coordinator(connection, "old")
        producer = Producer(connection, "old").init()
    tool = wire.Connection(broker.address, client_id="__admin_client")
    partition = java_hash("old") % 3
    record = (internal_topics.txn_key("old"), internal_topics.txn_value(producer.producer_id, 32765, 0, None, int(time.time() * 1000)))
    assert wire.produce(tool, "__transaction_state", records.batch([record]), partition=partition)["error_code"] == 0
    broker.stop()
    broker.start()
    with broker.connect() as connection:
        again = Producer(connection, "old").init(3)
        assert (again.producer_id, again.epoch) == (producer.producer_id, 32766)
        exhausted = (again.producer_id, again.epoch)
        for _ in range(2):
            again.init(3, exhausted)
            assert again.producer_id != exhausted[0] and again.epoch == 0
        assert again.try_init(4, (exhausted[0], 5))["error_code"] == PRODUCER_FENCED


def java_hash(text):
    value = 0
    for letter in text:
        value = (value * 31 + ord(letter)) & 0xFFFFFFFF
    return abs(value - (1 << 32) if value >> 31 else value)


# AddPartitionsToTxn, AddOffsetsToTxn


@pytest.mark.parametrize("version", range(0, 4))
def test_partitions_are_added_in_every_version(connection, topic, producer, version):
    assert producer.add([(topic, 0)], version) == 0
    assert producer.add([(topic, 0)], version) == 0, "already there"
    assert producer.write(topic, [b"v"])["error_code"] == 0
    producer.finish(True)


@pytest.mark.parametrize("version", range(0, 5))
def test_offsets_are_added_in_every_version(connection, producer, version):
    assert producer.add_offsets("some-group", version) == 0
    producer.finish(True)


def test_strangers_cannot_add_partitions(connection, topic, producer):
    assert Producer(connection, "nobody-knows").add([(topic, 0)], producer_id=1, epoch=0) == INVALID_PRODUCER_ID_MAPPING
    assert producer.add([(topic, 0)], producer_id=producer.producer_id + 1000) == INVALID_PRODUCER_ID_MAPPING
    for epoch in (producer.epoch + 1, producer.epoch - 1):
        assert producer.add([(topic, 0)], epoch=epoch) == PRODUCER_FENCED
        assert producer.add([(topic, 0)], version=1, epoch=epoch) == INVALID_PRODUCER_EPOCH
        assert producer.add_offsets("g", epoch=epoch) == PRODUCER_FENCED
    assert producer.add_offsets("g", producer_id=77777) == INVALID_PRODUCER_ID_MAPPING


def test_one_unknown_partition_spoils_all(connection, topic, producer):
    codes = producer.add([(topic, 0), (topic, 9), ("no-such-topic", 0)])
    assert codes == {(topic, 0): OPERATION_NOT_ATTEMPTED, (topic, 9): UNKNOWN_TOPIC_OR_PARTITION,
                     ("no-such-topic", 0): UNKNOWN_TOPIC_OR_PARTITION}
    assert producer.end(True) == INVALID_TXN_STATE, "nothing was begun"


@pytest.mark.parametrize("version", [4, 5])
def test_brokers_add_and_verify_many_at_once(connection, topic, version, kind):
    one, two = (Producer(connection, f"many-{version}-{i}").init() for i in range(2))
    absent = TRANSACTION_ABORTABLE  # whoever asks in version 4 knows what his producer may hear of it

    def ask(verify_only, *transactions):
        answer = connection.request("ADD_PARTITIONS_TO_TXN", version, {"transactions": [
            {"transactional_id": p.id, **p.who(**lies), "verify_only": verify_only,
             "topics": [{"name": t, "partitions": [0]}]} for p, t, lies in transactions]})
        assert answer["error_code"] == 0
        return {(r["transactional_id"], t["name"]): p["partition_error_code"] for r in answer["results_by_transaction"]
                for t in r["topic_results"] for p in t["results_by_partition"]}

    assert ask(True, (one, topic, {}), (two, topic, {"epoch": 9})) == {(one.id, topic): absent, (two.id, topic): PRODUCER_FENCED}
    assert ask(False, (one, topic, {}), (two, "no-such-topic", {})) == {
        (one.id, topic): 0, (two.id, "no-such-topic"): UNKNOWN_TOPIC_OR_PARTITION}
    assert ask(True, (one, topic, {}), (two, topic, {})) == {(one.id, topic): 0, (two.id, topic): absent}
    assert ask(True, (one, topic, {"producer_id": 99999})) == {(one.id, topic): INVALID_PRODUCER_ID_MAPPING}
    if kind == "weir":
        assert ask(True) == {}  # Apache Kafka 3.9.1 never answers that
    one.finish(True)


@pytest.mark.parametrize("version", range(0, 5))
def test_offsets_are_committed_with_the_transaction_they_belong_to(connection, topic, producer, version, kind):
    group = f"offsets-{version}"

    def committed_offset():
        answer = connection.request("OFFSET_FETCH", 5, {"group_id": group, "topics": [
            {"name": topic, "partition_indexes": [0]}]})
        return answer["topics"][0]["partitions"][0]["committed_offset"]

    if kind != "kafka-2.7.1":  # which verifies nothing
        outside = TRANSACTION_ABORTABLE if version >= 4 else INVALID_TXN_STATE
        assert producer.commit_offset(group, topic, 5, version) == outside
        assert producer.commit_offset(group, topic, 5, version, producer_id=99999) == INVALID_PRODUCER_ID_MAPPING
        assert producer.commit_offset(group, topic, 5, version, epoch=7) == INVALID_PRODUCER_EPOCH
    for commit, offset, seen in ((True, 5, 5), (False, 9, 5), (True, 12, 12)):
        assert until(lambda: producer.add_offsets(group) == 0)
        assert producer.commit_offset(group, topic, offset, version) == 0
        assert committed_offset() in (-1, 5), "not before the end"
        producer.finish(commit)
        until(lambda: committed_offset() == seen)


# EndTxn


@pytest.mark.parametrize("version", range(0, 5))
@pytest.mark.parametrize("commit", [True, False])
def test_an_end_in_every_version(connection, topic, producer, version, commit):
    assert producer.end(commit, version) == INVALID_TXN_STATE, "nothing is open"
    producer.begin(topic, [b"v"])
    assert producer.end(commit, version) == 0
    producer.wait_until_over()
    assert producer.end(commit, version) == 0, "said again"
    assert producer.end(not commit, version) == INVALID_TXN_STATE
    assert committed(connection, topic) == ([b"v"] if commit else [])


def test_strangers_cannot_end_a_transaction(connection, topic, producer):
    producer.begin(topic, [b"v"])
    assert Producer(connection, "nobody-knows").end(True, producer_id=1, epoch=0) == INVALID_PRODUCER_ID_MAPPING
    assert producer.end(True, producer_id=99999) == INVALID_PRODUCER_ID_MAPPING
    for epoch in (producer.epoch + 1, producer.epoch - 1):
        assert producer.end(True, epoch=epoch) == PRODUCER_FENCED
        assert producer.end(True, version=1, epoch=epoch) == INVALID_PRODUCER_EPOCH
    producer.finish(True)
    assert committed(connection, topic) == [b"v"]


def test_a_marker_that_can_never_be_written_keeps_its_producer_waiting(connection, topic, producer):
    producer.begin(topic, [b"v"])
    assert write_markers(connection, producer.producer_id, 9, False, [(topic, 0)], 0) == {(topic, 0): 0}  # from a stranger
    assert producer.end(True) == 0
    for _ in range(3):
        assert producer.end(True) == CONCURRENT_TRANSACTIONS
    assert producer.end(False) in (CONCURRENT_TRANSACTIONS, INVALID_TXN_STATE)
    assert producer.add([(topic, 0)], again=False) == CONCURRENT_TRANSACTIONS
    assert producer.try_init()["error_code"] == CONCURRENT_TRANSACTIONS


# Time


def test_a_transaction_open_for_too_long_is_aborted(connection, topic, broker, kind):
    producer = Producer(connection, "slow", 1000).init()
    producer.begin(topic, [b"lost"])
    until(lambda: wire.fetch(connection, topic, 0, isolation_level=1, max_wait_ms=0)["last_stable_offset"] == 2)
    assert committed(connection, topic) == []
    assert producer.end(True) == PRODUCER_FENCED
    assert producer.end(True, version=1) == INVALID_PRODUCER_EPOCH
    assert producer.write(topic, [b"late"])["error_code"] == INVALID_PRODUCER_EPOCH
    assert producer.init().epoch == 2
    if kind == "weir":
        lines = [line for line in broker.output().splitlines() if "Aborting the transaction of slow" in line]
        assert len(lines) == 1 and f"producer {producer.producer_id} epoch 0" in lines[0] and "1 partitions" in lines[0], lines


def test_an_id_out_of_use_is_forgotten(cluster, topic):
    broker = cluster.broker(transactional_id_expiration_ms="1500", **SETTINGS).start()
    with broker.connect() as connection:
        wait_for_coordinator(connection, "idle")
        producer = Producer(connection, "idle").init()
        assert producer.end(True) == INVALID_TXN_STATE
        until(lambda: producer.end(True) == INVALID_PRODUCER_ID_MAPPING)
        assert producer.init().epoch == 0, "as if it had never been"


# Produce


@pytest.mark.parametrize("version", [3, 8, 11])
def test_a_batch_outside_of_its_transaction_is_refused(connection, topic, producer, version, kind):
    if kind == "kafka-2.7.1":
        pytest.skip("2.7.1 checks nothing, and opens a transaction that hangs")
    refused = TRANSACTION_ABORTABLE if version >= 11 else INVALID_TXN_STATE
    assert producer.write(topic, [b"v"], version=version)["error_code"] == refused
    assert producer.write(topic, [b"v"], version=version, producer_id=99999)["error_code"] == INVALID_PRODUCER_ID_MAPPING
    assert producer.write(topic, [b"v"], version=version, epoch=7)["error_code"] == INVALID_PRODUCER_EPOCH
    stranger = Producer(connection, "nobody-knows")
    stranger.producer_id, stranger.epoch = producer.producer_id, 0
    assert stranger.write(topic, [b"v"], version=version)["error_code"] == INVALID_PRODUCER_ID_MAPPING
    assert values_of(connection, topic) == []

    producer.begin(topic, [b"in"]).finish(False)
    assert producer.write(topic, [b"late"], version=version)["error_code"] == refused, "a batch that was long on its way"
    part = wire.fetch(connection, topic, 0, isolation_level=1, max_wait_ms=0)
    assert part["last_stable_offset"] == part["high_watermark"] == 2


def test_a_batch_while_its_transaction_is_being_ended_may_be_sent_again(connection, topic, producer, kind):
    if kind == "kafka-2.7.1":
        pytest.skip("2.7.1 checks nothing")
    producer.begin(topic, [b"v"])
    write_markers(connection, producer.producer_id, 9, False, [(topic, 0)], 0)  # a marker that keeps the coordinator's out
    assert producer.end(True) == 0
    assert producer.end(True) == CONCURRENT_TRANSACTIONS
    answer = producer.write(topic, [b"late"], epoch=producer.epoch)
    assert answer["error_code"] == NOT_ENOUGH_REPLICAS, "which producers of every age try again after"
    assert answer["error_message"] == ("Unable to verify the partition has been added to the transaction. "
                                       "Underlying error: CONCURRENT_TRANSACTIONS")


def test_a_batch_in_a_transaction_needs_a_transactional_id(connection, topic, producer):
    assert producer.add([(topic, 0)]) == 0
    assert producer.write(topic, [b"v"], named=False)["error_code"] == TRANSACTIONAL_ID_AUTHORIZATION_FAILED
    assert producer.write(topic, [b"v"])["error_code"] == 0
    assert producer.write(topic, [b"v"], attributes=0)["error_code"] == INVALID_TXN_STATE, "outside of its own transaction"
    producer.finish(True)


def test_without_verification_every_batch_is_believed(cluster, kind):
    if kind == "kafka-2.7.1":
        pytest.skip("2.7.1 never verifies")
    broker = cluster.broker(transaction_partition_verification_enable="false", **SETTINGS).start()
    topic = broker.create_topic("believed")
    with broker.connect() as connection:
        wait_for_coordinator(connection, "p")
        producer = Producer(connection, "p").init()
        assert producer.write(topic, [b"v"])["error_code"] == 0
        assert wire.fetch(connection, topic, 0, isolation_level=1, max_wait_ms=0)["last_stable_offset"] == 0, "it hangs"
        assert write_markers(connection, producer.producer_id, 0, False, [(topic, 0)]) == {(topic, 0): 0}
        assert wire.fetch(connection, topic, 0, isolation_level=1, max_wait_ms=0)["last_stable_offset"] == 2


# WriteTxnMarkers


@pytest.mark.parametrize("version", [0, 1])
def test_markers_are_written_by_request(connection, topic, producer, version):
    producer.begin(topic, [b"a"])
    who = (producer.producer_id, producer.epoch)
    codes = write_markers(connection, *who, True, [(topic, 0), (topic, 5), ("no-such-topic", 0)], 3, version)
    assert codes == {(topic, 0): 0, (topic, 5): UNKNOWN_TOPIC_OR_PARTITION, ("no-such-topic", 0): UNKNOWN_TOPIC_OR_PARTITION}
    assert committed(connection, topic) == [b"a"]
    assert write_markers(connection, *who, True, [(topic, 0)], 2, version) == {(topic, 0): TRANSACTION_COORDINATOR_FENCED}
    assert write_markers(connection, who[0], who[1] + 1, False, [(topic, 0)], 3, version) == {(topic, 0): 0}
    assert write_markers(connection, *who, False, [(topic, 0)], 3, version) == {(topic, 0): INVALID_PRODUCER_EPOCH}


def test_no_markers_at_all(connection):
    assert connection.request("WRITE_TXN_MARKERS", 0, {"markers": []})["markers"] == []


def test_old_formats_have_no_markers(broker, connection, kind):
    if kind != "kafka-2.7.1":
        pytest.skip("from inter.broker.protocol.version 3.0 on every topic keeps the newest format")
    topic = broker.create_topic("old-format", configs={"message.format.version": "0.10.0"})
    assert write_markers(connection, 1, 0, True, [(topic, 0)]) == {(topic, 0): UNSUPPORTED_FOR_MESSAGE_FORMAT}


# What operators see


def test_producers_are_described(connection, topic, producer, kind):
    if kind == "kafka-2.7.1":
        pytest.skip("2.8 brought it")
    assert describe_producers(connection, topic)["active_producers"] == []
    producer.begin(topic, [b"a", b"b"])
    shown = describe_producers(connection, topic)
    assert (shown["error_code"], shown["error_message"]) == (0, None)
    wanted = {"producer_id": producer.producer_id, "producer_epoch": 0, "last_sequence": 1, "last_timestamp": 1600000000000,
              "coordinator_epoch": -1, "current_txn_start_offset": 0}
    assert shown["active_producers"] == [wanted]
    producer.finish(True)
    after = describe_producers(connection, topic)["active_producers"][0]
    assert after.pop("last_timestamp") > 1600000000000, "the marker's"
    assert after == {**{k: v for k, v in wanted.items() if k != "last_timestamp"}, "current_txn_start_offset": -1,
                     "coordinator_epoch": 0}
    for name, partition, message in ((topic, 7, None), ("no-such-topic", 0, "This server does not host this topic-partition.")):
        absent = describe_producers(connection, name, partition)
        assert (absent["error_code"], absent["active_producers"], absent["error_message"]) == (UNKNOWN_TOPIC_OR_PARTITION, [], message)


def test_transactions_are_described(connection, topic, producer, kind):
    if kind == "kafka-2.7.1":
        pytest.skip("3.0 brought it")
    empty = describe_transaction(connection, producer.id)
    assert (empty["error_code"], empty["transaction_state"], empty["transaction_start_time_ms"], empty["topics"]) == (0, "Empty", -1, [])
    producer.begin(topic, [b"v"])
    shown = describe_transaction(connection, producer.id)
    assert shown["transaction_start_time_ms"] == pytest.approx(time.time() * 1000, abs=60000)
    assert {k: v for k, v in shown.items() if k != "transaction_start_time_ms"} == {
        "error_code": 0, "transactional_id": producer.id, "transaction_state": "Ongoing", "transaction_timeout_ms": 60000,
        "producer_id": producer.producer_id, "producer_epoch": producer.epoch, "topics": [{"topic": topic, "partitions": [0]}]}
    producer.finish(False)
    over = describe_transaction(connection, producer.id)
    assert (over["transaction_state"], over["topics"], over["transaction_start_time_ms"]) == (
        "CompleteAbort", [], shown["transaction_start_time_ms"])
    assert describe_transaction(connection, "nobody-knows") == {
        "error_code": TRANSACTIONAL_ID_NOT_FOUND, "transactional_id": "nobody-knows", "transaction_state": "",
        "transaction_timeout_ms": 0, "transaction_start_time_ms": 0, "producer_id": 0, "producer_epoch": 0, "topics": []}
    assert describe_transaction(connection, "")["error_code"] == INVALID_REQUEST


def test_transactions_are_listed(connection, topic, kind):
    if kind == "kafka-2.7.1":
        pytest.skip("3.0 brought it")
    idle, busy = (Producer(connection, f"listed-{i}").init() for i in ("idle", "busy"))
    busy.begin(topic, [b"v"])

    def listed(version=0, states=(), producers=(), **more):
        answer = connection.request("LIST_TRANSACTIONS", version, {
            "state_filters": list(states), "producer_id_filters": list(producers), **more})
        assert answer["error_code"] == 0
        return ({t["transactional_id"]: (t["producer_id"], t["transaction_state"]) for t in answer["transaction_states"]
                 if t["transactional_id"].startswith("listed-")}, answer["unknown_state_filters"])

    both = {idle.id: (idle.producer_id, "Empty"), busy.id: (busy.producer_id, "Ongoing")}
    assert listed() == (both, [])
    assert listed(states=["Ongoing"]) == ({busy.id: both[busy.id]}, [])
    assert listed(states=["Ongoing", "ongoing", "Nonsense"]) == ({busy.id: both[busy.id]}, ["ongoing", "Nonsense"])
    assert listed(states=["Nonsense"]) == ({}, ["Nonsense"])
    assert listed(states=["Dead", "PrepareEpochFence"]) == ({}, [])
    assert listed(producers=[idle.producer_id, 99999]) == ({idle.id: both[idle.id]}, [])
    assert listed(1, duration_filter=-1) == (both, [])
    assert busy.id in listed(1, duration_filter=0)[0]
    assert busy.id not in listed(1, duration_filter=60000)[0]
    busy.finish(True)


# Crashes


@pytest.mark.parametrize("commit", [True, False])
def test_a_broker_killed_between_the_steps(cluster, commit):
    broker = cluster.broker(**SETTINGS).start()
    topic = broker.create_topic("t")

    def killed():
        broker.kill()
        broker.start(120)
        connection = broker.connect()
        wait_for_coordinator(connection, "p")
        return connection

    with broker.connect() as connection:
        wait_for_coordinator(connection, "p")
        producer = Producer(connection, "p").init()
    producer.connection = killed()  # after InitProducerId
    until(lambda: producer.end(True) == INVALID_TXN_STATE)
    assert producer.add([(topic, 0)]) == 0
    producer.connection = killed()  # after AddPartitionsToTxn
    until(lambda: producer.add([(topic, 0)]) == 0)
    assert producer.write(topic, [b"a"])["error_code"] == 0
    producer.connection = killed()  # after Produce
    assert committed(producer.connection, topic) == []
    until(lambda: producer.add([(topic, 0)]) == 0)
    assert producer.write(topic, [b"b"])["error_code"] == 0
    assert producer.end(commit) == 0
    producer.connection = killed()  # after the decision, whose markers may be missing
    producer.wait_until_over()
    assert producer.end(commit) == 0
    expected = [b"a", b"b"] if commit else []
    assert committed(producer.connection, topic) == expected
    producer.connection = killed()  # after the end
    until(lambda: producer.end(commit) == 0)
    producer.begin(topic, [b"c"]).finish(True)
    assert committed(producer.connection, topic) == expected + [b"c"]


def test_a_transaction_open_at_a_kill_is_ended_by_the_next_producer(cluster):
    broker = cluster.broker(**SETTINGS).start()
    topic = broker.create_topic("t")
    with broker.connect() as connection:
        wait_for_coordinator(connection, "p")
        first = Producer(connection, "p").init().begin(topic, [b"lost"])
    broker.kill()
    broker.start(120)
    with broker.connect() as connection:
        wait_for_coordinator(connection, "p")
        second = Producer(connection, "p").init()
        assert second.epoch == 2
        first.connection = connection
        assert first.end(True) == PRODUCER_FENCED
        second.begin(topic, [b"kept"]).finish(True)
        assert committed(connection, topic) == [b"kept"]


# A client library


def test_librdkafka_commits_and_aborts(broker, connection):
    from confluent_kafka import Consumer, TopicPartition
    from confluent_kafka import Producer as Librdkafka
    topic = broker.create_topic("librdkafka", 4)
    producer = Librdkafka({"bootstrap.servers": broker.address, "transactional.id": "librdkafka", "linger.ms": 0})
    producer.init_transactions(30)
    for turn in range(12):
        producer.begin_transaction()
        for i in range(20):
            producer.produce(topic, b"%d-%d" % (turn, i), partition=i % 4)
        producer.flush(30)  # librdkafka may end what it has not begun yet, which is refused
        producer.abort_transaction(30) if turn % 3 == 2 else producer.commit_transaction(30)
    expected = sorted(b"%d-%d" % (turn, i) for turn in range(12) if turn % 3 != 2 for i in range(20))
    assert sorted(v for p in range(4) for v in committed(connection, topic, p)) == expected
    consumer = Consumer({"bootstrap.servers": broker.address, "group.id": "unused", "isolation.level": "read_committed",
                         "auto.offset.reset": "earliest"})
    consumer.assign([TopicPartition(topic, p, 0) for p in range(4)])
    read = []

    def read_on():
        read.extend(m.value() for m in consumer.consume(500, 0.5) if not m.error())
        return len(read) >= len(expected)

    until(read_on)
    consumer.close()
    assert sorted(read) == expected
