"""Laws of reverse and forward accumulation, and of what they cost."""

import torch
from torch import ones, tensor, zeros

from lawbook.fixtures.cases import autograd as domains
from lawbook.fixtures.published import autograd as published
from lawbook.reference import autograd
from lawbook.spec_tests.spec import Invalid, Spec, require
from lawbook.spec_tests.test_autograd.programs import (
    alone,
    apart,
    complex_step,
    directions,
    dot,
    last_of,
    shifted,
)

SQUARE = (("mul", (0, 0), ()),)
# Decisions at their very bounds: a condition of ±0, a loop over nothing but zeros.
BRANCH, LOOP = (("where", (0, 1, 2), ()),), (("double_until", (0,), (100.0,)),)
AT_ZERO = [tensor([-1.0, -0.0, 0.0, 2.0]), tensor([3.0, 4.0, 5.0, 6.0]), tensor([-7.0, -8.0, -9.0, -10.0])]

VIEWS = {"no_aliasing": "a program of views gives views: of the inputs as its value, of the cotangent as its gradients"}


def invalid_programs(**more):
    """Programs that must be refused, with what else the component takes."""
    return (
        Invalid(ValueError, "an operation that is unknown", program=(("mull", (0, 0), ()),), inputs=[ones(2)], **more),
        Invalid(IndexError, "an operand that does not exist yet", program=(("mul", (0, 1), ()),), inputs=[ones(2)], **more),
        Invalid(ValueError, "a product of one operand", program=(("mul", (0,), ()),), inputs=[ones(2)], **more),
        Invalid(
            ValueError, "a sum along an axis that is not there", program=(("sum", (0,), (3,)),), inputs=[ones(2)], **more
        ),
    )  # fmt: skip


