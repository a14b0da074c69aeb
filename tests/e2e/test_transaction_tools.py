"""kafka-transactions.sh, and what the console consumer shows of transactions. The requests are those of Apache Kafka 3.0
and later."""

import re
import time

import pytest

from harness import wire
from harness.kafka_tools import ours
from harness.paths import BROKER
from harness.process import until
from harness.transactions import Producer, wait_for_coordinator

pytestmark = pytest.mark.skipif(BROKER == "kafka-2.7.1", reason="it cannot describe transactions")


@pytest.fixture
def transactions(broker):
    return lambda *arguments: ours("transactions", "--bootstrap-server", broker.address, *arguments)


def producer_of(broker, transactional_id, timeout_ms=60000):
    from confluent_kafka import Producer

    made = Producer({"bootstrap.servers": broker.address, "transactional.id": transactional_id, "transaction.timeout.ms": timeout_ms})
    made.init_transactions(30)
    return made


def begun(producer, topic, *values):
    producer.begin_transaction()
    for value in values:
        producer.produce(topic, value, partition=0)
    assert producer.flush(30) == 0


def table(done):
    """Header and rows of a table whose cells end in tabs."""
    assert done.code == 0, done
    lines = [[cell.strip() for cell in line.split("\t")[:-1]] for line in done.out.splitlines()]
    return lines[0], lines[1:]


def test_a_transaction_is_shown_while_it_runs_and_after_it(broker, topic, transactions):
    producer = producer_of(broker, "tools-shown")
    (described,) = table(transactions("describe", "--transactional-id", "tools-shown"))[1]
    assert described[4:] == ["Empty", "60000", "None", "None", ""]
    begun(producer, topic, b"one", b"two")
    header, rows = table(transactions("list"))
    assert header == ["TransactionalId", "Coordinator", "ProducerId", "TransactionState"]
    (row,) = [r for r in rows if r[0] == "tools-shown"]
    assert row[1] == "0" and row[3] == "Ongoing"
    header, (described,) = table(transactions("describe", "--transactional-id", "tools-shown"))
    assert header == ["CoordinatorId", "TransactionalId", "ProducerId", "ProducerEpoch", "TransactionState", "TransactionTimeoutMs",
                      "CurrentTransactionStartTimeMs", "TransactionDurationMs", "TopicPartitions"]
    assert described[:2] == ["0", "tools-shown"] and described[2] == row[2] and described[4:6] == ["Ongoing", "60000"]
    assert abs(int(described[6]) - time.time() * 1000) < 60_000 and int(described[7]) >= 0 and described[8] == f"{topic}-0"
    header, (state,) = table(transactions("describe-producers", "--topic", topic, "--partition", "0"))
    assert header == ["ProducerId", "ProducerEpoch", "LatestCoordinatorEpoch", "LastSequence", "LastTimestamp", "CurrentTransactionStartOffset"]
    assert state[0] == row[2] and state[3] == "1" and state[5] == "0"
    assert table(transactions("describe-producers", "--topic", topic, "--partition", "0", "--broker-id", "0"))[1] == [state]
    assert table(transactions("find-hanging", "--topic", topic, "--max-transaction-timeout", "0"))[1] == []
    producer.commit_transaction(30)
    until(lambda: [r[3] for r in table(transactions("list"))[1] if r[0] == "tools-shown"] == ["CompleteCommit"])
    (described,) = table(transactions("describe", "--transactional-id", "tools-shown"))[1]
    assert described[4] == "CompleteCommit" and described[8] == ""
    assert table(transactions("describe-producers", "--topic", topic, "--partition", "0"))[1][0][5] == "None"


def test_an_open_transaction_is_aborted_on_its_partition(broker, topic, transactions):
    producer = producer_of(broker, "tools-aborted")
    begun(producer, topic, b"one")
    missed = transactions("abort", "--topic", topic, "--partition", "0", "--start-offset", "77")
    assert (missed.code, missed.err) == (1, f"Could not find any open transactions starting at offset 77 on partition {topic}-0\n")
    assert transactions("abort", "--topic", topic, "--partition", "0", "--start-offset", "0") == (0, "", "")
    assert table(transactions("describe-producers", "--topic", topic, "--partition", "0"))[1][0][5] == "None"
    assert ours("get-offsets", "--bootstrap-server", broker.address, "--topic", topic).out == f"{topic}:0:2\n"  # the record and the marker


