"""kafka-dump-log.sh: ours, and Kafka's own tool of a release."""

import re
import subprocess

from harness.paths import BUILD, counterpart


def ours(*arguments, cwd=None) -> subprocess.CompletedProcess:
    return subprocess.run([BUILD / "bin" / "kafka-dump-log.sh", *arguments], cwd=cwd, capture_output=True, timeout=60)


def kafkas(version: str, *arguments, cwd=None) -> subprocess.CompletedProcess:
    libs = counterpart(f"kafka-{version}") / "libs"
    log4j = counterpart(f"kafka-{version}") / "dump-log4j.properties"
    log4j.write_text("log4j.rootLogger=OFF\n")
    return subprocess.run(["java", "-Xmx256m", "-XX:TieredStopAtLevel=1", f"-Dlog4j.configuration=file:{log4j}", "-cp", f"{libs}/*",
                           "kafka.tools.DumpLogSegments", *arguments], cwd=cwd, capture_output=True, timeout=90)


def printed(done: subprocess.CompletedProcess):
    """(exit code, stdout, stderr without a Java program's stacks and causes)"""
    err = [line for line in done.stderr.decode().splitlines() if not re.match(r"\s+at |\s*\.\.\. |Caused by: ", line)]
    return done.returncode, done.stdout.decode(), err


def as_in_39(text: str) -> str:
    """What 2.7 and Weir print, in the words of 3.9."""
    text = re.sub(r"^Starting offset:", "Log starting offset:", text, flags=re.M)
    text = text.replace(" keysize: ", " keySize: ").replace(" valuesize: ", " valueSize: ")
    text = re.sub(r" compresscodec: (\w+)", lambda m: f" compresscodec: {m[1].lower()}", text)
    text = re.sub(r"( isControl: \w+) position:", r"\1 deleteHorizonMs: OptionalLong.empty position:", text)
    text = re.sub(r"^(\| .*) crc: (\d+) isvalid: (\w+)", r"\1 isValid: \3 crc: \2}", text, flags=re.M)

    def offset(match):
        return match[1] + ("OptionalLong.empty" if match[2] == "None" else f"OptionalLong[{match[2][5:-1]}]")

    return re.sub(r"^(producerId: .* currentTxnFirstOffset: )(None|Some\(\d+\))", offset, text, flags=re.M)


def printed_by_39(done):
    """Without the time of a producer's last append, which 2.7 tells only beside a batch."""
    code, out, err = printed(done)
    return code, re.sub(r"^(producerId: .*)lastTimestamp: -?\d+ ", r"\1", out, flags=re.M), err
