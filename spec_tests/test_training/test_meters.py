"""Laws of what is counted and timed."""

import itertools
import time
from unittest import mock

import torch

from lawbook.fixtures.cases import training as domains
from lawbook.fixtures.cases.training import Clock, Work
from lawbook.fixtures.implementation import copy
from lawbook.reference import training
from lawbook.spec_tests.spec import Invalid, Spec, require, skip_case


def _added(values):
    return torch.tensor([float(value) for value in values], dtype=torch.float64)


class TestAccumulator(Spec):
    component = training.accumulator
    cases = domains.accumulator
    declines = {
        "extremes_stay_finite": "double precision holds the sum of any numbers of a narrower dtype",
        "accelerator_agrees": "where totals are kept is open: not every accelerator has double precision",
    }
    invalid = (
        Invalid(ValueError, "one value for two totals", n=2, program=[[1.0]]),
        Invalid(ValueError, "three values for two totals", n=2, program=[[1.0, 2.0], [1.0, 2.0, 3.0]]),
        Invalid(ValueError, "a tensor of two elements as one value", n=1, program=[[torch.ones(2)]]),
        Invalid(ValueError, "no total", n=0, program=[]),
    )
    edges = (dict(n=1, program=[]), dict(n=1, program=[None]), dict(n=2, program=[[torch.ones(1, 1), 1], None]))

    def test_totals_are_sums(self, impl, case):
        """The totals are the sums of what was added since the last reset, or since the beginning."""
        program = [step for step in case.program if step is not None]
        if not program:
            return skip_case
        sums = torch.stack([_added(values) for values in program]).cumsum(0)
        return impl(case, program=program), sums

    def test_after_a_reset_it_is_as_new(self, impl, case):
        """After a reset all totals are 0, and what follows gives what it gives at first."""
        steps = len(case.program)
        found = impl(case, program=[*case.program, None, *case.program])
        require(not bool(found[steps].any()), f"after a reset the totals are {found[steps].tolist()}")
        return found[steps + 1 :], impl(case)

    def test_totals_do_not_mix(self, impl, case):
        """Values in another order give the totals in that order."""
        turned = [step if step is None else step[::-1] for step in case.program]
        return impl(case, program=turned), impl(case).flip(1)

    def test_earlier_totals_stay_written_down(self, impl, case):
        """Further steps do not change what the totals were before."""
        return impl(case, program=[*case.program, [1.0] * case.n])[:-1], impl(case)

    def test_no_graph_is_kept(self, impl, case):
        """Totals of losses that require a gradient require none: their graphs are not kept alive."""
        given = copy(case.arguments)
        given["program"].append([torch.ones((), dtype=case.dtype, requires_grad=True) * 2 for _ in range(case.n)])
        _, result = impl.call_with(given)
        require(not result.requires_grad, "the totals require a gradient: they hold the graphs of what was added")

    def test_counting_does_not_come_to_a_halt(self, impl):
        """A count of 2²⁴ samples and three more is exact, and so is a sum that float32 would not hold."""
        for kind in (int, float, torch.tensor):
            found = impl.call(n=1, program=[[kind(2**24)], [kind(1)], [kind(1)], [kind(1)]])[-1].tolist()
            require(found == [2.0**24 + 3], f"2²⁴ + 1 + 1 + 1 is counted as {found}")


class TestTimer(Spec):
    component = training.timer
    cases = domains.timer
    declines = {
        "edge_sizes": "a timer of one lap is among the cases, and one of none is refused",
        "defaults_agree": "the computer's own clock never tells the same time twice; two laws of its own measure by it",
        "accelerator_agrees": "no argument is a tensor that would say where to compute",
    }
    invalid = (
        Invalid(ValueError, "an unknown step", program=["start", "pause", "stop"], clock=Clock()),
        Invalid(ValueError, "no lap", program=["start"], clock=Clock()),
    )

    def test_sum_is_that_of_the_laps(self, impl, case):
        """The sum is the laps' sum, the last running sum is it too, and the average is its share of one lap."""
        found = impl(case)
        times = found["times"]
        return [
            (found["sum"], float(times.sum())),
            (found["cumsum"], times.cumsum(0)),
            (found["avg"], float(times.sum() / len(times))),
        ]

    def test_a_lap_takes_as_long_as_its_work(self, impl, case):
        """Between start and stop the clock goes on by what was done there; what is done outside is not counted."""
        seconds = [0.5, 2.0**-20, 3.0]
        clock = Clock(2.0**24)
        rest = Work(clock, 7.0)
        program = [step for lap in seconds for step in (rest, "start", Work(clock, lap), "stop", rest)]
        times = impl(case, program=program, clock=clock)["times"].tolist()
        require(times == seconds, f"laps of {seconds} seconds are measured as {times}")

    def test_a_stop_does_not_start_anew(self, impl, case):
        """Two stops after one start both count from it, and the first lap may do without a start."""
        clock = Clock()
        program = [Work(clock, 0.25), "stop", Work(clock, 0.5), "stop", "start", Work(clock, 2.0), "stop"]
        times = impl(case, program=program, clock=clock)["times"].tolist()
        require(times == [0.25, 0.75, 2.0], f"laps of 0.25, 0.75 and 2 seconds are measured as {times}")

    def test_work_is_done_once_and_in_order(self, impl, case):
        """Every function of the program is called once, in the program's order."""
        done = []
        program = [lambda: done.append("a"), "start", lambda: done.append("b"), "stop", lambda: done.append("c")]
        impl(case, program=program)
        require(done == ["a", "b", "c"], f"a, b and c were done as {done}")

    def test_running_sums_never_fall(self, impl):
        """By the computer's own clock no lap is negative, so that running sums never fall, and waiting is counted."""
        waited = []

        def wait():
            begun = time.perf_counter()
            time.sleep(0.003)
            waited.append(time.perf_counter() - begun)

        begun = time.perf_counter()
        found = impl.call(program=["start", wait, "stop", "start", wait, "stop", "start", "stop"])
        whole = time.perf_counter() - begun
        times = found["times"].tolist()
        require(min(times) >= 0, f"laps are {times}")
        enough = all(lap >= seconds for lap, seconds in zip(times, waited, strict=False))
        require(enough, f"laps of at least {waited} seconds are measured as {times}")
        require(found["sum"] <= whole, f"laps of {found['sum']} seconds in all in a call of {whole} seconds")

    def test_setting_the_calendar_back_does_not_matter(self, impl):
        """A calendar clock that is set back in the middle of a lap makes no lap negative."""
        calendar = (1e9 - 3600.0 * k for k in itertools.count())
        with mock.patch.object(time, "time", side_effect=calendar):
            times = impl.call(program=["start", "stop", "start", "stop"])["times"].tolist()
        require(min(times) >= 0, f"with the calendar set back by an hour laps are {times}")
