"""Tests of what becomes of measurements: medians, verdicts, tables, picture, page."""

import unittest
import xml.dom.minidom

import document
import goals
import plot
import table
from driver import window_s
from results import Results, plain_name

_ABOUT = {"cpu": "A & B", "cores": "2", "os": "Linux", "commit": "abc"}


def _entry(name, ns, foreign_cores=0.0, **counters):
    return dict(counters, name=name + "/real_time", real_time=ns, cpu_time=ns,
                foreign_cores=foreign_cores)


def _results(**rounds):
    """name with __ for /: its entries' times, or (time, foreign_cores)."""
    results = Results()
    for key, times in rounds.items():
        name = key.replace("__", "/")
        for time in times:
            results.add(name, _entry(name, *(time if isinstance(time, tuple) else (time,))))
    return results


class ResultsTest(unittest.TestCase):
    def test_suffixes_are_removed(self):
        self.assertEqual(plain_name("connect/shmrpc/iterations:1/manual_time"), "connect/shmrpc")
        self.assertEqual(plain_name("unary_echo/pipe/64/real_time"), "unary_echo/pipe/64")

    def test_disturbed_rounds_do_not_count(self):
        results = _results(a__b__64=[10, (9000, 1.0), 12])
        self.assertEqual(results.median("a/b/64"), (11, 2))

    def test_only_disturbed_rounds_count_as_none(self):
        self.assertEqual(_results(a__b=[(10, 1.0)]).median("a/b"), (10, 0))

    def test_ratio_is_the_median_of_rounds_not_of_times(self):
        results = _results(a__x=[10, 100, 30], a__y=[5, 10, 30])
        self.assertEqual(results.ratio("a/x", "a/y"), (2, 3))

    def test_counts_do_not_care_about_others(self):
        results = Results()
        results.add("idle_wakeups/shmrpc", _entry("idle_wakeups/shmrpc", 1, 2.0, server_wakeups=3))
        self.assertEqual(results.median("idle_wakeups/shmrpc", "server_wakeups"), (3, 1))


class GoalsTest(unittest.TestCase):
    def _verdict(self, results):
        (verdict, *_), = list(goals.verdicts(results))
        return verdict

    def test_ratio_met_and_missed(self):
        for ours, verdict in ((14, "met"), (18, "MISSED by 20 %"),
                              (90, "MISSED (6 times too much)")):
            results = _results(unary_echo__shmrpc__64=[ours],
                               unary_echo__floor_protobuf__64=[10])
            self.assertEqual(self._verdict(results), verdict)

    def test_at_least(self):
        for grpc, verdict in ((1000, "met"), (750, "MISSED by 25 %")):
            results = _results(unary_echo__shmrpc__64=[10], unary_echo__grpc_unix__64=[grpc])
            self.assertEqual(self._verdict(results), verdict)

    def test_busy_machine_decides_nothing(self):
        results = _results(unary_echo__shmrpc__64=[(1, 1.0)], unary_echo__grpc_unix__64=[1])
        self.assertEqual(self._verdict(results), "undecided (busy machine)")

    def test_goal_of_nothing(self):
        for count, verdict in ((0, "met"), (1, "MISSED")):
            results = Results()
            results.add("idle_wakeups/shmrpc",
                        _entry("idle_wakeups/shmrpc", 1, server_wakeups=count))
            self.assertEqual(self._verdict(results), verdict)


class TableTest(unittest.TestCase):
    def test_figures_and_factors_by_peer(self):
        results = _results(connect__shmrpc=[1000], connect__grpc_unix=[(5000, 1.0)])
        lines = list(table.lines(results))
        self.assertEqual([line.split() for line in lines[:3]], [
            ["connect", "64", "B"], ["shmrpc", "1", "us"],
            ["grpc_unix", "5", "us", "?", "5", "x", "?"]])

    def test_size_that_a_peer_lacks_is_a_dash(self):
        results = _results(unary_echo__shmrpc__0=[1], unary_echo__pipe__64=[2])
        pipe = [line for line in table.lines(results) if line.startswith("pipe")]
        self.assertEqual(pipe[0].split(), ["pipe", "-", "2", "ns"])


class DriverTest(unittest.TestCase):
    def test_fairness_takes_ten_seconds(self):
        self.assertEqual(window_s("many_clients/shmrpc/64", False), 10)
        self.assertEqual(window_s("many_clients/floor_protobuf/64", False), 1)


class PlotTest(unittest.TestCase):
    def test_is_xml_with_a_line_per_peer(self):
        results = _results(unary_echo__shmrpc__64=[100], unary_echo__shmrpc__4096=[200],
                           unary_echo__pipe__64=[300], unary_echo__pipe__4096=[900],
                           unary_echo__floor_wake__64=[1])
        picture = xml.dom.minidom.parseString(plot.svg(results, _ABOUT))
        self.assertEqual(len(picture.getElementsByTagName("polyline")), 2)
        self.assertNotIn("BUSY", picture.toxml())

    def test_says_that_the_machine_was_busy(self):
        results = _results(unary_echo__shmrpc__64=[100], unary_echo__shmrpc__4096=[(200, 1.0)])
        self.assertIn("BUSY MACHINE", plot.svg(results, _ABOUT))

    def test_one_size_is_no_picture(self):
        self.assertEqual(plot.svg(_results(unary_echo__shmrpc__64=[100]), _ABOUT), "")


class DocumentTest(unittest.TestCase):
    def test_figures_replace_figures(self):
        page = "a\n%s\nold\n%s\nb\n" % (document._BEGIN, document._END)
        new = document.with_figures(page, "new\n", "p.svg")
        self.assertIn("```\nnew\n```", new)
        self.assertIn("(p.svg)", new)
        self.assertNotIn("old", new)
        self.assertEqual(document.with_figures(new, "new\n", "p.svg"), new)
        self.assertTrue(new.startswith("a\n") and new.endswith("\nb\n"))

    def test_page_without_its_lines_is_an_error(self):
        with self.assertRaises(ValueError):
            document.with_figures("a", "b", "")


if __name__ == "__main__":
    unittest.main()
