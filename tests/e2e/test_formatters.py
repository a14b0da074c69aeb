"""The console consumer's formatters of internal topics beside Kafka's own, on the same records. They lie in topics with
ordinary names: whose records these bytes are is nothing to a formatter."""

import pytest

from harness import internal_topics, wire
from harness.clients import console
from harness.paths import BUILD
from harness.process import run
from harness.records import batch

OLD = ["kafka.coordinator.group.GroupMetadataManager$OffsetsMessageFormatter",
       "kafka.coordinator.group.GroupMetadataManager$GroupMetadataMessageFormatter",
       "kafka.coordinator.transaction.TransactionLog$TransactionLogMessageFormatter"]
NEW = [f"org.apache.kafka.tools.consumer.{name}MessageFormatter" for name in ("Offsets", "GroupMetadata", "TransactionLog")]


def filled(broker, connection, topic, formatter):
    """The topic with the records a formatter is for, and their number."""
    records = internal_topics.some_txn_records() if "Transaction" in formatter else internal_topics.some_group_records()
    assert wire.produce(connection, topic, batch(records))["error_code"] == 0
    return ["--bootstrap-server", broker.address, "--topic", topic, "--partition", "0", "--offset", "earliest", "--max-messages", str(len(records)),
            "--formatter", formatter]


def ours(arguments):
    return run([BUILD / "bin" / "kafka-console-consumer.sh", *arguments])


@pytest.mark.parametrize("formatter", OLD)
def test_each_line_is_that_of_kafka_2_7_1(broker, connection, topic, formatter):
    arguments = filled(broker, connection, topic, formatter)
    shown = ours(arguments)
    assert shown.stdout == console("2.7.1", "consumer", arguments).stdout
    assert shown.stdout and shown.stderr.endswith(b"Processed a total of %d messages\n" % int(arguments[9]))  # left out ones count


@pytest.mark.parametrize("formatter", NEW)
def test_the_newer_formatters_write_the_json_of_kafka_3_9_1(broker, connection, topic, formatter):
    arguments = filled(broker, connection, topic, formatter)
    assert ours(arguments).stdout == console("3.9.1", "consumer", arguments).stdout
