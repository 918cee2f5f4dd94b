"""A failure shows with which arguments its law called, where they are others than the case's."""

import torch

from lawbook.spec_tests.spec import require
from lawbook.tools.tests.specimens import double, judge, numbers, spec


def wrong_below_zero(x):
    """Double, but of what is negative."""
    return x * 2 if bool((x >= 0).all()) else x * 3


def text(law, wrong=wrong_below_zero):
    law.__doc__ = "Made for a test."
    return judge(spec(double, numbers, test_made=law), "made", wrong).text


def test_what_a_law_gives_instead_of_the_case_is_shown():
    said = text(lambda self, impl, case: (impl(case, x=-case.x.abs() - 1), -2 * case.x.abs() - 2))
    assert "  called with x = [-2.]" in said


def test_calls_come_in_their_order_and_the_cases_own_is_named():
    said = text(lambda self, impl, case: (impl(case, x=-case.x.abs() - 1), -impl(case, x=case.x.abs() + 1)))
    minus, plus = (said.index(f"called with x = [{sign}") for sign in ("-2.]", "2.]"))
    assert minus < plus
    said = text(lambda self, impl, case: (impl(case, x=-case.x), -impl(case)))
    assert "called with the case's own" in said


def test_of_many_calls_the_last_one_is_shown():
    def law(self, impl, case):
        for k in (3.0, 2.0, 1.0, -1.0):
            require(bool((impl(case, x=k + 0 * case.x) == 2 * k).all()), "not double")

    said = text(law)
    assert "called 4 times, the last time with x = [-1." in said


def test_a_law_without_cases_shows_its_call():
    def law(self, impl):
        require(float(impl.call(x=torch.tensor(-3.0))) == -6, "−3 twice is −6")

    assert "called with x = -3." in text(law)


def test_gradients_are_calls_too():
    def law(self, impl, case):
        found = impl.vjp(case, [1 + 0 * case.x], x=-case.x.abs() - 1)[1]["x"]
        return found, 2 + 0 * found

    assert "called with x = [-2.]" in text(law)


def test_nothing_is_said_where_the_case_itself_was_given():
    assert "called" not in text(lambda self, impl, case: (impl(case), case.x * 2))
    assert "called" not in judge(spec(double, numbers), "agrees_with_reference", wrong_below_zero).text
