#!/bin/bash
# Runs one test of arena_test with files limited to 512 KiB.
set -eu
trap '' XFSZ      # the limit is an error, not a signal
ulimit -f 512     # in units of 1024 bytes
out=$(SHMRPC_TEST_FILE_LIMIT=1 "$1" --gtest_filter='Arena.ExactSize*') || { echo "$out"; exit 1; }
echo "$out"
grep -q '1 test.*ran' <<<"$out" && ! grep -q SKIPPED <<<"$out"
