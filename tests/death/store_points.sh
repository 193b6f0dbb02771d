#!/bin/bash
# Writes the names of all store points in the given sources, one "name", a line,
# sorted: what store_point_names.h includes.
set -eu
grep -ho 'SHMRPC_STORE_POINT("[^"]*")' "$@" |
  sed 's/SHMRPC_STORE_POINT(\("[^"]*"\))/\1,/' | LC_ALL=C sort -u
