"""Gradients through time, whole and truncated, and their clipping."""

import torch

from lawbook.fixtures.cases import recurrent as domains
from lawbook.fixtures.published import recurrent as published
from lawbook.fixtures.tree import floating
from lawbook.reference import recurrent
from lawbook.spec_tests.spec import Batch, Invalid, Spec, require, skip_case
from lawbook.spec_tests.test_recurrent.laws import gradients, parameters, ramp, without


def _joined(tree):
    return torch.cat([leaf.reshape(-1) for leaf in floating(tree)])


def _sorted(tensors):
    """A dict in the order of its keys: the two sides of an equation are compared part by part."""
    return dict(sorted(tensors.items()))


def _norm(tree):
    """The joint norm; the largest element is divided out, as squares may overflow."""
    flat = _joined(tree)
    largest = flat.abs().max()
    return largest if largest == 0 else largest * (flat / largest).square().sum().sqrt()


class TestClipGradients(Spec):
    component = recurrent.clip_gradients
    cases = domains.clip_gradients
    differentiable = ("grads",)
    extremes = domains.clip_gradients_extremes
    declines = {"nan_not_hidden": "gradients that are not finite are refused, which the law on bad input judges"}
    edges = (
        dict(grads=[ramp(0), ramp(1, 1) + 3], theta=1.0),
        dict(grads={"w": ramp(2, 0)}, theta=1.0),
        dict(grads=[], theta=1.0),
    )
    invalid = (
        Invalid(ValueError, "theta of zero", grads=[ramp(3)], theta=0.0),
        Invalid(ValueError, "a negative theta", grads=[ramp(3)], theta=-1.0),
        Invalid(ValueError, "an infinite gradient", grads=[torch.tensor([1.0, torch.inf]), ramp(3)], theta=1.0),
        Invalid(ValueError, "a gradient of nan", grads=[torch.tensor([1.0, torch.nan]), ramp(3)], theta=1.0),
        Invalid(TypeError, "whole numbers", grads=[torch.tensor([3, 4])], theta=1.0),
        Invalid(TypeError, "a generator that was read before", grads=iter(()), theta=1.0),
    )

    def test_norm_is_at_most_theta(self, impl, case):
        """The joint norm of the result is the smaller of theta and the norm before."""
        return _norm(impl(case)), torch.minimum(_norm(case.grads), _norm(case.grads).new_tensor(case.theta))

    def test_direction_is_kept(self, impl, case):
        """Result and gradients, all of them joined, are parallel."""
        before = _joined(case.grads)
        scale = before.abs().max().clamp(min=torch.finfo(before.dtype).tiny)
        after, unit = _joined(impl(case)), before / scale
        after = after / after.abs().max().clamp(min=torch.finfo(before.dtype).tiny)
        return torch.outer(after, unit), torch.outer(unit, after)

    def test_below_theta_nothing_changes(self, impl, case):
        """When theta is twice the norm the gradients come back bit by bit."""
        theta = 2 * float(_norm(case.grads)) or 1.0
        found = impl(case, theta=theta)
        require(torch.equal(_joined(found), _joined(case.grads)), "gradients below theta are changed")

    def test_zeros_stay_zeros(self, impl, case):
        """All-zero gradients have no norm to divide by, and stay zeros."""
        found = _joined(impl(case, grads=[torch.zeros_like(leaf) for leaf in floating(case.grads)]))
        require((found == 0).all(), f"zeros became {found.tolist()}")

    def test_scale_beyond_theta_does_not_matter(self, impl, case):
        """Above theta, gradients three times as large give the same result."""
        norm = float(_norm(case.grads))
        if norm == 0:
            return skip_case
        grads = list(floating(case.grads))
        theta = norm / 2
        return impl(case, grads=[3 * grad for grad in grads], theta=theta), impl(case, grads=grads, theta=theta)

    def test_the_norm_is_joint(self, impl, case):
        """One tensor with all elements is clipped as the tensors are together."""
        return impl(case, grads=[_joined(case.grads)])[0], _joined(impl(case))

    def test_containers_do_not_matter(self, impl, case):
        """A list, a tuple and a dict of the same tensors are clipped alike."""
        grads = list(floating(case.grads))
        names = {f"g{i}": grad for i, grad in enumerate(grads)}
        found = impl(case, grads=names)
        require(isinstance(found, dict) and set(found) == set(names), f"a dict became {type(found).__name__}")
        return [(impl(case, grads=tuple(grads)), impl(case, grads=grads)), (found, impl(case, grads=grads))]

    def test_published_threshold_of_note_004(self, impl):
        """Gradients (3, 0) and (0, 4), of joint norm 5, become (0.6, 0) and (0, 0.8) at theta 1."""
        grads = [torch.tensor([3.0, 0.0]), torch.tensor([0.0, 4.0])]
        found = _joined(impl.call(grads=grads, theta=published.NOTE_004_THETA))
        shown = [f"{value:.4f}" for value in found.tolist()]
        require(shown == ["0.6000", "0.0000", "0.0000", "0.8000"], f"gave {shown}")


