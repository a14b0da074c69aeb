"""Record batches (magic 2) and message sets (magic 0 and 1) built byte by byte, so that a test can get any byte wrong."""

import gzip
import struct
import zlib

CODECS = {"none": 0, "gzip": 1, "snappy": 2, "lz4": 3, "zstd": 4}


def _crc32c_table():
    table = []
    for n in range(256):
        for _ in range(8):
            n = n >> 1 ^ 0x82F63B78 if n & 1 else n >> 1
        table.append(n)
    return table


_TABLE = _crc32c_table()


def crc32c(data: bytes) -> int:
    try:
        from kafka.record._crc32c import crc as fast  # kafka-python's own; the loop below is the reference
        return fast(data) & 0xFFFFFFFF
    except ImportError:
        crc = 0xFFFFFFFF
        for byte in data:
            crc = _TABLE[(crc ^ byte) & 0xFF] ^ crc >> 8
        return crc ^ 0xFFFFFFFF


def varint(n: int) -> bytes:
    n = (n << 1) ^ (n >> 63)
    out = bytearray()
    while n > 0x7F:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    out.append(n)
    return bytes(out)


def _bytes(value) -> bytes:
    return varint(-1) if value is None else varint(len(value)) + value


def record(offset_delta: int, key, value, headers=(), timestamp_delta: int = 0) -> bytes:
    body = b"\0" + varint(timestamp_delta) + varint(offset_delta) + _bytes(key) + _bytes(value) + varint(len(headers))
    for name, header in headers:
        body += _bytes(name.encode()) + _bytes(header)
    return varint(len(body)) + body


def compress(codec: str, data: bytes) -> bytes:
    if codec == "none":
        return data
    if codec == "gzip":
        return gzip.compress(data)
    if codec == "snappy":
        import snappy
        chunks = [snappy.compress(data[i:i + 32768]) for i in range(0, len(data), 32768)]
        return b"\x82SNAPPY\0" + struct.pack(">ii", 1, 1) + b"".join(struct.pack(">i", len(c)) + c for c in chunks)
    if codec == "lz4":
        import lz4.frame
        return lz4.frame.compress(data)
    import zstandard
    return zstandard.ZstdCompressor().compress(data)


def batch(records, codec: str = "none", *, raw: bytes = None, base_offset: int = 0, magic: int = 2, attributes: int = 0,
          base_timestamp: int = 1600000000000, max_timestamp: int = None, producer_id: int = -1, producer_epoch: int = -1,
          base_sequence: int = -1, count: int = None, last_offset_delta: int = None, crc: int = None, length: int = None,
          leader_epoch: int = -1) -> bytes:
    """A v2 batch of [(key, value) or (key, value, headers) ...]; any header field may be given a lie."""
    n = len(records)
    body = b"".join(record(i, r[0], r[1], r[2] if len(r) > 2 else ()) for i, r in enumerate(records))
    body = compress(codec, body) if raw is None else raw
    after_crc = struct.pack(
        ">hiqqqhii", attributes | CODECS[codec], n - 1 if last_offset_delta is None else last_offset_delta, base_timestamp,
        base_timestamp if max_timestamp is None else max_timestamp, producer_id, producer_epoch, base_sequence,
        n if count is None else count) + body
    crc = crc32c(after_crc) if crc is None else crc
    rest = struct.pack(">ibI", leader_epoch, magic, crc) + after_crc
    return struct.pack(">qi", base_offset, len(rest) if length is None else length) + rest


def message(offset: int, key, value, magic: int = 1, attributes: int = 0, timestamp: int = 1600000000000, crc: int = None) -> bytes:
    """One entry of a v0 or v1 message set."""
    body = struct.pack(">bb", magic, attributes) + (struct.pack(">q", timestamp) if magic else b"")
    for part in (key, value):
        body += struct.pack(">i", -1) if part is None else struct.pack(">i", len(part)) + part
    crc = zlib.crc32(body) if crc is None else crc
    return struct.pack(">qiI", offset, len(body) + 4, crc) + body


