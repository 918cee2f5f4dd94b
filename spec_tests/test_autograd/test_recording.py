"""Laws of what is kept of a sweep, and of what is kept out of it."""

import copy
from functools import lru_cache

import torch
from torch import ones, tensor, zeros

from lawbook.fixtures.cases import autograd as domains
from lawbook.fixtures.implementation import NotOffered, Raised
from lawbook.fixtures.published import autograd as published
from lawbook.reference import autograd
from lawbook.reference.autograd.graph import evaluate
from lawbook.spec_tests.memory import window
from lawbook.spec_tests.spec import Invalid, Spec, require
from lawbook.spec_tests.test_autograd.programs import shifted

SQUARE = (("mul", (0, 0), ()),)
NO_EXTREMES = {"extremes_stay_finite": "programs at extreme values are judged at vjp"}


def gradients(program, inputs):
    """Of the sum of the value's elements, by the reference."""
    value = evaluate(program, inputs)[-1]
    return autograd.vjp(program, inputs, torch.ones_like(value))[1]


class TestAccumulate(Spec):
    component = autograd.accumulate
    cases = domains.accumulate
    declines = NO_EXTREMES
    prerequisites = ("vjp",)
    edges = (
        dict(programs=[], inputs=[ones(2)], clear_before=()),
        dict(programs=[(("sum", (0,), ()),)], inputs=[zeros(0, 3)], clear_before=()),
        dict(programs=[SQUARE, SQUARE], inputs=[ones(1, 1)], clear_before=(1,)),
    )
    invalid = (
        Invalid(
            ValueError, "an operation that is unknown", programs=[SQUARE, (("mull", (0, 0), ()),)], inputs=[ones(2)]
        ),
        Invalid(IndexError, "an operand that does not exist yet", programs=[(("mul", (0, 1), ()),)], inputs=[ones(2)]),
        Invalid(TypeError, "whole numbers", programs=[SQUARE], inputs=[torch.tensor([1, 2])]),
        Invalid(IndexError, "an operand before the first", programs=[(("mul", (0, -1), ()),)], inputs=[ones(2)]),
        Invalid(IndexError, "a sweep beyond the last", programs=[SQUARE], inputs=[ones(2)], clear_before=(1,)),
        Invalid(IndexError, "a sweep before the first", programs=[SQUARE], inputs=[ones(2)], clear_before=(-1,)),
    )

    def test_gradients_add_up_until_they_are_cleared(self, impl, case):
        """After every sweep the store holds the sum of the gradients since it was last cleared."""
        store, expected = None, []
        for s, program in enumerate(case.programs):
            found = gradients(program, case.inputs)
            fresh = store is None or s in case.clear_before
            store = found if fresh else tuple(a + b for a, b in zip(store, found, strict=True))
            expected.append(store)
        return impl(case), tuple(expected)

    def test_three_sweeps_give_three_times_the_gradient(self, impl, case):
        """The same program three times, nothing cleared: once, twice, three times its gradient."""
        after = impl(case, programs=[case.programs[0]] * 3, clear_before=())
        return after[1:], tuple(tuple(k * grad for grad in after[0]) for k in (2, 3))

    def test_cleared_every_time_each_sweep_stands_alone(self, impl, case):
        """Cleared before every sweep, the store holds the gradients of that sweep."""
        after = impl(case, clear_before=tuple(range(len(case.programs))))
        return after, tuple(impl(case, programs=[program], clear_before=())[0] for program in case.programs)

    def test_order_does_not_count(self, impl, case):
        """Nothing cleared, the programs in reverse order leave the same."""
        forwards, backwards = (
            impl(case, programs=programs, clear_before=()) for programs in (case.programs, case.programs[::-1])
        )
        return forwards[-1], backwards[-1]

    def test_published_store(self, impl):
        """Note 004: cleared in between, x·x and then the sum leave ones; not cleared, 2x + 1."""
        x, programs = [tensor(published.NOTE_004_X)], [published.SQUARE, published.SUM]
        for cleared, expected in (((1,), published.NOTE_004_GRADIENTS[1]), ((), published.NOTE_004_NOT_CLEARED)):
            found = tuple(impl.call(programs=programs, inputs=x, clear_before=cleared)[1][0].tolist())
            require(found == expected, f"the store holds {found} after both sweeps, expected {expected}")


