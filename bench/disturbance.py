"""How much CPU time others took while something was measured."""

import os
import resource
import time

_TICK_S = 1 / os.sysconf("SC_CLK_TCK")


def _machine_busy_s():
    """User, nice, system and stolen time of all cores (proc(5), /proc/stat).

    Not interrupt time: that of a peer's own socket traffic is in it.
    """
    with open("/proc/stat") as stat:
        user, nice, system, _, _, _, _, steal = map(int, stat.readline().split()[1:9])
    return (user + nice + system + steal) * _TICK_S


def _own_busy_s():
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(u.ru_utime + u.ru_stime for u in used)


class Disturbance:
    """From its making on: cores() is the average number of cores others kept busy.

    Processes of ours count as ours once they have ended. Exact to a few clock
    ticks (of 10 ms, usually).
    """

    def __init__(self):
        self._start = (time.monotonic(), _machine_busy_s(), _own_busy_s())

    def cores(self):
        elapsed, busy, own = (now - then for now, then in zip(
            (time.monotonic(), _machine_busy_s(), _own_busy_s()), self._start))
        return max(0.0, (busy - own) / elapsed)