def read_varint(data: bytes, at: int):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value >> 1 ^ -(value & 1), at
        shift += 7


def decompress(codec: int, data: bytes) -> bytes:
    if codec == 0:
        return data
    if codec == 1:
        return gzip.decompress(data)
    if codec == 2:
        import snappy
        if not data.startswith(b"\x82SNAPPY\0"):  # librdkafka writes snappy without a frame, and Java reads that too
            return snappy.decompress(data)
        out, at = b"", 16
        while at < len(data):
            size = struct.unpack_from(">i", data, at)[0]
            out += snappy.decompress(data[at + 4:at + 4 + size])
            at += 4 + size
        return out
    if codec == 3:
        import lz4.frame
        return lz4.frame.decompress(data)
    import zstandard
    return zstandard.ZstdDecompressor().decompressobj().decompress(data)


class Batch:
    """A v2 batch as read from a fetch answer or a segment file."""

    def __init__(self, data: bytes):
        (self.base_offset, self.length, self.leader_epoch, self.magic, self.crc, self.attributes, self.last_offset_delta,
         self.base_timestamp, self.max_timestamp, self.producer_id, self.producer_epoch, self.base_sequence,
         self.count) = struct.unpack_from(">qiibIhiqqqhii", data)
        self.data = data[:self.length + 12]
        self.crc_good = crc32c(self.data[21:]) == self.crc

    @property
    def codec(self):
        return self.attributes & 7

    def records(self):
        """[(offset, timestamp, key, value, headers)]"""
        data, at, found = decompress(self.codec, self.data[61:]), 0, []
        for _ in range(self.count):
            _, at = read_varint(data, at)
            at += 1
            delta, at = read_varint(data, at)
            offset, at = read_varint(data, at)
            parts = []
            for _ in range(2):
                size, at = read_varint(data, at)
                parts.append(None if size < 0 else data[at:at + size])
                at += max(size, 0)
            headers, at = read_varint(data, at)
            pairs = []
            for _ in range(headers):
                pair = []
                for _ in range(2):
                    size, at = read_varint(data, at)
                    pair.append(None if size < 0 else data[at:at + size])
                    at += max(size, 0)
                pairs.append((pair[0].decode(), pair[1]))
            timestamp = self.max_timestamp if self.attributes & 8 else self.base_timestamp + delta
            found.append((self.base_offset + offset, timestamp, parts[0], parts[1], pairs))
        return found


def batches(data: bytes):
    """Whole v2 batches of a fetch answer; a cut tail is dropped as clients do."""
    found, at = [], 0
    while at + 61 <= len(data):
        size = struct.unpack_from(">i", data, at + 8)[0] + 12
        if at + size > len(data):
            break
        found.append(Batch(data[at:at + size]))
        at += size
    return found


def messages(data: bytes):
    """[(offset, magic, attributes, timestamp or None, key, value)] of a v0/v1 set, wrappers not opened, cut tail dropped."""
    found, at = [], 0
    while at + 12 <= len(data):
        offset, size = struct.unpack_from(">qi", data, at)
        if at + 12 + size > len(data):
            break
        crc, magic, attributes = struct.unpack_from(">Ibb", data, at + 12)
        assert zlib.crc32(data[at + 16:at + 12 + size]) == crc, f"CRC of message {offset}"
        pos, timestamp = at + 18, None
        if magic == 1:
            timestamp = struct.unpack_from(">q", data, pos)[0]
            pos += 8
        parts = []
        for _ in range(2):
            length = struct.unpack_from(">i", data, pos)[0]
            pos += 4
            parts.append(None if length < 0 else data[pos:pos + length])
            pos += max(length, 0)
        found.append((offset, magic, attributes, timestamp, parts[0], parts[1]))
        at += 12 + size
    return found
