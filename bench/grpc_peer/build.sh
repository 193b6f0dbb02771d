#!/bin/bash
# Builds the gRPC peer of the benchmark with the system's gRPC, protobuf and
# Google Benchmark (Debian: tools/setup installs them).
#
#   bench/grpc_peer/build.sh OUTDIR     prints the paths of the binaries
#
# The sources are those of bench/rpc; rpc/library.h chooses gRPC.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=bench/system_peer.sh
. "$root/bench/system_peer.sh"

shared="bench/scenario.cc bench/child_process.cc bench/child_process_posix.cc bench/rpc/peer.cc"
calls="bench/rpc/unary.cc bench/rpc/streams.cc bench/rpc/crowd.cc bench/grpc_peer/grpc_main.cc"
resources="bench/rpc/resources.cc bench/rpc/allocation_count.cc bench/rpc/process_stats_linux.cc
  bench/grpc_peer/grpc_resources_main.cc"
packages="grpc++ protobuf benchmark"

begin_build "${1:?usage: build.sh OUTDIR}" "$packages" \
  "$shared $calls $resources bench/grpc_peer/build.sh bench/bench_echo.proto bench/*.h bench/rpc/*.h"
if [ -n "$needs_build" ]; then
  protoc -Ibench --cpp_out="$tmp" --grpc_out="$tmp" \
    --plugin=protoc-gen-grpc="$(command -v grpc_cpp_plugin)" bench/bench_echo.proto
  options="-DSHMRPC_BENCH_GRPC"
  # shellcheck disable=SC2086
  compile $shared "$tmp/bench_echo.pb.cc" "$tmp/bench_echo.grpc.pb.cc"
  shared_objects=$objects
  # shellcheck disable=SC2086
  compile $calls
  link grpc_calls "$shared_objects $objects"
  # shellcheck disable=SC2086
  compile $resources
  link grpc_resources "$shared_objects $objects"
  end_build
fi
echo "$built/grpc_calls" "$built/grpc_resources"
