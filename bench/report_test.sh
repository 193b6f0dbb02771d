#!/bin/bash
# The tests of the driver's Python, which Bazel only hands over.
set -eu
cd "$(dirname "$0")"
exec python3 -B report_test.py
