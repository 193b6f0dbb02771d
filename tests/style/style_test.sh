#!/bin/bash
# Checks the checker, then the source tree this script belongs to. The tree is
# found through the link that Bazel made to the script, so that a new folder is
# checked without being listed anywhere.
set -eu
here=$(dirname "$(readlink -f "$0")")
cd "$here"
export PYTHONDONTWRITEBYTECODE=1
python3 style_check_test.py
python3 style_check.py "$here/../.."
