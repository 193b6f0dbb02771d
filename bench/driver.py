#!/usr/bin/env python3
"""Runs every peer of the benchmark in turn and prints them side by side.

    bench/driver.py [options] BINARY...      (tools/bench builds them and calls this)

Each BINARY is a Google Benchmark program whose benchmarks are named
scenario/peer/argument. A round measures every benchmark once, peers of the same
scenario and argument right after each other, in an order that changes from
round to round; each measurement is a run of the binary of its own, repeated if other
processes used the machine meanwhile. Reported is the median over rounds: of times,
and of ratios taken within a round.
"""

import argparse
import datetime
import json
import os
import re
import subprocess
import sys

import document
import machine
import plot
import table
from disturbance import Disturbance
from results import MAX_FOREIGN_CORES, Results, is_disturbed, is_steady, plain_name, split

_ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_RUN_TIMEOUT_S = 180  # a hung peer; the slowest run takes half a minute

# What --quick measures: about what the goals are about.
_QUICK = "^(%s)$" % "|".join([
    r"unary_echo/[^/]+/(64|1048576)",
    r"unary_echo/(shmrpc|grpc_unix|floor_protobuf)(_reused)?/16777216",
    r"stream_ping_pong/[^/]+/64",
    r"stream_one_way/[^/]+/(64|1048576)",
    r"stream_one_way_hint/(shmrpc|grpc_unix)/64",
    r"asleep_echo/.*",
    r"many_(threads|clients)/[^/]+/64",
    r"connect/.*",
    r"idle_clients/shmrpc/(0|16)",
    r"(idle_wakeups|idle_memory|allocations)/shmrpc",
])
_IDLE = "^(idle_|allocations/)"
# Wine says little about crowds and memory.
_WINDOWS = r"^(unary_echo/[^/]+/(0|64|4096|65536|1048576)|stream_|asleep_echo/|connect/)"

# Seconds that a window takes: (pattern, full, quick). The first that matches counts.
_WINDOWS_S = [
    (r"^many_clients/(shmrpc|grpc_unix)/64$", 10, 2),
    (r"^idle_wakeups/", 10, 10),
    (r"^asleep_echo/", 2, 0.5),
    (r"", 1, 0.3),
]


def window_s(name, quick):
    for pattern, full, short in _WINDOWS_S:
        if re.search(pattern, name):
            return short if quick else full
    return 1


class Benchmark:
    def __init__(self, command, full_name):
        self.command = command      # a list
        self.full_name = full_name  # with Google Benchmark's suffixes
        self.name = plain_name(full_name)

    def run(self, min_time_s, window, max_tries):
        """(entry, context) of Google Benchmark's JSON, of the least disturbed try."""
        tries = []
        for _ in range(max_tries):
            disturbance = Disturbance()
            entry, context = self._run_once(min_time_s, window)
            entry["foreign_cores"] = round(disturbance.cores(), 3)
            tries.append(entry)
            if not is_disturbed(entry):
                break
        return min(tries, key=lambda e: e["foreign_cores"]), context

    def _run_once(self, min_time_s, window):
        output = subprocess.run(
            self.command + [
                "--benchmark_filter=^%s$" % re.escape(self.full_name),
                "--benchmark_min_time=%g" % min_time_s, "--window_s=%g" % window,
                "--benchmark_format=json"],
            check=True, stdout=subprocess.PIPE, timeout=_RUN_TIMEOUT_S, text=True).stdout
        report = json.loads(output)
        return report["benchmarks"][0], report["context"]


def discover(commands, pattern):
    """Benchmarks grouped so that those to be compared stand together."""
    groups = {}
    for command in commands:
        listing = subprocess.run(command + ["--benchmark_list_tests"], check=True,
                                 stdout=subprocess.PIPE, text=True).stdout
        for full_name in listing.split():
            benchmark = Benchmark(command, full_name)
            if re.search(pattern, benchmark.name):
                scenario, _, argument = split(benchmark.name)
                # The busy client's latency is compared across arguments.
                key = (scenario, "" if scenario == "idle_clients" else argument)
                groups.setdefault(key, []).append(benchmark)
    return list(groups.values())


def _progress(text):
    if sys.stderr.isatty():
        print("\r\033[K" + text, end="", file=sys.stderr, flush=True)


