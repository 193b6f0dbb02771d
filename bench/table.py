"""The result as text: one table per scenario, a row per arguments, and the goals.

A figure followed by "?" was measured on a busy machine only.
"""

from results import split

# Columns after the times: one peer's time divided by another's.
RATIOS = [
    ("shmrpc", "floor_protobuf"),
    ("shmrpc_reused", "floor_protobuf_reused"),
    ("grpc_unix", "shmrpc"),
]

# What the project promises, checked where a run measured both: (name, base, relation, bound).
GOALS = [
    ("unary_echo/shmrpc/64", "unary_echo/floor_protobuf/64", "at most", 3),
    ("unary_echo/grpc_unix/64", "unary_echo/shmrpc/64", "at least", 50),
]


def _time(ns, sound):
    if ns is None:
        return "-"
    for unit, scale in (("ns", 1), ("us", 1e3), ("ms", 1e6)):
        if ns < 999.5 * scale or unit == "ms":
            return "%.3g %s" % (ns / scale, unit) + ("" if sound else " ?")


def _ratio(value, sound):
    if value is None:
        return "-"
    return ("%.3g x" if value < 100 else "%.0f x") % value + ("" if sound else " ?")


def _bytes(arguments):
    try:
        n = int(arguments)
    except ValueError:
        return arguments
    for unit, scale in (("MiB", 1 << 20), ("KiB", 1 << 10)):
        if n >= scale and n % scale == 0:
            return "%d %s" % (n // scale, unit)
    return "%d B" % n


def _aligned(rows):
    widths = [max(map(len, column)) for column in zip(*rows)]
    for row in rows:
        yield "  ".join(cell.rjust(width) for cell, width in zip(row, widths)).rstrip()


def _unique(items):
    return list(dict.fromkeys(items))


def lines(results):
    names = [split(n) for n in results.names()]
    for scenario in _unique(s for s, _, _ in names):
        peers = _unique(p for s, p, _ in names if s == scenario)
        ratios = [r for r in RATIOS if r[0] in peers and r[1] in peers]
        rows = [[scenario] + peers + ["%s / %s" % r for r in ratios]]
        for arguments in _unique(a for s, _, a in names if s == scenario):
            def name(peer):
                return "/".join(filter(None, (scenario, peer, arguments)))
            rows.append([_bytes(arguments)] +
                        [_time(*results.median_ns(name(p))) for p in peers] +
                        [_ratio(*results.ratio(name(a), name(b))) for a, b in ratios])
        yield from _aligned(rows)
        yield ""
    for name, base, relation, bound in GOALS:
        ratio, sound = results.ratio(name, base)
        if ratio is None:
            continue
        met = ratio <= bound if relation == "at most" else ratio >= bound
        verdict = "undecided (the machine was busy)" if not sound else "met" if met else "MISSED"
        yield "%s: %s / %s = %s (goal: %s %d; %d undisturbed rounds)" % (
            verdict, name, base, _ratio(ratio, sound), relation, bound, sound)