class TestLeafAndRetained(Spec):
    component = autograd.leaf_and_retained
    cases = domains.leaf_and_retained
    declines = {
        **NO_EXTREMES,
        "no_aliasing": "a gradient that is kept may be a view of another one",
    }
    prerequisites = ("vjp",)
    edges = (
        dict(program=(("sum", (0,), ()),), inputs=[zeros(0, 3)], needs=(0,), retained=(1,)),
        dict(program=SQUARE, inputs=[ones(1, 1)], needs=(0,), retained=()),
        dict(
            program=(("where", (0, 1, 2), ()), ("add", (4, 3), ())),
            inputs=[ones(2), ones(2), ones(2), ones(2)],
            needs=(0, 3),
            retained=(5,),
        ),
    )
    invalid = (
        Invalid(ValueError, "a value that needs no gradient", program=SQUARE, inputs=[ones(2)], needs=(), retained=()),
        Invalid(
            ValueError,
            "a node asked to retain a gradient that it does not need",
            program=(("mul", (0, 0), ()), ("add", (2, 1), ())),
            inputs=[ones(2), ones(2)],
            needs=(1,),
            retained=(2,),
        ),
        Invalid(IndexError, "a position beyond the last", program=SQUARE, inputs=[ones(2)], needs=(0,), retained=(5,)),
        Invalid(IndexError, "a position before the first", program=SQUARE, inputs=[ones(2)], needs=(-1,), retained=()),
        Invalid(IndexError, "a node among the inputs", program=SQUARE, inputs=[ones(2)], needs=(0, 1), retained=()),
        Invalid(
            ValueError,
            "a value that needs no gradient but for its condition",
            program=(("where", (0, 1, 2), ()),),
            inputs=[ones(2), ones(2), ones(2)],
            needs=(0,),
            retained=(),
        ),
    )

    def test_inner_nodes_keep_theirs_only_when_asked(self, impl, case):
        """Nobody asked, the inputs that need one keep their gradient, and nothing else does."""
        kept = set(impl(case, retained=())["grads"])
        require(kept <= set(case.needs), f"positions {sorted(kept)} keep a gradient, only {case.needs} may")
        asked = set(impl(case)["grads"])
        require(kept <= asked, f"{sorted(kept - asked)} keep no gradient once others are asked to")
        allowed = {*case.needs, *case.retained}
        require(asked <= allowed, f"positions {sorted(asked)} keep a gradient, only {sorted(allowed)} may")

    def test_inputs_are_leaves_and_results_are_not(self, impl, case):
        """Inputs are leaves, needed or not; a result is one only if it needs no gradient."""
        found, count = impl(case), len(case.inputs)
        flags = zip(found["leaf"], found["needs"], strict=True)
        for at, (leaf, needs) in enumerate(flags):
            expected = at < count or not needs
            require(bool(leaf) == expected, f"position {at} is {'a' if leaf else 'no'} leaf")
        given = tuple(k for k in range(count) if found["needs"][k])
        require(given == tuple(sorted(case.needs)), f"inputs {given} need a gradient, expected {case.needs}")

    def test_asking_changes_no_gradient(self, impl, case):
        """The gradients of the inputs are the same whether inner nodes keep theirs or not."""
        alone, asked = impl(case, retained=())["grads"], impl(case)["grads"]
        return alone, {at: asked[at] for at in alone}

    def test_a_retained_gradient_is_that_of_the_rest(self, impl, case):
        """An inner node's gradient is what the rest of the program says of an input in its place."""
        kept, count = impl(case)["grads"], len(case.inputs)
        inner = {at: grad for at, grad in kept.items() if at in case.retained}
        if not inner:
            return self.skip
        values = evaluate(case.program, case.inputs)
        expected = {}
        for at in inner:
            rest = shifted(case.program, count, 1, {at: count})
            expected[at] = (
                torch.ones_like(values[at])
                if at == len(values) - 1
                else gradients(rest, [*case.inputs, values[at]])[count]
            )
        return inner, expected

    def test_published_leaves(self, impl):
        """Note 001: x and y are leaves, z = x w + b and the loss are not; of w and b the gradients are kept."""
        x, y = tensor([[published.NOTE_001_X]]), tensor([[published.NOTE_001_Y]])
        w, b = tensor([[0.5]]), tensor([0.25])
        program = published.NOTE_001_PROGRAM
        found = impl.call(program=program, inputs=[x, y, w, b], needs=(2, 3), retained=())
        for name, at in (("x", 0), ("y", 1), ("z", 5), ("loss", 8)):
            leaf, expected = bool(found["leaf"][at]), published.NOTE_001_LEAVES[name]
            require(leaf == expected, f"{name} is {'a' if leaf else 'no'} leaf, the note says otherwise")
        require(set(found["grads"]) == {2, 3}, f"positions {sorted(found['grads'])} keep a gradient, expected w and b")
        # 2 (w x + b − y), times x for w.
        require(
            [float(found["grads"][at]) for at in (2, 3)] == [-2.5, -2.5], "the gradients of w and b are not 2 (z − y)"
        )


@lru_cache(maxsize=64)
def _times_detached_square(function):
    return lambda x: function(x=x * x) * x


def times_detached_square(impl):
    """detach(x²) · x, as a trial of its own."""
    trial = copy.copy(impl)
    trial._function = _times_detached_square(impl._function)
    return trial


