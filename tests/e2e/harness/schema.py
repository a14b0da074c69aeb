"""Encodes and decodes every Kafka message from the field tables that the running Apache Kafka 3.9.1 printed.

It shares nothing with Weir's own descriptions, so that it can disagree with them."""

import struct
import uuid

from harness.paths import REPOSITORY

TABLE = REPOSITORY / "tests" / "data" / "wire-messages.tsv"
INTEGERS = {"INT8": ">b", "INT16": ">h", "INT32": ">i", "INT64": ">q", "FLOAT64": ">d", "UINT16": ">H", "UINT32": ">I"}


class Message:
    def __init__(self, key, name, header, fields):
        self.key, self.name, self.header, self.fields = key, name, header, fields


def parse(text: str):
    """A list of (name, type); a type is a word, ('array', compact, nullable, type) or ('struct', fields); tags are a dict."""
    at = 0

    def skip():
        nonlocal at
        while at < len(text) and text[at] == " ":
            at += 1

    def word():
        nonlocal at
        start = at
        while at < len(text) and (text[at].isalnum() or text[at] == "_"):
            at += 1
        return text[start:at]

    def kind():
        nonlocal at
        if text.startswith("c[", at) or text[at] == "[":
            compact = text[at] == "c"
            at += 2 if compact else 1
            element = kind()
            at += 1
            nullable = at < len(text) and text[at] == "?"
            at += nullable
            return ("array", compact, nullable, element)
        if text[at] == "{":
            at += 1
            inner = fields("}")
            at += 1
            return ("struct", inner)
        return word()

    def fields(end):
        nonlocal at
        found = []
        while True:
            skip()
            if at >= len(text) or text[at] == end:
                return found
            if text.startswith("<tags", at):
                at += 5
                tags = {}
                skip()
                while text[at] != ">":
                    number = int(word())
                    at += 1
                    name = word()
                    at += 1
                    tags[number] = (name, kind())
                    skip()
                at += 1
                found.append(("<tags>", tags))
                continue
            name = word()
            at += 1
            found.append((name, kind()))

    return fields(None)


def load():
    messages, last = {}, {}
    for line in TABLE.read_text().splitlines()[1:]:
        key, name, direction, version, header, text = line.split("\t")
        fields = last[(name, direction)] if text == "(same)" else parse(text)
        last[(name, direction)] = fields
        messages[(name, direction, int(version))] = Message(int(key), name, header, fields)
    return messages


MESSAGES = load()
KEYS = {m.name: m.key for m in MESSAGES.values()}


def put_uvarint(out: bytearray, n: int):
    while n > 0x7F:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    out.append(n)


def put(out: bytearray, kind, value, name=""):
    if isinstance(kind, tuple):
        if kind[0] == "struct":
            return put_fields(out, kind[1], value or {})
        _, compact, _, element = kind
        if compact:
            put_uvarint(out, 0 if value is None else len(value) + 1)
        else:
            out += struct.pack(">i", -1 if value is None else len(value))
        for each in value or []:
            put(out, element, each, name)
    elif kind == "BOOLEAN":
        out.append(1 if value else 0)
    elif kind in INTEGERS:
        out += struct.pack(INTEGERS[kind], value or 0)
    elif kind == "UUID":
        out += value.bytes if isinstance(value, uuid.UUID) else (value or bytes(16))
    else:
        if value is None and not ("NULLABLE" in kind or "RECORDS" in kind):
            value = b""
        raw = value.encode() if isinstance(value, str) else value
        if kind.startswith("COMPACT"):
            put_uvarint(out, 0 if raw is None else len(raw) + 1)
        else:
            out += struct.pack(">h" if "STRING" in kind else ">i", -1 if raw is None else len(raw))
        out += raw or b""


def put_fields(out: bytearray, fields, values: dict):
    known = {name for name, _ in fields} | {t[0] for n, tags in fields if n == "<tags>" for t in tags.values()}
    if unknown := set(values) - known:
        raise KeyError(f"fields the version does not have: {unknown}")
    for name, kind in fields:
        if name != "<tags>":
            put(out, kind, values.get(name), name)
            continue
        present = {n: t for n, t in sorted(kind.items()) if t[0] in values}
        put_uvarint(out, len(present))
        for number, (tag, tag_kind) in present.items():
            body = bytearray()
            put(body, tag_kind, values[tag])
            put_uvarint(out, number)
            put_uvarint(out, len(body))
            out += body


class Reader:
    def __init__(self, data: bytes):
        self.data, self.at = data, 0

    def take(self, n: int) -> bytes:
        if n < 0 or self.at + n > len(self.data):
            raise EOFError(f"{n} bytes wanted at {self.at} of {len(self.data)}")
        self.at += n
        return self.data[self.at - n:self.at]

    def integer(self, form: str) -> int:
        return struct.unpack(form, self.take(struct.calcsize(form)))[0]

    def uvarint(self) -> int:
        value = shift = 0
        while True:
            byte = self.take(1)[0]
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7

    def get(self, kind):
        if isinstance(kind, tuple):
            if kind[0] == "struct":
                return self.fields(kind[1])
            count = self.uvarint() - 1 if kind[1] else self.integer(">i")
            return None if count < 0 else [self.get(kind[3]) for _ in range(count)]
        if kind == "BOOLEAN":
            return self.take(1) != b"\0"
        if kind in INTEGERS:
            return self.integer(INTEGERS[kind])
        if kind == "UUID":
            return uuid.UUID(bytes=self.take(16))
        if kind.startswith("COMPACT"):
            size = self.uvarint() - 1
        else:
            size = self.integer(">h" if "STRING" in kind else ">i")
        if size < 0:
            return None
        raw = self.take(size)
        return raw.decode() if "STRING" in kind else raw

    def fields(self, fields) -> dict:
        values = {}
        for name, kind in fields:
            if name != "<tags>":
                values[name] = self.get(kind)
                continue
            for _ in range(self.uvarint()):
                number, size = self.uvarint(), self.uvarint()
                body = Reader(self.take(size))
                if number in kind:
                    values[kind[number][0]] = body.get(kind[number][1])
        return values


def encode(name: str, direction: str, version: int, values: dict) -> bytes:
    out = bytearray()
    put_fields(out, MESSAGES[(name, direction, version)].fields, values)
    return bytes(out)


def decode(name: str, direction: str, version: int, data: bytes):
    """The values and the bytes left over."""
    reader = Reader(data)
    values = reader.fields(MESSAGES[(name, direction, version)].fields)
    return values, data[reader.at:]
