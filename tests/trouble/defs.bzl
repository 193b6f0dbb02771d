"""Tests whose processes meet with trouble: what //tests/trouble:support is for."""

LINUX_ONLY = ["@platforms//os:linux"]

WINDOWS_ONLY = ["@platforms//os:windows"]

def trouble_test(name, size = "medium", deps = [], leaks = True, **kwargs):
    """A test program NAME.cc that starts processes, and may kill or fork them.

    Args:
      leaks: AddressSanitizer looks for them. A forked copy leaves alone what is
        its parent's, which looks like a leak; and in a pid namespace the search
        itself fails.
    """

    # What ThreadSanitizer cannot know; and forked children that start threads,
    # which it else ends.
    env = {
        "TSAN_OPTIONS": "suppressions=tests/trouble/tsan.supp die_after_fork=0",
    }
    if not leaks:
        env["ASAN_OPTIONS"] = "detect_leaks=0"
    native.cc_test(
        name = name,
        size = size,
        srcs = [name + ".cc"],
        data = ["//tests/trouble:tsan.supp"],
        env = env,
        deps = deps + ["//tests/trouble:support"],
        **kwargs
    )
