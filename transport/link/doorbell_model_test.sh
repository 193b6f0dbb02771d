#!/bin/bash
# Checks doorbell.pml with spin: what it promises holds, and each way of breaking
# it is found.
#
#   doorbell_model_test.sh doorbell.pml
set -eu
model=$(realpath "$1")
cd "$(mktemp -d "$TEST_TMPDIR/model.XXXXXX")"
for tool in spin clang-19; do
  command -v $tool > /dev/null || {
    echo "$tool is missing: tools/setup installs it"
    exit 1
  }
done
failed=0

# check HOLDS|BROKEN MODEL_OPTIONS CHECKER_OPTIONS RUN_OPTIONS: builds the checker
# that spin writes, and compares what it finds.
check() {
  local want=$1 found="no verdict"
  # shellcheck disable=SC2086
  spin -P"clang-19 -E -x c" $2 -a "$model" > spin.log && clang-19 -O1 -w $3 -o pan pan.c && ./pan $4 > pan.log || {
    cat spin.log pan.log
    exit 1
  }
  # Incomplete is not checked.
  if grep -q "max search depth too small\|out of memory" pan.log; then
    found="not checked to the end"
  elif grep -q "errors: 0$" pan.log; then
    found=HOLDS
  elif grep -q "errors: [1-9]" pan.log; then
    found=BROKEN
  fi
  echo "$found: ${2:-as shipped} ($3 $4): $(sed -n 's/ states, stored.*//p' pan.log | tr -d ' ') states"
  if [ "$found" != "$want" ]; then
    echo "expected: $want"
    cat pan.log
    failed=1
  fi
}

deadlocks="-DSAFETY -DNOCLAIM"
check HOLDS "" "$deadlocks" "-m100000"
check HOLDS "-DPRODUCERS=3 -DRECORDS=1" "$deadlocks" "-m100000"
check HOLDS "-DPRODUCERS=1 -DRECORDS=3" "$deadlocks" "-m100000"
check HOLDS "" "-DNP -DNOCLAIM" "-l -m100000"
check HOLDS "-DRECORDS=1" "-DNFAIR=3" "-a -f -m100000"
for broken in NO_FENCE_PARK NO_FENCE_PUBLISH NO_SECOND_LOOK NO_EXCHANGE; do
  check BROKEN "-D$broken" "$deadlocks" "-m100000"
done
check BROKEN "-DRECORDS=1 -DNO_SECOND_LOOK" "-DNFAIR=3" "-a -f -m100000"
exit $failed
