"""Figures as text: three digits and a unit."""


def _scaled(value, steps):
    for unit, scale in steps:
        if value < 999.5 * scale:
            return "%.3g %s" % (value / scale, unit)
    unit, scale = steps[-1]
    return "%.0f %s" % (value / scale, unit)


def time(ns):
    return _scaled(ns, [("ns", 1), ("us", 1e3), ("ms", 1e6), ("s", 1e9)])


def rate(per_second):
    return _scaled(per_second, [("/s", 1), ("k/s", 1e3), ("M/s", 1e6)])


def throughput(bytes_per_second):
    return _scaled(bytes_per_second, [("B/s", 1), ("kB/s", 1e3), ("MB/s", 1e6), ("GB/s", 1e9)])


def ratio(value):
    return ("%.3g x" if value < 99.5 else "%.0f x") % value


def size(n):
    """Of a payload: 64 B, 4 KiB."""
    for unit, scale in (("MiB", 1 << 20), ("KiB", 1 << 10)):
        if n >= scale and n % scale == 0:
            return "%d %s" % (n // scale, unit)
    return "%d B" % n
