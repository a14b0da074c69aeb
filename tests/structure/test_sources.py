"""Our sources keep the rules (rules.py), and nothing lies about unused."""

import json
import re
import unittest

import rules
import tree


class Sources(unittest.TestCase):
    longMessage = False
    maxDiff = None

    def refuse(self, findings):
        findings = list(findings)
        self.assertEqual(findings, [], "\n" + "\n".join(findings))

    def each(self, rule, sources):
        self.assertTrue(sources, "no sources found")
        self.refuse(finding for path, text in sources.items() for finding in rule(path, text))

    def test_includes_follow_the_layers(self):
        files = tree.sources(".h", ".cc", ".inc")
        self.each(lambda path, text: rules.include_arrow(path, text, files), files)

    def test_no_include_cycle(self):
        self.refuse(rules.include_cycles(tree.sources(".h", ".cc", ".inc")))

    def test_headers_are_included_once(self):
        self.each(rules.pragma_once, tree.sources(".h"))

    def test_co_await_stands_where_the_compiler_can_bear_it(self):
        self.each(rules.awaits, tree.sources(".h", ".cc"))

    def test_tests_do_not_sleep(self):
        self.each(rules.sleeps, tree.sources(".h", ".cc", under=("tests",)))

    def test_only_the_clock_reads_the_clock(self):
        files = tree.sources(".h", ".cc")
        del files["base/clock.h"]
        self.each(rules.clock_reads, files)

    def test_nothing_is_detached(self):
        self.each(rules.detached, tree.sources(".h", ".cc"))

    def test_mutexes_say_what_they_guard(self):
        files = tree.sources(".h", ".cc")
        self.each(rules.unannotated_mutexes, {p: t for p, t in files.items() if "/tsan/" not in p})

    def test_settings_have_a_doc_line(self):
        self.each(rules.settings_without_doc, tree.sources(".inc", under=("config",)))

    def test_the_tables_of_settings_tell_which_have_an_effect(self):
        self.refuse(rules.effects_of_settings(tree.sources(".h", ".cc", ".inc")))

    def test_no_file_names_a_path_of_one_machine(self):
        self.each(rules.machine_paths, {path: tree.read(path) for path in tree.paths()})


class Built(unittest.TestCase):
    """What is not built is not tested."""

    def test_every_source_belongs_to_a_target(self):
        commands = tree.BUILD / "compile_commands.json"
        if not commands.exists():
            self.skipTest(f"{commands} is missing: cmake --preset release")
        built = {entry["file"] for entry in json.loads(commands.read_text())}
        lists = "".join(tree.read(path) for path in tree.paths() if path.endswith("CMakeLists.txt"))
        # A list that names a file under a condition (a sanitizer's) builds it elsewhere.
        idle = [path for path in tree.sources(".cc") if str(tree.ROOT / path) not in built and path not in lists]
        self.assertEqual(idle, [], "no target builds " + ", ".join(idle))

    def test_every_end_to_end_test_is_registered(self):
        registered = set(re.findall(r"weir_e2e_test\((\w+)", tree.read("tests/e2e/CMakeLists.txt")))
        there = {m[1] for path in tree.paths() if (m := re.fullmatch(r"tests/e2e/test_(\w+)\.py", path))}
        self.assertEqual(there, registered)

    def test_every_structure_test_is_registered(self):
        registered = set(re.findall(r"weir_structure_test\((\w+)", tree.read("tests/structure/CMakeLists.txt")))
        there = {m[1] for path in tree.paths() if (m := re.fullmatch(r"tests/structure/test_(\w+)\.py", path))}
        self.assertEqual(there, registered)


if __name__ == "__main__":
    unittest.main()
