"""Every header compiles alone: with the flags of a source beside it, and nothing included before it."""

import json
import os
import shlex
import subprocess
import unittest
from concurrent.futures import ThreadPoolExecutor

import tree


def flags_by_folder():
    """folder -> (directory, command without source, output and precompiled header)."""
    commands = {}
    for entry in json.loads((tree.BUILD / "compile_commands.json").read_text()):
        words = shlex.split(entry["command"])
        kept, skip = [], False
        for at, word in enumerate(words):
            if skip:
                skip = False
            elif word in ("-o", "-include", "-MF", "-MT", "-MQ"):
                skip = True
            elif word not in ("-c", "-Winvalid-pch", "-MD", "-fpch-preprocess", entry["file"]):
                kept.append(word)
        compiler = next(at for at, word in enumerate(kept) if word.split("/")[-1].startswith(("g++", "clang++", "c++")))
        folder = os.path.relpath(os.path.dirname(entry["file"]), tree.ROOT)
        while folder:
            commands.setdefault(folder, (entry["directory"], kept[compiler:]))
            folder = os.path.dirname(folder)
    return commands


def errors_of(header, commands):
    folder = os.path.dirname(header)
    while folder not in commands:
        folder = os.path.dirname(folder)
    directory, command = commands[folder]
    command = command + ["-I", str(tree.ROOT), "-fsyntax-only", "-x", "c++", "-"]
    done = subprocess.run(command, cwd=directory, input=f'#include "{header}"\n', capture_output=True, text=True)
    first = next((line for line in done.stderr.splitlines() if "error" in line), done.stderr[:200])
    return f"{header}: {first}" if done.returncode else None


class Headers(unittest.TestCase):
    def test_every_header_compiles_alone(self):
        commands = flags_by_folder()
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            errors = [e for e in pool.map(lambda h: errors_of(h, commands), tree.sources(".h")) if e]
        self.assertEqual(errors, [], "\n" + "\n".join(errors))


if __name__ == "__main__":
    unittest.main()
