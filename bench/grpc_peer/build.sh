#!/bin/bash
# Builds the gRPC peer of the benchmark with the system's gRPC, protobuf and
# Google Benchmark (Debian: tools/setup installs them).
#
#   bench/grpc_peer/build.sh OUTDIR     prints the path of the binary
#
# The binary's folder is named after a hash of its sources and of the versions
# of what it is built with: it is built once, and again when any of them changes.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
mkdir -p "${1:?usage: build.sh OUTDIR}"
out=$(cd "$1" && pwd)
cxx=${CXX:-clang++-19}
sources="bench/grpc_peer/grpc_echo.cc bench/scenario.cc bench/child_process.cc bench/child_process_posix.cc"
inputs="$sources bench/grpc_peer/build.sh bench/bench_echo.proto bench/scenario.h bench/child_process.h bench/unary_echo.h"

cd "$root"
# shellcheck disable=SC2086
key=$( { sha256sum $inputs; "$cxx" --version; pkg-config --modversion grpc++ protobuf benchmark; } | sha256sum | cut -c1-16)
binary=$out/$key/grpc_echo
if [ ! -x "$binary" ]; then
  tmp=$(mktemp -d "$out/build.XXXXXX")
  trap 'rm -rf "$tmp"' EXIT
  protoc -Ibench --cpp_out="$tmp" --grpc_out="$tmp" \
    --plugin=protoc-gen-grpc="$(command -v grpc_cpp_plugin)" bench/bench_echo.proto
  # -O2 -DNDEBUG: what Bazel's -c opt gives the other peers.
  # shellcheck disable=SC2046,SC2086
  "$cxx" -std=c++17 -O2 -DNDEBUG -I. -I"$tmp" $(pkg-config --cflags grpc++ protobuf benchmark) \
    $sources "$tmp"/bench_echo.pb.cc "$tmp"/bench_echo.grpc.pb.cc \
    $(pkg-config --libs grpc++ protobuf benchmark) -o "$tmp/grpc_echo" >&2
  mkdir -p "$out/$key"
  mv "$tmp/grpc_echo" "$binary"
fi
echo "$binary"
