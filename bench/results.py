"""What was measured, by benchmark name; Google Benchmark's JSON format for it."""

import re
import statistics

# What Google Benchmark appends to a name by itself.
_SUFFIX = re.compile(
    r"/(real_time|process_time|manual_time|(min_time|min_warmup_time|iterations|repeats|threads):[^/]*)")


def plain_name(name):
    """unary_echo/shmrpc/64/real_time -> unary_echo/shmrpc/64"""
    return _SUFFIX.sub("", name)


def split(name):
    """unary_echo/shmrpc/64 -> (unary_echo, shmrpc, 64); the last may be empty."""
    scenario, peer, *arguments = name.split("/", 2)
    return scenario, peer, arguments[0] if arguments else ""


def join(scenario, peer, argument):
    return "/".join(filter(None, (scenario, peer, argument)))


# More cores than this used by others, and a measurement counts as disturbed: two
# processes that spin on two cores show any third one.
MAX_FOREIGN_CORES = 0.15

# What is no time and does not depend on how busy the machine is: measured in one
# round, and never repeated.
STEADY = {"idle_wakeups", "idle_memory", "allocations"}


def is_steady(name):
    return split(name)[0] in STEADY


def is_disturbed(entry):
    return entry["foreign_cores"] > MAX_FOREIGN_CORES and not is_steady(plain_name(entry["name"]))


def _preferably_sound(entries):
    return [e for e in entries if not is_disturbed(e)] or entries


def _median(values):
    values = list(values)
    return statistics.median(values) if values else None


class Results:
    """One Google Benchmark entry per name and round."""

    def __init__(self):
        self._entries = {}  # name -> [entry of round 0, entry of round 1, ...]

    def add(self, name, entry):
        self._entries.setdefault(name, []).append(entry)

    def names(self):
        return list(self._entries)

    def times_ns(self, name):
        return [e["real_time"] for e in self._entries.get(name, [])]

    def median(self, name, field="real_time"):
        """Median of a time (in ns) or a counter over undisturbed rounds, or over all if
        there are none, or None; and how many rounds were undisturbed."""
        entries = [e for e in self._entries.get(name, []) if field in e]
        sound = [e for e in entries if not is_disturbed(e)]
        return _median(e[field] for e in sound or entries), len(sound)

    def ratio(self, name, base):
        """Median over rounds of name's time / base's; how many sound rounds it rests on.

        Both were measured within the same second or two, so what slows the
        machine down for longer than that cancels out. Rounds in which either was
        disturbed do not count, unless there is no other: a disturbance slows
        a spinning peer down a thousandfold and a sleeping one hardly at all. The
        ratio is None if not both were measured.
        """
        pairs = list(zip(self._entries.get(name, []), self._entries.get(base, [])))
        sound = [p for p in pairs if not any(map(is_disturbed, p))]
        return _median(a["real_time"] / b["real_time"] for a, b in sound or pairs), len(sound)

    def noisy(self):
        """Names whose slowest round took more than twice as long as the fastest."""
        return [n for n in self._entries if max(self.times_ns(n)) > 2 * min(self.times_ns(n))]

    def disturbed(self):
        """Names of which a round was measured beside other busy processes."""
        return [n for n, entries in self._entries.items() if any(map(is_disturbed, entries))]

    def to_json(self, context):
        benchmarks = []
        for family, (name, entries) in enumerate(self._entries.items()):
            for index, entry in enumerate(entries):
                benchmarks.append(dict(
                    entry, name=name, run_name=name, family_index=family,
                    per_family_instance_index=0, run_type="iteration",
                    repetitions=len(entries), repetition_index=index))
            benchmarks += self._aggregates(name, family, _preferably_sound(entries))
        return {"context": context, "benchmarks": benchmarks}

    @staticmethod
    def _aggregates(name, family, entries):
        kinds = {"mean": statistics.mean, "median": statistics.median, "min": min, "max": max}
        if len(entries) > 1:
            kinds["stddev"] = statistics.stdev
        for kind, function in kinds.items():
            yield {
                "name": "%s_%s" % (name, kind), "run_name": name, "family_index": family,
                "per_family_instance_index": 0, "run_type": "aggregate",
                "repetitions": len(entries), "aggregate_name": kind, "aggregate_unit": "time",
                "iterations": len(entries),
                "real_time": function([e["real_time"] for e in entries]),
                "cpu_time": function([e["cpu_time"] for e in entries]), "time_unit": "ns",
            }
