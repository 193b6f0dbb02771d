"""Every rule of style_check.py finds what it is for, and nothing else."""

import os
import tempfile
import unittest

import style_check

MEMORY = "transport/memory/x.cc"
PLATFORM = "transport/platform/x_posix.cc"


def reasons(path, text):
    return [f"{line}: {reason}" for line, reason in style_check.check_file(path, text)]


class StyleCheck(unittest.TestCase):
    def bad(self, path, text, reason):
        found = reasons(path, text)
        self.assertTrue(any(reason in f for f in found), (text, found))

    def good(self, path, text):
        self.assertEqual(reasons(path, text), [], text)

    def test_gnu_extensions(self):
        for text, reason in [
            ("int f() __attribute__((noinline));", "__attribute__"),
            ("if (__builtin_expect(a, 1)) b();", "builtin"),
            ("int x = ({ int y = f(); y; });", "statement expression"),
            ("int x = a ?: b;", "?:"),
            ("switch (a) { case 1 ... 5: b(); }", "range"),
            ("__typeof__(a) b;", "GNU keyword"),
            ("unsigned __int128 a;", "GNU keyword"),
        ]:
            self.bad(MEMORY, text, reason)
            self.bad(PLATFORM, text, reason)
            self.bad("examples/greeter/x.cc", text, reason)

    def test_what_only_looks_like_it(self):
        for text in [
            "f({1, 2});",
            "f({a, [] { b(); }});",
            "x = a ? b : c;",
            "x = a ? ::b : c;",
            'x = a ? "" : "x";',
            "// __attribute__ is not for us\n",
            "/* __builtin_trap() */",
            'Print("__attribute__ _WIN32");',
            "const int a = 1'000'000; // don't\n",
            "template <class... T> void f(T... t);",
        ]:
            self.good(MEMORY, text)

    def test_line_numbers(self):
        self.assertTrue(
            reasons(MEMORY, "/* a\nb */\n\n#ifdef _WIN32\n")[0].startswith("4:"))

    def test_stores_to_shared_memory(self):
        point = ' SHMRPC_STORE_POINT("a.b");\n'
        for store in [
            "word->store(1, std::memory_order_release);\n",
            "FirstWord(0)\n    ->store(1, order);\n",
            "page_->side[0].closed.exchange(1, order);\n",
            "if (!slot.state.compare_exchange_strong(a, b)) return;\n",
            "memcpy(to, from, size);\n",
            "std::memcpy(view.data() + 8, from, size);\n",
            "strncpy(identity->name, name, 9);\n",
            "header->magic = 1;\n",
            "page->hello.refusal = reason;\n",
            "consumed_->store(taken(), order);\n",
        ]:
            for path in (MEMORY, "transport/link/x.h", "transport/shared_memory/x.cc",
                         "transport/platform/event_posix.cc"):
                self.bad(path, store, "SHMRPC_STORE_POINT")
                self.good(path, store + point)
            # The point is the next store's, or too far away.
            self.bad(MEMORY, store + store + point, "SHMRPC_STORE_POINT")
            self.bad(MEMORY, store + "\n" * 20 + point, "SHMRPC_STORE_POINT")
            # Only a comment or a text.
            self.bad(MEMORY, store + "//" + point, "SHMRPC_STORE_POINT")
            self.good(MEMORY, store.replace("\n", " ", store.count("\n") - 1)
                      .replace("\n", "  // not shared\n"))
            self.good("transport/rpc/x.cc", store)
            self.good("transport/memory/x_test.cc", store)

    def test_what_is_no_store_to_shared_memory(self):
        for text in [
            "stop_.store(true, std::memory_order_relaxed);\n",
            "bytes_.fetch_add(1, std::memory_order_relaxed);\n",
            "memcpy(&word, bytes, sizeof(word));\n",
            "if (header->magic == 1) f();\n",
            "x = header->magic;\n",
            "word->load(std::memory_order_acquire);\n",
        ]:
            self.good(MEMORY, text)

    def test_timed_waits(self):
        for text in [
            "change_.WaitWithTimeout(&mutex_, left);\n",
            "mutex_.AwaitWithDeadline(news, until);\n",
            "mutex_.ReaderLockWhenWithTimeout(news, left);\n",
            "done.WaitForNotificationWithTimeout(left);\n",
            "change->wait_for(lock, left);\n",
            "change\n    .wait_until(lock, until);\n",
            "mutex_.try_lock_for(left);\n",
        ]:
            for path in (MEMORY, PLATFORM, "transport/rpc/x.h"):
                self.bad(path, text, "wall clock")
            self.good("transport/rpc/x_test.cc", text)
        for text in [
            "change_.Wait(&mutex_, deadline_ns);\n",
            "mutex_.Await(condition);\n",
            "if (context->wait_for_ready()) f();\n",
            "// AwaitWithTimeout(news) follows the wall clock.\n",
        ]:
            self.good(MEMORY, text)

    def test_systems(self):
        for text in ["#ifdef _WIN32\n", "#if defined(__linux__)\n"]:
            self.bad(MEMORY, text, "outside")
            self.good(PLATFORM, text)
        for header in ["windows.h", "sys/mman.h", "unistd.h", "string.h"]:
            self.bad(MEMORY, f"#include <{header}>\n", "outside")
            self.bad("codegen/x.cc", f"#  include <{header}>\n", "outside")
            self.good(PLATFORM, f"#include <{header}>\n")
        self.good(MEMORY, "#include <cstring>\n")
        self.good(MEMORY, "// #include <windows.h>\n")
        self.good(MEMORY, 'Print(R"(\n#include <windows.h>\n)");')

    def test_layers(self):
        def include(header):
            return f'#include "{header}"\n'

        order = ["platform", "memory", "link", "rpc"]
        for i, below in enumerate(order):
            for j, above in enumerate(order):
                path = f"transport/{above}/x.cc"
                text = include(f"transport/{below}/y.h")
                if j >= i:
                    self.good(path, text)
                else:
                    self.bad(path, text, "must not include")
            self.good(f"transport/{below}/x.cc", include("shmrpc/status.h"))
            self.good(f"transport/{below}/x.cc", include("transport/log/log.h"))
            self.bad("transport/include/shmrpc/x.h",
                     include(f"transport/{below}/y.h"), "must not")
            self.bad("transport/log/x.cc",
                     include(f"transport/{below}/y.h"), "must not")
            self.bad("examples/a/x.cc",
                     include(f"transport/{below}/y.h"), "must not")
            self.bad("codegen/x.cc", include(f"transport/{below}/y.h"), "must not")
        self.good("examples/a/x.cc", include("shmrpc/shmrpc.h"))
        self.good(MEMORY, include("absl/strings/str_cat.h"))

    def test_test_support(self):
        text = '#include "transport/platform/testing/fault.h"\n'
        self.bad(MEMORY, text, "tests only")
        self.good("transport/memory/x_test.cc", text)
        self.good("transport/memory/testing/x.h", text)

    def test_new_folder_needs_a_place(self):
        self.bad("transport/attic/x.cc", "", "has no place")

    def test_whole_tree(self):
        with tempfile.TemporaryDirectory() as root:
            for path, text in [("transport/rpc/a.cc", "#ifdef _WIN32\n"),
                               ("codegen/testdata/b.h", "__attribute__"),
                               ("codegen/c.h", "int a;\n")]:
                file = os.path.join(root, path)
                os.makedirs(os.path.dirname(file), exist_ok=True)
                with open(file, "w", encoding="utf-8") as out:
                    out.write(text)
            self.assertEqual(
                style_check.check_tree(root),
                (["transport/rpc/a.cc:1: _WIN32 outside transport/platform"], 2))

    def test_store_points_have_names_of_their_own(self):
        with tempfile.TemporaryDirectory() as root:
            for path in ("transport/memory/a.cc", "transport/memory/b.h"):
                file = os.path.join(root, path)
                os.makedirs(os.path.dirname(file), exist_ok=True)
                with open(file, "w", encoding="utf-8") as out:
                    out.write('// SHMRPC_STORE_POINT("a.b")\n'
                              'SHMRPC_STORE_POINT("a.b");\n')
            self.assertEqual(
                style_check.check_tree(root),
                (['transport/memory/b.h:1: store point "a.b" stands twice'], 2))


if __name__ == "__main__":
    unittest.main()
