"""Records to send: the same for every client, with the corners that formats and libraries get wrong."""

import random

from harness.clients import Record

BASE_TIME = 1_700_000_000_000


def corner_records(headers: bool = True, null_keys: bool = True, null_values: bool = True, plain: bool = False):
    """`plain` leaves out what a line-oriented client cannot be given."""
    some = [
        Record(BASE_TIME, b"key", b"value", []),
        Record(BASE_TIME + 1, b"key-2", "Grüße, мир, 世界".encode(), [("source", b"e2e"), ("trace", "ü".encode())]),
        Record(BASE_TIME + 3, b"k" * 300, b"a long value " * 2000, [("h", b"x" * 200)]),
        Record(BASE_TIME + 2, b"earlier", b"goes back in time", []),
    ]
    if null_keys:
        some.append(Record(BASE_TIME + 10, None, b"without a key", []))
    if not plain:
        random_bytes = random.Random(7).randbytes
        some += [
            Record(BASE_TIME + 4, bytes(range(256)), random_bytes(20000), [("bin", bytes(b for b in range(256) if b not in b"\0\n,")), ("empty", b"")]),
            Record(BASE_TIME + 5, b"", b"", []),
        ]
        if null_values:
            some.append(Record(BASE_TIME + 11, b"deleted", None, []))
    some += [Record(BASE_TIME + 100 + i, f"key-{i % 7}".encode(), f"line {i} of many".encode(), []) for i in range(100)]
    if not headers:
        some = [r._replace(headers=[]) for r in some]
    return some


def records_for(client):
    return corner_records(client.headers, client.null_keys, client.null_values, getattr(client, "plain", False))
