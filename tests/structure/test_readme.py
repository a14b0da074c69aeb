"""README.md says what is true: its commands, its map, and its table of what is served."""

import os
import re
import unittest

import tree

README = tree.read("README.md")


def broker_source():
    return "".join(tree.sources(".cc", under=("broker",)).values())


class Commands(unittest.TestCase):
    def test_the_commands_of_the_repository_exist(self):
        named = set(re.findall(r"(?<![\w/])tools/[\w-]+\.sh", README))
        self.assertLessEqual({"tools/start.sh", "tools/test.sh"}, named)
        for name in named:
            self.assertTrue(os.access(tree.ROOT / name, os.X_OK), name)

    def test_the_commands_of_an_installation_exist(self):
        named = set(re.findall(r"\bkafka-[a-z-]+\.sh", README))
        there = {path.split("/")[-1] for path in tree.paths() if path.startswith("tools/bin/")}
        self.assertEqual(named, there)

    def test_the_presets_exist(self):
        presets = re.search(r"presets ((?:`\w+`(?:, | and )?)+)", README)[1]
        self.assertEqual(re.findall(r"\w+", presets.replace(" and ", " ")),
                         re.findall(r'"name": "(\w+)", "inherits"', tree.read("CMakePresets.json")))


class Map(unittest.TestCase):
    def test_every_path_it_names_exists(self):
        named = re.findall(r"`((?:" + "|".join(tree.CXX_FOLDERS) + r")/[\w./-]*)`", README)
        self.assertGreater(len(named), 20)
        self.assertEqual([name for name in named if not (tree.ROOT / name).exists()], [])

    def test_every_folder_of_sources_is_on_it(self):
        folders = {os.path.dirname(path) + "/" for path in tree.sources(".h", ".cc", ".inc", ".sh")}
        folders = {folder if not folder.startswith("tests/") else "tests/" for folder in folders}
        # Where every folder below is named, the one above need not be.
        missing = [f for f in folders if f"`{f}`" not in README and not re.search(f"`{f}[a-z]+/`", README)]
        self.assertEqual(missing, [])

    def test_every_kind_of_test_is_on_it(self):
        kinds = {"/".join(path.split("/")[:2]) + "/" for path in tree.paths() if path.startswith("tests/") and path.count("/") > 1}
        self.assertEqual([kind for kind in kinds if f"`{kind}`" not in README], [])


class Served(unittest.TestCase):
    def test_the_table_lists_what_the_broker_serves(self):
        described = re.findall(r"^\| (\w+) \| (\d+) \| (\d+)–(\d+) \|", README, re.M)
        served = set(re.findall(r"\bserve_api\((\d+),", broker_source()))
        apis = re.findall(
            r'Api k\w+\{\s*\.key = (\d+),\s*\.name = "(\w+)",\s*\.versions = \{(\d+), (\d+)\}',
            "".join(tree.sources(".h", under=("protocol",)).values()))
        expected = sorted((name, key, low, high) for key, name, low, high in apis if key in served)
        self.assertEqual(sorted(described), expected)


if __name__ == "__main__":
    unittest.main()
