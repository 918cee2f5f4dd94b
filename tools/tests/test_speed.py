"""What judging costs, by chapter. The clock is a stand-in."""

from itertools import count

import torch

from lawbook.fixtures.implementation import Implementation, load
from lawbook.fixtures.trial import Trial
from lawbook.tools.soak import Plan
from lawbook.tools.speed import Cost, calls_of, cost, main


def test_calls_and_gradients_of_the_implementation_on_trial_are_counted_and_no_others():
    own, other = (Trial(Implementation([{"relu": torch.relu}], name), "relu") for name in ("own", "other"))
    ticks, spent = count(), []
    with calls_of(own.implementation, spent, clock=lambda: next(ticks)):
        for trial in (own, other):
            trial.call(input=torch.ones(2))
            trial.products({"input": torch.ones(2)}, ("input",), lambda _, like: torch.ones_like(like), None)
    assert spent == [1, 1]
    own.call(input=torch.ones(2))
    assert spent == [1, 1]


def test_a_call_that_raises_counts_too():
    trial = Trial(Implementation([{"relu": lambda **_: 1 / 0}], "own"), "relu")
    ticks, spent = count(), []
    with calls_of(trial.implementation, spent, clock=lambda: next(ticks)):
        try:
            trial.call(input=torch.ones(2))
        except Exception as error:
            spent.append(type(error).__name__)
    assert spent == [1, "Raised"]


def test_a_line_of_the_table():
    both = Cost(1, 1000, 2.0, 2.5, 0.5) + Cost(2, 500, 1.0, 1.0, 1.0)
    assert both.row("losses") == "| losses | 3 | 1,500 | 3.0 | 3.5 | 500 | 50% |"


def test_a_component_is_judged_by_all_its_laws():
    found = cost("relu", load("torch"), Plan("torch", profile="quick"), 0)
    assert found.components == 1
    assert found.cases > 50
    assert 0 < found.inside < found.cpu


def test_every_chapter_has_its_line(capsys):
    assert main(["--impl", "torch", "--chapter", "pooling", "--profile", "quick"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(" | ")[0].strip("| ") for line in lines[2:]] == ["pooling", "all"]
    assert lines[2].split(" | ")[1:] == lines[3].split(" | ")[1:]
