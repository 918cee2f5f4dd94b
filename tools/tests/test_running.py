"""A law is run over its cases: counted, shrunk within a budget, and never silently empty."""

import json
import warnings

import pytest
import torch

from lawbook.fixtures.cases.kit import Case, domain
from lawbook.fixtures.implementation import Implementation
from lawbook.reference import losses
from lawbook.spec_tests import load
from lawbook.spec_tests.judge import LawBroken
from lawbook.spec_tests.running import PROFILES, Settings, run_law
from lawbook.spec_tests.shrinking import Shrinking
from lawbook.spec_tests.spec import Invalid, require, skip_case
from lawbook.tools.tests.specimens import double, implementation, judge, numbers, spec, whole

SPECS = load()


def law(function, sentence="Made for a test."):
    """A law with its sentence."""
    function.__doc__ = sentence
    return function


class TestCounting:
    @pytest.mark.parametrize(("profile", "count"), PROFILES.items())
    def test_a_profile_is_a_number_of_cases(self, profile, count):
        if profile == "thorough":
            count = 200
        assert judge(spec(double, numbers), "agrees_with_reference", double, profile=profile).cases == count

    @pytest.mark.parametrize(("cost", "count"), [(1, 25), (12, 2), (1000, 1)])
    def test_of_what_is_dear_fewer_cases_are_judged(self, cost, count):
        assert judge(spec(double, numbers, cost=cost), "agrees_with_reference", double).cases == count

    def test_cases_that_a_law_skips_do_not_count(self):
        of = spec(double, numbers, test_some=law(lambda self, impl, case: skip_case if case.seed % 2 else None))
        assert 0 < judge(of, "some", double).cases < 25

    def test_an_own_law_that_judges_no_case_is_an_error(self):
        of = spec(double, numbers, test_never=law(lambda self, impl, case: skip_case))
        result = judge(of, "never", double)
        assert (result.outcome, result.reason) == ("error", "no case could be judged")

    def test_a_universal_law_that_judges_no_case_does_not_apply(self):
        of = spec(lambda n: n + 1, domain(lambda d: {"n": d.integer(0, 1000)}))
        assert judge(of, "nan_not_hidden", lambda n: n + 1).outcome == "not_applicable"

    def test_what_is_missing_is_not_provided(self):
        assert (
            judge(spec(double, numbers), "agrees_with_reference", implementation(triple=double)).outcome
            == "not_provided"
        )

    def test_every_case_beats_the_heart(self):
        beats = []
        judge(spec(double, numbers), "agrees_with_reference", double, heartbeat=lambda: beats.append(1))
        assert len(beats) >= 25
        beats.clear()
        judge(spec(double, numbers), "agrees_with_reference", lambda x: x, heartbeat=lambda: beats.append(1))
        assert len(beats) > 1, "shrinking too"

    def test_the_reference_does_not_use_up_the_time_of_what_is_on_trial(self):
        """Between two beats it computes at most once, however many roundings the yardstick needs."""
        since, most = [0], [0]

        def beat():
            since[0] = 0

        def triple(x):
            since[0] += 1
            most[0] = max(most[0], since[0])
            return x * 3

        def rough(x):
            return x * 3 * (1 + 3e-6)

        def twice_six(self, impl, case):
            return impl(case) * 2, impl(case, x=case.x * 2)

        of = spec(triple, numbers, test_twice_six=law(twice_six), differentiable=("x",))
        for name in ("agrees_with_reference", "gradient_agrees", "twice_six"):
            assert judge(of, name, implementation(triple=rough), heartbeat=beat).cases
        assert 0 < most[0] <= 4

    def test_a_refusal_that_is_checked_beats_it_too(self):
        beats = []

        class Declared:
            ADAPTER = {"unsupported": {"double": "by design"}}
            double = staticmethod(double)

        judge(
            spec(double, numbers),
            "agrees_with_reference",
            Implementation([Declared], "x"),
            heartbeat=lambda: beats.append(1),
        )
        assert len(beats) == 25


