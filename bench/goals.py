"""What the project promises, checked where a run measured what it takes."""

import units
from results import join, split

AT_MOST, AT_LEAST = "at most", "at least"


def _readable(name):
    """unary_echo/shmrpc/1048576 -> unary_echo/shmrpc/1 MiB"""
    scenario, peer, argument = split(name)
    large = argument.isdigit() and int(argument) >= 1024
    return join(scenario, peer, units.size(int(argument)) if large else argument)


def _kib(value):
    return "%.3g KiB" % (value / 1024)


class Ratio:
    """One benchmark's time divided by another's, of the same round."""

    def __init__(self, name, base, relation, bound):
        self.name, self.base, self.relation, self.bound = name, base, relation, bound

    def text(self):
        return "%s / %s" % (_readable(self.name), _readable(self.base))

    def measure(self, results):
        return results.ratio(self.name, self.base)

    show = staticmethod(units.ratio)


class Counter:
    """A figure that a benchmark reports beside its time."""

    def __init__(self, name, counter, relation, bound, show="{:.3g}".format):
        self.name, self.counter, self.relation, self.bound = name, counter, relation, bound
        self.show = show

    def text(self):
        return "%s %s" % (self.name, self.counter)

    def measure(self, results):
        return results.median(self.name, self.counter)


def _goals():
    mib, mib16 = str(1 << 20), str(16 << 20)
    echo = "unary_echo/%s/%s"
    yield Ratio("unary_echo/shmrpc/64", "unary_echo/floor_protobuf/64", AT_MOST, 1.5)
    yield Ratio("unary_echo/grpc_unix/64", "unary_echo/shmrpc/64", AT_LEAST, 100)
    yield Ratio("stream_ping_pong/shmrpc/64", "stream_ping_pong/floor_protobuf_reused/64",
                AT_MOST, 1.25)
    # With fresh messages the C library's page faults are measured, too, which the
    # floor does not have: the stricter goal of the two.
    for kept in ("_reused", ""):
        for size, faster in ((mib, 10), (mib16, 4)):
            yield Ratio(echo % ("shmrpc" + kept, size), echo % ("floor_protobuf_reused", size),
                        AT_MOST, 1.2)
            yield Ratio(echo % ("grpc_unix" + kept, size), echo % ("shmrpc" + kept, size),
                        AT_LEAST, faster)
    # Times: the floor's divided by ours is our throughput divided by the floor's.
    yield Ratio("stream_one_way/floor_protobuf_reused/" + mib, "stream_one_way/shmrpc/" + mib,
                AT_LEAST, 0.8)
    yield Ratio("stream_one_way/grpc_unix/" + mib, "stream_one_way/shmrpc/" + mib, AT_LEAST, 4)
    yield Ratio("stream_one_way/grpc_unix/64", "stream_one_way/shmrpc/64", AT_LEAST, 20)
    yield Ratio("asleep_echo/shmrpc", "asleep_echo/floor_wake", AT_MOST, 1.2)
    yield Ratio("asleep_echo/grpc_unix", "asleep_echo/shmrpc", AT_LEAST, 3)
    yield Ratio("many_threads/grpc_unix/64", "many_threads/shmrpc/64", AT_LEAST, 8)
    yield Ratio("many_clients/grpc_unix/64", "many_clients/shmrpc/64", AT_LEAST, 8)
    yield Counter("many_clients/shmrpc/64", "slowest_share", AT_LEAST, 0.5)
    for idle in (1, 16, 256):
        yield Ratio("idle_clients/shmrpc/%d" % idle, "idle_clients/shmrpc/0", AT_MOST, 1.1)
    yield Counter("idle_wakeups/shmrpc", "server_wakeups", AT_MOST, 0)
    yield Counter("idle_wakeups/shmrpc", "client_wakeups", AT_MOST, 0)
    yield Ratio("connect/grpc_unix", "connect/shmrpc", AT_LEAST, 4)
    yield Counter("idle_memory/shmrpc", "bytes_per_connection", AT_MOST, 256 << 10, _kib)
    # One in a thousand calls may still grow a table.
    yield Counter("allocations/shmrpc", "client_beyond_messages", AT_MOST, 0.001)
    yield Counter("allocations/shmrpc", "server_beyond_messages", AT_MOST, 0.001)


GOALS = list(_goals())


def _verdict(goal, value):
    met = value <= goal.bound if goal.relation == AT_MOST else value >= goal.bound
    if met:
        return "met"
    if goal.bound < 0.01:
        return "MISSED"  # as good as zero: there is no share to name
    if goal.relation == AT_MOST and value > 2 * goal.bound:
        return "MISSED (%.2g times too much)" % (value / goal.bound)
    return "MISSED by %.0f %%" % (100 * abs(value / goal.bound - 1))


def verdicts(results):
    """(verdict, what, figure, goal) of each goal that could be checked, as texts."""
    for goal in GOALS:
        value, sound = goal.measure(results)
        if value is None:
            continue
        # Better no verdict than one about what else the machine did.
        verdict = _verdict(goal, value) if sound else "undecided (busy machine)"
        yield (verdict, goal.text(), goal.show(value),
               "%s %s" % (goal.relation, goal.show(goal.bound)))
