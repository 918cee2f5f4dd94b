"""Domains draw the same cases everywhere, small ones first, and build nothing that is not asked for."""

import importlib
import pkgutil
import subprocess
import sys
import textwrap

import hypothesis
import pytest
import torch
from hypothesis import strategies as st

import lawbook.fixtures.cases
from lawbook.fixtures.cases.kit import SIZES, Case, Domain, Draw, domain
from lawbook.fixtures.cases.profiles import PROFILES, USUAL
from lawbook.fixtures.tree import floating, leaves
from lawbook.tools.tests.specimens import cases, drafts

DTYPES = (torch.float64, torch.float32, torch.float16, torch.bfloat16)
CHAPTERS = [
    importlib.import_module(module.name)
    for module in pkgutil.walk_packages(lawbook.fixtures.cases.__path__, "lawbook.fixtures.cases.")
    if module.name.rpartition(".")[2] not in ("kit", "profiles")
]
DOMAINS = [found for module in CHAPTERS for found in vars(module).values() if isinstance(found, Domain)]


@domain
def kitchen(d):
    """Every kind of draw."""
    shape = d.shape(1, 3)
    return {
        "x": d.tensor(shape),
        "dim": d.axis(len(shape)),
        "labels": d.labels((5,), 4, ignore=-1),
        "unit": d.unit((4,)),
        "p": d.probabilities((3, 4), 1),
        "flags": d.flags((6,)),
        "lengths": d.lengths(3, 5),
        "n": d.integer(1, 100_000),
        "option": d.choice("a", "b", "c"),
        "maybe": d.maybe(0.5),
        "params": {"W": d.tensor((2, 3)), "b": [d.tensor((3,)), None]},
    }


def minimal(of):
    """The simplest arguments that a domain shrinks to."""
    settings = hypothesis.settings(database=None, max_examples=200, deadline=None)
    return hypothesis.find(of.strategy, lambda draft: True, settings=settings).case(torch.float32)


def same(a, b):
    a, b = list(leaves(a)), list(leaves(b))
    return [path for path, _ in a] == [path for path, _ in b] and all(
        torch.equal(x.nan_to_num(), y.nan_to_num()) and x.dtype == y.dtype if isinstance(x, torch.Tensor) else x == y
        for (_, x), (_, y) in zip(a, b, strict=True)
    )


class TestDeterminism:
    def test_the_same_seed_draws_the_same_cases(self):
        once, again = cases(kitchen, 20), cases(kitchen, 20)
        assert all(same(a.arguments, b.arguments) and a.seed == b.seed for a, b in zip(once, again, strict=True))

    def test_another_seed_draws_others(self):
        assert [d.key for d in drafts(kitchen, 10, seed=0)] != [d.key for d in drafts(kitchen, 10, seed=1)]

    def test_a_tensor_is_the_same_in_every_dtype_but_for_rounding(self):
        for draft in drafts(kitchen, 10):
            wide = draft.case(torch.float64)
            for dtype in DTYPES:
                case = draft.case(dtype)
                assert all(leaf.dtype == dtype for leaf in floating(case.arguments))
                assert same(case.arguments, wide.to(dtype).arguments)
                assert case.seed == wide.seed

    def test_cases_do_not_depend_on_modules_that_happen_to_be_loaded(self, tmp_path):
        """Hypothesis mixes constants of the loaded modules into what it draws."""
        (tmp_path / "constants_of_someone.py").write_text(
            f"NUMBERS = {list(range(100, 2000))}\nMORE = [31337, 65000]\n"
        )
        script = textwrap.dedent("""
            import sys
            if sys.argv[1] == "with":
                import constants_of_someone
            from lawbook.fixtures.cases.kit import domain
            from lawbook.tools.tests.specimens import drafts

            @domain
            def numbers(d):
                return {"n": [d.integer(0, 100_000) for _ in range(20)], "x": d.tensor(d.shape(1, 3))}

            print([draft.key for draft in drafts(numbers, 15)])
            """)
        (tmp_path / "draw.py").write_text(script)
        said = [
            subprocess.run([sys.executable, "draw.py", how], cwd=tmp_path, capture_output=True, text=True, check=True)
            for how in ("with", "without")
        ]
        assert said[0].stdout == said[1].stdout


