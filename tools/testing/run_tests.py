"""The body of tools/test, which says what it does and takes."""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time

import bazel_events
import leftovers
from bazel_events import FAILED, PASSED, SKIPPED, Outcome

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
# By --config: the tags of the tests that it leaves out.
SANITIZERS = {
    "asan": ["no_asan"],
    "tsan": ["no_tsan"],
    "ubsan": ["no_ubsan"],
    "asan-ubsan": ["no_asan", "no_ubsan"],
}
# Tests of a build of their own, --config=store-points: a hook after every store to
# shared memory. Only transport is compiled anew for it.
POINTS = "store_points"
POINTS_PATTERNS = ["//tests/death/..."]
POINTS_WITHIN = {"//...", "//tests/...", "//tests/death/...", "//tests/death:all",
                 "//tests/death:publication_order_test", "//tests/death:store_point_kill_test"}
SANITIZED = ["//transport/...", "//tests/...", "//examples/..."]


def parse(argv):
    parser = argparse.ArgumentParser(prog="tools/test", add_help=False, allow_abbrev=False)
    parser.add_argument("--linux", action="store_true")
    parser.add_argument("--windows", action="store_true")
    parser.add_argument("--config", choices=sorted(SANITIZERS))
    parser.add_argument("--long", action="store_true")
    parser.add_argument("--ci", action="store_true", default=os.environ.get("CI") == "true")
    parser.add_argument("patterns", nargs="*")
    own, bazel = argv, []
    if "--" in argv:
        own, bazel = argv[:argv.index("--")], argv[argv.index("--") + 1:]
    options = parser.parse_intermixed_args(own)
    if bool(options.config) + options.linux + options.windows > 1:
        parser.error("only one of --linux, --windows and --config")
    options.bazel = bazel
    return options


def broken_packages(patterns):
    """{} or the one outcome that says that BUILD files cannot be read.

    Bazel leaves out the targets of such files and says so in words only, but a
    query has an exit code of its own for it.
    """
    expression = " + ".join('"%s"' % p for p in patterns if not p.startswith("-"))
    query = subprocess.run(
        ["bazel", "query", "--keep_going", "--noshow_progress", "--output=package", expression],
        cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        universal_newlines=True)
    if query.returncode == 0:
        return {}
    errors = [line[len("ERROR: "):] for line in query.stderr.splitlines()
              if line.startswith("ERROR: ")]
    label = "BUILD files"
    return {label: Outcome(label, FAILED, "; ".join(errors) or "bazel query failed")}