class TestVjp(Spec):
    component = autograd.vjp
    cases = domains.vjp
    extremes = domains.vjp_extremes
    differentiable = ("inputs", "cotangent")
    declines = VIEWS
    edges = (
        dict(program=(("mul", (0, 1), ()),), inputs=[ones(1), zeros(0)], cotangent=zeros(0)),
        dict(program=(("sum", (0,), ()),), inputs=[zeros(0, 3)], cotangent=tensor(2.0)),
        dict(program=(("mul", (0, 1), ()),), inputs=[zeros(0, 3), ones(3)], cotangent=zeros(0, 3)),
        dict(program=(("matmul", (0, 1), ()),), inputs=[zeros(2, 0), zeros(0, 3)], cotangent=ones(2, 3)),
        dict(program=(("mul", (0, 1), ()),), inputs=[ones(1, 1), ones(1)], cotangent=ones(1, 1)),
        dict(program=(("mul", (0, 1), ()),), inputs=[ones(2, 1, 1), ones(2, 3, 1)], cotangent=ones(2, 3, 1)),
        dict(program=(), inputs=[ones(2)], cotangent=ones(2)),
        dict(program=BRANCH, inputs=AT_ZERO, cotangent=ones(4)),
        dict(program=LOOP, inputs=[zeros(2)], cotangent=ones(2)),
    )
    invalid = (
        *invalid_programs(cotangent=ones(2)),
        Invalid(ValueError, "a cotangent of another shape", program=SQUARE, inputs=[ones(2, 3)], cotangent=ones(3, 2)),
        Invalid(
            ValueError,
            "shapes that cannot be broadcast",
            program=(("add", (0, 1), ()),),
            inputs=[ones(2), ones(3)],
            cotangent=ones(3),
        ),
        Invalid(
            TypeError, "inputs of whole numbers", program=SQUARE, inputs=[ones(2, dtype=torch.int64)], cotangent=ones(2)
        ),
    )

    def test_equals_finite_differences(self, impl, case):
        """Along any direction the gradients give what the values alone give, a tiny (imaginary) step away."""
        tangents = directions(case)
        return dot(impl(case)[1], tangents), (case.cotangent * complex_step(case, tangents)).sum()

    def test_each_operation_alone(self, impl, case):
        """Programs of a single operation: its rule gives what its values give, broadcast operands included."""
        equations = []
        for single in alone(case):
            tangents = directions(single, 20)
            derivative = complex_step(single, tangents)
            cotangent = case.noise(derivative.shape, 10)
            grads = impl(single, cotangent=cotangent)[1]
            equations.append((dot(grads, tangents), (cotangent * derivative).sum()))
        return equations

    def test_duality_with_forward_accumulation(self, impl, case):
        """⟨Jᵀu, t⟩ = ⟨u, J t⟩."""
        tangents = directions(case)
        forward = autograd.jvp(case.program, case.inputs, tangents)[1]
        return dot(impl(case)[1], tangents), (case.cotangent * forward).sum()

    def test_linear_in_the_cotangent(self, impl, case):
        """The gradients of 3u + v are three times those of u plus those of v."""
        u, v = case.cotangent, case.noise(case.cotangent.shape, 1)
        of_u, of_v = impl(case)[1], impl(case, cotangent=v)[1]
        return impl(case, cotangent=3 * u + v)[1], tuple(3 * a + b for a, b in zip(of_u, of_v, strict=True))

    def test_a_result_used_twice_sends_back_both(self, impl, case):
        """Adding the value to itself doubles every gradient."""
        last = last_of(case.program, len(case.inputs))
        twice = impl(case, program=(*case.program, ("add", (last, last), ())))[1]
        return twice, tuple(2 * grad for grad in impl(case)[1])

    def test_paths_of_unequal_length_add_up(self, impl, case):
        """Through p · q · (p + q) with p = tanh z and q = sin z every path back to z counts, and counts once."""
        z = last_of(case.program, len(case.inputs))
        paths = (
            ("tanh", (z,)),
            ("sin", (z,)),
            ("mul", (z + 1, z + 2)),
            ("add", (z + 1, z + 2)),
            ("mul", (z + 3, z + 4)),
        )
        longer = case.but(program=(*case.program, *((name, operands, ()) for name, operands in paths)))
        tangents = directions(case)
        return dot(impl(longer)[1], tangents), (case.cotangent * complex_step(longer, tangents)).sum()

    def test_an_input_that_is_not_used_gets_zeros(self, impl, case):
        """A further input leaves the other gradients as they are; its own is zero throughout."""
        further = case.noise((2, 3), 2)
        program = shifted(case.program, len(case.inputs), 1)
        grads = impl(case, program=program, inputs=[*case.inputs, further])[1]
        return grads, (*impl(case)[1], torch.zeros_like(further))

    def test_moved_elements_get_theirs_back(self, impl, case):
        """Where elements are only moved, taken or repeated, each gets back what arrives at its copies, and nothing else."""
        x, wide = case.noise((2, 3, 4), 8), case.noise((5, 2, 3, 4), 9)
        u = wide[0]

        def grad(name, settings, cotangent):
            return impl(case, program=((name, (0,), settings),), inputs=[x], cotangent=cotangent)[1][0]

        taken = torch.zeros_like(u)
        taken[:, 1] = u[:, 1]
        return [
            (grad("transpose", (1, 2, 0), u.permute(1, 2, 0)), u),
            (grad("reshape", (4, 6), u.reshape(4, 6)), u),
            (grad("index", (1, 1), u[:, 1]), taken),
            (grad("broadcast_to", (5, 2, 3, 4), wide), wide.sum(0)),
        ]

    def test_chain_rule(self, impl, case):
        """What follows may be swept first, and what comes back from it be handed on."""
        last = last_of(case.program, len(case.inputs))
        after = (("tanh", (0,), ()), ("mul", (0, 1), ()))
        moved = (("tanh", (last,), ()), ("mul", (last, last + 1), ()))
        at_once = impl(case, program=(*case.program, *moved))[1]
        value = impl(case)[0]
        (between,) = impl(case, program=after, inputs=[value])[1]
        return at_once, impl(case, cotangent=between)[1]

    def test_a_loop_stops_at_its_bound(self, impl):
        """25 and −12.5 doubled until 100 is reached are 100 and −50, with a slope of 4."""
        value, (grad,) = impl.call(program=LOOP, inputs=[tensor([25.0, -12.5])], cotangent=tensor([1.0, 3.0]))
        found = value.tolist(), grad.tolist()
        require(found == ([100.0, -50.0], [4.0, 12.0]), f"value and gradient are {found[0]} and {found[1]}")

    def test_published_gradients(self, impl):
        """Note 004: of x·x at 0, 1, 2, 3 the value is 14 and the gradient 2x; of the sum it is 1."""
        x = tensor(published.NOTE_004_X)
        programs = (published.SQUARE, published.SUM)
        for program, expected in zip(programs, published.NOTE_004_GRADIENTS, strict=False):
            value, (grad,) = impl.call(program=program, inputs=[x], cotangent=tensor(1.0))
            require(tuple(grad.tolist()) == expected, f"the gradient is {grad.tolist()}, the note says {expected}")
            if program is published.SQUARE:
                require(float(value) == published.NOTE_004_DOT, f"x·x is {float(value)}, the note says 14")