class TestLawsThatAreNone:
    @pytest.mark.parametrize(
        "returned", [True, False, torch.tensor(True), "equal", 1, {"left": 1}], ids=lambda value: repr(value)
    )
    def test_a_comparison_that_is_returned_instead_of_required(self, returned):
        of = spec(double, numbers, test_mine=law(lambda self, impl, case: returned))
        result = judge(of, "mine", double)
        assert result.outcome == "error"
        assert "expected an equation" in result.reason

    @pytest.mark.parametrize("on", [double, lambda x: x * 3], ids=["right", "wrong"])
    def test_an_equation_that_is_false_for_the_reference(self, on):
        of = spec(double, numbers, test_mine=law(lambda self, impl, case: (impl(case), case.x * 2 + 1)))
        result = judge(of, "mine", on)
        assert result.outcome == "error"
        assert "does not hold for the reference" in result.reason

    def test_a_requirement_that_is_false_for_the_reference(self):
        def mine(self, impl, case):
            require((impl(case) > 100).all(), "it is small")

        result = judge(spec(double, numbers, test_mine=law(mine)), "mine", double)
        assert result.outcome == "error"
        assert "does not hold for the reference" in result.reason

    def test_an_equation_that_is_nearly_true_is_false_in_float64(self):
        """Off by one part in a million: the reference in the working dtype could not tell."""
        of = spec(double, numbers, test_mine=law(lambda self, impl, case: (impl(case), case.x * 2.000001)))
        assert judge(of, "mine", double, dtype=torch.float64).outcome == "error"

    def test_a_law_without_cases_that_returns_something(self):
        of = spec(double, numbers, test_published=law(lambda self, impl: impl.call(x=torch.ones(1))))
        assert judge(of, "published", double).outcome == "error"

    def test_a_domain_that_fails(self):
        def broken(d):
            raise RuntimeError("no such draw")

        result = judge(spec(double, domain(broken)), "agrees_with_reference", double)
        assert (result.outcome, result.cases) == ("error", 0)
        assert "no such draw" in result.reason


class TestEquations:
    def test_sides_of_other_shapes_are_told_before_any_value(self):
        of = spec(double, numbers, test_mine=law(lambda self, impl, case: (impl(case), case.x * 2)))
        result = judge(of, "mine", lambda x: (x * 2).unsqueeze(0))
        assert result.outcome == "fail"
        assert "the two sides have shapes" in result.text

    def test_lists_of_equations_and_nested_sides(self):
        def mine(self, impl, case):
            y = impl(case)
            return [(y, case.x * 2), ({"b": y, "a": [y]}, {"a": [case.x * 2], "b": case.x + case.x})]

        of = spec(double, numbers, test_mine=law(mine))
        assert judge(of, "mine", double).outcome == "pass"
        assert judge(of, "mine", lambda x: x * 2.0001).outcome == "fail"

    def test_rounding_on_either_side_is_allowed_for(self):
        def softmax(x):
            return torch.softmax(x, -1)

        def mine(self, impl, case):
            return impl(case).log().exp().sum(-1), torch.ones_like(case.x.sum(-1))

        of = spec(softmax, domain(lambda d: {"x": d.tensor(d.sizes(2), ("normal", "offset"))}), test_mine=law(mine))
        assert judge(of, "mine", softmax).outcome == "pass"
        assert judge(of, "mine", lambda x: torch.softmax(x, -1) * 1.001).outcome == "fail"

    def test_a_law_without_cases_may_require(self):
        def published(self, impl):
            require(float(impl.call(x=torch.ones(1))) == 2, "one twice is not two")

        of = spec(double, numbers, test_published=law(published))
        assert judge(of, "published", double).cases == 1
        assert "one twice is not two" in judge(of, "published", lambda x: x).text