def measure(groups, repetitions, min_time_s, max_tries, quick):
    # Names in listing order first: rounds visit them in other orders.
    by_name = {b.name: [] for group in groups for b in group}
    context = {}
    for index in range(repetitions):
        for group in groups:
            first = index % len(group)
            for benchmark in group[first:] + group[:first]:
                if index > 0 and is_steady(benchmark.name):
                    continue
                _progress("round %d/%d %s" % (index + 1, repetitions, benchmark.name))
                entry, run_context = benchmark.run(
                    min_time_s, window_s(benchmark.name, quick), max_tries)
                context = context or run_context
                by_name[benchmark.name].append(entry)
    _progress("")
    results = Results()
    for name, entries in by_name.items():
        for entry in entries:
            results.add(name, entry)
    return results, context


def _some(names):
    return ", ".join(names[:8]) + (", and %d more" % (len(names) - 8) if len(names) > 8 else "")


def warnings(results):
    disturbed = results.disturbed()
    if disturbed:
        yield ("other processes kept more than %g cores busy in at least one round of: %s" %
               (MAX_FOREIGN_CORES, _some(disturbed)))
    noisy = results.noisy()
    if noisy:
        yield "rounds differ by more than 2x: " + _some(noisy)


def report(results, about, command, repetitions, indicative):
    """The whole result as text."""
    yield "$ " + command
    for key, value in about.items():
        yield "%s: %s" % (key.replace("_", " "), value)
    yield "median of %d rounds; N x: so many times as long as shmrpc takes" % repetitions
    if indicative:
        yield "INDICATIVE ONLY: Wine's pipes, sockets and events are not those of Windows"
    yield ""
    yield from table.lines(results)
    if not indicative:
        yield from table.goal_lines(results)
    for warning in warnings(results):
        yield "warning: " + warning


def parse():
    parser = argparse.ArgumentParser(prog="tools/bench", description=__doc__.splitlines()[0])
    parser.add_argument("binaries", nargs="+")
    parser.add_argument("--json", metavar="FILE", help="also write Google Benchmark's JSON")
    parser.add_argument("--svg", metavar="FILE", help="also draw latency against payload size")
    parser.add_argument("--docs", action="store_true",
                        help="also put the result and the picture into docs/performance.md")
    parser.add_argument("--filter", metavar="REGEX", help="which names; default: all")
    parser.add_argument("--idle", action="store_true", help="only what rest and calls cost "
                        "besides time")
    parser.add_argument("--quick", action="store_true", help="fewer sizes, three short rounds")
    parser.add_argument("--repetitions", metavar="N", type=int, help="rounds; default 5")
    parser.add_argument("--runner", metavar="PROGRAM", help=argparse.SUPPRESS)
    return parser.parse_args()


def pattern_of(options):
    if options.filter is not None:
        return options.filter
    if options.runner:
        return _WINDOWS
    if options.idle:
        return _IDLE
    return _QUICK if options.quick else ""


def main():
    options = parse()
    repetitions = options.repetitions or (3 if options.quick else 5)
    min_time_s = 0.1 if options.quick else 0.25
    max_tries = 2 if options.quick else 4
    pattern = pattern_of(options)
    runner = [options.runner] if options.runner else []

    about = machine.describe(_ROOT)
    try:
        groups = discover([runner + [binary] for binary in options.binaries], pattern)
        if not groups:
            sys.exit("bench: no benchmark's name matches '%s'" % pattern)
        results, context = measure(groups, repetitions, min_time_s, max_tries, options.quick)
    except subprocess.SubprocessError as error:
        sys.exit("\nbench: %s" % error)

    command = " ".join(["tools/bench"] + (["--windows"] if runner else []) +
                       (["--quick"] if options.quick else []) +
                       (["--idle"] if options.idle else []) +
                       (["--filter '%s'" % options.filter] if options.filter else []) +
                       ["--repetitions %d" % repetitions])
    text = "\n".join(report(results, about, command, repetitions, bool(runner))) + "\n"
    print(text, end="")
    picture = plot.svg(results, about)
    if options.svg:
        document.write(options.svg, picture)
    if options.docs:
        document.update(_ROOT, text, picture)
    if options.json:
        now = datetime.datetime.now().astimezone().isoformat(timespec="seconds")
        context.update(about, date=now, executable=command)
        document.write(options.json, json.dumps(results.to_json(context), indent=2) + "\n")


if __name__ == "__main__":
    main()
