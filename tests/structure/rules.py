"""What the build refuses, as functions from a file's path and text to findings "path:line: what is wrong"."""

import re

import cxx

# An include goes to the own folder or to the right of this arrow, never to the left:
#   tools, tests -> broker -> replication -> storage -> config, protocol -> base
LAYERS = {
    "base": {"base"},
    "protocol": {"protocol", "base"},
    "config": {"config", "base"},
    "storage": {"storage", "config", "protocol", "base"},
    "replication": {"replication", "storage", "config", "protocol", "base"},
    "broker": {"broker", "replication", "storage", "config", "protocol", "base"},
    "tools": {"tools", "broker", "replication", "storage", "config", "protocol", "base"},
    "tests": {"tests", "tools", "broker", "replication", "storage", "config", "protocol", "base"},
}


def _findings(path, text, pattern, why):
    code = cxx.code_only(text)
    return [f"{path}:{cxx.line_of(code, m.start())}: {m[0].strip()}: {why}" for m in re.finditer(pattern, code)]


def resolve(path, what, files):
    """The file an include means: seen from the root, or beside the file that includes it."""
    beside = path.rsplit("/", 1)[0] + "/" + what
    return what if what in files else beside if beside in files else None


def include_arrow(path, text, files):
    allowed = LAYERS[path.split("/")[0]]
    for line, what in cxx.includes(text):
        target = resolve(path, what, files)
        if target is None:
            yield f"{path}:{line}: no file {what} of ours; what is not ours stands in <>"
        elif target.split("/")[0] not in allowed:
            yield f"{path}:{line}: {path.split('/')[0]} must not know {target}"


def include_cycles(files):
    """files: path -> text. Each cycle once."""
    graph = {p: [r for _, w in cxx.includes(t) if (r := resolve(p, w, files))] for p, t in files.items()}
    done, trail, found = set(), [], []

    def visit(path):
        if path in trail:
            found.append(" -> ".join(trail[trail.index(path) :] + [path]))
            return
        if path in done:
            return
        trail.append(path)
        for target in graph[path]:
            visit(target)
        trail.pop()
        done.add(path)

    for path in graph:
        visit(path)
    return found


def pragma_once(path, text):
    lines = [line for line in cxx.without_comments(text).splitlines() if line.strip()]
    if path.endswith(".h") and (not lines or lines[0].strip() != "#pragma once"):
        yield f"{path}:1: the first line of code of a header is #pragma once"


_PLAIN_LOCAL = re.compile(r"^(?:const\s+)?[A-Za-z_][\w:]*(?:<[\w:<>,\s*&]*>)?(?:\s+const)?\s+\w+\s*=\s*$")


def awaits(path, text):
    """g++ 12 miscompiles co_await anywhere but as a whole statement, a condition, or the initialiser of a plain local,
    and with conditional expressions or aggregate temporaries around it."""
    code = cxx.code_only(text)
    for match in re.finditer(r"\bco_await\b", code):
        at = match.start()
        begin = max(code.rfind(mark, 0, at) for mark in ";{}") + 1
        before = code[begin:at].strip()
        end = code.find(";", at)
        bracket = cxx.opening(code, at)
        in_condition = bracket >= begin and code[bracket] == "(" and \
            re.search(r"\b(?:if|while)\s*$", code[begin:bracket]) is not None
        if in_condition:
            end = cxx.matching(code, bracket)
            well_placed = code[bracket + 1 : at].strip() in ("", "!")
        else:
            well_placed = _without_control(before) == "" or _PLAIN_LOCAL.match(_without_control(before)) is not None
        awaited = code[at + len("co_await") : end]
        where = f"{path}:{cxx.line_of(code, at)}: co_await "
        if not well_placed:
            yield where + "is neither a whole statement, nor a condition, nor the initialiser of a plain local"
        elif in_condition and re.search(r"&&|\|\||;", awaited):
            yield where + "is only a part of its condition"
        elif "?" in awaited:
            yield where + "stands beside a conditional expression"
        elif "{" in awaited:
            yield where + "takes an aggregate temporary or a lambda: name it first"


def _without_control(before):
    """What remains of a statement's beginning after `if (...)`, `for (...)`, `else`, labels."""
    while True:
        head = re.match(r"(?:else\b|do\b|(?:case\s(?:[^:]|::)+|default|public|private|protected)\s*:(?!:))\s*", before)
        if head:
            before = before[head.end() :]
            continue
        head = re.match(r"(?:if\s*(?:constexpr\s*)?|while\s*|for\s*|switch\s*)(?=\()", before)
        if not head:
            return before
        close = cxx.matching(before, head.end())
        if close == len(before) - 1 and before[close] != ")":
            return before
        before = before[close + 1 :].strip()


