"""Kafka's own console producer and consumer of 2.7.1 and 3.9.1, as processes."""

import pytest

from harness import wire
from harness.clients import console

RELEASES = ["2.7.1", "3.9.1"]


def read(broker, release, topic, count, *more) -> bytes:
    return console(release, "consumer", ["--bootstrap-server", broker.address, "--topic", topic, "--partition", "0", "--offset",
                                         "earliest", "--max-messages", count, *more]).stdout


@pytest.mark.parametrize("writer", RELEASES)
@pytest.mark.parametrize("reader", RELEASES)
def test_a_log_goes_through_the_console(broker, topic, writer, reader):
    log = b"".join(b"Jan  1 00:00:%02d host app[%d]: something happened, n=%d\n" % (i % 60, i, i) for i in range(5000))
    console(writer, "producer", ["--bootstrap-server", broker.address, "--topic", topic, "--compression-codec", "gzip"], log)
    assert read(broker, reader, topic, 5000) == log


@pytest.mark.parametrize("codec", ["none", "gzip", "snappy", "lz4", "zstd"])
@pytest.mark.parametrize("release", RELEASES)
def test_every_codec_with_keys(broker, connection, topic, release, codec):
    console(release, "producer", ["--bootstrap-server", broker.address, "--topic", topic, "--compression-codec", codec,
                                  "--property", "parse.key=true", "--property", "key.separator=:",
                                  "--request-required-acks", "all" if release == "3.9.1" else "-1"],
            b"a:1\nb:2\na:3\n")
    assert [(r[2], r[3]) for r in wire.read_all(connection, topic)] == [(b"a", b"1"), (b"b", b"2"), (b"a", b"3")]
    assert read(broker, release, topic, 3, "--property", "print.key=true", "--property", "key.separator=:") == b"a:1\nb:2\na:3\n"
