"""Laws of groups of parameters."""

import torch
from torch import ones

from lawbook.fixtures.cases import optimization as domains
from lawbook.fixtures.published import optimization as published
from lawbook.reference import optimization
from lawbook.spec_tests.spec import Invalid, Spec, require
from lawbook.spec_tests.test_optimization.laws import PUSHES, START


class TestPerParameterOptions(Spec):
    component = optimization.per_parameter_options
    cases = domains.per_parameter_options
    differentiable = ("groups", "gradients")
    edges = (
        {"groups": [{"params": [START]}], "gradients": [[PUSHES[:0]]], "lr": 0.5},
        {"groups": [{"params": [torch.zeros(0)]}], "gradients": [[torch.zeros(2, 0)]], "lr": 0.5},
        {"groups": [{"params": [ones(1, 1)], "lr": 0.25}], "gradients": [[ones(1, 1, 1)]], "lr": 0.5},
    )
    invalid = (
        Invalid(ValueError, "a group without parameters", groups=[{"lr": 0.5}], gradients=[[]], lr=0.5),
        Invalid(ValueError, "a negative rate", groups=[{"params": [START], "lr": -1.0}], gradients=[[PUSHES]], lr=0.5),
        Invalid(ValueError, "a gradient of another shape", groups=[{"params": [START]}], gradients=[[ones(3, 3)]], lr=0.5),
        Invalid(
            ValueError, "an option that does not exist",
            groups=[{"params": [START], "weight_dacay": 0.5}], gradients=[[PUSHES]], lr=0.5,
        ),
    )  # fmt: skip
    declines = {
        "samples_independent": "groups are of different shapes: an own law lets them walk alone",
        "extremes_stay_finite": "each parameter walks as in sgd_momentum, where extremes are judged",
    }
    prerequisites = ("sgd_momentum",)

    def rows(self, case):
        return 0

    def test_each_parameter_walks_alone(self, impl, case):
        """Every parameter walks as it would in an optimizer of its own with its group's options."""
        defaults = {name: case[name] for name in ("lr", "weight_decay", "momentum")}
        expected = []
        for group, grads in zip(case.groups, case.gradients, strict=True):
            options = {name: group.get(name, value) for name, value in defaults.items()}
            walks = [
                optimization.sgd_momentum(w, g, **options, velocity="gradients")
                for w, g in zip(group["params"], grads, strict=True)
            ]
            expected.append(tuple(walks))
        return impl(case), tuple(expected)

    def test_order_of_the_groups_does_not_matter(self, impl, case):
        """Groups in reverse order have their walks in reverse order."""
        found = impl(case, groups=case.groups[::-1], gradients=case.gradients[::-1])
        return tuple(found)[::-1], tuple(impl(case))

    def test_defaults_hold_where_a_group_says_nothing(self, impl, case):
        """Options written into every group are the same as the defaults they repeat."""
        defaults = {name: case[name] for name in ("lr", "weight_decay", "momentum")}
        explicit = [{**defaults, **group} for group in case.groups]
        return impl(case, groups=explicit, lr=7.0, weight_decay=7.0, momentum=0.25), impl(case)

    def test_frozen_group_stays(self, impl, case):
        """A group with a rate of 0 stays where it is, while the others walk."""
        groups = [{**case.groups[0], "lr": 0.0}, *case.groups[1:]]
        found = impl(case, groups=groups)
        for walk, start in zip(found[0], case.groups[0]["params"], strict=True):
            require(bool((walk == start).all()), f"a rate of 0 leads from {start.tolist()} to {walk.tolist()}")

    def test_bias_without_decay_stays(self, impl, case):
        """With gradients of 0 a group whose decay is 0 keeps its values, whatever the default decay is."""
        groups = [{**case.groups[0], "weight_decay": 0.0}, *case.groups[1:]]
        still = [[torch.zeros_like(g) for g in part] for part in case.gradients]
        found = impl(case, groups=groups, gradients=still, weight_decay=0.5)
        for walk, start in zip(found[0], case.groups[0]["params"], strict=True):
            require(bool((walk == start).all()), f"without decay {start.tolist()} becomes {walk.tolist()}")

    def test_published_groups_of_note_002(self, impl):
        """Weights decay by 1e-5, biases by 0, both under lr 1e-2 and momentum 0.9: without gradients only weights move."""
        found = impl.call(**published.NOTE_002_GROUPS)
        weight, bias = found[0][0].double(), found[1][0]
        require(bool((bias == 1).all()), f"the bias decays to {bias.tolist()}")
        shown = [f"{1e7 * (1 - value):.1f}" for value in weight.flatten().tolist()]
        require(tuple(shown) == published.NOTE_002_LOST, f"the weight loses {shown} times 1e-7")
