"""The suite's proof: for every component, whatever must be rejected is rejected."""

import json

import pytest
import torch

from lawbook.fixtures.faulty import registry
from lawbook.fixtures.faulty.impostors import IMPOSTORS
from lawbook.fixtures.faulty.registry import Faulty
from lawbook.fixtures.implementation import copy
from lawbook.spec_tests import load
from lawbook.tools.teeth import Bite, judge_faulty, judge_impostor, main, page
from lawbook.tools.tests.specimens import double, judge, numbers, spec

SPECS = load()
KNOWN = registry.load()


@pytest.mark.parametrize("name", sorted(SPECS))
def test_impostors_are_rejected(name):
    # Nothing of a training is differentiated: a detached answer is the answer, which takes all laws to see.
    chosen = [impostor for impostor in IMPOSTORS if SPECS[name].cost == 1 or impostor != "detached"]
    bites = [judge_impostor(SPECS[name], impostor) for impostor in chosen]
    assert [bite.name for bite in bites if not (bite.rejected_by or bite.same)] == []
    assert not all(bite.same for bite in bites), "impostors that give the very same answer prove nothing"


@pytest.mark.parametrize("name", sorted(name for name, spec_class in SPECS.items() if spec_class.cost == 1))
def test_faulty_implementations_are_rejected(name):
    missed = {known.name: judge_faulty(SPECS[name], known).missed for known in KNOWN.get(name, [])}
    assert {known: laws for known, laws in missed.items() if laws} == {}


def affordable(spec_class):
    """A few faulty implementations that need all the laws between them; `make teeth` judges all, which takes minutes."""
    known = KNOWN[spec_class.name]
    few, left = [], {law for one in known for law in one.rejected_by}
    while left:
        few.append(max(known, key=lambda one: len(left & set(one.rejected_by))))
        left -= set(few[-1].rejected_by)
    return few


TRAINED = [spec_class for spec_class in SPECS.values() if spec_class.cost > 1]


@pytest.mark.parametrize(
    "known", [known for spec_class in TRAINED for known in affordable(spec_class)], ids=lambda k: k.name
)
def test_a_trainers_mistake_is_rejected(known):
    assert judge_faulty(SPECS[known.component], known).missed == []


def test_of_what_is_trained_every_law_has_its_proof():
    assert TRAINED
    for spec_class in TRAINED:
        named = {law for known in KNOWN[spec_class.name] for law in known.rejected_by}
        assert {law for known in affordable(spec_class) for law in known.rejected_by} == named


def test_every_component_has_a_faulty_implementation():
    assert [name for name in SPECS if not KNOWN.get(name)] == []


def test_one_spec_a_component():
    """Another Spec of the same component would take the first one's place without a word."""
    from lawbook.spec_tests.spec import Spec

    def below(of):
        return [found for child in of.__subclasses__() for found in (child, *below(child))]

    shipped = [s for s in set(below(Spec)) if s.__module__.startswith("lawbook.spec_tests.") and "component" in vars(s)]
    assert sorted(s.name for s in shipped) == sorted(SPECS)


class TestImpostors:
    CASE = {"x": torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.001]])}

    @staticmethod
    def reference(x):
        return {"y": x * 3, "best": x.argmax(-1), "n": len(x)}

    @pytest.mark.parametrize("name", IMPOSTORS)
    def test_its_answers_have_the_right_form(self, name):
        impostor = IMPOSTORS[name](self.reference)
        for _ in range(2):
            answer, truth = impostor(**copy(self.CASE)), self.reference(**copy(self.CASE))
            assert answer.keys() == truth.keys()
            assert (answer["y"].shape, answer["y"].dtype) == (truth["y"].shape, truth["y"].dtype)

    @pytest.mark.parametrize("name", sorted(set(IMPOSTORS) - {"detached", "the previous answer"}))
    def test_its_answers_are_wrong(self, name):
        answer, truth = (f(**copy(self.CASE))["y"] for f in (IMPOSTORS[name](self.reference), self.reference))
        assert not torch.equal(answer, truth)

    def test_the_previous_answer_is_the_previous_one(self):
        impostor = IMPOSTORS["the previous answer"](lambda x: x * 3)
        first, second = torch.ones(2), torch.full((2,), 5.0)
        impostor(x=first)
        assert torch.equal(impostor(x=second), first * 3)

    def test_a_detached_answer_is_right_but_leads_nowhere(self):
        x = torch.ones(2, requires_grad=True)
        answer = IMPOSTORS["detached"](lambda x: x * 3)(x=x)
        assert torch.equal(answer, x.detach() * 3)
        assert not answer.requires_grad