class TestShrinking:
    def test_the_simplest_case_is_small_but_not_degenerate(self):
        case = minimal(kitchen)
        assert case.x.shape == (2,)
        assert case.dim == -1
        assert (case.n, case.option, case.maybe) == (1, "a", None)
        assert torch.equal(case.x, case.x.round())
        assert bool((case.x != 0).all())

    def test_sizes_shrink_to_two_and_three(self):
        assert SIZES[:2] == (2, 3)

        @domain
        def four(d):
            return {"sizes": d.sizes(4)}

        assert minimal(four).sizes == (2, 3, 1, 5)

    @pytest.mark.parametrize(("low", "high"), [(0, 5), (3, 3), (0, 99), (0, 100), (-7, 250), (300, 70_000)])
    def test_integers_reach_both_ends_and_shrink_to_the_lower(self, low, high):
        def draw(value_wanted):
            strategy = st.composite(lambda draw: Draw(draw).integer(low, high))()
            settings = hypothesis.settings(database=None, max_examples=5000, deadline=None)
            return hypothesis.find(strategy, value_wanted, settings=settings)

        assert draw(lambda value: low <= value <= high) == low
        assert draw(lambda value: value > (low + high) / 2 or low == high) <= high

    def test_integers_never_leave_their_bounds(self):
        @domain
        def numbers(d):
            return {"found": [d.integer(low, high) for low, high in BOUNDS]}

        for case in cases(numbers, 200):
            assert all(low <= value <= high for value, (low, high) in zip(case.found, BOUNDS, strict=True))


BOUNDS = [(0, 1), (0, 99), (0, 100), (5, 104), (0, 101), (-50, 12_345), (99, 10_098), (1, 1_000_000)]


class TestDraws:
    def test_sizes_differ_as_long_as_the_menu_lasts(self):
        @domain
        def many(d):
            return {"sizes": d.sizes(6), "some": d.sizes(3, 2, 4)}

        for case in cases(many, 50):
            assert len(set(case.sizes)) == 6
            assert sorted(case.some) == [2, 3, 4]

    def test_axes_are_counted_from_either_end(self):
        @domain
        def axes(d):
            return {"axis": d.axis(3)}

        assert {case.axis for case in cases(axes, 100)} == {-3, -2, -1, 0, 1, 2}

    def test_one_case_in_eight_is_long(self):
        @domain
        def lengths(d):
            return {"n": d.long(5, 300)}

        # Hypothesis draws each of the eight at most once.
        assert sorted({case.n for case in cases(lengths, 50)}) == [5, 300]
        assert sum(case.n == 300 for case in cases(lengths, 50)) >= 1

    def test_labels_flags_lengths_and_probabilities_are_what_they_say(self):
        for case in cases(kitchen, 50):
            assert case.labels.dtype == torch.int64
            assert set(case.labels.tolist()) <= {-1, 0, 1, 2, 3}
            assert case.flags.dtype == torch.bool
            assert all(1 <= n <= 5 for n in case.lengths.tolist())
            assert bool(((case.unit >= 0) & (case.unit <= 1)).all())
            assert torch.allclose(case.p.double().sum(1), torch.ones(3, dtype=torch.float64), atol=1e-6)
            assert bool((case.p >= 0).all())

    def test_a_derived_value_follows_its_source(self):
        @domain
        def twins(d):
            x = d.tensor((3,))
            return {"x": x, "y": d.derived(lambda value: value + 1, x), "z": x.then(lambda value: value * 2)}

        for case in cases(twins, 10, torch.float64):
            assert torch.equal(case.y, case.x + 1)
            assert torch.equal(case.z, case.x * 2)

    @pytest.mark.parametrize("name", PROFILES)
    def test_profiles_are_built_in_float64_for_any_shape(self, name):
        for shape in ((), (0,), (5,), (2, 0, 3), (3, 4)):
            x = PROFILES[name](shape, torch.Generator().manual_seed(1))
            assert x.shape == shape
            assert x.dtype == torch.float64
            assert name in ("infinite", "masked") or bool(torch.isfinite(x).all())

    def test_usual_profiles_are_distinct(self):
        drawn = {name: PROFILES[name]((4, 5), torch.Generator().manual_seed(3)) for name in USUAL}
        assert len({tuple(x.flatten().tolist()) for x in drawn.values()}) == len(USUAL)


