#!/bin/bash
# Builds the Cap'n Proto peer of the benchmark with the system's Cap'n Proto and
# Google Benchmark (Debian: tools/setup installs them).
#
#   bench/capnp_peer/build.sh OUTDIR     prints the path of the binary
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=bench/system_peer.sh
. "$root/bench/system_peer.sh"

sources="bench/scenario.cc bench/child_process.cc bench/child_process_posix.cc bench/capnp_peer/capnp_main.cc"

begin_build "${1:?usage: build.sh OUTDIR}" "capnp-rpc benchmark" \
  "$sources bench/capnp_peer/build.sh bench/capnp_peer/bench_echo.capnp bench/*.h"
if [ -n "$needs_build" ]; then
  capnp compile -oc++:"$tmp" --src-prefix=bench/capnp_peer bench/capnp_peer/bench_echo.capnp
  # shellcheck disable=SC2086
  compile $sources "$tmp/bench_echo.capnp.c++"
  link capnp_calls "$objects"
  end_build
fi
echo "$built/capnp_calls"