class TestShrinking:
    def test_it_ends_small(self):
        result = judge(SPECS["softmax"], "agrees_with_reference", lambda x, dim: torch.softmax(x, dim) * 1.01)
        case = result.failure.case
        assert case["x"].numel() <= 3
        assert case["dim"] == -1
        assert torch.equal(case["x"], case["x"].round())

    def test_two_conditions_at_once_are_kept(self):
        """The fault needs a second axis and more than four columns."""

        def picky(x):
            y = 2 * x
            return y + 1 if x.ndim == 2 and x.shape[1] > 4 else y

        result = judge(spec(double, numbers), "agrees_with_reference", picky)
        assert result.outcome == "fail"
        assert result.failure.case["x"].shape[1] == 5

    def test_values_become_plain(self):
        of = spec(double, domain(lambda d: {"x": d.tensor((3,), ("normal",))}))
        result = judge(of, "agrees_with_reference", lambda x: 2 * x + 1)
        assert set(result.failure.case["x"].tolist()) <= {0.0, 1.0}

    def test_values_stay_where_the_fault_is(self):
        of = spec(double, domain(lambda d: {"x": d.tensor((4,), ("wide",))}))
        result = judge(of, "agrees_with_reference", lambda x: torch.where(x.abs() > 50, 0.0, 2 * x))
        assert result.failure.case["x"].abs().max() > 50

    def test_illegal_values_are_not_shown_as_a_smaller_case(self):
        def logit(p):
            if bool(((p <= 0) | (p >= 1)).any()):
                raise ValueError("p leaves (0, 1)")
            return torch.log(p) - torch.log1p(-p)

        def broken(p):
            logit(p)
            raise ValueError("a bug")

        of = spec(logit, domain(lambda d: {"p": d.unit((3,), edges=False)}))
        result = judge(of, "agrees_with_reference", broken)
        assert "a bug" in result.reason
        assert bool(((result.failure.case["p"] > 0) & (result.failure.case["p"] < 1)).all())

    def test_values_of_which_the_law_does_not_speak_are_not_shown(self):
        """The law needs values that differ; ones would break it even for the reference."""

        def mine(self, impl, case):
            return impl(case).unique().numel() * torch.ones(1), torch.full((1,), float(case.x.numel()))

        distinct = domain(lambda d: {"x": d.lazy(lambda gen: torch.randperm(5, generator=gen).double() + 1)})
        of = spec(double, distinct, test_mine=law(mine))
        assert judge(of, "mine", double).outcome == "pass"
        result = judge(of, "mine", lambda x: x.round(decimals=-1))
        assert result.outcome == "fail"
        assert result.failure.case["x"].unique().numel() == 5

    def test_an_error_stays_the_same_error(self):
        def failing(x):
            raise KeyError("first") if x.numel() > 2 else IndexError("second")

        of = spec(double, domain(lambda d: {"x": d.tensor((5,), ("normal",))}))
        assert "KeyError" in judge(of, "agrees_with_reference", failing).reason

    def test_sizes_end_smaller_than_any_that_is_drawn(self):
        def shapes(d):
            rows, columns = d.sizes(2)
            return {"x": d.tensor((d.choice(3, 2, 5), rows, columns), ("integers",)), "dim": d.axis(3)}

        of = spec(double, domain(lambda d: {"x": shapes(d)["x"]}))
        result = judge(of, "agrees_with_reference", lambda x: x)
        assert result.failure.case["x"].shape == (2, 1, 1)

    def test_sizes_stay_where_the_failure_needs_them(self):
        of = spec(double, domain(lambda d: {"x": d.tensor((*d.sizes(2), d.choice(4, 1)), ("integers",))}))
        result = judge(of, "agrees_with_reference", lambda x: 2 * x if x.shape[2] == 1 else x)
        assert result.failure.case["x"].shape == (1, 1, 4)

    def test_the_budget_of_values_is_kept(self):
        calls = []

        def always(case):
            calls.append(1)
            raise LawBroken("no", kind="value")

        case = Case(
            {"x": torch.randn(20, dtype=torch.float64), "y": torch.randn(20, dtype=torch.float64)}, torch.float32
        )
        shrinking = Shrinking(make=None, evaluate=always, draw=None, replay=None, budget=7)
        smaller, error = shrinking.values(case, LawBroken("no", kind="value"))
        assert len(calls) == 7
        assert isinstance(error, LawBroken)
        assert not torch.equal(smaller.x, case.x)


class TestBudget:
    """A wholly wrong implementation is called at most three times as often as a right one."""

    @pytest.mark.parametrize("name", ["softmax", "mse_loss", "conv2d", "lstm_cell"])
    def test_failing_costs_at_most_three_times_as_much(self, name):
        reference = SPECS[name].component
        calls = {"right": 0, "wrong": 0}

        def right(**arguments):
            calls["right"] += 1
            return reference(**arguments)

        def wrong(**arguments):
            calls["wrong"] += 1
            result = reference(**arguments)
            return tuple(part * 1.5 for part in result) if isinstance(result, tuple) else result * 1.5

        for one in ("agrees_with_reference", "gradient_agrees", "low_precision", "memory_layout"):
            assert judge(SPECS[name], one, right).outcome == "pass"
            assert judge(SPECS[name], one, wrong).outcome == "fail"
        assert calls["wrong"] <= 3 * calls["right"], calls

    def test_one_that_always_raises_costs_no_more(self):
        calls = []

        def raising(x):
            calls.append(1)
            raise RuntimeError("always")

        judge(spec(double, numbers), "agrees_with_reference", raising)
        assert len(calls) <= 75