class TestJvp(Spec):
    component = autograd.jvp
    cases = domains.jvp
    extremes = domains.jvp_extremes
    differentiable = ("inputs", "tangents")
    declines = {"no_aliasing": "a program of views gives views of the inputs and of the tangents"}
    edges = (
        dict(program=(("sum", (0,), ()),), inputs=[zeros(0, 3)], tangents=[zeros(0, 3)]),
        dict(program=(("mul", (0, 1), ()),), inputs=[zeros(0, 3), ones(3)], tangents=[zeros(0, 3), ones(3)]),
        dict(program=(("mul", (0, 1), ()),), inputs=[ones(1, 1), ones(1)], tangents=[ones(1, 1), ones(1)]),
        dict(program=(), inputs=[ones(2)], tangents=[ones(2)]),
        dict(program=BRANCH, inputs=AT_ZERO, tangents=AT_ZERO),
        dict(program=LOOP, inputs=[zeros(2)], tangents=[ones(2)]),
    )
    invalid = (
        *invalid_programs(tangents=[ones(2)]),
        Invalid(ValueError, "a tangent of another shape", program=SQUARE, inputs=[ones(2)], tangents=[ones(3)]),
        Invalid(ValueError, "a tangent that would be broadcast", program=SQUARE, inputs=[ones(2)], tangents=[ones(1)]),
        Invalid(ValueError, "a tangent too few", program=SQUARE, inputs=[ones(2), ones(2)], tangents=[ones(2)]),
    )

    def test_equals_finite_differences(self, impl, case):
        """The tangent is what the values alone give, a tiny (imaginary) step away."""
        return impl(case)[1], complex_step(case, case.tangents)

    def test_each_operation_alone(self, impl, case):
        """Programs of a single operation: its rule gives what its values give, broadcast operands included."""
        equations = []
        for single in alone(case):
            tangents = directions(single, 20)
            equations.append((impl(single, tangents=tangents)[1], complex_step(single, tangents)))
        return equations

    def test_duality_with_reverse_accumulation(self, impl, case):
        """⟨u, J t⟩ = ⟨Jᵀu, t⟩."""
        value, tangent = impl(case)
        u = case.noise(value.shape, 3)
        return (u * tangent).sum(), dot(autograd.vjp(case.program, case.inputs, u)[1], case.tangents)

    def test_linear_in_the_tangents(self, impl, case):
        """Along 3t + v the derivative is three times that along t plus that along v."""
        others = directions(case, 50)
        both = [3 * t + v for t, v in zip(case.tangents, others, strict=True)]
        return impl(case, tangents=both)[1], 3 * impl(case)[1] + impl(case, tangents=others)[1]

    def test_no_direction_gives_nothing(self, impl, case):
        """Along tangents of zeros nothing changes."""
        found = impl(case, tangents=[torch.zeros_like(t) for t in case.tangents])[1]
        require(bool((found == 0).all()), f"along zeros the tangent is {found.tolist()}")

    def test_a_loop_stops_at_its_bound(self, impl):
        """25 and −12.5 doubled until 100 is reached are 100 and −50, with a slope of 4."""
        value, tangent = impl.call(program=LOOP, inputs=[tensor([25.0, -12.5])], tangents=[tensor([1.0, 3.0])])
        found = value.tolist(), tangent.tolist()
        require(found == ([100.0, -50.0], [4.0, 12.0]), f"value and tangent are {found[0]} and {found[1]}")

    def test_inputs_add_up(self, impl, case):
        """The derivative along all tangents is the sum of those along each of them alone."""
        tangents = case.tangents
        alone = [
            impl(case, tangents=[t if k == chosen else torch.zeros_like(t) for k, t in enumerate(tangents)])[1]
            for chosen in range(len(tangents))
        ]
        return impl(case)[1], torch.stack(alone).sum(0)


NUMBERS = {
    **dict.fromkeys(
        ("memory_layout", "low_precision", "nan_not_hidden", "no_aliasing", "accelerator_agrees"),
        "no argument is a tensor",
    ),
    "extremes_stay_finite": "operations are counted, whatever they are applied to",
}
BAD_PROGRAMS = (
    Invalid(ValueError, "an operation that is unknown", program=(("mull", (0, 0), ()),), shapes=((2,),)),
    Invalid(IndexError, "an operand that does not exist yet", program=(("mul", (0, 1), ()),), shapes=((2,),)),
    Invalid(IndexError, "an operand before the first", program=(("mul", (0, -1), ()),), shapes=((2,),)),
    Invalid(ValueError, "shapes that cannot be broadcast", program=(("add", (0, 1), ()),), shapes=((2,), (3,))),
)
SMALL_PROGRAMS = (
    dict(program=(("sum", (0,), ()),), shapes=((0, 3),)),
    dict(program=(("mul", (0, 0), ()), ("add", (1, 0), ())), shapes=((1, 1),)),
)