def _sequence(steps, batch):
    return dict(x=ramp(steps, batch, 2), params=parameters("rnn", 2, 3))


def _refused(**rest):
    """Bad input of both; ``rest`` are the arguments that only one of them has."""
    good = {**_sequence(4, 2), "state": None, **rest}
    return (
        Invalid(TypeError, "whole numbers for x", **{**good, "x": torch.ones(4, 2, 2).long()}),
        Invalid(ValueError, "an input wider than the weights", **{**good, "x": ramp(4, 2, 5)}),
        Invalid(ValueError, "a missing weight", **{**good, "params": without(good["params"], "W_hh")}),
        Invalid(ValueError, "a state for another batch", **{**good, "state": ramp(3, 3)}),
    )


class TestTruncatedBptt(Spec):
    component = recurrent.truncated_bptt
    cases = domains.truncated_bptt
    differentiable = ("x", "state", "params")
    extremes = domains.truncated_bptt_extremes
    edges = (
        dict(**_sequence(1, 1), state=None, window=1),
        dict(**_sequence(2, 0), state=None, window=1),
        dict(**_sequence(3, 1), state=ramp(1, 3), window=100),
    )
    invalid = (
        Invalid(ValueError, "a window of no step in a sequence of one", **_sequence(1, 2), state=None, window=0),
        *_refused(window=2),
        Invalid(ValueError, "a window of no step", **_sequence(4, 2), state=None, window=0),
        Invalid(TypeError, "a window of half a step", **_sequence(4, 2), state=None, window=1.5),
    )
    prerequisites = ("rnn",)

    def batch(self, case):
        return Batch(output=(1, 0), x=1, **({} if case.state is None else {"state": 0}))

    def test_value_is_that_of_the_whole(self, impl, case):
        """The state's value passes on: whatever the window, output and state are the plain layer's."""
        output, state = recurrent.rnn(case.x, None if case.state is None else case.state[None], case.params)
        return impl(case), (output, state[0])

    def test_one_window_for_all_is_the_plain_layer(self, impl, case):
        """A window of all steps has the plain layer's gradient too."""
        state = _start(case)
        names, cotangents = (
            list(case.params),
            [case.noise((*case.x.shape[:2], state.shape[1]), 1), case.noise(state.shape, 2)],
        )
        found = impl.vjp(case, cotangents, ("x", "state", "params"), state=state, window=len(case.x))[1]

        def whole(x, h, *values):
            output, final = recurrent.rnn(x, h[None], dict(zip(names, values, strict=True)))
            return output, final[0]

        expected = gradients(whole, [case.x, state, *case.params.values()], cotangents)
        return (found["x"], found["state"], *(found["params"][name] for name in names)), tuple(expected)

    def test_gradient_is_the_sum_over_windows(self, impl, case):
        """The gradient is that of the windows run one by one, each from a state held constant."""
        state = _start(case)
        case = case.but(state=state)
        cotangent = case.noise((*case.x.shape[:2], state.shape[1]), 1)
        zero = torch.zeros_like(state)
        found = impl.vjp(case, [cotangent, zero], ("x", "params"))[1]
        inputs, total = [], None
        for start in range(0, len(case.x), case.window):
            part = slice(start, start + case.window)
            one = case.but(x=case.x[part], state=state)
            grads = impl.vjp(one, [cotangent[part], zero], ("x", "params"))[1]
            inputs.append(grads["x"])
            total = grads["params"] if total is None else {k: total[k] + v for k, v in grads["params"].items()}
            _, state = impl(one)
        return [(found["x"], torch.cat(inputs)), (_sorted(found["params"]), _sorted(total))]

    def test_gradient_ends_at_the_window(self, impl, case):
        """What is asked of a later window reaches neither earlier inputs nor the initial state."""
        case = case.but(state=_start(case))
        if len(case.x) <= case.window:
            case = case.but(window=1)
        cotangent = torch.ones(*case.x.shape[:2], case.state.shape[1], dtype=case.dtype)
        cotangent[: case.window] = 0
        found = impl.vjp(case, [cotangent, torch.ones_like(case.state)], ("x", "state"))[1]
        require((found["state"] == 0).all(), "the initial state has a gradient from a later window")
        require((found["x"][: case.window] == 0).all(), "inputs of the first window have a gradient from a later one")