class TestFlaky:
    def test_a_failure_that_does_not_come_back_is_still_a_failure(self):
        calls = []

        def once(x):
            calls.append(1)
            return x if len(calls) == 7 else 2 * x

        result = judge(spec(double, numbers), "agrees_with_reference", once)
        assert result.outcome == "fail"
        assert result.failure.case["x"].numel() > 0

    def test_errors_that_change_every_time(self):
        calls = []

        def moody(x):
            calls.append(1)
            raise [ValueError, KeyError, RuntimeError, TypeError][len(calls) % 4](str(len(calls)))

        result = judge(spec(double, numbers), "agrees_with_reference", moody)
        assert result.outcome == "error"
        assert "lawbook" not in result.reason

    def test_results_that_change_their_form_every_time(self):
        calls = []
        forms = [
            lambda x: x,
            lambda x: x.double(),
            lambda x: None,
            lambda x: (x, x),
            lambda x: x[None],
            lambda x: "text",
        ]

        def moody(x):
            calls.append(1)
            return forms[len(calls) % len(forms)](x)

        for one in ("agrees_with_reference", "repeated_calls_agree", "low_precision", "nan_not_hidden"):
            result = judge(spec(double, numbers), one, moody)
            assert result.outcome in ("fail", "error")
            assert "lawbook" not in result.reason


class TestStrangeAnswers:
    """Whatever comes back, the law ends with a sentence about the implementation."""

    STRANGE = {
        "none": lambda x: None,
        "text": lambda x: "softmax",
        "generator": lambda x: (value for value in x),
        "number": lambda x: 1.0,
        "nested": lambda x: {"a": [x, {"b": (x,)}]},
        "complex": lambda x: x.to(torch.complex64),
        "sparse": lambda x: x.to_sparse(),
        "meta": lambda x: x.to("meta"),
        "quantized": lambda x: torch.quantize_per_tensor(x, 0.1, 0, torch.qint8),
        "empty": lambda x: x[:0],
        "parameter": lambda x: torch.nn.Parameter(2 * x),
        "type": lambda x: torch.Tensor,
    }

    @pytest.mark.parametrize("name", STRANGE)
    def test_a_strange_answer(self, name):
        of = spec(
            double, numbers, differentiable=("x",), test_own=law(lambda self, impl, case: (impl(case), 2 * case.x))
        )
        for one in ("agrees_with_reference", "gradient_agrees", "shape_and_dtype", "repeated_calls_agree", "own"):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                result = judge(of, one, self.STRANGE[name])
            if name == "parameter" and one != "gradient_agrees":
                assert result.outcome == "pass"
            elif one != "gradient_agrees" or name not in ("nested",):
                assert result.outcome in ("fail", "error"), (one, result)
                assert "lawbook itself" not in result.reason
            json.dumps(result.failure.as_json() if result.failure else None)