class TestReverseCost(Spec):
    component = autograd.reverse_cost
    cases = domains.reverse_cost
    declines = NUMBERS
    edges = SMALL_PROGRAMS
    invalid = BAD_PROGRAMS

    def visits(self, impl, case, **changes):
        """How many operations are visited."""
        return impl(case, **changes)["visits"]

    def test_no_operation_is_visited_twice(self, impl, case):
        """One sweep gives all gradients, and visits at most as many operations as there are."""
        found = impl(case)
        require(found["sweeps"] == 1, f"{found['sweeps']} sweeps, expected one")
        n = len(case.program)
        require(found["visits"] <= n, f"{found['visits']} visits in a program of {n} operations")

    def test_the_number_of_inputs_does_not_matter(self, impl, case):
        """With an input of its own for every use the program costs the same."""
        program, shapes = apart(case.program, case.shapes)
        one, many = self.visits(impl, case), self.visits(impl, case, program=program, shapes=shapes)
        require(one == many, f"{one} visits with {len(case.shapes)} inputs, {many} with {len(shapes)}")

    def test_one_more_operation_costs_one_more_visit(self, impl, case):
        """Another operation on the value adds one."""
        last = last_of(case.program, len(case.shapes))
        before = self.visits(impl, case)
        after = self.visits(impl, case, program=(*case.program, ("tanh", (last,), ())))
        require(after == before + 1, f"{before} visits, with one more operation {after}")

    def test_what_leads_nowhere_costs_nothing(self, impl, case):
        """An operation that the value does not depend on is not visited."""
        count = len(case.shapes)
        program = (("sin", (0,), ()), *shifted(case.program, count, 1))
        before, after = self.visits(impl, case), self.visits(impl, case, program=program)
        require(after == before, f"{before} visits, with an operation that leads nowhere {after}")

    def test_paths_do_not_count(self, impl):
        """Ten doublings x + x have 1024 paths and ten operations."""
        program = tuple(("add", (k, k), ()) for k in range(10))
        found = impl.call(program=program, shapes=((2,),))["visits"]
        require(found == 10, f"{found} visits, expected 10")

    def test_what_only_decides_costs_nothing(self, impl):
        """Nothing goes back through the condition of ``where``: what it was computed from is not visited."""
        program = (("tanh", (0,), ()), ("where", (1, 0, 0), ()))
        found = impl.call(program=program, shapes=((2,),))["visits"]
        require(found == 1, f"{found} visits, expected 1")


class TestForwardCost(Spec):
    component = autograd.forward_cost
    cases = domains.forward_cost
    declines = NUMBERS
    edges = SMALL_PROGRAMS
    invalid = BAD_PROGRAMS

    def test_every_input_costs_a_sweep(self, impl, case):
        """As many sweeps as inputs, each through the whole program."""
        for program, shapes in ((case.program, case.shapes), apart(case.program, case.shapes)):
            found, n = impl(case, program=program, shapes=shapes), len(program)
            require(found["sweeps"] == len(shapes), f"{found['sweeps']} sweeps for {len(shapes)} inputs")
            expected = n * len(shapes)
            require(
                found["visits"] == expected,
                f"{found['visits']} visits of {n} operations with {len(shapes)} inputs, expected {expected}",
            )

    def test_one_more_input_costs_one_more_sweep(self, impl, case):
        """Another input adds the length of the program, even one that is not used."""
        program = shifted(case.program, len(case.shapes), 1)
        before, after = impl(case), impl(case, program=program, shapes=(*case.shapes, (2,)))
        more = after["visits"] - before["visits"]
        require(more == len(program), f"one more input costs {more} visits, expected {len(program)}")

    def test_reverse_is_no_dearer(self, impl, case):
        """Reverse accumulation visits at most as many operations, divided by the number of inputs."""
        found, reverse = impl(case)["visits"], autograd.reverse_cost(case.program, case.shapes)["visits"]
        require(found >= reverse * len(case.shapes), f"{found} visits, in reverse {reverse}")