def sleeps(path, text):
    pattern = r"\b(?:sleep|usleep|nanosleep|sleep_for|sleep_until|SleepFor)\s*\("
    return _findings(path, text, pattern, "tests wait for conditions")


def clock_reads(path, text):
    pattern = (r"\bsystem_clock\b|\b(?:steady_clock|high_resolution_clock)\s*::\s*now\b|\bgettimeofday\b|\bclock_gettime\b"
               r"|\babsl::Now\b|(?<![\w.>])(?:std::|::)?time\s*\(\s*(?:nullptr|NULL|0|&\s*\w+)\s*\)")
    return _findings(path, text, pattern, "only base/clock.h asks what time it is")


def detached(path, text):
    return _findings(path, text, r"\bdetach(?:ed)?\b(?=\s*[(),;])", "work in the background enters a Gate, and is waited for")


def unannotated_mutexes(path, text):
    """A mutex guards members, by name, or orders itself before or after one that does."""
    code = cxx.code_only(text)
    if re.search(r"\bstd::(?:shared_|recursive_|timed_)?mutex\b", code):
        yield f"{path}: std::mutex: clang checks the annotations of absl::Mutex only"
    for match in re.finditer(r"\babsl::Mutex\s+(\w+)([^;]*);", code):
        body = cxx.enclosing_class(code, match.start())
        if body is None or re.search(r"ABSL_ACQUIRED_(?:BEFORE|AFTER)", match[2]):
            continue
        if not re.search(r"GUARDED_BY\(\s*" + match[1] + r"\s*\)", code[body[0] : body[1]]):
            yield f"{path}:{cxx.line_of(code, match.start())}: no ABSL_GUARDED_BY names {match[1]}"


def settings_without_doc(path, text):
    text = cxx.without_comments(text)
    for match in re.finditer(r"^WEIR_\w*SETTING(?=\()", text, re.M):
        arguments = cxx.string_arguments(text[match.start() :])
        doc = "".join(re.findall(r'"((?:\\.|[^"\\])*)"', arguments[-1]))
        if len(doc.split()) < 2:
            yield f"{path}:{cxx.line_of(text, match.start())}: {arguments[0]} has no doc line"


# Directories that only one person's or one builder's machine has.
_MACHINE = re.compile(r"(?<![\w.$}~:/>*-])/(?:home|root|work|workspace|builds|Users|tmp/wt)/[\w.]+")


def machine_paths(path, text):
    for match in _MACHINE.finditer(text):
        yield f"{path}:{cxx.line_of(text, match.start())}: {match[0]} is a path of one machine"


def setting_rows(text):
    """(line, field, effect, the rest) of every row of a table of settings."""
    text = cxx.without_comments(text)
    for match in re.finditer(r"^WEIR_(\w*)SETTING(?=\()", text, re.M):
        arguments = cxx.string_arguments(text[match.start() :])
        field = arguments[1 if match[1] == "SCOPED_" else 0]
        effect = next(word for word in arguments if word in ("used", "not_yet", "ignored"))
        yield cxx.line_of(text, match.start()), field, effect, " ".join(arguments)


_ACCESSOR = re.compile(r"\b(\w+)\([^()]*\) const (?=\{)")


def effects_of_settings(files):
    """files: path -> text of all sources. A key is marked `used` exactly when something reads its field: a layer above
    config/, or a function of the settings that such a layer calls. Rules between keys are no readers."""
    tables = {path: text for path, text in files.items() if path.startswith("config/") and path.endswith(".inc")}
    code = {path: cxx.code_only(text) for path, text in files.items() if path.endswith((".h", ".cc"))}
    leads_to = {}
    for path in code:
        if re.fullmatch(r"config/(?:broker|topic)_settings\.(?:h|cc)", path):
            for match in _ACCESSOR.finditer(code[path]):
                body = code[path][match.end() : cxx.matching(code[path], match.end())]
                leads_to.setdefault(match[1], set()).update(re.findall(r"\w+", body))
    for text in tables.values():
        for _, field, effect, row in setting_rows(text):
            if inherited := re.findall(r"\bbroker\.(\w+)", row):
                leads_to.setdefault(field, set()).update(inherited)
    # What stands for the settings of a topic as a whole is no reader of one of them.
    readers = [p for p in code if p.split("/")[0] in ("storage", "replication", "broker") or p == "config/listeners.cc"]
    found = {name for path in readers for name in re.findall(r"(?:\.|->)(\w+)", code[path])}
    read = set()
    while found - read:
        read |= found
        found = {name for reader in read for name in leads_to.get(reader, ())}
    for path, text in tables.items():
        for line, field, effect, _ in setting_rows(text):
            if effect == "used" and field not in read:
                yield f"{path}:{line}: {field} is marked used, and nothing reads it: not_yet, or ignored"
            if effect != "used" and field in read:
                yield f"{path}:{line}: {field} is marked {effect}, and something reads it: used"
