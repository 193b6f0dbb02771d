"""Rules of the source tree that no compiler checks.

  style_check.py ROOT      prints each violation as file:line: reason; exit code 1

 - no GNU extensions in what Visual C++ is to compile (ABSL_ATTRIBUTE_... instead)
 - no #ifdef of a system, and no system's header, but in transport/platform (tests
   that say by their name which system they are for may include its headers)
 - includes point downward only: see LAYERS
 - test support is for tests only
 - no timed wait that follows the wall clock (transport/rpc/cond_var.h has another)
 - a store to shared memory has a store point of its own behind it, before the next
   store (transport/platform/store_point.h); one that looks like it, to memory of this
   process, is an atomic member (name_.store) or says "// not shared" there
"""

import os
import re
import sys

# A folder may include itself and what stands here. A folder that is not listed
# is an error: its place has to be decided.
_COMMON = ["transport/include", "transport/log"]
LAYERS = {
    "transport/include": [],
    "transport/log": ["transport/include"],
    "transport/platform": _COMMON,
    "transport/shared_memory": _COMMON + ["transport/platform"],
    "transport/memory": _COMMON + ["transport/platform"],
    "transport/link": _COMMON + ["transport/platform", "transport/memory"],
    "transport/rpc": _COMMON
    + ["transport/platform", "transport/memory", "transport/link"],
    "codegen": [],
    # As a user's program: public headers and generated code.
    "examples": ["transport/include"],
}
# Tests of a layer may use a running one.
TEST_LAYERS = {
    "codegen": ["transport/include", "transport/platform", "proto"],
    "examples": ["transport/platform"],
}

PLATFORM = "transport/platform"
# Headers of the compiler rather than of a system would stand here.
ALLOWED_HEADERS = []

SYSTEM_MACROS = re.compile(
    r"\b(_WIN32|_WIN64|_MSC_VER|__MINGW\d+__|__linux__|__unix__|__APPLE__)\b")
GNU = [
    (re.compile(r"__attribute__"), "__attribute__: use ABSL_ATTRIBUTE_..."),
    (re.compile(r"__builtin_\w+"), "a compiler builtin: use absl/base"),
    (re.compile(r"\b(__extension__|__typeof__|__int128|__asm__|__label__)\b"),
     "a GNU keyword"),
    (re.compile(r"\(\{[^{}]*;\s*\}\)"), "a statement expression"),
    (re.compile(r"\?\s*:[^:]"), "?: without its middle"),
    (re.compile(r"\bcase\b[^:;]*\.\.\."), "a range of cases"),
    (re.compile(r"#\s*include_next\b"), "#include_next"),
]
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.M)
# Abseil's take the wall clock on Linux, some standard libraries' on Windows.
TIMED_WAIT = re.compile(
    r"\b(\w*(?:Wait|Await|LockWhen|Notification)With(?:Timeout|Deadline)"
    r"|wait_(?:for|until)|try_(?:lock|acquire)_(?:for|until))\s*\(")
# Where shared memory is stored to.
STORING = re.compile(
    r"^transport/(link|memory|shared_memory)/|^transport/platform/event_posix\.cc$")
STORE = re.compile(
    # ...store(, of an atomic
    r"(?P<to>[\w\])]+)\s*(?P<by>\.|->)\s*"
    r"(?:store|exchange|compare_exchange_\w+|fetch_\w+)\("
    # copies
    r"|\b(?:memcpy|memmove|memset|strncpy)\(\s*(?P<copy>[^,]*),"
    # fields of what lies in a mapping
    r"|\b(?:header|identity|page_?|slots?)->[\w.\[\]:]+\s*=(?!=)")
STORE_POINT = re.compile(r'\bSHMRPC_STORE_POINT\("([^"]*)"\)')
STORE_POINT_LINES = 10
COMMENT = re.compile(r"//[^\n]*")
NOT_SHARED = re.compile(r"//.*\bnot shared\b")
COMMENT_OR_STRING = re.compile(
    r'//[^\n]*|/\*.*?\*/'
    r'|R"(?P<d>[^(\s]*)\(.*?\)(?P=d)"'
    r'|"(?:\\.|[^"\\\n])*"'
    r"|(?<![0-9a-zA-Z])'(?:\\.|[^'\\\n])+'", re.S)


def strip(text, keep_includes=False):
    """`text` without comments and strings, every line in its place."""

    def blank(match):
        found = match.group(0)
        if found.startswith(("/", "'")):
            return re.sub(r"[^\n]", " ", found)
        if keep_includes and found.startswith('"'):
            return found
        # The quotes stay: an operand is still an operand.
        return '"' + re.sub(r"[^\n]", " ", found[1:-1]) + '"'

    return COMMENT_OR_STRING.sub(blank, text)


