#!/bin/bash
# Uses shmrpc as another workspace does: from its own WORKSPACE, through
# cc_shmrpc_library and the public targets only.
#
#   tests/consumer/run.sh [--windows] [--no-link]
#
# Builds the workspace in consumer/ (whose @inventory is inventory/) against this
# checkout, runs its program, and checks that what must fail does, with the message
# users should see. Exits with 0 only if all of it went as expected.
#
# --windows  cross-build for Windows, run under Wine
# --no-link  compile everything but do not link or run the program
#
# Not a Bazel test: it runs Bazel itself, which its sandbox does not allow. BUILD
# files are called BUILD.in here, so that this checkout does not take them for its
# own packages. The copy and its output base are kept in the cache directory, one
# per checkout, so that a second run builds only what changed.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
config=linux link=1
for a in "$@"; do
  case $a in
    --windows) config=windows ;;
    --no-link) link= ;;
    *) echo "tests/consumer/run.sh: unknown option $a" >&2; exit 2 ;;
  esac
done

cache=${SHMRPC_CACHE:-${HOME:-/var/tmp}/.cache/shmrpc}/consumer/$(printf %s "$root" | cksum | cut -d' ' -f1)
mkdir -p "$cache"
exec 9> "$cache/lock"
flock 9  # one run at a time in this copy

# --- the copy -----------------------------------------------------------------
rm -rf "$cache/copy"
mkdir -p "$cache/copy"
cp -R "$here/consumer" "$here/inventory" "$cache/copy/"
cd "$cache/copy"
mv consumer/bazelrc.in consumer/.bazelrc
find . -name '*.in' | while read -r file; do mv "$file" "${file%.in}"; done
sed -i "s|@SHMRPC@|$root|" consumer/WORKSPACE
[ ! -f "$root/user.bazelrc" ] || cp "$root/user.bazelrc" consumer/
cd consumer

log=$cache/log
# Goes away on its own, to leave the memory to others.
bazel() {
  command bazel --output_base="$cache/output_base" --max_idle_secs=60 "$@" 9>&-
}
build() { bazel build --noshow_progress --color=no "--config=$config" "$@" > "$log" 2>&1; }

failures=0
fail() {
  echo "FAILED: $*" >&2
  failures=$((failures + 1))
}

# --- what must work -------------------------------------------------------------
echo "consumer: building"
if ! build //app:app_objects //generated/... //orders/... //types/... @inventory//...; then
  cat "$log" >&2
  echo "FAILED: the consumer's libraries do not build" >&2
  exit 1
fi
if [ -n "$link" ]; then
  if ! build //app; then
    cat "$log" >&2
    echo "FAILED: the consumer's program does not build" >&2
    exit 1
  fi
  # From a copy: a later build must not replace a running program.
  echo "consumer: running"
  if [ $config = windows ]; then
    program=$cache/app.exe
    run=$root/tools/wine/run.sh
    template=$(sed -n 's/.*--test_env=WINE_TEMPLATE=//p' user.bazelrc 2>/dev/null || true)
    [ -z "$template" ] || export WINE_TEMPLATE=$template
  else
    program=$cache/app
    run=
  fi
  cp -f bazel-bin/app/"$(basename "$program")" "$program"
  # A call that never returns must not hang whoever runs this.
  output=$(timeout 120 $run "$program" 2>&1 < /dev/null | tr -d '\r') || true
  case $output in
    *PASSED*) ;;
    *) fail "the consumer's program: $output" ;;
  esac
fi

# --- what must fail -------------------------------------------------------------
# expect_error TARGET TEXT: building TARGET fails and says TEXT.
expect_error() {
  if build "$1"; then
    fail "$1 builds; expected: $2"
  elif ! grep -qF -- "$2" "$log"; then
    fail "$1: expected \"$2\", but the build says:"
    cat "$log" >&2
  fi
}

echo "consumer: checking errors"
expect_error //bad:missing_dep 'bad/imports_money.proto:3:1: Import "types/money.proto" was not found or had errors.'
expect_error //bad:indirect_dep \
  'types/money.proto is imported, but no target in deps of //bad:indirect_dep has it in its srcs'
expect_error //bad:names 'bad/names.proto:5:3: method "Stub": the generated class has a member of this name'
expect_error //bad:names 'bad/names.proto:7:3: method "UpRaw": the generated stub uses this name for method "Up"'
expect_error //bad:syntax_error 'bad/syntax_error.proto:2:9: Expected message name.'
expect_error //bad:other_package \
  'srcs: //types:money.proto is not in the package of //bad:other_package; list it in a cc_shmrpc_library of its own package'
expect_error //bad:plain_dep "'//bad:plain' does not have mandatory providers"
expect_error //bad:unknown_option 'unknown option "colour"; known options: services_namespace'

# --- what must not be seen ------------------------------------------------------
# Every library inside shmrpc but those for its tests, which need repositories a
# consumer does not have. From a package called tests: shmrpc's own may see more than
# others.
echo "consumer: checking visibility"
all='kind("cc_library rule", @shmrpc//transport/... + @shmrpc//codegen/...)'
if ! internal=$(bazel query --noshow_progress "$all except attr(testonly, 1, $all)" 2> "$log"); then
  cat "$log" >&2
  fail "query of shmrpc's libraries"
fi
count=0
mkdir -p tests
: > tests/BUILD
for label in $internal; do
  printf 'cc_library(name = "uses_%d", testonly = True, deps = ["%s"])\n' $count "$label" >> tests/BUILD
  count=$((count + 1))
done
[ $count -gt 10 ] || fail "only $count libraries found inside shmrpc"
if build --keep_going --nobuild //tests:all; then
  fail "libraries inside shmrpc are visible to others"
fi
for label in $internal; do
  grep -qF "'$label' is not visible from target '//tests:" "$log" ||
    fail "$label is visible to others"
done

if [ $failures != 0 ]; then
  echo "consumer: $failures failed" >&2
  exit 1
fi
echo "consumer: PASSED ($config$([ -n "$link" ] || echo ", not linked"); $count internal libraries invisible)"
