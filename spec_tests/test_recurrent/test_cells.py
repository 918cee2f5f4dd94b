"""One step of each recurrent kind."""

import torch

from lawbook.fixtures.cases import recurrent as domains
from lawbook.reference import recurrent
from lawbook.spec_tests.spec import Batch, Invalid, Spec, require, skip_case
from lawbook.spec_tests.test_recurrent.gates import gates_by_tanh
from lawbook.spec_tests.test_recurrent.laws import OPEN, SHUT, gate_fixed, parameters, ramp, without


def _invalid(kind, state="state"):
    params = parameters(kind, 3, 2)

    def pair(*shape):
        return (ramp(*shape), ramp(*shape)) if kind == "lstm" else ramp(*shape)

    gate = {"rnn": "h", "gru": "r", "lstm": "f"}[kind]
    good = {"x": ramp(4, 3), state: pair(4, 2), "params": params}
    return (
        Invalid(TypeError, "whole numbers for x", **{**good, "x": torch.ones(4, 3, dtype=torch.int64)}),
        Invalid(ValueError, "an input wider than the weights", **{**good, "x": ramp(4, 5)}),
        Invalid(ValueError, "a state for another number of samples", **{**good, state: pair(3, 2)}),
        Invalid(ValueError, "a state for another number of units", **{**good, state: pair(4, 3)}),
        Invalid(ValueError, "one state for all samples", **{**good, state: pair(1, 2)}),
        Invalid(ValueError, "a bias of one number", **{**good, "params": {**params, f"b_{gate}": ramp(1)}}),
        Invalid(ValueError, "a missing weight", **{**good, "params": without(params, f"W_h{gate}")}),
        Invalid(ValueError, "a missing bias", **{**good, "params": without(params, f"b_{gate}")}),
        Invalid(ValueError, "a recurrent weight that is not square", **{
            **good, "params": {**params, f"W_h{gate}": ramp(2, 3)}
        }),
    )  # fmt: skip


def _edges(kind, state="state", **form):
    edges = []
    for batch, inputs, hidden in ((0, 3, 2), (1, 1, 1), (2, 18, 20)):
        start = ramp(batch, hidden)
        start = (start, start + 1) if kind == "lstm" else start
        edges.append({"x": ramp(batch, inputs), state: start, "params": parameters(kind, inputs, hidden), **form})
    return tuple(edges)


class TestRnnCell(Spec):
    component = recurrent.rnn_cell
    low_gradients = True
    cases = domains.rnn_cell
    differentiable = ("x", "state", "params")
    twice = True
    extremes = domains.rnn_cell_extremes
    edges = _edges("rnn")
    invalid = (
        *_invalid("rnn"),
        Invalid(
            ValueError,
            "an unknown nonlinearity",
            x=ramp(4, 3),
            state=ramp(4, 2),
            params=parameters("rnn", 3, 2),
            nonlinearity="sine",
        ),
    )

    def batch(self, case):
        return Batch(output=0, x=0, state=0)

    def test_without_recurrent_weights_it_is_a_dense_layer(self, impl, case):
        """With W_hh = 0 the state is forgotten: what remains is a dense layer with an activation."""
        params = {**case.params, "W_hh": torch.zeros_like(case.params["W_hh"])}
        activation = torch.tanh if case.nonlinearity == "tanh" else torch.relu
        return impl(case, params=params), activation(case.x @ params["W_xh"] + params["b_h"])

    def test_input_and_state_join_into_one_map(self, impl, case):
        """[x, h] through W_xh stacked on W_hh, from a state of zeros, is the same step."""
        joined = {
            **case.params,
            "W_xh": torch.cat([case.params["W_xh"], case.params["W_hh"]]),
            "W_hh": torch.zeros_like(case.params["W_hh"]),
        }
        x = torch.cat([case.x, case.state], dim=1)
        return impl(case, x=x, state=torch.zeros_like(case.state), params=joined), impl(case)

    def test_tanh_states_stay_within_one(self, impl, case):
        """With tanh no unit leaves [−1, 1], however large the input."""
        h = impl(case, nonlinearity="tanh", x=case.x * 1000)
        require((h.abs() <= 1).all(), f"a unit is {h.abs().max().item()}, expected at most 1")

    def test_relu_scales_along(self, impl, case):
        """With relu, doubling input, state and bias doubles the result."""
        params = {**case.params, "b_h": 2 * case.params["b_h"]}
        case = case.but(nonlinearity="relu")
        return impl(case, x=2 * case.x, state=2 * case.state, params=params), 2 * impl(case)