def layer_of(path):
    """The layer a file, or a file that is included, belongs to; or None."""
    if path.startswith("shmrpc/"):
        return "transport/include"
    parts = path.split("/")
    if parts[0] == "transport":
        return "/".join(parts[:2])
    return parts[0] if parts[0] in ("codegen", "examples", "proto") else None


def is_test(path):
    name = os.path.basename(path)
    return ("/testing/" in path or "_test." in name or "_test_" in name
            or name == "compile_check.cc")


def is_test_of_one_system(path):
    return is_test(path) and re.search(r"_(posix|linux|win)(_test)?\.cc$", path)


def line_of(text, position):
    return text.count("\n", 0, position) + 1


def check_stores(path, text):
    """Yields (line, reason) of stores without a store point."""
    if not STORING.search(path) or is_test(path):
        return
    code = strip(text)
    lines = text.split("\n")
    # Names are blank in `code`; the macro is not.
    points = [m.start() for m in re.finditer(r"\bSHMRPC_STORE_POINT\(", code)]
    stores = []
    for match in STORE.finditer(code):
        private_member = match.group("by") == "." and match.group("to").endswith("_")
        local_copy = (match.group("copy") or "").startswith("&")
        # A call over several lines may say it on any of them, or before.
        first = line_of(code, match.start())
        end = code.find(";", match.end())
        last = line_of(code, end if end >= 0 else len(code))
        marked = any(NOT_SHARED.search(line) for line in lines[max(first - 3, 0):last])
        if not (private_member or local_copy or marked):
            stores.append(match.start())
    for store, following in zip(stores, stores[1:] + [len(code)]):
        line = line_of(code, store)
        if not any(store < point < following
                   and line_of(code, point) - line <= STORE_POINT_LINES
                   for point in points):
            yield line, ("a store without SHMRPC_STORE_POINT; if it is not to "
                         'shared memory, say "// not shared" there')


def check_file(path, text):
    """Yields (line, reason)."""
    yield from check_stores(path, text)
    layer = layer_of(path)
    if layer not in LAYERS:
        yield 1, f"folder {layer} has no place in LAYERS of style_check.py"
        return
    code = strip(text)
    for pattern, reason in GNU:
        for match in pattern.finditer(code):
            yield line_of(code, match.start()), reason
    if layer.startswith("transport/") and not is_test(path):
        for match in TIMED_WAIT.finditer(code):
            yield (line_of(code, match.start()),
                   f"{match.group(1)}: may follow the wall clock; use "
                   "platform::Waiter or CondVar")
    if layer != PLATFORM:
        for match in SYSTEM_MACROS.finditer(code):
            yield (line_of(code, match.start()),
                   f"{match.group(1)} outside {PLATFORM}")
    allowed = [layer] + LAYERS[layer]
    if is_test(path):
        allowed = allowed + TEST_LAYERS.get(layer, [])
    for match in INCLUDE.finditer(strip(text, keep_includes=True)):
        line = line_of(text, match.start())
        header = match.group(2)
        if match.group(1) == "<":
            system = header.endswith(".h") and header not in ALLOWED_HEADERS
            if (system and layer != PLATFORM
                    and not is_test_of_one_system(path)):
                yield line, f"<{header}> outside {PLATFORM}"
            continue
        target = layer_of(header)
        if target is not None and target not in allowed:
            yield line, f"{layer} must not include {header}"
        if "/testing/" in header and not is_test(path):
            yield line, f"{header} is for tests only"


def source_files(root):
    for top in ("transport", "codegen", "examples"):
        for folder, folders, files in os.walk(os.path.join(root, top)):
            # What the generator is expected to write is not written by hand.
            folders[:] = sorted(f for f in folders if f != "testdata")
            for name in sorted(files):
                if name.endswith((".h", ".cc")):
                    yield os.path.relpath(os.path.join(folder, name), root)


def check_tree(root):
    """([violation], number of files)"""
    violations = []
    count = 0
    names = set()
    for path in source_files(root):
        count += 1
        with open(os.path.join(root, path), encoding="utf-8") as file:
            text = file.read()
        slashed = path.replace(os.sep, "/")
        for line, reason in check_file(slashed, text):
            violations.append(f"{slashed}:{line}: {reason}")
        for name in STORE_POINT.findall(COMMENT.sub("", text)):
            if name in names:
                violations.append(f"{slashed}:1: store point \"{name}\" stands twice")
            names.add(name)
    return violations, count


def main():
    violations, count = check_tree(sys.argv[1])
    for violation in violations:
        print(violation)
    print(f"{count} files, {len(violations)} violations")
    # A tree that was not found is not a clean one.
    return 1 if violations or count < 50 else 0


if __name__ == "__main__":
    sys.exit(main())
