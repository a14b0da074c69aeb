"""Every rule refuses what it is there for, and accepts what looks like it."""

import unittest

import cxx
import rules


class Text(unittest.TestCase):
    def test_comments_and_literals_are_no_code(self):
        text = 'a; // sleep(1)\nb("sleep(1)"); /* sleep\n(1) */ c(\'"\'); d(R"(")sleep(1)"); e(1\'000\'000);\n'
        code = cxx.code_only(text)
        self.assertNotIn("sleep", code)
        self.assertEqual(len(code), len(text))
        self.assertEqual(code.count("\n"), text.count("\n"))
        self.assertIn("e(1'000'000)", code)

    def test_a_string_that_holds_a_comment_mark_ends_where_it_ends(self):
        self.assertIn("f()", cxx.code_only('url = "http://x"; f();'))


class Includes(unittest.TestCase):
    files = {"base/a.h": "", "storage/log/log.h": "", "config/c.h": "", "protocol/p.h": "", "tests/support/s.h": ""}

    def refused(self, path, what):
        return list(rules.include_arrow(path, f'#include "{what}"\n', self.files))

    def test_against_the_arrow(self):
        self.assertTrue(self.refused("base/b.cc", "storage/log/log.h"))
        self.assertTrue(self.refused("config/d.cc", "protocol/p.h"))
        self.assertTrue(self.refused("protocol/q.cc", "config/c.h"))
        self.assertTrue(self.refused("broker/main.cc", "tests/support/s.h"))
        self.assertTrue(self.refused("storage/x.cc", "storage/gone.h"))

    def test_along_the_arrow(self):
        self.assertFalse(self.refused("storage/x.cc", "base/a.h"))
        self.assertFalse(self.refused("storage/log/x.cc", "log.h"))
        self.assertFalse(self.refused("tests/unit/base/x.cc", "tests/support/s.h"))
        self.assertFalse(list(rules.include_arrow("base/b.cc", '// #include "storage/log/log.h"\n', self.files)))

    def test_a_cycle_is_found_once(self):
        found = rules.include_cycles({
            "base/a.h": '#include "base/b.h"', "base/b.h": '#include "base/c.h"', "base/c.h": '#include "base/a.h"',
            "base/d.h": '#include "base/a.h"'})
        self.assertEqual(len(found), 1)
        self.assertFalse(rules.include_cycles({"base/a.h": '#include "base/b.h"', "base/b.h": ""}))

    def test_pragma_once(self):
        self.assertTrue(list(rules.pragma_once("base/a.h", "// why\nint x;\n")))
        self.assertTrue(list(rules.pragma_once("base/a.h", "// #pragma once\n")))
        self.assertFalse(list(rules.pragma_once("base/a.h", "// why\n#pragma once\nint x;\n")))


class Awaits(unittest.TestCase):
    accepted = [
        "void f() { co_await g(); }",
        "void f() { const auto x = co_await store_.get(path); }",
        "void f() { base::Result<std::vector<int>> x = co_await g(std::move(y)); }",
        "void f() { if (ready) co_await g(); else co_await h(); }",
        "void f() { for (const auto& t : all) co_await g(t); }",
        "void f() { if (co_await g(x)) return; while (!co_await h()) {} }",
        "void f() { switch (x) { case A::b: co_await g(); break; default: co_await h(); } }",
        "// co_await f({1});\n",
    ]
    refused = [
        "void f() { return g(co_await h()); }",
        "void f() { co_return co_await h(); }",
        "void f() { x = co_await h(); }",
        "void f() { const auto& x = co_await h(); }",
        "void f() { auto [a, b] = co_await h(); }",
        "void f() { auto x = ok ? co_await h() : 0; }",
        "void f() { auto x = co_await h(ok ? 1 : 2); }",
        "void f() { auto x = co_await h({.path = p}); }",
        "void f() { co_await h(Change{1, 2}); }",
        "void f() { co_await h([] { return 1; }); }",
        "void f() { if (a && co_await h()) return; }",
        "void f() { if (co_await h() && a) return; }",
        "void f() { auto x = (co_await h()).value; }",
        "void f() { auto x = 1 + co_await h(); }",
        "void f() { for (auto& x : co_await h()) g(x); }",
    ]

    def test_whole_statements_conditions_and_plain_locals(self):
        for text in self.accepted:
            with self.subTest(text):
                self.assertEqual(list(rules.awaits("x.cc", text)), [])

    def test_everything_else(self):
        for text in self.refused:
            with self.subTest(text):
                self.assertEqual(len(list(rules.awaits("x.cc", text))), 1)


