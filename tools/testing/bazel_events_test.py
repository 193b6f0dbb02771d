import json
import unittest

import bazel_events
from bazel_events import FAILED, PASSED, SKIPPED

DONE = {"id": {"buildFinished": {}}, "finished": {"exitCode": {"name": "SUCCESS"}}}


def configured(label, test=True):
    event = {"targetKind": "cc_test rule" if test else "cc_library rule"}
    if test:
        event["testSize"] = "SMALL"
    return {"id": {"targetConfigured": {"label": label}}, "configured": event}


def completed(label, success=True):
    return {"id": {"targetCompleted": {"label": label}},
            "completed": {"success": True} if success else {}}


def aborted(kind, key, reason, description=""):
    return {"id": {kind: key}, "aborted": {"reason": reason, "description": description}}


def summary(label, status):
    return {"id": {"testSummary": {"label": label}},
            "testSummary": {"overallStatus": status}}


def states(events, exit_code=0, patterns=()):
    outcomes = bazel_events.read([json.dumps(e) for e in events], exit_code, patterns)
    return {label: o.state for label, o in outcomes.items()}


class BazelEvents(unittest.TestCase):

    def test_tests_that_ran_pass_or_fail(self):
        events = [configured("//a:t"), configured("//a:u"), configured("//a:l", test=False),
                  completed("//a:t"), completed("//a:u"), completed("//a:l"),
                  summary("//a:t", "PASSED"), summary("//a:u", "TIMEOUT"), DONE]
        self.assertEqual(states(events, 3), {"//a:t": PASSED, "//a:u": FAILED})

    def test_target_that_does_not_build_fails(self):
        events = [configured("//a:t"), configured("//a:l", test=False),
                  completed("//a:t", success=False), completed("//a:l", success=False), DONE]
        self.assertEqual(states(events, 1), {"//a:t": FAILED, "//a:l": FAILED})

    def test_target_that_cannot_be_analysed_fails(self):
        events = [aborted("targetConfigured", {"label": "//a:t"}, "ANALYSIS_FAILURE"), DONE]
        self.assertEqual(states(events, 1), {"//a:t": FAILED})

    def test_test_left_out_by_tags_is_skipped(self):
        events = [configured("//a:t"), completed("//a:t"), DONE]
        self.assertEqual(states(events, 4), {"//a:t": SKIPPED})

    def test_incompatible_test_is_skipped_and_library_ignored(self):
        events = [configured("//a:t"), configured("//a:l", test=False),
                  aborted("targetCompleted", {"label": "//a:t"}, "SKIPPED"),
                  aborted("targetCompleted", {"label": "//a:l"}, "SKIPPED"), DONE]
        self.assertEqual(states(events), {"//a:t": SKIPPED})

    def test_incompatible_test_named_by_its_label_is_skipped(self):
        misfit = {"id": {"targetCompleted": {"label": "//a/b:b"}}, "aborted": {}}
        events = [configured("//a/b:b"), misfit, DONE]
        self.assertEqual(states(events, 1, ["a/b"]), {"//a/b:b": SKIPPED})
        self.assertEqual(states(events, 1, ["//a/..."]), {"//a/b:b": FAILED})

    def test_pattern_without_targets_fails(self):
        events = [aborted("pattern", {"pattern": ["//x"]}, "LOADING_FAILURE", "no such"), DONE]
        self.assertEqual(states(events, 1), {"bazel": FAILED})

    def test_bazel_that_dies_fails(self):
        events = [configured("//a:t"), summary("//a:t", "PASSED")]
        self.assertEqual(states(events, 37), {"//a:t": PASSED, "bazel": FAILED})
        self.assertEqual(states([], 2), {"bazel": FAILED})

    def test_exit_code_without_a_reason_fails(self):
        events = [configured("//a:t"), summary("//a:t", "PASSED"), DONE]
        self.assertEqual(states(events, 1), {"//a:t": PASSED, "bazel": FAILED})
        self.assertEqual(states(events, 3), {"//a:t": PASSED, "bazel": FAILED})


if __name__ == "__main__":
    unittest.main()