class TestDeterminism:
    def test_the_same_law_says_the_same_twice(self):
        results = [
            judge(SPECS["cross_entropy"], "agrees_with_reference", lambda logits, target, **_: logits.sum())
            for _ in range(2)
        ]
        assert results[0].text == results[1].text
        assert results[0].failure.as_json() == results[1].failure.as_json()

    def test_laws_judge_the_same_cases_in_any_order(self):
        seen: dict[str, list] = {"first": [], "second": []}
        of = spec(double, numbers)

        def watched(name):
            def look(x):
                seen[name].append(x.flatten().tolist())
                return 2 * x

            return look

        judge(of, "agrees_with_reference", watched("first"))
        judge(of, "shape_and_dtype", double)
        judge(of, "agrees_with_reference", watched("second"))
        assert seen["first"] == seen["second"]

    def test_domains_of_the_same_name_are_not_mixed_up(self):
        def narrow():
            @domain
            def same_name(d):
                return {"x": d.tensor((2,), ("integers",))}

            return same_name

        def wide():
            @domain
            def same_name(d):
                return {"x": d.tensor((9,), ("integers",))}

            return same_name

        sizes = []
        for of in (spec(double, narrow()), spec(double, wide())):
            judge(of, "agrees_with_reference", lambda x: sizes.append(x.numel()) or 2 * x)
        assert sizes == [2] * 25 + [9] * 25

    def test_components_of_the_same_name_are_not_mixed_up(self):
        first, second = spec(lambda x: 2 * x, whole), spec(lambda x: 3 * x, whole)
        assert judge(first, "agrees_with_reference", lambda x: 2 * x).outcome == "pass"
        assert judge(second, "agrees_with_reference", lambda x: 3 * x).outcome == "pass"
        assert judge(second, "agrees_with_reference", lambda x: 2 * x).outcome == "fail"


def test_warnings_are_no_errors_whatever_pytest_is_told():
    def warning(x):
        warnings.warn("deprecated", DeprecationWarning, stacklevel=1)
        return 2 * x

    assert judge(spec(double, numbers), "agrees_with_reference", warning).outcome == "pass"


def test_the_reference_on_trial_answers_to_another_authority():
    """A wrong authority makes the reference fail: it is really asked."""
    wrong = implementation(softmax=lambda x, dim: torch.softmax(x, dim) * 1.01)
    settings = Settings(authority=lambda component: wrong)
    reference = implementation(softmax=losses.softmax)
    assert run_law(SPECS["softmax"], "agrees_with_reference", reference, settings).outcome == "fail"
    assert run_law(SPECS["softmax"], "gradient_agrees", reference, settings).outcome == "fail"
    assert run_law(SPECS["softmax"], "memory_layout", reference, settings).outcome == "pass"
    nobody = Settings(authority=lambda component: None)
    assert run_law(SPECS["softmax"], "agrees_with_reference", reference, nobody).outcome == "not_applicable"


def test_a_subclass_may_say_more_about_the_same_law():
    class More(SPECS["softmax"]):
        def test_agrees_with_reference(self, impl, case):
            """It agrees, and is never negative."""
            require((impl(case) >= 0).all(), "negative")
            return super().test_agrees_with_reference(impl, case)

        def test_never_above_one(self, impl, case):
            """No probability is above one."""
            require((impl(case) <= 1).all(), "above one")

    assert More.law_names()[-1] == "never_above_one"
    assert [name for name in vars(More) if name.startswith("test_")] == [f"test_{law}" for law in More.law_names()]
    for one in ("agrees_with_reference", "never_above_one", "gradient_agrees"):
        assert judge(More, one, losses.softmax).outcome == "pass"
    assert judge(More, "never_above_one", lambda x, dim: torch.softmax(x, dim) + 1).outcome == "fail"
    assert judge(More, "agrees_with_reference", lambda x, dim: torch.softmax(x, dim) * 1.1).outcome == "fail"
    assert load()["softmax"] is SPECS["softmax"]


def test_bad_declarations_stay_within_one_law():
    of = spec(double, numbers, invalid=(Invalid(ValueError, "a lack of arguments", y=torch.ones(1)),))
    assert judge(of, "invalid_input_raises", double).outcome == "pass"
    assert judge(of, "agrees_with_reference", double).outcome == "pass"


def third(x):
    return (x.double() / 3).float()


class TestPrecision:
    """In which dtype a law is judged where it is not the working one."""

    OF = spec(third, numbers, test_three_make_one=lambda self, impl, case: (3 * impl(case), case.x.float()))

    @pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
    def test_what_always_answers_in_float32_is_judged_in_it(self, dtype):
        assert judge(self.OF, "three_make_one", third, dtype=dtype).outcome == "pass"
        assert judge(self.OF, "agrees_with_reference", third, dtype=dtype).outcome == "pass"
        wrong = judge(self.OF, "three_make_one", lambda x: 1.001 * third(x), dtype=dtype)
        assert wrong.rejects
        assert not wrong.own_fault

    def test_an_answer_in_half_precision_is_not_held_against_half_precision(self):
        coarse = judge(self.OF, "three_make_one", lambda x: third(x).bfloat16())
        assert coarse.rejects
