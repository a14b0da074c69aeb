"""The harness itself: its codec against the golden bytes of Kafka's Java client."""

from harness import schema
from harness.paths import REPOSITORY


def test_every_golden_message_decodes_and_encodes_to_the_same_bytes():
    checked = 0
    for line in (REPOSITORY / "tests/golden/wire/messages.golden").read_text().splitlines():
        key, version, direction, variant, hexes, _ = line.split(" ", 5)
        data = bytes.fromhex("" if hexes == "-" else hexes)
        name = next(n for n, k in schema.KEYS.items() if k == int(key))
        if name in ("DESCRIBE_TOPIC_PARTITIONS", "CONSUMER_GROUP_HEARTBEAT"):  # their nullable structs are not in the field tables
            continue
        values, rest = schema.decode(name, direction, int(version), data)
        assert not rest, (name, version, direction, variant)
        assert schema.encode(name, direction, int(version), values) == data, (name, version, direction, variant)
        checked += 1
    assert checked > 1500
