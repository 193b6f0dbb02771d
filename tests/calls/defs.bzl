"""What all tests of this folder are made of."""

def calls_test(name, size = "medium", deps = [], **kwargs):
    """A test program NAME.cc that starts servers and clients as processes."""
    native.cc_test(
        name = name,
        size = size,
        srcs = [name + ".cc"],
        deps = deps + [
            "//:shmrpc",
            "//proto:echo_cc_shmrpc",
            "//tests/support:client",
            "//tests/support:echo_service",
            "//tests/support:log_capture",
            "//tests/support:mapped_objects",
            "//tests/support:pattern",
            "//tests/support:probe_cc_shmrpc",
            "//tests/support:probe_service",
            "//tests/support:random_call",
            "//tests/support:script",
            "//tests/support:script_cc_shmrpc",
            "//tests/support:script_service",
            "//tests/support:scripted",
            "//tests/support:server_name",
            "//tests/support:server_process",
            "//transport/platform/testing:role",
            "//transport/platform/testing:subprocess",
            "//transport/platform/testing:test_main",
            "//transport/platform/testing:watchdog",
            "@com_google_absl//absl/synchronization",
            "@com_google_googletest//:gtest",
        ],
        **kwargs
    )
