#!/bin/bash
# The plugin as users run it: started by the real protoc.
#
#   protoc_test.sh PROTOC PLUGIN
set -u
protoc=$PWD/$1
plugin=$PWD/$2
source=$PWD
well_known=$(dirname "$protoc")/src
golden=$PWD/codegen/testdata/golden
work=${TEST_TMPDIR:-$(mktemp -d)}
failures=0

fail() {
  echo "FAILED: $*" >&2
  failures=$((failures + 1))
}

# run OUT ARGS...: status in $status, stderr in $errors.
run() {
  local out=$1
  shift
  mkdir -p "$out"
  errors=$("$protoc" "--plugin=protoc-gen-shmrpc=$plugin" "--shmrpc_out=$out" "$@" 2>&1)
  status=$?
}

# expect_error TEXT: the run before failed and said exactly this.
expect_error() {
  [ "$status" != 0 ] || fail "protoc succeeded; expected: $1"
  [ "$errors" = "$1" ] || fail "$(printf 'expected:\n%s\nbut protoc said:\n%s' "$1" "$errors")"
}

# --- a good file gives the golden bytes, wherever protoc is started -----------
cd "$source" || exit 1
run "$work/here" -I. "-I$well_known" codegen/testdata/types.proto
[ "$status" = 0 ] || fail "types.proto: $errors"
(cd / && "$protoc" "--plugin=protoc-gen-shmrpc=$plugin" "--shmrpc_out=$work/here" \
  "-I$source" "-I$well_known" "$source/codegen/testdata/comments.proto" \
  "$source/codegen/testdata/streaming.proto") || fail "comments.proto, streaming.proto"
for name in types comments streaming; do
  for extension in h cc; do
    file=$name.shmrpc.pb.$extension
    diff -u "$golden/$file" "$work/here/codegen/testdata/$file" >&2 ||
      fail "$file differs from its golden file; bazel run //codegen:update_golden"
  done
done

run "$work/namespaced" -I. --shmrpc_opt=services_namespace=rpc codegen/testdata/namespaced.proto
[ "$status" = 0 ] || fail "namespaced.proto: $errors"
diff -u "$golden/namespaced.shmrpc.pb.h" \
  "$work/namespaced/codegen/testdata/namespaced.shmrpc.pb.h" >&2 || fail "namespaced.shmrpc.pb.h differs"

# --- errors stand at their place, all of them, and nothing is written ---------
cd "$work" || exit 1
mkdir -p dir
cat > dir/bad.proto <<'EOF'
syntax = "proto3";
package bad;
message M {
  optional int32 number = 1;
}
service S {
  // A stream.
  rpc Service(stream M) returns (stream M);

  rpc Stub(M) returns (M);
}
EOF
run bad -I. dir/bad.proto
expect_error '--shmrpc_out: 2 errors:
dir/bad.proto:8:3: method "Service": the generated class has a member of this name; rename the method
dir/bad.proto:10:3: method "Stub": the generated class has a member of this name; rename the method'
[ -z "$(find bad -type f)" ] || fail "files were written in spite of errors"

cat > good.proto <<'EOF'
syntax = "proto3";
message M {}
EOF
run unknown -I. --shmrpc_opt=colour=red good.proto
expect_error '--shmrpc_out: unknown option "colour"; known options: services_namespace'

[ "$failures" = 0 ] || exit 1
echo "PASSED"
