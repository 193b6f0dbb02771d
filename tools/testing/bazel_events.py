"""What became of each target, from the file of --build_event_json_file.

The console text of Bazel is for people and changes between versions; the build
event protocol is for programs. One Results holds one invocation of `bazel test`.
"""

import json

PASSED = "passed"
FAILED = "failed"
SKIPPED = "skipped"


class Outcome:
    """One target: PASSED, FAILED or SKIPPED, with what there is to say about it."""

    def __init__(self, label, state, note="", seconds=None):
        self.label = label
        self.state = state
        self.note = note
        self.seconds = seconds


def _test_outcome(label, summary):
    status = summary.get("overallStatus", "NO_STATUS")
    seconds = int(summary.get("totalRunDurationMillis", 0)) / 1000
    if status == "PASSED":
        note = "cached" if summary.get("totalNumCached") else ""
        return Outcome(label, PASSED, note, seconds)
    if status == "FLAKY":
        return Outcome(label, PASSED, "only when run again", seconds)
    return Outcome(label, FAILED, status.lower().replace("_", " "), seconds)


def full_label(pattern):
    """A target pattern that names one target, as Bazel's events name it."""
    label = pattern if pattern.startswith(("//", "@")) else "//" + pattern
    if ":" not in label:
        label += ":" + label.rsplit("/", 1)[-1]
    return label


def read(lines, exit_code, patterns=()):
    """The outcomes, by label, of the invocation whose events are `lines`.

    `patterns` are what Bazel was asked to test: a target of another platform is an
    error for Bazel if it was named by its label; for us it is skipped, too.

    A test that ran has passed or failed. A test that was built but not run (its
    tags were filtered out) or that does not fit the platform is skipped. Any target,
    test or not, that does not build has failed. Something else that went wrong
    (a pattern without targets, a crash of Bazel) is the outcome of "bazel".
    """
    named = {full_label(p) for p in patterns}
    tests = set()       # labels of tests that were to be built
    outcomes = {}
    broken = {}         # label -> why it was not built
    misfits = set()     # labels of targets for other platforms
    troubles = []       # errors that belong to no target
    finished = None

    for line in lines:
        try:
            event = json.loads(line)
        except ValueError:
            continue    # the last line of a file whose writer died
        (kind, key), *_ = event.get("id", {"": {}}).items()
        aborted = event.get("aborted")
        if kind == "targetConfigured" and event.get("configured", {}).get("testSize"):
            tests.add(key["label"])
        if kind == "testSummary" and "testSummary" in event:
            outcomes[key["label"]] = _test_outcome(key["label"], event["testSummary"])
        elif kind in ("targetConfigured", "targetCompleted") and aborted is not None:
            label, reason = key["label"], aborted.get("reason", "")
            # Bazel 4 gives no reason for a target that was named by its label.
            if reason == "SKIPPED" or (not reason and label in tests & named):
                misfits.add(label)
            else:
                broken[label] = reason.lower().replace("_", " ") or "not analysed"
        elif kind == "targetCompleted" and "completed" in event:
            if not event["completed"].get("success"):
                broken[key["label"]] = "does not build"
        elif kind == "pattern" and aborted:
            troubles.append(aborted.get("description") or aborted.get("reason", ""))
        elif kind == "buildFinished" and "finished" in event:
            finished = event["finished"]

    for label, why in broken.items():
        outcomes[label] = Outcome(label, FAILED, why)
    for label in tests & misfits:
        outcomes[label] = Outcome(label, SKIPPED, "not for this platform")
    for label in tests - set(outcomes):
        outcomes[label] = Outcome(label, SKIPPED, "left out by its tags")

    # 3: tests failed. 4: nothing to test, which is all right where everything
    # was left out. Whatever else went wrong must not go unnoticed.
    failures = any(o.state == FAILED for o in outcomes.values())
    explained = exit_code in (0, 3, 4) or failures or (exit_code == 1 and misfits & named)
    if finished is None or troubles or not explained:
        note = "; ".join(troubles) or "exit code %d" % exit_code
        outcomes["bazel"] = Outcome("bazel", FAILED, note)
    elif exit_code == 3 and not failures:
        outcomes["bazel"] = Outcome("bazel", FAILED, "reports a failed test, names none")
    return outcomes