def spread(x):
    """The elements along the first axis, each followed by a copy of itself."""
    return torch.stack([x.reshape(-1)] * 2, 1)


class TestDetach(Spec):
    component = autograd.detach
    cases = domains.detach
    differentiable = ("x",)
    declines = {
        "no_aliasing": "sharing the argument's memory is what the contract asks for",
        "extremes_stay_finite": "nothing is computed",
    }
    edges = (dict(x=zeros(0, 3)), dict(x=ones(1, 1)))
    invalid = (Invalid(TypeError, "a number in place of a tensor", x=3.0),)

    def test_shares_memory(self, impl, case):
        """What is written into the result shows in the argument, in whatever order its elements lie in memory."""
        x = case.x
        for name, given in (("contiguous", x.clone()), ("transposed", spread(x).T), ("strided", spread(x)[..., 1])):
            native, _ = impl.call_with({"x": given})
            window(native, impl).fill_(77)
            require((given == 77).all(), f"what is written into the result does not show in the argument ({name})")

    def test_values_are_those_of_the_argument(self, impl, case):
        """Not a single bit changes."""
        require(torch.equal(impl(case), case.x), "the values are others")

    def test_detached_factor_is_a_constant(self, impl, case):
        """The derivative of detach(x²) · x is x², not 3x²."""
        trial = times_detached_square(impl)
        u = case.noise(case.x.shape, 4)
        return trial.vjp(case, [u], ("x",))[1]["x"], u * (case.x * case.x)

    def test_published_gradient(self, impl):
        """Note 004: with u = (x * x).detach() the gradient of u · x at 0, 1, 2, 3 is u."""
        x = tensor(published.NOTE_004_X)
        trial = times_detached_square(impl)
        case = _Arguments(x=x)
        found = tuple(trial.vjp(case, [torch.ones_like(x)], ("x",))[1]["x"].tolist())
        require(
            found == published.NOTE_004_DETACHED,
            f"the gradient is {found}, the note says {published.NOTE_004_DETACHED}",
        )


class _Arguments:
    """As much of a case as a vector–Jacobian product asks for."""

    def __init__(self, **arguments):
        self.arguments = arguments


class Stop(Exception):
    """What a function raises that a law hands over."""


class TestNoGrad(Spec):
    component = autograd.no_grad
    cases = domains.no_grad
    differentiable = ("x",)
    declines = {"extremes_stay_finite": "what comes out is the function's affair"}
    edges = (dict(f=domains.double, x=zeros(0, 3)), dict(f=domains.square, x=ones(1, 1)))
    invalid = (Invalid(TypeError, "a number in place of a function", f=3, x=ones(2)),)

    def modes(self, impl):
        """Whether there is a mode to look at."""
        if impl.implementation.bridge != "torch":
            raise NotOffered(f"{impl.implementation.name} has no mode in which operations are recorded")
        return (True, False)

    def test_gives_what_the_function_gives(self, impl, case):
        """The function is called once, on the argument."""
        calls = []
        got = impl(case, f=lambda x: calls.append(1) or case.f(x))
        require(len(calls) == 1, f"the function is called {len(calls)} times")
        return got, case.f(case.x)

    def test_nothing_is_recorded_inside(self, impl, case):
        """While the function runs nothing is recorded, even if its argument needs a gradient."""
        self.modes(impl)
        seen = []

        def f(x):
            seen.append(torch.is_grad_enabled() or (x.clone().requires_grad_() * 2).requires_grad)
            return case.f(x)

        impl(case, f=f)
        require(not any(seen), "operations inside the function are recorded")

    def test_the_mode_is_restored(self, impl, case):
        """After the call operations are recorded if they were before, and not if they were not."""
        for mode in self.modes(impl):
            with torch.set_grad_enabled(mode):
                impl(case)
                found = torch.is_grad_enabled()
            require(found == mode, f"recording was {_on(mode)} before the call, and is {_on(found)} after it")

    def test_the_mode_is_restored_after_an_exception(self, impl, case):
        """Also when the function raises."""

        def f(x):
            raise Stop("enough")

        for mode in self.modes(impl):
            with torch.set_grad_enabled(mode):
                try:
                    impl(case, f=f)
                except Raised:
                    found = torch.is_grad_enabled()
                else:
                    require(False, "the function raises, the call does not")
            require(
                found == mode, f"recording was {_on(mode)} before the function raised, and is {_on(found)} after it"
            )

    def test_exceptions_come_through(self, impl, case):
        """What the function raises reaches the caller as it is."""

        def f(x):
            raise Stop("enough")

        try:
            impl(case, f=f)
        except Raised as raised:
            require(
                isinstance(raised.error, Stop),
                f"{type(raised.error).__name__} is raised in place of the function's own",
            )
        else:
            require(False, "the function raises, the call does not")


def _on(mode):
    return "on" if mode else "off"