class Words(unittest.TestCase):
    def check(self, rule, refused, accepted):
        for text in refused:
            with self.subTest(text):
                self.assertTrue(list(rule("x.cc", text)))
        for text in accepted:
            with self.subTest(text):
                self.assertFalse(list(rule("x.cc", text)))

    def test_sleeps(self):
        self.check(rules.sleeps, ["std::this_thread::sleep_for(1ms);", "usleep(3);", "absl::SleepFor(d);"],
                   ['puts("sleep(1)");', "asleep(1);", "bool sleeping_ = sleep_; "])

    def test_clock_reads(self):
        self.check(rules.clock_reads,
                   ["auto t = std::chrono::steady_clock::now();", "x = std::chrono::system_clock::now();",
                    "time(nullptr);", "::time(&now);", "gettimeofday(&tv, nullptr);", "absl::Now();"],
                   ["clock.now();", "std::chrono::steady_clock::duration d;", "record.time(0);", "timestamp(0);"])

    def test_detached_work(self):
        self.check(rules.detached, ["thread.detach();", "co_spawn(loop, f(), asio::detached);"],
                   ["detached_size = 1;", "// detach();"])

    def test_mutexes(self):
        self.check(rules.unannotated_mutexes,
                   ["class A { absl::Mutex mutex_; int x_; };", "struct B final : C { mutable absl::Mutex m; int x; };",
                    "class A { absl::Mutex mutex_; int x ABSL_GUARDED_BY(other_); };", "std::mutex m;"],
                   ["class A { mutable absl::Mutex mutex_; int x_ ABSL_GUARDED_BY(mutex_); };",
                    "class A { absl::Mutex a_ ABSL_ACQUIRED_BEFORE(b_); absl::Mutex b_; int x ABSL_GUARDED_BY(b_); };",
                    "void f() { absl::Mutex local; }"])

    def test_machine_paths(self):
        for top in ("home", "root", "work"):
            self.assertTrue(list(rules.machine_paths("x.md", f"see /{top}/somebody/x")))
            self.assertFalse(list(rules.machine_paths("x.md", f"http://host/{top}/x, $HOME/{top}/x and ../{top}/x")))

    def effects(self, row, **sources):
        files = {"config/settings/a.inc": row, "config/broker_settings.cc":
                 "int BrokerSettings::b_ms() const { return b_a.value_or(1); }", "config/checks.cc": "x = settings.b_a;"}
        return list(rules.effects_of_settings(files | {path.replace("__", "/") + ".cc": text for path, text in sources.items()}))

    def test_effects_of_settings(self):
        row = 'WEIR_SETTING(b_a, "b.a", Int, "1", anything, read_only, {}, low, "doc doc")\n'
        used, not_yet = row.format("used"), row.format("not_yet")
        self.assertTrue(self.effects(used, broker__x='y.a; z("b_a"); b_a; // s.b_a'))
        self.assertTrue(self.effects(used, tools__x="s.b_a"))
        self.assertTrue(self.effects(not_yet, broker__x="s->b_a"))
        self.assertTrue(self.effects(not_yet, storage__x="s.b_ms()"))
        self.assertFalse(self.effects(used, broker__x="s.b_a"))
        self.assertFalse(self.effects(used, storage__x="s.b_ms()"))
        self.assertFalse(self.effects(not_yet, broker__x="a.b"))
        topic = 'WEIR_TOPIC_SETTING(t, "t", Int, anything, "b.a", broker.b_ms(), {}, low, "doc doc")\n'
        self.assertFalse(self.effects(used + topic.format("used"), storage__x="topic.t"))
        self.assertEqual(len(self.effects(used + topic.format("used"))), 2)

    def test_settings(self):
        row = 'WEIR_SETTING(a_b, "a.b", List, "x, y", one_of("x, y"), read_only, used, low,\n             {})\n'
        self.assertFalse(list(rules.settings_without_doc("x.inc", row.format('"What it " "does, (all)"'))))
        self.assertTrue(list(rules.settings_without_doc("x.inc", row.format('""'))))


if __name__ == "__main__":
    unittest.main()
