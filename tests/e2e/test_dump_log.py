"""kafka-dump-log.sh beside Kafka's own tool, on the same files: each line must be the same. The files are built here, so that
everything that can stand in one is there, sound and damaged; directories that brokers wrote are compared in
test_disk_exchange.py."""

import gzip
import struct

import pytest

from harness import internal_topics
from harness.dump_log import as_in_39, kafkas, ours, printed, printed_by_39
from harness.records import CODECS, batch, crc32c, message

TIME = 1600000000000
LOG = "00000000000000000000.log"
INDEX, TIME_INDEX, TXN_INDEX = (LOG.replace("log", s) for s in ("index", "timeindex", "txnindex"))
GOOD = batch([(b"k", b"v")])


def a_log_with_everything():
    """(data, offset index, time index): one index entry for each batch."""
    data, index, times, offset = b"", b"", b"", 0

    def add(records, codec="none", span=None, **more):
        nonlocal data, index, times, offset
        last = offset + (len(records) if span is None else span) - 1
        index += struct.pack(">ii", last, len(data))
        times += struct.pack(">qi", TIME + last, last)
        data += batch(records, codec, base_offset=offset, base_timestamp=TIME + last, **{"leader_epoch": 3, **more})
        offset = last + 1

    for i, codec in enumerate(CODECS):
        add([(b"k%d" % i, b"v%d" % i, [("h1", b"x"), ("h2", None)]), (None, b"only value"), (b"only key", None), (None, None)], codec)
    producer = dict(producer_id=7, producer_epoch=1)
    add([(b"p", b"1"), (b"p", b"2")], base_sequence=5, attributes=16, **producer)
    add([(b"p", b"wraps"), (b"p", b"around")], base_sequence=2**31 - 1, **producer)
    add([(struct.pack(">hh", 0, 0), struct.pack(">hi", 0, 9))], attributes=0x30, **producer)
    add([(struct.pack(">hh", 0, 1), struct.pack(">hi", 0, 9))], attributes=0x30, **producer)
    add([(b"a", b"append time")], attributes=8)
    offset += 5
    add([(b"behind", b"a gap")])
    add([], span=3, count=0, last_offset_delta=2, base_sequence=7, **producer)
    return data, index, times


def old_messages():
    inner = message(0, b"a", b"b") + message(1, b"c", None, timestamp=TIME + 5)
    absolute = message(5, b"a", b"b", magic=0) + message(6, b"c", b"d", magic=0)
    return (message(0, b"k", b"v", magic=0) + message(1, None, None, magic=0) + message(2, b"k", b"v")
            + message(4, None, gzip.compress(inner), attributes=1, timestamp=TIME + 5) + message(6, None, gzip.compress(absolute), magic=0, attributes=1)
            + message(7, b"k", b"append time", attributes=8) + message(8, b"k", b"bad checksum", crc=5))


def snapshot(*entries, crc=None):
    body = struct.pack(">i", len(entries)) + b"".join(struct.pack(">qhiqiqiq", *e) for e in entries)
    return struct.pack(">hI", 1, crc32c(body) if crc is None else crc) + body


def logged(records):
    return b"".join(batch([r], base_offset=i, base_timestamp=TIME + i) for i, r in enumerate(records))


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    root = tmp_path_factory.mktemp("dump")
    data, index, times = a_log_with_everything()
    producers = [(7, 1, 6, 21, 1, TIME, 9, -1), (8, 0, -1, -1, 0, TIME, 9, 25)]
    two = [GOOD, batch([(b"k", b"v")], base_offset=1), batch([(b"k", b"v"), (b"k", b"v")], base_offset=2)]
    contents = {
        "t-0": {LOG: data, INDEX: index, TIME_INDEX: times, "foo.txt": b"",
                TXN_INDEX: struct.pack(">hqqqq", 0, 7, 20, 22, 23) + struct.pack(">hqqqq", 0, 8, 25, 27, 28),
                "00000000000000000037.snapshot": snapshot(*producers), "00000000000000000038.snapshot": snapshot(*producers, crc=1),
                "00000000000000000039.snapshot": snapshot()},
        "legacy-0": {LOG: old_messages()},
        "cut-0": {LOG: GOOD + batch([(b"k", b"v")], base_offset=1)[:-3]},
        "zeros-0": {LOG: GOOD + b"\0" * 200},
        "crc-0": {LOG: GOOD + batch([(b"k", b"v")], base_offset=1, crc=5) + batch([(b"k", b"v")], base_offset=2)},
        "records-0": {LOG: GOOD + batch([], raw=b"\x7f\x7f\x7f", count=3, base_offset=1)},
        "indexes-0": {LOG: b"".join(two), INDEX: struct.pack(">iiiiii", 1, 70, 2, 140, 7, 0) + b"\0" * 16,
                      TIME_INDEX: b"".join(struct.pack(">qi", TIME + t, o) for t, o in ((0, 1), (1, 3), (1, 2), (-4, 1), (9, 77))) + b"\0" * 24},
        "empty-0": {LOG: b"", INDEX: b"", TIME_INDEX: b"", TXN_INDEX: b""},
        "odd-0": {LOG: GOOD, INDEX: b"abc", TIME_INDEX: b"abcde", TXN_INDEX: b"abc"},
        "__consumer_offsets-0": {LOG: logged(internal_topics.some_group_records())},
        "no-key-0": {LOG: logged([(None, b"x")])},
        "__transaction_state-0": {LOG: logged(internal_topics.some_txn_records())},
    }
    for directory, names in contents.items():
        (root / directory).mkdir()
        for name, raw in names.items():
            (root / directory / name).write_bytes(raw)
    return root