def test_a_transaction_that_hangs_is_found_and_aborted(cluster):
    broker = cluster.broker(transaction_partition_verification_enable="false", transaction_state_log_replication_factor="1",
                            transaction_state_log_min_isr="1").start()
    topic = broker.create_topic("hanging")
    tool = lambda *arguments: ours("transactions", "--bootstrap-server", broker.address, *arguments)  # noqa: E731
    hanging = lambda *more: table(tool("find-hanging", "--max-transaction-timeout", "0", *more))  # noqa: E731
    with broker.connect() as connection:
        wait_for_coordinator(connection, "late")
        late = Producer(connection, "late").init()
        assert late.write(topic, [b"of a transaction that its coordinator knows nothing of"])["error_code"] == 0
        header, (row,) = until(lambda: (found := hanging("--topic", topic))[1] and found, 30, "that it lasts longer than nothing")
        assert header == ["Topic", "Partition", "ProducerId", "ProducerEpoch", "CoordinatorEpoch", "StartOffset", "LastTimestamp", "Duration(min)"]
        assert row[:6] == [topic, "0", str(late.producer_id), str(late.epoch), "-1", "0"]
        assert hanging("--broker-id", "0")[1][0][:6] == row[:6]
        assert table(tool("find-hanging", "--topic", topic, "--max-transaction-timeout", "20000000"))[1] == [], "not as old as that"
        assert tool("abort", "--topic", topic, "--partition", "0", "--start-offset", "0") == (0, "", "")
        assert hanging("--topic", topic)[1] == []
        assert wire.fetch(connection, topic, 0, isolation_level=1, max_wait_ms=0)["last_stable_offset"] == 2


def test_unknown_things_and_refusals(transactions, broker):
    done = transactions("describe", "--transactional-id", "nope")
    assert (done.code, done.err) == (1, "Failed to describe transaction state of transactional-id `nope`: DescribeTransactions request for "
                                        "transactionalId `nope` failed because the ID could not be found. Enable debug logging for additional detail.\n")
    for words, text in [(["list", "--foo"], "unrecognized arguments: '--foo'"), (["describe"], "argument --transactional-id is required"),
                        (["foo"], "invalid choice: 'foo'"), ([], "too few arguments")]:
        done = transactions(*words)
        assert done.code == 1 and f"kafka-transactions.sh: error: {text}" in done.err
    assert transactions("find-hanging").err.startswith("The `find-hanging` command requires either --topic or --broker-id")
    assert re.match(r"\d", ours("transactions", "--version").out)


def test_the_console_consumer_leaves_out_what_was_aborted(broker, topic):
    producer = producer_of(broker, "tools-committed")
    for value, end in ((b"aborted", producer.abort_transaction), (b"committed", producer.commit_transaction)):
        begun(producer, topic, value)
        end(30)
    for level, first in (("read_uncommitted", "Offset:0\taborted\n"), ("read_committed", "Offset:2\tcommitted\n")):
        done = ours("console-consumer", "--bootstrap-server", broker.address, "--topic", topic, "--from-beginning", "--max-messages", "1",
                    "--property", "print.offset=true", "--isolation-level", level)
        assert done.out == first, level
    shown = ours("console-consumer", "--bootstrap-server", broker.address, "--topic", "__transaction_state", "--from-beginning", "--timeout-ms", "5000",
                 "--formatter", "kafka.coordinator.transaction.TransactionLog$TransactionLogMessageFormatter")
    assert "tools-committed::TransactionMetadata(transactionalId=tools-committed, " in shown.out
    assert "state=CompleteCommit" in shown.out and "state=CompleteAbort" in shown.out
