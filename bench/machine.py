"""What the figures were measured on."""

import os
import platform
import subprocess


def _field(path, key, separator):
    try:
        with open(path) as lines:
            for line in lines:
                name, _, value = line.partition(separator)
                if name.strip() == key:
                    return value.strip().strip('"')
    except OSError:
        pass
    return ""


def _commit(root):
    git = ["git", "-C", root]
    try:
        commit = subprocess.check_output(git + ["rev-parse", "--short", "HEAD"], text=True).strip()
        dirty = subprocess.check_output(git + ["status", "--porcelain"], text=True).strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return commit + (" with changes" if dirty else "")


def describe(root):
    """A dict of strings, in the order they should be printed."""
    virtual = " hypervisor" in _field("/proc/cpuinfo", "flags", ":")
    return {
        "cpu": _field("/proc/cpuinfo", "model name", ":") or platform.processor(),
        "cores": "%d%s" % (len(os.sched_getaffinity(0)), " (virtual machine)" if virtual else ""),
        "memory": _field("/proc/meminfo", "MemTotal", ":"),
        "os": "%s, %s %s" % (_field("/etc/os-release", "PRETTY_NAME", "="),
                             platform.system(), platform.release()),
        "commit": _commit(root),
        "load_average_at_start": "%.2f" % os.getloadavg()[0],
    }
