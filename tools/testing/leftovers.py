"""What tests must not leave behind: shared-memory objects and processes."""

import os

SHM = "/dev/shm"
PREFIXES = ("shmrpc", "global.shmrpc")


def objects():
    """Our shared-memory objects of this machine: the set of their names."""
    try:
        return {n for n in os.listdir(SHM) if n.startswith(PREFIXES)}
    except FileNotFoundError:
        return set()


def in_use(names):
    """Those of `names` that some process still has mapped or open.

    As far as this user may see: other users' processes stay unseen.
    """
    used = set()
    for pid in filter(str.isdigit, os.listdir("/proc")):
        seen = ""
        try:
            with open("/proc/%s/maps" % pid, errors="replace") as f:
                seen = f.read()
            for fd in os.listdir("/proc/%s/fd" % pid):
                seen += os.readlink("/proc/%s/fd/%s" % (pid, fd)) + "\n"
        except OSError:
            pass        # gone, or somebody else's
        if SHM in seen:
            used |= {n for n in names if "%s/%s\n" % (SHM, n) in seen}
    return used


def processes(directory):
    """The processes started by tests run below `directory`: [(pid, command)].

    A test and all of its children have TEST_TMPDIR in their environment, below
    Bazel's output base, unless they clear it.
    """
    found = []
    marker = os.path.realpath(directory).encode() + b"/"
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/environ" % pid, "rb") as f:
                environ = f.read().split(b"\0")
            if not any(v.startswith(b"TEST_TMPDIR=") and marker in v for v in environ):
                continue
            with open("/proc/%s/cmdline" % pid, "rb") as f:
                command = f.read().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue    # gone, or somebody else's
        if command:     # a zombie has none
            found.append((int(pid), command.strip()[:120]))
    return found
