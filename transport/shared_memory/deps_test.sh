#!/bin/bash
# deps_test.sh FILE: the list of all targets that //:shared_memory depends on
# names the platform layer, and neither protobuf nor a layer of the calls.
set -eu
grep -q '^//transport/platform:mapping$' "$1" || {
  echo "$1 is not the list it should be" >&2
  exit 1
}
if grep -E 'protobuf|^//(codegen|proto|transport/(rpc|link|memory))[:/]' "$1"; then
  echo "these must not be dependencies of //:shared_memory" >&2
  exit 1
fi