EVERYTHING = ",".join(f"t-0/{n}" for n in (LOG, INDEX, TIME_INDEX, TXN_INDEX, "00000000000000000037.snapshot", "00000000000000000038.snapshot",
                                          "00000000000000000039.snapshot", "foo.txt")) + f",legacy-0/{LOG}"
SOUND = [["--files", EVERYTHING], ["--print-data-log", "--files", EVERYTHING], ["--deep-iteration", "--files", f"t-0/{LOG}"],
         ["-files", f"t-0/{LOG}", "--key-decoder-class", "--value-decoder-class=kafka.serializer.StringDecoder"],
         ["--offsets-decoder", "--files", f"__consumer_offsets-0/{LOG}"],
         ["--transaction-log-decoder", "--files", f"__transaction_state-0/{LOG}"],
         ["--index-sanity-check", "--files", f"t-0/{INDEX},t-0/{TIME_INDEX}"],
         ["--verify-index-only", "--files", f"t-0/{INDEX},t-0/{TIME_INDEX}"]]
DAMAGED = [["--deep-iteration", "--files", f"{d}-0/{LOG}"] for d in ("cut", "zeros", "crc", "records")] + [
    ["--files", f"indexes-0/{INDEX},indexes-0/{TIME_INDEX}"], ["--verify-index-only", "--files", f"indexes-0/{INDEX},indexes-0/{TIME_INDEX}"],
    ["--index-sanity-check", "--files", f"indexes-0/{INDEX}"], ["--index-sanity-check", "--files", f"indexes-0/{TIME_INDEX}"],
    ["--files", ",".join(f"empty-0/{n}" for n in (LOG, INDEX, TIME_INDEX, TXN_INDEX))],
    ["--files", ",".join(f"odd-0/{n}" for n in (INDEX, TIME_INDEX, TXN_INDEX))],
    ["--offsets-decoder", "--files", f"no-key-0/{LOG}"]]
REFUSED = [["--files", f"nothere/{LOG}"], ["--files", "noext"], ["--files", "foo.log"], ["--files"], ["--foo"], ["--files", "a", "--files", "b"]]


@pytest.mark.parametrize("arguments", SOUND + DAMAGED + REFUSED, ids=" ".join)
def test_each_line_is_that_of_kafka_2_7_1(files, arguments):
    theirs = kafkas("2.7.1", *arguments, cwd=files)
    assert printed(ours(*arguments, cwd=files)) == printed(theirs)


@pytest.mark.parametrize("arguments", [a for a in SOUND if "decoder" not in " ".join(a)] + [["--skip-record-metadata", "--print-data-log", "--files", f"t-0/{LOG}"],
                                               ["--max-bytes", "300", "--files", f"t-0/{LOG}"]], ids=" ".join)
def test_each_line_says_what_kafka_3_9_1_says(files, arguments):
    """The same facts in 2.7's words. Decoders print another form there, and a notice about their new names."""
    code, out, err = printed(ours(*arguments, cwd=files))
    assert (code, as_in_39(out), err) == printed_by_39(kafkas("3.9.1", *arguments, cwd=files))


def test_what_only_newer_releases_write_is_shown(files):
    (files / "new-0").mkdir()
    horizon = batch([(b"h", None)], base_timestamp=TIME, attributes=64)
    (files / "new-0" / LOG).write_bytes(horizon)
    assert f" deleteHorizonMs: OptionalLong[{TIME}] position: 0 " in ours("--files", f"new-0/{LOG}", cwd=files).stdout.decode()
    value = struct.pack(">hqi", 4, 5, 2) + b"\x02m" + struct.pack(">q", TIME) + b"\0"
    (files / "new-0" / LOG).write_bytes(logged([(internal_topics.offset_key("g", "t", 0), value), (struct.pack(">h", 3) + b"\0\1x", b"xx")]))
    out = ours("--offsets-decoder", "--files", f"new-0/{LOG}", cwd=files).stdout.decode()
    assert "key: offset_commit::group=g,partition=t-0 payload: offset=5,metadata=m\n" in out
    assert "key: unknown::version=3 payload: <2 bytes>\n" in out


def test_numbers_and_missing_options(files):
    (files / "n-0").mkdir()
    (files / "n-0" / LOG).write_bytes(batch([(struct.pack(">i", 7), struct.pack(">q", -8))]))
    done = ours("--files", f"n-0/{LOG}", "--key-decoder-class", "org.apache.kafka.tools.api.IntegerDecoder", "--value-decoder-class",
                "kafka.serializer.LongDecoder", cwd=files)
    assert done.stdout.endswith(b" key: 7 payload: -8\n")
    missing = ours("--print-data-log", cwd=files)
    assert missing.returncode == 1 and missing.stderr.startswith(b'Missing required argument "[files]"\nOption ')
    for option in ("--cluster-metadata-decoder", "--remote-log-metadata-decoder"):
        refused = ours(option, "--files", f"t-0/{LOG}", cwd=files)
        assert refused.returncode == 1 and b"is not available" in refused.stderr
