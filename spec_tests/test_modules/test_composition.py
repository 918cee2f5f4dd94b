"""Laws of layers one after the other, and of functions applied to trees of modules."""

import torch
from torch import ones, zeros

from lawbook.fixtures.cases import modules as domains
from lawbook.fixtures.implementation import Raised
from lawbook.reference import modules
from lawbook.spec_tests.spec import Invalid, Spec, require


class TestSequential(Spec):
    component = modules.sequential
    cases = domains.sequential
    differentiable = ("x",)
    twice = True
    declines = {
        "no_aliasing": "no layers give the input itself",
        "extremes_stay_finite": "the values are the layers' own",
    }
    edges = (
        dict(layers=[], x=zeros(0, 3)),
        dict(layers=[domains.square, domains.without_first], x=ones(1, 1)),
        dict(layers=[domains.add_one], x=zeros(0)),
    )
    invalid = (
        Invalid(TypeError, "a layer that is a number", layers=[domains.square, 3], x=ones(2)),
        Invalid(TypeError, "a layer that is None", layers=[None], x=ones(2)),
    )

    def test_no_layers_change_nothing(self, impl, case):
        """Without layers the input comes back, to the bit."""
        require(torch.equal(impl(case, layers=[]), case.x), "without layers the input is changed")

    def test_can_be_cut_anywhere(self, impl, case):
        """Layers a and then layers b are the layers a + b."""
        cut = case.seed % (len(case.layers) + 1)
        first = impl(case, layers=case.layers[:cut])
        return impl(case, layers=case.layers[cut:], x=first), impl(case)

    def test_order_counts(self, impl, case):
        """(x + 1)² is not x² + 1, and the first layer comes first."""
        add, square = domains.add_one, domains.square
        return [
            (impl(case, layers=[add, square]), (case.x + 1) * (case.x + 1)),
            (impl(case, layers=[square, add]), case.x * case.x + 1),
        ]

    def test_every_layer_is_called_once(self, impl):
        """Three layers are three calls, in order; a layer that stands there twice is called twice."""
        calls = []

        def layer(name):
            def call(x):
                calls.append(name)
                return x + 1

            return call

        a, b = layer("a"), layer("b")
        impl.call(layers=[a, b, b], x=ones(2))
        require(calls == ["a", "b", "b"], f"the calls were {calls}, expected a, b, b")

    def test_nothing_is_called_before_all_layers_are_known(self, impl):
        """A layer that cannot be called is refused before the layers in front of it are called."""
        calls = []
        try:
            impl.call(layers=[lambda x: calls.append(x) or x, 3], x=ones(2))
        except Raised:
            require(not calls, "the first layer is called before the second, the number 3, is refused")
            return
        require(False, "accepts the number 3 as a layer")


class TestApplyRecursively(Spec):
    component = modules.apply_recursively
    cases = domains.apply_recursively
    declines = {
        **dict.fromkeys(
            ("memory_layout", "low_precision", "nan_not_hidden", "no_aliasing", "accelerator_agrees"),
            "no argument is a tensor",
        ),
        "extremes_stay_finite": "nothing is computed",
    }
    edges = (
        dict(children={"net": []}, root="net", function=domains.capitals),
        dict(children={"net": [], "lost": []}, root="net", function=domains.capitals),
    )
    invalid = (
        Invalid(ValueError, "a root that is unknown", children={"net": []}, root="nett", function=domains.capitals),
        Invalid(ValueError, "a child that is unknown", children={"a": ["b"]}, root="a", function=domains.capitals),
        Invalid(
            ValueError, "a module inside itself", children={"a": ["b"], "b": ["a"]}, root="a", function=domains.capitals
        ),
    )

    def visited(self, impl, case):
        """Names in the order of the calls."""
        names = []
        impl(case, function=lambda name: names.append(name) or name)
        return names

    def test_each_module_once(self, impl, case):
        """Every module below the root is visited, none twice, however many parents it has; others are left alone."""
        names, reach = self.visited(impl, case), [case.root]
        for name in reach:
            reach += [child for child in case.children[name] if child not in reach]
        require(len(set(names)) == len(names), f"visited {names}: one of them twice")
        require(set(names) == set(reach), f"visited {sorted(names)}, expected {sorted(reach)}")

    def test_children_come_first(self, impl, case):
        """No module is visited before its children; the root comes last."""
        names = self.visited(impl, case)
        for name in names:
            for child in case.children[name]:
                require(names.index(child) < names.index(name), f"{name} is visited before its child {child}")
        require(names[-1] == case.root, f"the last one is {names[-1]}, expected the root, {case.root}")

    def test_a_shared_module_is_initialized_once(self, impl):
        """A module below two parents is visited once."""
        names = []
        children = {"net": ["left", "right"], "left": ["shared"], "right": ["shared"], "shared": []}
        impl.call(children=children, root="net", function=lambda name: names.append(name) or name)
        require(names == ["shared", "left", "right", "net"], f"visited {names}")

    def test_returns_what_the_function_returns(self, impl, case):
        """One result a call, in order."""
        found = impl(case, function=lambda name: f"<{name}>")
        expected = tuple(f"<{name}>" for name in self.visited(impl, case))
        require(tuple(found) == expected, f"returned {tuple(found)}, expected {expected}")

    def test_nothing_is_called_on_a_tree_that_is_none(self, impl):
        """Where a name is unknown or a module contains itself, the function is called on no module at all."""
        for children, what in (
            ({"net": ["first", "second"], "first": [], "second": ["third"]}, "a child that is unknown"),
            ({"net": ["first", "second"], "first": [], "second": ["net"]}, "a module inside itself"),
        ):
            names = []
            try:
                impl.call(children=children, root="net", function=lambda name: names.append(name) or name)  # noqa: B023
            except Raised:
                require(not names, f"calls the function, first on {names[:1]}, before it refuses {what}")
                continue
            require(False, f"accepts {what}")
