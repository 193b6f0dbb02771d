"""The result as text: a table per scenario, a row per peer; then the goals.

Beside each figure: how many times as long as shmrpc the peer took for the same. A
figure followed by "?" was measured on a busy machine only.
"""

import goals
import units
from results import STEADY, join, split

# How a scenario's figure reads best; others are times.
_RATES = {"stream_one_way", "stream_one_way_hint", "many_threads", "many_clients"}
# From this size on, messages per second say less than bytes per second.
_THROUGHPUT_FROM = 65536
# Whose arguments are no sizes.
_UNITS = {"many_threads": "threads", "many_clients": "clients", "idle_clients": "idle"}
# Counters that a line below the table shows.
_COUNTERS = {
    "asleep_echo": [("p50_ns", units.time), ("p99_ns", units.time)],
    "many_threads": [("slowest_share", "{:.2f}".format)],
    "many_clients": [("slowest_share", "{:.2f}".format)],
    "idle_wakeups": [("server_wakeups", "{:.0f}".format), ("client_wakeups", "{:.0f}".format)],
    "idle_memory": [(c, lambda v: "%.1f KiB" % (v / 1024)) for c in (
        "bytes_per_connection", "server_bytes", "client_bytes", "shared_bytes")],
    "allocations": [(c, "{:.3f}".format) for c in (
        "client", "server", "server_messages")],
}
_OURS = "shmrpc"


def _figure(results, scenario, name, argument):
    field, show = "real_time", units.time
    if scenario in _RATES:
        field, show = "per_second", units.rate
        if scenario.startswith("stream") and int(argument) >= _THROUGHPUT_FROM:
            field, show = "bytes_per_second", units.throughput
    value, sound = results.median(name, field)
    if value is None:
        return "-"
    return show(value) + ("" if sound else " ?")


def _factor(results, name, ours):
    if name == ours:
        return ""
    value, sound = results.ratio(name, ours)
    if value is None:
        return ""
    return units.ratio(value) + ("" if sound else " ?")


def _head(scenario, argument):
    if scenario in _UNITS:
        return "%s %s" % (argument, _UNITS[scenario])
    return units.size(int(argument)) if argument else "64 B"


def _aligned(rows, left=1):
    widths = [max(map(len, column)) for column in zip(*rows)]
    for row in rows:
        yield "  ".join(cell.ljust(width) if i < left else cell.rjust(width)
                        for i, (cell, width) in enumerate(zip(row, widths))).rstrip()


def _unique(items):
    return list(dict.fromkeys(items))


def _scenario_rows(results, scenario, peers, arguments):
    yield [scenario] + [cell for a in arguments for cell in (_head(scenario, a), "")]
    for peer in peers:
        row = [peer]
        for argument in arguments:
            name = join(scenario, peer, argument)
            row += [_figure(results, scenario, name, argument),
                    _factor(results, name, join(scenario, _OURS, argument))]
        yield row


def _counter_lines(results, scenario, names):
    for name in names:
        cells = []
        for counter, show in _COUNTERS.get(scenario, []):
            value, sound = results.median(name, counter)
            if value is not None:
                cells.append("%s %s%s" % (counter, show(value), "" if sound else " ?"))
        if cells:
            yield "  %s: %s" % (name, ", ".join(cells))


def lines(results):
    split_names = [split(n) for n in results.names()]
    for scenario in _unique(s for s, _, _ in split_names):
        peers = _unique(p for s, p, _ in split_names if s == scenario)
        arguments = _unique(a for s, _, a in split_names if s == scenario)
        if scenario in STEADY:
            yield scenario
        else:
            yield from _aligned(list(_scenario_rows(results, scenario, peers, arguments)))
        yield from _counter_lines(
            results, scenario, [n for n in results.names() if split(n)[0] == scenario])
        yield ""


def goal_lines(results):
    rows = [list(v) for v in goals.verdicts(results)]
    if rows:
        yield from _aligned([["goals", "", "measured", "goal"]] + rows, left=2)
