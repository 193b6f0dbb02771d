"""Latency against payload size, a line per peer, as SVG written by hand."""

import math
from xml.sax.saxutils import escape

import units
from results import split

_WIDTH, _HEIGHT = 860, 520
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 190, 50, 60
# Peers of a kind share a hue; floors are dashed.
_COLORS = {
    "shmrpc": "#c22", "shmrpc_reused": "#e88",
    "grpc_tcp": "#138", "grpc_unix": "#36c", "grpc_unix_reused": "#69e", "grpc_inproc": "#9be",
    "capnp_unix": "#84a", "pipe": "#283", "unix_socket": "#6b4", "named_pipe": "#283",
    "tcp_loopback": "#6b4", "floor_protobuf": "#444", "floor_protobuf_reused": "#999",
    "memcpy": "#c90",
}
_OTHER_COLOR = "#777"


def _is_floor(peer):
    return peer.startswith("floor_") or peer == "memcpy"


def _series(results, scenario):
    """{peer: [(bytes, ns)]} of peers measured at two sizes or more."""
    series = {}
    for name in results.names():
        its_scenario, peer, argument = split(name)
        if its_scenario == scenario and argument.isdigit() and int(argument) > 0:
            series.setdefault(peer, []).append((int(argument), results.median(name)[0]))
    return {peer: sorted(points) for peer, points in series.items() if len(points) > 1}


class _Axis:
    """Logarithmic, from one power of `base` to another."""

    def __init__(self, values, base, start, end):
        self._base = base
        self.low = math.floor(math.log(min(values), base) + 1e-9)
        self.high = max(math.ceil(math.log(max(values), base) - 1e-9), self.low + 1)
        self._start, self._end = start, end

    def at(self, value):
        share = (math.log(value, self._base) - self.low) / (self.high - self.low)
        return self._start + share * (self._end - self._start)

    def ticks(self):
        return [self._base ** e for e in range(self.low, self.high + 1)]


def _text(x, y, text, extra=""):
    return '<text x="%.1f" y="%.1f" %s>%s</text>' % (x, y, extra, escape(text))


def _line(x1, y1, x2, y2, extra):
    return '<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" %s/>' % (x1, y1, x2, y2, extra)


def _grid(x_axis, y_axis):
    thin = 'stroke="#ddd" stroke-width="1"'
    for ns in y_axis.ticks():
        y = y_axis.at(ns)
        yield _line(_LEFT, y, _WIDTH - _RIGHT, y, thin)
        yield _text(_LEFT - 8, y + 4, units.time(ns), 'text-anchor="end"')
    for bytes_ in x_axis.ticks():
        x = x_axis.at(bytes_)
        yield _line(x, _TOP, x, _HEIGHT - _BOTTOM, thin)
        yield _text(x, _HEIGHT - _BOTTOM + 18, units.size(bytes_), 'text-anchor="middle"')


def _label_positions(wanted):
    """Moves labels apart that would overlap; `wanted`: [(y, peer)]."""
    placed, last = {}, -math.inf
    for y, peer in sorted(wanted):
        last = placed[peer] = max(y, last + 15)
    return placed


def svg(results, about, scenario="unary_echo"):
    """The picture, or "" if nothing was measured at two sizes."""
    series = _series(results, scenario)
    if not series:
        return ""
    points = [p for of_peer in series.values() for p in of_peer]
    x_axis = _Axis([b for b, _ in points], 4, _LEFT, _WIDTH - _RIGHT)
    y_axis = _Axis([ns for _, ns in points], 10, _HEIGHT - _BOTTOM, _TOP)
    busy = any(split(n)[0] == scenario and results.median(n)[1] == 0 for n in results.names())
    out = [
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" '
        'font-family="sans-serif" font-size="12">' % (_WIDTH, _HEIGHT),
        '<rect width="100%" height="100%" fill="white"/>',
        _text(_LEFT, 20, "%s: time of one call by payload size" % scenario, 'font-size="15"'),
        _text(_LEFT, 37, "%s, cores: %s; %s; commit %s%s" % (
            about["cpu"], about["cores"], about["os"], about["commit"],
            "; BUSY MACHINE" if busy else ""), 'fill="#777" font-size="11"'),
    ]
    out += _grid(x_axis, y_axis)
    labels = _label_positions(
        [(y_axis.at(of_peer[-1][1]), peer) for peer, of_peer in series.items()])
    for peer, of_peer in series.items():
        color = _COLORS.get(peer, _OTHER_COLOR)
        path = " ".join("%.1f,%.1f" % (x_axis.at(b), y_axis.at(ns)) for b, ns in of_peer)
        out.append('<polyline points="%s" fill="none" stroke="%s" stroke-width="%s"%s/>' % (
            path, color, "3" if peer == "shmrpc" else "1.6",
            ' stroke-dasharray="5 3"' if _is_floor(peer) else ""))
        end, label = of_peer[-1], labels[peer]
        x = x_axis.at(end[0])
        out.append(_line(x + 2, y_axis.at(end[1]), _WIDTH - _RIGHT + 14, label,
                         'stroke="%s" stroke-width="0.5"' % color))
        out.append(_text(_WIDTH - _RIGHT + 18, label + 4, peer, 'fill="%s"%s' % (
            color, ' font-weight="bold"' if peer == "shmrpc" else "")))
    out.append(_text((_LEFT + _WIDTH - _RIGHT) / 2, _HEIGHT - 15, "payload, there and back",
                     'text-anchor="middle"'))
    return "\n".join(out + ["</svg>"]) + "\n"