class TestLstmCell(Spec):
    component = recurrent.lstm_cell
    orders = (gates_by_tanh,)
    cases = domains.lstm_cell
    differentiable = ("x", "state", "params")
    twice = True
    extremes = domains.lstm_cell_extremes
    edges = _edges("lstm")
    invalid = (
        *_invalid("lstm"),
        Invalid(TypeError, "a state without its cell", x=ramp(4, 3), state=ramp(4, 2), params=parameters("lstm", 3, 2)),
    )
    declines = {"samples_independent": "the state is a pair; its own law treats both parts with the input"}

    def test_each_sample_is_alone(self, impl, case):
        """A sample by itself gives its own row, for input, h and c alike."""
        row = slice(case.seed % len(case.x), case.seed % len(case.x) + 1)
        alone = impl(case, x=case.x[row], state=tuple(part[row] for part in case.state))
        return alone, tuple(part[row] for part in impl(case))

    def test_open_forget_gate_copies_the_cell(self, impl, case):
        """With the forget gate at 1 and the input gate at 0 the memory cell passes unchanged."""
        _, c = impl(case, params=gate_fixed(case.params, f=OPEN, i=SHUT))
        return c, case.state[1]

    def test_shut_gates_erase(self, impl, case):
        """With forget and input gate at 0 both cell and state are zero."""
        h, c = impl(case, params=gate_fixed(case.params, f=SHUT, i=SHUT))
        require((c == 0).all() and (h == 0).all(), f"erased, yet h = {h.tolist()}, c = {c.tolist()}")

    def test_output_gate_hides_the_cell_and_keeps_it(self, impl, case):
        """The output gate decides what h shows, tanh(c) or nothing, and never touches the cell."""
        _, c = impl(case)
        shown, kept = impl(case, params=gate_fixed(case.params, o=OPEN))
        hidden, kept_too = impl(case, params=gate_fixed(case.params, o=SHUT))
        require((hidden == 0).all(), f"the output gate is shut, yet h = {hidden.tolist()}")
        return [(shown, torch.tanh(kept)), (kept, c), (kept_too, c)]

    def test_open_input_gate_writes_the_candidate(self, impl, case):
        """With the input gate at 1 and the forget gate at 0 the cell is a simple recurrent network's new state."""
        _, c = impl(case, params=gate_fixed(case.params, f=SHUT, i=OPEN))
        simple = {"W_xh": case.params["W_xc"], "W_hh": case.params["W_hc"], "b_h": case.params["b_c"]}
        return c, recurrent.rnn_cell(case.x, case.state[0], simple)

    def test_states_stay_within_one(self, impl, case):
        """No unit of h leaves [−1, 1], however full its cell is."""
        h, _ = impl(case, state=(case.state[0], 1000 * case.state[1]))
        require((h.abs() <= 1).all(), f"a unit is {h.abs().max().item()}, expected at most 1")


class TestGruCell(Spec):
    component = recurrent.gru_cell
    orders = (gates_by_tanh,)
    cases = domains.gru_cell
    differentiable = ("x", "h", "params")
    twice = True
    extremes = domains.gru_cell_extremes
    edges = (*_edges("gru", "h", reset="before"), *_edges("gru", "h", reset="after"))
    invalid = (
        *_invalid("gru", "h"),
        Invalid(
            ValueError,
            "an unknown place of the reset gate",
            x=ramp(4, 3),
            h=ramp(4, 2),
            params=parameters("gru", 3, 2),
            reset="beside",
        ),
    )

    def batch(self, case):
        return Batch(output=0, x=0, h=0)

    def test_open_update_gate_keeps_the_state(self, impl, case):
        """With z = 1 the state passes unchanged."""
        return impl(case, params=gate_fixed(case.params, z=OPEN)), case.h

    def test_with_z_zero_and_r_one_it_is_the_simple_cell(self, impl, case):
        """With z = 0 and r = 1 it is the tanh cell, the candidate's two biases added."""
        params = gate_fixed(case.params, z=SHUT, r=OPEN)
        simple = {name: params[name] for name in ("W_xh", "W_hh")}
        return impl(case, params=params), recurrent.rnn_cell(
            case.x, case.h, {**simple, "b_h": params["b_h"] + params.get("b_hh", 0)}
        )

    def test_with_both_gates_shut_it_is_a_dense_layer(self, impl, case):
        """With z = 0 and r = 0 nothing of the past is left, nor of the bias inside the reset product."""
        params = gate_fixed(case.params, z=SHUT, r=SHUT)
        return impl(case, params=params), torch.tanh(case.x @ params["W_xh"] + params["b_h"])

    def test_forms_agree_with_an_open_reset_gate(self, impl, case):
        """With r = 1, resetting before or after the product is the same."""
        params = gate_fixed(without(case.params, "b_hh"), r=OPEN)
        return impl(case, params=params, reset="before"), impl(case, params=params, reset="after")

    def test_forms_agree_for_one_unit(self, impl, case):
        """With a single unit the reset gate commutes with the product."""
        params = {
            name: value[:1, :1] if name.startswith("W_h") else value[..., :1]
            for name, value in without(case.params, "b_hh").items()
        }
        one = case.but(h=case.h[:, :1], params=params)
        return impl(one, reset="before"), impl(one, reset="after")

    def test_update_gate_mixes_state_and_candidate(self, impl, case):
        """The update gate mixes: h′ = z h + (1 − z) n, with n found by shutting z and z the gate's own value."""
        candidate = impl(case, params=gate_fixed(case.params, z=SHUT))
        params = case.params
        z = torch.sigmoid(case.x @ params["W_xz"] + case.h @ params["W_hz"] + params["b_z"])
        return impl(case), z * case.h + (1 - z) * candidate

    def test_second_bias_is_reset_too(self, impl, case):
        """In the later form the bias b_hh counts as often as the reset gate lets it: not at all, or like b_h."""
        if case.reset != "after":
            return skip_case
        bias = case.noise(case.params["b_h"].shape)
        shut = gate_fixed(without(case.params, "b_hh"), r=SHUT)
        wide = gate_fixed(without(case.params, "b_hh"), r=OPEN)
        return [
            (impl(case, params={**shut, "b_hh": bias}), impl(case, params=shut)),
            (impl(case, params={**wide, "b_hh": bias}), impl(case, params={**wide, "b_h": wide["b_h"] + bias})),
        ]