class TestTeethThemselves:
    """A suite without laws must be caught."""

    def test_a_toothless_spec_is_reported(self):
        toothless = spec(double, numbers, test_nothing=lambda self, impl, case: None)
        toothless.law_names = classmethod(lambda cls: ["nothing"])
        bite = judge_impostor(toothless, "zeros")
        assert (bite.rejected_by, bite.same) == ([], False)

    def test_an_impostor_of_the_same_answers_is_told_from_one_that_gets_through(self):
        zero = spec(lambda x: x * 0, numbers, declines={"nan_not_hidden": "the answer does not depend on the values"})
        assert judge_impostor(zero, "zeros").same
        assert judge_impostor(zero, "constant").rejected_by == ["agrees_with_reference"]

    def test_a_law_that_does_not_reject_is_named(self):
        of = spec(double, numbers)
        slight = Faulty("slight", of.name, lambda x: x * 2.5, ("agrees_with_reference", "global_state"), "no", "")
        bite = judge_faulty(of, slight)
        assert bite.rejected_by == ["agrees_with_reference"]
        assert bite.missed == ["global_state: pass"]

    def test_a_law_that_is_itself_wrong_rejects_nothing(self):
        of = spec(double, numbers, test_wrong=lambda self, impl, case: (impl(case), case.x))
        known = Faulty("triple", of.name, lambda x: x * 3, ("wrong",), "no", "")
        assert judge_faulty(of, known).missed == [
            "wrong: lawbook itself is wrong: the law wrong does not hold for the reference in float64 itself"
        ]

    def test_what_gets_through_is_printed_and_fails(self, monkeypatch, capsys, tmp_path):
        through = Bite("softmax", "losses", "zeros", [])
        monkeypatch.setattr("lawbook.tools.teeth.all_bites", lambda *_: iter([through]))
        assert main([]) == 1
        assert "NOT REJECTED  softmax · zeros" in capsys.readouterr().out
        rejected = [Bite("softmax", "losses", name, ["agrees_with_reference"]) for name in IMPOSTORS]
        monkeypatch.setattr("lawbook.tools.teeth.all_bites", lambda *_: iter(rejected))
        assert main(["--markdown", str(tmp_path)]) == 0
        assert "agrees with reference" in (tmp_path / "losses.md").read_text()
        index = (tmp_path / "README.md").read_text()
        assert f"[losses](losses.md): 1 component; {len(IMPOSTORS)} impostors rejected, 0 give" in index

    def test_the_table_shows_what_was_missed(self):
        bites = [Bite("softmax", "losses", name, ["agrees_with_reference"]) for name in IMPOSTORS]
        bites.append(Bite("softmax", "losses", "blind", [], ["memory_layout: pass"]))
        bites[0].rejected_by = []
        table = page("losses", bites)
        assert "**not rejected**" in table
        assert "**not: memory_layout: pass**" in table


def test_two_mistakes_of_one_name_are_refused():
    """The second would be lost without a word."""
    known = next(iter(KNOWN["softmax"]))
    other = lambda x, dim: x  # noqa: E731
    other.__name__ = known.name
    with pytest.raises(ValueError, match=f"{known.name} is defined in"):
        registry.faulty(SPECS["softmax"].component, rejected_by="agrees_with_reference", hint="another")(other)


@pytest.mark.parametrize("name", sorted(SPECS))
def test_a_failure_of_every_component_can_be_written_down(name):
    """Zeros fail somewhere; whatever the arguments are, the verdict can hold them."""
    result = judge(SPECS[name], "agrees_with_reference", IMPOSTORS["sign flipped"](SPECS[name].component), cases=8)
    if result.failure is not None:
        json.dumps(result.failure.as_json(), allow_nan=False)