def _start(case):
    if case.state is not None:
        return case.state
    return case.x.new_zeros(case.x.shape[1], len(case.params["b_h"]))


class TestBpttGradient(Spec):
    component = recurrent.bptt_gradient
    cases = domains.bptt_gradient
    differentiable = ("params", "x", "cotangent", "state")
    extremes = domains.bptt_gradient_extremes
    edges = (
        dict(**_sequence(1, 1), cotangent=ramp(1, 1, 3) + 1, state=None),
        dict(**_sequence(2, 0), cotangent=ramp(2, 0, 3), state=None),
    )
    invalid = (
        *_refused(cotangent=ramp(4, 2, 3)),
        Invalid(ValueError, "a cotangent for fewer steps", **_sequence(4, 2), cotangent=ramp(3, 2, 3)),
        Invalid(ValueError, "a cotangent for other units", **_sequence(4, 2), cotangent=ramp(4, 2, 2)),
    )
    declines = {"samples_independent": "the parameters' gradient sums over the samples; an own law says so"}
    prerequisites = ("rnn_cell",)

    def test_is_the_gradient_of_the_layer(self, impl, case):
        """It is what differentiating the layer's own steps gives."""
        names = list(case.params)

        def layer(x, h, *values):
            return recurrent.rnn(x, h[None], dict(zip(names, values, strict=True)))[0]

        x, state, *params = gradients(layer, [case.x, _start(case), *case.params.values()], case.cotangent)
        return _sorted(impl(case)), _sorted({**dict(zip(names, params, strict=True)), "x": x, "state": state})

    def test_is_the_sum_of_products_of_jacobians(self, impl, case):
        """The initial state's gradient is, cotangent by cotangent, a product of Jacobians back to the first step."""
        output, _ = recurrent.rnn(case.x, _start(case)[None], case.params)
        jacobians = case.params["W_hh"].T * (1 - output.square())[..., None]
        total = torch.zeros_like(output[0])
        for last, row in enumerate(case.cotangent.unbind(0)):
            for jacobian in reversed(jacobians[: last + 1].unbind(0)):
                row = (row[:, None] @ jacobian)[:, 0]
            total = total + row
        return impl(case)["state"], total

    def test_is_linear_in_the_cotangent(self, impl, case):
        """Gradients of two cotangents add up to the gradient of their sum."""
        other = case.noise(case.cotangent.shape)
        a, b = impl(case), impl(case, cotangent=other)
        both = impl(case, cotangent=case.cotangent + other)
        return _sorted(both), _sorted({name: a[name] + b[name] for name in a})

    def test_samples_add_up(self, impl, case):
        """The parameters' gradient is the sum of the samples', and every sample has its own for x and state."""
        parts = []
        for row in range(case.x.shape[1]):
            pick = slice(row, row + 1)
            state = None if case.state is None else case.state[pick]
            parts.append(impl(case, x=case.x[:, pick], cotangent=case.cotangent[:, pick], state=state))
        alone = {name: sum(part[name] for part in parts) for name in case.params}
        alone |= {
            "x": torch.cat([part["x"] for part in parts], 1),
            "state": torch.cat([part["state"] for part in parts]),
        }
        return _sorted(impl(case)), _sorted(alone)

    def test_nothing_comes_from_the_future(self, impl, case):
        """A cotangent at the first step alone has no gradient for later inputs."""
        cotangent = torch.zeros_like(case.cotangent)
        cotangent[0] = 1
        later = impl(case, cotangent=cotangent)["x"][1:]
        require((later == 0).all(), "later inputs have a gradient from the first step")