class TestLaziness:
    def test_nothing_is_built_before_the_case_is(self):
        built = []

        @domain
        def heavy(d):
            return {"x": d.lazy(lambda gen: built.append(1) or torch.zeros(1))}

        found = drafts(heavy, 10)
        assert built == []
        found[0].case(torch.float32)
        assert built == [1]

    def test_a_value_does_not_depend_on_its_neighbours(self):
        @domain
        def one(d):
            return {"x": d.tensor((3,), ("normal",))}

        @domain
        def two(d):
            return {"x": d.tensor((3,), ("normal",)), "y": d.tensor((300,), ("normal",))}

        a, b = (next(iter(found)).arguments["x"] for found in (drafts(one, 1), drafts(two, 1)))
        assert torch.equal(a.build(7), b.build(7))


class TestNoise:
    def test_it_is_equal_in_every_dtype(self):
        draft = drafts(kitchen, 1)[0]
        wide = draft.case(torch.float64).noise((50,), 3)
        for dtype in DTYPES:
            # Subnormal numbers of float16 aside, all of it is exact.
            noise = draft.case(dtype).noise((50,), 3)
            assert noise.dtype == dtype
            assert torch.equal(noise.double(), wide)

    def test_it_belongs_to_the_case_and_the_salt(self):
        first, second = cases(kitchen, 2)
        noise = first.noise((4,))
        assert torch.equal(noise, first.noise((4,)))
        for other in (first.noise((4,), 1), second.noise((4,))):
            assert not torch.equal(noise, other)

    def test_what_is_done_to_it_does_not_last(self):
        case = cases(kitchen, 1)[0]
        case.noise((4,)).zero_()
        assert bool((case.noise((4,)) != 0).all())

    def test_a_moved_case_moves_its_noise_by_one_unit(self):
        case = cases(kitchen, 1)[0]
        steps = [
            (case.nudged(case.arguments, sign).to(torch.float64).noise((100,)) - case.to(torch.float64).noise((100,)))
            for sign in (0, 1)
        ]
        assert torch.equal(steps[0].abs(), steps[1].abs())
        assert int((steps[0] == steps[1]).sum()) == 50, "what cancels in one move shows in the other"
        assert bool((steps[0] != 0).all())
        assert float(steps[0].abs().max()) < 1e-6


class TestCase:
    def test_arguments_by_attribute_and_by_name(self):
        case = Case({"x": torch.ones(2, dtype=torch.float64), "dim": 1}, torch.float32)
        assert case.x is case["x"]
        assert case.x.dtype == torch.float32
        with pytest.raises(AttributeError, match="no argument 'y'"):
            _ = case.y

    def test_a_changed_copy_leaves_the_case(self):
        case = Case({"x": torch.ones(2), "dim": 1}, torch.float32)
        changed = case.but(dim=0)
        assert (case.dim, changed.dim) == (1, 0)
        assert changed.seed == case.seed


@pytest.mark.parametrize("of", DOMAINS, ids=lambda of: of.__name__)
def test_every_domain_says_what_it_draws_and_builds_in_every_dtype(of):
    assert (of.__doc__ or "").strip()
    for draft in drafts(of, 4):
        for dtype in DTYPES:
            assert all(leaf.dtype == dtype for leaf in floating(draft.case(dtype).arguments))
