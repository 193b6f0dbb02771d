"""The repositories shmrpc is built from.

A workspace that uses shmrpc calls shmrpc_deps() after defining @shmrpc. A
repository it has already defined under the same name is left as it is.
"""

load("@bazel_tools//tools/build_defs/repo:http.bzl", "http_archive")

def _maybe_archive(name, **kwargs):
    if not native.existing_rule(name):
        http_archive(name = name, **kwargs)

def shmrpc_deps():
    """Abseil 20220623.1 and Protocol Buffers 3.21.12 (C++ only)."""

    # Abseil's BUILD files load lib/selects.bzl from it.
    _maybe_archive(
        name = "bazel_skylib",
        sha256 = "f7be3474d42aae265405a592bb7da8e171919d74c16f082a5457840f06054728",
        urls = ["https://github.com/bazelbuild/bazel-skylib/releases/download/1.2.1/bazel-skylib-1.2.1.tar.gz"],
    )
    _maybe_archive(
        name = "com_google_absl",
        sha256 = "91ac87d30cc6d79f9ab974c51874a704de9c2647c40f6932597329a282217ba8",
        strip_prefix = "abseil-cpp-20220623.1",
        urls = ["https://github.com/abseil/abseil-cpp/archive/refs/tags/20220623.1.tar.gz"],
    )

    # Built with our own BUILD file: upstream's loads rules for six other
    # languages, none of which C++ needs.
    _maybe_archive(
        name = "com_google_protobuf",
        build_file = Label("//third_party:protobuf.BUILD"),
        sha256 = "930c2c3b5ecc6c9c12615cf5ad93f1cd6e12d0aba862b572e076259970ac3a53",
        strip_prefix = "protobuf-3.21.12",
        urls = ["https://github.com/protocolbuffers/protobuf/archive/refs/tags/v3.21.12.tar.gz"],
    )

def shmrpc_dev_deps():
    """GoogleTest 1.12.1 and Google Benchmark 1.7.1."""
    _maybe_archive(
        name = "com_google_googletest",
        sha256 = "81964fe578e9bd7c94dfdb09c8e4d6e6759e19967e397dbea48d1c10e45d0df2",
        strip_prefix = "googletest-release-1.12.1",
        urls = ["https://github.com/google/googletest/archive/refs/tags/release-1.12.1.tar.gz"],
    )
    _maybe_archive(
        name = "com_github_google_benchmark",
        sha256 = "6430e4092653380d9dc4ccb45a1e2dc9259d581f4866dc0759713126056bc1d7",
        strip_prefix = "benchmark-1.7.1",
        urls = ["https://github.com/google/benchmark/archive/refs/tags/v1.7.1.tar.gz"],
    )
