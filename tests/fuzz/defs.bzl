"""A fuzz target as a test: by libFuzzer where the build has it, else by a driver."""

def fuzz_test(name, srcs, deps, runs, libfuzzer_runs, **kwargs):
    """Args:

      runs: inputs of the driver, on every platform.
      libfuzzer_runs: inputs of libFuzzer. More of either:
        --test_arg=-runs=1000000; the same again: --test_arg=-seed=N.
    """
    native.cc_test(
        name = name,
        srcs = srcs,
        args = select({
            "//tests/fuzz:libfuzzer": [
                "-runs=%d" % libfuzzer_runs,
                "-max_len=4096",
                "-len_control=0",
                # Seconds for one input: more is a hang.
                "-timeout=60",
            ],
            "//conditions:default": ["-runs=%d" % runs],
        }),
        linkopts = select({
            "//tests/fuzz:libfuzzer": ["-fsanitize=fuzzer"],
            "//conditions:default": [],
        }),
        deps = deps + ["//tests/fuzz:fuzz"] + select({
            "//tests/fuzz:libfuzzer": [],
            "//conditions:default": ["//tests/fuzz:driver"],
        }),
        **kwargs
    )
