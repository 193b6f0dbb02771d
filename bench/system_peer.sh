# For build scripts of peers that use the system's libraries (sourced).
#
# What they make goes into a folder named after a hash of the sources and of the
# versions of what they are built with: it is built once, and again when any of
# them changes.
# shellcheck shell=bash disable=SC2034  # their variables are the sourcing script's

cxx=${CXX:-clang++-19}

# begin_build OUTDIR PACKAGES INPUTS: sets $built, the folder of the binaries, and
# if they are not there $needs_build and $tmp. The current folder is the root.
begin_build() {
  local out key
  mkdir -p "$1"
  out=$(cd "$1" && pwd)
  cd "$root" || exit 1
  packages=$2 options=
  # shellcheck disable=SC2086
  key=$( { sha256sum bench/system_peer.sh $3; "$cxx" --version; pkg-config --modversion $packages; } |
    sha256sum | cut -c1-16)
  built=$out/$key
  needs_build=
  [ ! -d "$built" ] || return 0
  needs_build=1
  tmp=$(mktemp -d "$out/build.XXXXXX")
  trap 'rm -rf "$tmp"' EXIT
  mkdir "$tmp/bin"
}

# compile SOURCE...: $objects. -O2 -DNDEBUG: what Bazel's -c opt gives the other
# peers.
compile() {
  local source object
  objects=
  for source in "$@"; do
    object=$tmp/$(basename "$source").o
    # shellcheck disable=SC2046,SC2086
    "$cxx" -std=c++17 -O2 -DNDEBUG $options -I. -I"$tmp" $(pkg-config --cflags $packages) \
      -c "$source" -o "$object" >&2
    objects="$objects $object"
  done
}

# link NAME OBJECTS
link() {
  # shellcheck disable=SC2046,SC2086
  "$cxx" $2 $(pkg-config --libs $packages) -o "$tmp/bin/$1" >&2
}

end_build() { mv "$tmp/bin" "$built"; }
