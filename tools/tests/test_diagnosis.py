"""A failure that a known mistake explains is named, and only then."""

import pytest
import torch

from lawbook.fixtures.cases.kit import domain
from lawbook.fixtures.faulty import registry
from lawbook.fixtures.faulty.registry import Faulty, faulty
from lawbook.fixtures.implementation import Implementation
from lawbook.reference import losses
from lawbook.spec_tests import load
from lawbook.spec_tests.diagnosis import TRIED
from lawbook.spec_tests.failures import show
from lawbook.tools.tests.specimens import judge, spec

SPECS = load()
KNOWN = registry.load()


@domain
def rows(d):
    """A few rows of scores."""
    return {"x": d.tensor(d.sizes(2, 2), ("normal", "integers", "offset"))}


def spread_of(x):
    return x.var(-1, correction=0)


@pytest.fixture
def known(monkeypatch):
    """A registry of two mistakes about the spread."""
    mistakes = [
        Faulty("silent", "spread_of", lambda x: x.var(-1, correction=1), ("global_state",), "changes the seed", ""),
        Faulty("unbiased", "spread_of", lambda x: x.var(-1), ("agrees_with_reference",), "divided by n − 1", ""),
        Faulty(
            "deviation",
            "spread_of",
            lambda x: x.std(-1, correction=0),
            ("agrees_with_reference",),
            "a root too many",
            "",
        ),
        Faulty("raises", "spread_of", lambda x: 1 / 0, ("agrees_with_reference",), "raises", ""),
    ]
    monkeypatch.setitem(registry._REGISTRY, "spread_of", mistakes)
    return mistakes


class TestHints:
    OF = spec(spread_of, rows, differentiable=("x",))

    def test_a_mistake_that_explains_every_failing_case_is_named(self, known):
        result = judge(
            self.OF,
            "agrees_with_reference",
            lambda x: (x - x.mean(-1, keepdim=True)).square().sum(-1) / (x.shape[-1] - 1),
        )
        assert result.failure.hint == "divided by n − 1"
        assert (
            f"On all {result.failure.failing_cases} failing cases this equals a known mistake: divided by n − 1."
            in result.text
        )
        assert result.failure.failing_cases == result.failure.tried_cases == TRIED

    def test_a_mistake_that_explains_some_is_not(self, known):
        def sometimes(x):
            return x.var(-1) if len(x) == 2 else x.var(-1) * 3

        result = judge(self.OF, "agrees_with_reference", sometimes)
        assert result.outcome == "fail"
        assert result.failure.hint is None

    def test_an_unknown_mistake_has_no_hint(self, known):
        assert judge(self.OF, "agrees_with_reference", lambda x: x.var(-1, correction=0) * 1.5).failure.hint is None

    def test_gradients_are_compared_for_laws_about_gradients(self, known):
        class DetachedMean(torch.autograd.Function):
            @staticmethod
            def forward(ctx, x):
                ctx.save_for_backward(x)
                return x.var(-1, correction=0)

            @staticmethod
            def backward(ctx, grad):
                (x,) = ctx.saved_tensors
                return grad.unsqueeze(-1) * 2 * (x - x.mean(-1, keepdim=True)) / (x.shape[-1] - 1)

        result = judge(self.OF, "gradient_agrees", DetachedMean.apply)
        assert result.failure.hint == "divided by n − 1"

    def test_a_gradient_of_zeros_is_not_the_mistake_of_a_wrong_value_without_one(self, known):
        known.append(Faulty("nothing", "spread_of", lambda x: 0 * x.sum(-1), ("agrees_with_reference",), "is 0", ""))
        hint = judge(self.OF, "gradient_agrees", lambda x: spread_of(x.detach()) + 0 * x.sum(-1)).failure.hint
        assert hint is None
        known.append(
            Faulty("cut", "spread_of", lambda x: spread_of(x.detach()) + 0 * x.sum(-1), ("gradient_agrees",), "cut", "")
        )
        hint = judge(self.OF, "gradient_agrees", lambda x: 0 * x.sum(-1) + spread_of(x.detach())).failure.hint
        assert hint == "cut"

    def test_mistakes_that_do_not_show_in_an_answer_explain_none(self, known):
        """The first mistake of the registry has the same values, but is about global state."""
        assert judge(self.OF, "agrees_with_reference", lambda x: x.var(-1)).failure.hint == "divided by n − 1"

    def test_the_right_answer_in_the_wrong_form_is_no_known_mistake(self):
        def counted(y_hat, y):
            predicted = y_hat.argmax(1) if y_hat.ndim > 1 else y_hat
            return int((predicted == y).sum())

        result = judge(SPECS["accuracy"], "agrees_with_reference", counted)
        assert result.outcome == "fail"
        assert result.failure.hint is None

    def test_an_exception_has_no_hint(self, known):
        def failing(x):
            raise ValueError("no")

        result = judge(self.OF, "agrees_with_reference", failing)
        assert (result.outcome, result.failure.hint) == ("error", None)

    def test_cases_after_the_first_failing_one_count_too(self, known):
        """The first cases may hold: what explains the failing ones is still found."""
        seen = []

        def later(x):
            seen.append(1)
            return x.var(-1, correction=0) if len(seen) <= 12 else x.var(-1)

        result = judge(self.OF, "agrees_with_reference", later)
        assert result.failure.hint == "divided by n − 1"


