#!/usr/bin/env python3
"""Runs every peer of the benchmark in turn and prints them side by side.

    bench/driver.py [options] BINARY...      (tools/bench builds them and calls this)

Each BINARY is a Google Benchmark program whose benchmarks are named
scenario/peer/arguments. A round measures every benchmark once, peers of the same
scenario and arguments right after each other, in an order that changes from
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

import machine
import table
from disturbance import Disturbance
from results import MAX_FOREIGN_CORES, Results, is_disturbed, plain_name, split

_ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_RUN_TIMEOUT_S = 120  # a hung peer; the slowest run takes a few seconds


class Benchmark:
    def __init__(self, binary, full_name):
        self.binary = binary
        self.full_name = full_name  # with Google Benchmark's suffixes
        self.name = plain_name(full_name)

    def run(self, min_time_s, max_tries):
        """(entry, context) of Google Benchmark's JSON, of the least disturbed try."""
        tries = []
        for _ in range(max_tries):
            disturbance = Disturbance()
            entry, context = self._run_once(min_time_s)
            entry["foreign_cores"] = round(disturbance.cores(), 3)
            tries.append(entry)
            if not is_disturbed(entry):
                break
        return min(tries, key=lambda e: e["foreign_cores"]), context

    def _run_once(self, min_time_s):
        output = subprocess.run(
            [self.binary, "--benchmark_filter=^%s$" % re.escape(self.full_name),
             "--benchmark_min_time=%g" % min_time_s, "--benchmark_format=json"],
            check=True, stdout=subprocess.PIPE, timeout=_RUN_TIMEOUT_S, text=True).stdout
        report = json.loads(output)
        return report["benchmarks"][0], report["context"]


def discover(binaries, pattern):
    """Benchmarks grouped so that those to be compared stand together."""
    groups = {}
    for binary in binaries:
        listing = subprocess.run([binary, "--benchmark_list_tests"], check=True,
                                 stdout=subprocess.PIPE, text=True).stdout
        for full_name in listing.split():
            benchmark = Benchmark(binary, full_name)
            if re.search(pattern, benchmark.name):
                scenario, _, arguments = split(benchmark.name)
                groups.setdefault((scenario, arguments), []).append(benchmark)
    return list(groups.values())


def _progress(text):
    if sys.stderr.isatty():
        print("\r\033[K" + text, end="", file=sys.stderr, flush=True)


def measure(groups, repetitions, min_time_s, max_tries):
    # Names in listing order first: rounds visit them in other orders.
    by_name = {b.name: [] for group in groups for b in group}
    context = {}
    for index in range(repetitions):
        for group in groups:
            first = index % len(group)
            for benchmark in group[first:] + group[:first]:
                _progress("round %d/%d %s" % (index + 1, repetitions, benchmark.name))
                entry, run_context = benchmark.run(min_time_s, max_tries)
                context = context or run_context
                by_name[benchmark.name].append(entry)
    _progress("")
    results = Results()
    for name, entries in by_name.items():
        for entry in entries:
            results.add(name, entry)
    return results, context


def warnings(results):
    disturbed = results.disturbed()
    if disturbed:
        yield ("other processes kept more than %g cores busy in at least one round of: %s" %
               (MAX_FOREIGN_CORES, ", ".join(disturbed)))
    noisy = results.noisy()
    if noisy:
        yield "rounds differ by more than 2x: " + ", ".join(noisy)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("binaries", nargs="+")
    parser.add_argument("--json", metavar="FILE", help="also write Google Benchmark's JSON")
    parser.add_argument("--filter", metavar="REGEX", default="", help="which names; default: all")
    parser.add_argument("--quick", action="store_true", help="64 bytes and three short rounds")
    parser.add_argument("--repetitions", metavar="N", type=int, help="rounds; default 5")
    options = parser.parse_args()
    repetitions = options.repetitions or (3 if options.quick else 5)
    min_time_s = 0.1 if options.quick else 0.25
    max_tries = 2 if options.quick else 4
    pattern = options.filter or (r"^unary_echo/[^/]*/64$" if options.quick else "")

    about = machine.describe(_ROOT)
    groups = discover(options.binaries, pattern)
    if not groups:
        sys.exit("bench: no benchmark's name matches '%s'" % pattern)
    try:
        results, context = measure(groups, repetitions, min_time_s, max_tries)
    except subprocess.SubprocessError as error:
        sys.exit("\nbench: %s" % error)

    for key, value in about.items():
        print("%s: %s" % (key.replace("_", " "), value))
    print("median of %d rounds; ratios: median of the rounds' ratios\n" % repetitions)
    print("\n".join(table.lines(results)))
    for warning in warnings(results):
        print("warning: " + warning)
    if options.json:
        now = datetime.datetime.now().astimezone().isoformat(timespec="seconds")
        context.update(about, date=now, executable="tools/bench")
        with open(options.json, "w") as out:
            json.dump(results.to_json(context), out, indent=2)
            out.write("\n")


if __name__ == "__main__":
    main()
