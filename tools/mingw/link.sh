#!/bin/bash
# The linker as Bazel calls it: clang-19, without one kind of warning.
#
# clang and GCC pad RTTI strings differently, so GNU ld prints "duplicate section
# ... has different size" for hundreds of them, and "corrupt .drectve" for clang's
# linker directives; both harmless. Its own switch against
# warnings (--no-warnings) also hides undefined symbols, and then links.
set -u
messages=$(/usr/bin/clang-19 "$@" 2>&1)
code=$?
[ -z "$messages" ] ||
  printf '%s\n' "$messages" |
    /usr/bin/grep -vE 'duplicate section .* has different (size|contents)|corrupt .drectve at end of def file' >&2
exit $code