class TestReal:
    @pytest.mark.parametrize("name", ["softmax", "cross_entropy", "conv2d", "huber_loss", "gru_cell"])
    def test_most_known_mistakes_are_recognised_when_someone_else_makes_them(self, name):
        """Wrapped, so that it is not the same function; those that agree in value cannot be told."""
        found, hints = 0, 0
        for mistake in KNOWN[name]:
            if "agrees_with_reference" not in mistake.rejected_by:
                continue
            result = judge(
                SPECS[name], "agrees_with_reference", lambda _f=mistake.function, **arguments: _f(**arguments)
            )
            if result.failure is None or result.failure.kind == "error":
                continue
            found += 1
            hints += result.failure.hint == mistake.hint
        assert found
        assert hints >= 0.6 * found, f"{hints} of {found}"


class TestRegistry:
    def test_names_are_unique_and_laws_exist(self):
        for component, mistakes in KNOWN.items():
            assert component in SPECS
            assert len({mistake.name for mistake in mistakes}) == len(mistakes)
            for mistake in mistakes:
                assert mistake.component == component
                assert mistake.rejected_by
                assert set(mistake.rejected_by) <= set(SPECS[component].law_names()), mistake.name

    def test_every_mistake_has_a_hint_in_words(self):
        assert all(" " in mistake.hint for mistakes in KNOWN.values() for mistake in mistakes)

    def test_registering_twice_is_registering_once(self, monkeypatch):
        monkeypatch.setattr(registry, "_REGISTRY", {})
        for _ in range(2):
            faulty(losses.softmax, rejected_by="agrees_with_reference", hint="none at all")(lambda x, dim: x)
        assert len(registry._REGISTRY["softmax"]) == 1


class TestText:
    def test_a_failure_names_component_law_chapter_source_and_case(self):
        result = judge(SPECS["softmax"], "agrees_with_reference", lambda x, dim: torch.softmax(x, dim) + 1)
        head, law, *rest = result.text.splitlines()
        assert head.startswith("softmax · agrees with reference · chapter losses (note 004")
        assert law == "  the law: The result is the reference's, row by row, within what rounding may do."
        text = "\n".join(rest)
        for part in (
            "  x = [",
            "  dim = -1",
            "  got       [",
            "  expected  [",
            "worst at [",
            "error 1, allowed ",
            "reproduce:",
        ):
            assert part in text, part

    @pytest.mark.parametrize("folder", ["homework", "lawbook"])
    def test_where_it_raised_is_named(self, tmp_path, folder):
        file = tmp_path / folder / "mine.py"
        file.parent.mkdir()
        file.write_text(
            "\n\ndef softmax(x, dim):\n    return twice(x)\n\ndef twice(x):\n    y = x * 2\n    return y.no_such_method()\n"
        )
        from lawbook.fixtures.implementation import load as load_implementation

        result = judge(SPECS["softmax"], "agrees_with_reference", load_implementation(str(file)))
        assert "it raised AttributeError" in result.text
        assert "raised in mine.py, line 8" in result.text

    def test_no_memory_address_is_printed(self):
        def apply(x, activation):
            return activation(x)

        of = spec(apply, domain(lambda d: {"x": d.tensor((2,)), "activation": d.choice(torch.tanh, lambda x: x)}))
        result = judge(of, "agrees_with_reference", lambda x, activation: activation(x) + 1)
        assert " at 0x" not in result.text
        assert " at 0x" not in str(result.failure.as_json())
        assert " at 0x" not in show({"f": lambda: 0, "implementation": Implementation([{}], "x")})

    def test_a_long_tuple_is_shown_in_part(self):
        few, many = show((torch.zeros(2, 2),) * 2), show((torch.zeros(7, 7),) * 50)
        assert few == "([[0., 0.], [0., 0.]], [[0., 0.], [0., 0.]])"
        assert len(many) < 1_100
        assert many.endswith(", … 50 in all)")