class Run:
    """One run of tools/test: its phases, and the outcomes of each."""

    def __init__(self, options):
        self.options = options
        self.phases = []            # [(name, {label: Outcome})]
        self.interrupted = False

    def command(self, argv, **kwargs):
        """Runs argv to its end; passes SIGINT and SIGTERM on. Returns its exit code.

        Says every minute that it still runs: CI takes silence for a hang.
        """
        child = subprocess.Popen(argv, cwd=ROOT, stdin=subprocess.DEVNULL, **kwargs)

        def forward(signum, frame):
            self.interrupted = True
            child.send_signal(signal.SIGINT)   # Bazel stops its tests on SIGINT

        old = [signal.signal(s, forward) for s in (signal.SIGINT, signal.SIGTERM)]
        start = time.monotonic()
        try:
            while True:
                try:
                    return child.wait(timeout=60)
                except subprocess.TimeoutExpired:
                    print("---- still running after %d minutes" %
                          round((time.monotonic() - start) / 60), flush=True)
        finally:
            signal.signal(signal.SIGINT, old[0])
            signal.signal(signal.SIGTERM, old[1])

    def bazel(self, config, points=False):
        """Builds and tests under --config=`config`; with `points` the tests that need
        --config=store-points as well, else all but those."""
        name = config + "-points" if points else config
        patterns = self.options.patterns or (SANITIZED if config in SANITIZERS else ["//..."])
        if points:
            patterns = POINTS_PATTERNS
        # A test is often two processes or more, and they spin.
        jobs = max(2, (os.cpu_count() or 2) // 2)
        tags = [] if self.options.long else ["-long"]
        tags += ["-" + tag for tag in SANITIZERS.get(config, [])]
        tags.append(POINTS if points else "-" + POINTS)
        argv = ["bazel", "test", "--config=" + config, "--keep_going",
                "--local_test_jobs=%d" % jobs, "--test_summary=none"]
        if points:
            argv.append("--config=store-points")
        argv.append("--test_tag_filters=" + ",".join(tags))
        if points or config in SANITIZERS:
            argv.append("--build_tests_only")
        if config in SANITIZERS:
            # Of tests/death, which takes several times as long there.
            argv.append("--test_env=SHMRPC_TEST_ROUNDS=200")
        if self.options.ci:
            argv.append("--nocache_test_results")
        if not sys.stdout.isatty():
            argv += ["--curses=no", "--color=no", "--show_progress_rate_limit=20"]
        argv += self.options.bazel
        heading("%s: %s" % (name, " ".join(argv + ["--"] + patterns)))
        with tempfile.TemporaryDirectory(prefix="shmrpc-test.") as tmp:
            events = os.path.join(tmp, "events.json")
            code = self.command(argv + ["--build_event_json_file=" + events, "--"] + patterns,
                                stderr=subprocess.STDOUT)
            lines = []
            if os.path.exists(events):
                with open(events, encoding="utf-8", errors="replace") as f:
                    lines = f.readlines()
        outcomes = bazel_events.read(lines, code, patterns)
        if code == 1:
            outcomes.update(broken_packages(patterns))
        self.add(name, outcomes)

    def check(self, name, label, argv):
        """Runs a command that is one check: it passes if it exits with 0."""
        if self.interrupted:
            return
        heading("%s: %s" % (name, " ".join(argv)))
        start = time.monotonic()
        code = self.command(argv)
        state, note = (FAILED, "exit code %d" % code) if code else (PASSED, "")
        self.add(name, {label: Outcome(label, state, note, time.monotonic() - start)})

    def add(self, name, outcomes):
        for known, before in self.phases:
            if known == name:
                before.update(outcomes)
                return
        self.phases.append((name, outcomes))

    def platform(self, config):
        if self.interrupted:
            return
        self.bazel(config)
        asked = not self.options.patterns or POINTS_WITHIN & set(self.options.patterns)
        if config in ("linux", "windows") and asked and not self.interrupted:
            self.bazel(config, points=True)
        consumer = os.path.join("tests", "consumer", "run.sh")
        # Of a whole run only; for Windows, where it rebuilds everything for another
        # workspace, of a long one.
        if (not self.options.patterns and os.path.exists(os.path.join(ROOT, consumer)) and
                (config == "linux" or (config == "windows" and self.options.long))):
            self.check(config, consumer,
                       [consumer] + (["--windows"] if config == "windows" else []))

    def all(self):
        options = self.options
        before = leftovers.objects()
        base = subprocess.run(["bazel", "info", "output_base"], cwd=ROOT, check=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, universal_newlines=True).stdout.strip()
        if options.config:
            self.platform(options.config)
        else:
            if not options.patterns:
                self.check("tools", "tools/testing", [
                    sys.executable, "-B", "-m", "unittest", "discover", "-q",
                    "-s", "tools/testing", "-p", "*_test.py"])
            if not options.windows:
                self.platform("linux")
            if options.ci and not (options.linux or options.windows):
                self.platform("asan-ubsan")
            if not options.linux:
                self.platform("windows")
        self.leftovers(before, base)

    def leftovers(self, before, base):
        """Checks that nothing is left of the tests."""
        processes = leftovers.processes(base)
        for _ in range(50):     # those that were just killed take a moment to go
            if not processes:
                break
            time.sleep(0.1)
            processes = leftovers.processes(base)
        objects = leftovers.objects()
        for _ in range(100):    # another run's, which it may be about to remove
            if not (objects - before):
                break
            time.sleep(0.1)
            objects = leftovers.objects()
        used = leftovers.in_use(objects)
        found = ["process %d: %s" % p for p in processes]
        found += [os.path.join(leftovers.SHM, n) for n in sorted(objects - before - used)]
        for what, names in (("older than this run", objects & before),
                            ("held by a process that no test left", used - before)):
            if names:
                print("\nshared-memory objects %s, not counted: %s" %
                      (what, " ".join(sorted(names))))
        label = "nothing left behind"
        self.add("after", {label: Outcome(
            label, FAILED if found else PASSED, "; ".join(found))})

    def summary(self):
        """Prints every outcome and the totals. Returns the exit code."""
        heading("summary")
        total = {PASSED: 0, FAILED: 0, SKIPPED: 0}
        failed = []
        for name, outcomes in self.phases:
            count = {PASSED: 0, FAILED: 0, SKIPPED: 0}
            for label in sorted(outcomes):
                o = outcomes[label]
                count[o.state] += 1
                total[o.state] += 1
                if o.state == FAILED:
                    failed.append((name, o))
                seconds = "" if o.seconds is None else "%.1f s" % o.seconds
                print("%-14s %-7s %8s  %s%s" % (name, o.state, seconds, label,
                                               "  (%s)" % o.note if o.note else ""))
            print("%-14s %s\n" % (name, counts(count)))
        for name, o in failed:
            print("FAILED     %s: %s (%s)" % (name, o.label, o.note))
        if self.interrupted:
            print("interrupted: not everything was run")
        print(counts(total), flush=True)
        if self.interrupted:
            return 130
        return 1 if total[FAILED] else 0


def counts(count):
    text = "%d passed, %d failed" % (count[PASSED], count[FAILED])
    return text + (", %d skipped" % count[SKIPPED] if count[SKIPPED] else "")


def heading(text):
    print("\n==== %s ==== %s" % (time.strftime("%H:%M:%S"), text), flush=True)


def main():
    run = Run(parse(sys.argv[1:]))
    run.all()
    return run.summary()


if __name__ == "__main__":
    sys.exit(main())
