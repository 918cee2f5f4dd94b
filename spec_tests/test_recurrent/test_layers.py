"""Recurrent layers over whole sequences."""

import torch

from lawbook.fixtures.cases import recurrent as domains
from lawbook.fixtures.published import recurrent as published
from lawbook.reference import recurrent
from lawbook.spec_tests.spec import Batch, Invalid, Spec, require, skip_case
from lawbook.spec_tests.test_recurrent.gates import gates_by_tanh
from lawbook.spec_tests.test_recurrent.laws import (
    OPEN,
    SHUT,
    gate_fixed,
    hidden_size,
    map_state,
    parameters,
    ramp,
    swap_halves,
    swap_layout,
)


def _edges(kind):
    def state(*shape):
        return (ramp(*shape), ramp(*shape) + 1) if kind == "lstm" else ramp(*shape)

    two = [parameters(kind, 2, 3), parameters(kind, 2, 3)]
    above = parameters(kind, 3, 3)
    return (
        dict(x=ramp(3, 2, 2), state=None, params=[two[0], above], num_layers=2, dropout=1.0, seed=0),
        dict(x=ramp(2, 0, 2), state=None, params=[parameters(kind, 2, 3)]),
        dict(x=ramp(1, 2, 2), state=state(1, 2, 3), params=[parameters(kind, 2, 3)]),
        dict(x=ramp(1, 1, 1), state=None, params=[parameters(kind, 1, 1)]),
        dict(x=ramp(3, 1, 2), state=state(2, 3, 3), params=two, bidirectional=True, batch_first=True),
        dict(x=ramp(2, 2, 18), state=None, params=[parameters(kind, 18, 20)]),
    )


def _invalid(kind):
    def state(*shape):
        return (ramp(*shape), ramp(*shape)) if kind == "lstm" else ramp(*shape)

    gate = {"rnn": "h", "gru": "r", "lstm": "f"}[kind]
    one, good = parameters(kind, 2, 3), dict(x=ramp(4, 5, 2), state=None)
    above = parameters(kind, 3, 3)
    return (
        Invalid(TypeError, "whole numbers for x", **{**good, "x": torch.ones(4, 5, 2).long()}, params=[one]),
        Invalid(ValueError, "a sequence without steps", **{**good, "x": ramp(0, 5, 2)}, params=[one]),
        Invalid(ValueError, "an input wider than the weights", **{**good, "x": ramp(4, 5, 3)}, params=[one]),
        Invalid(ValueError, "fewer dicts than layers", **good, params=[one], num_layers=2),
        Invalid(ValueError, "no layer", **good, params=[], num_layers=0),
        Invalid(ValueError, "a second layer that reads D features", **good, params=[one, one], num_layers=2),
        Invalid(
            ValueError,
            "a state of one direction for two",
            x=ramp(4, 5, 2),
            state=state(1, 5, 3),
            params=[one, one],
            bidirectional=True,
        ),
        Invalid(ValueError, "a state for another batch", x=ramp(4, 5, 2), state=state(1, 4, 3), params=[one]),
        Invalid(ValueError, "a share above 1", **good, params=[one, above], num_layers=2, dropout=1.5, seed=0),
        Invalid(ValueError, "a share below 0", **good, params=[one, above], num_layers=2, dropout=-0.1, seed=0),
        Invalid(
            ValueError,
            "a second layer with a bias of one number",
            **good,
            params=[one, {**above, f"b_{gate}": ramp(1)}],
            num_layers=2,
        ),
    )


class LayerLaws:
    """What rnn, gru and lstm have in common; ``kind`` and ``cell`` (of the reference) differ."""

    def batch(self, case):
        axis = 0 if case.batch_first else 1
        if self.kind == "lstm":
            # The pair of states cannot be cut along with x; where zeros are taken there is none.
            return Batch(output=(axis, 1, 1), x=axis) if case.state is None else None
        return Batch(output=(axis, 1), x=axis, **({} if case.state is None else {"state": 1}))

    def unroll(self, case, x, state, params):
        """The reference's cell, step by step over (T, B, D)."""
        outputs = []
        for step in x.unbind(0):
            state = self.cell(case, step, state, params)
            outputs.append(state[0] if self.kind == "lstm" else state)
        return torch.stack(outputs), state

    def zeros(self, case, params):
        """A state of zeros for one layer and direction."""
        zeros = case.x.new_zeros(case.x.shape[0 if case.batch_first else 1], hidden_size(params))
        return (zeros, zeros) if self.kind == "lstm" else zeros

    def one_way(self, case):
        """A case of one direction: the same, or the first layer's forward direction."""
        if not case.bidirectional:
            return case
        state = map_state(lambda part: part[:1], case.state)
        return case.but(bidirectional=False, num_layers=1, params=case.params[:1], state=state)

    def two_ways(self, case):
        """A case of one layer in both directions; from one direction, the same weights twice."""
        params = case.params[:2] if case.bidirectional else [case.params[0]] * 2
        state = map_state(lambda part: part[:2] if case.bidirectional else part[[0, 0]], case.state)
        return case.but(bidirectional=True, num_layers=1, params=params, state=state)

    def test_is_the_unrolled_cell(self, impl, case):
        """One layer in one direction is its cell, fed step by step with its own state."""
        case = self.one_way(case).but(num_layers=1, params=case.params[:1])
        state = map_state(lambda part: part[:1], case.state)
        start = self.zeros(case, case.params[0]) if state is None else map_state(lambda part: part[0], state)
        output, final = self.unroll(case, swap_layout(case, case.x), start, case.params[0])
        return impl(case, state=state), (swap_layout(case, output), map_state(lambda part: part[None], final))

    def test_upper_layers_read_the_lower(self, impl, case):
        """Two layers are one after the other, each with its own part of the state."""
        if case.num_layers == 1:
            return skip_case
        case, directions = case.but(num_layers=1), 2 if case.bidirectional else 1
        low, high = (map_state(lambda part, s=s: part[s], case.state) for s in _halves(directions))
        lower, first = impl(case, params=case.params[:directions], state=low)
        upper, second = impl(case, x=lower, params=case.params[directions:], state=high)
        return impl(case, num_layers=2), (upper, map_state(lambda a, b: torch.cat([a, b]), first, second))

    def test_state_carries_everything(self, impl, case):
        """Running the first steps and then the rest from the state reached is running all of them."""
        case = self.one_way(case)
        x = swap_layout(case, case.x)
        at = len(x) // 2
        first, state = impl(case, x=swap_layout(case, x[:at]))
        second, final = impl(case, x=swap_layout(case, x[at:]), state=state)
        return (torch.cat([first, second], 1 if case.batch_first else 0), final), impl(case)

    def test_batch_first_only_swaps_axes(self, impl, case):
        """batch_first changes where the axes of x and of the output stand, and nothing about the state."""
        output, state = impl(case)
        other, same = impl(case, x=case.x.transpose(0, 1), batch_first=not case.batch_first)
        return (other.transpose(0, 1), same), (output, state)

    def test_missing_state_is_zeros(self, impl, case):
        """No state is a state of zeros."""
        batch = case.x.shape[0 if case.batch_first else 1]
        zeros = case.x.new_zeros(len(case.params), batch, hidden_size(case.params[0]))
        return impl(case, state=None), impl(case, state=(zeros, zeros.clone()) if self.kind == "lstm" else zeros)

    def test_directions_stand_side_by_side(self, impl, case):
        """Both directions' output is the forward run, then the run over the reversed steps, turned back."""
        case = self.two_ways(case)
        axis = 1 if case.batch_first else 0
        forward, backward = (map_state(lambda part, s=s: part[s], case.state) for s in _halves(1))
        there, end = impl(case, bidirectional=False, params=case.params[:1], state=forward)
        back, start = impl(case, x=case.x.flip(axis), bidirectional=False, params=case.params[1:], state=backward)
        both = torch.cat([there, back.flip(axis)], dim=2)
        return impl(case), (both, map_state(lambda a, b: torch.cat([a, b]), end, start))

    def test_reversed_steps_swap_the_directions(self, impl, case):
        """Reversing the steps and exchanging the directions' weights and states reverses the output."""
        if not case.bidirectional:
            case = self.two_ways(case)
        axis = 1 if case.batch_first else 0
        order = [index ^ 1 for index in range(len(case.params))]
        params = [dict(case.params[index]) for index in order]
        for one in params[2:]:
            one.update({name: swap_halves(value, 0) for name, value in one.items() if name.startswith("W_x")})
        state = map_state(lambda part: part[order], case.state)
        output, final = impl(case, x=case.x.flip(axis), params=params, state=state)
        return (swap_halves(output.flip(axis), 2), map_state(lambda part: part[order], final)), impl(case)

    def test_final_state_is_where_each_direction_ends(self, impl, case):
        """The uppermost layer's state is the forward output of the last step and the backward output of the first."""
        output, state = impl(case)
        output, h = swap_layout(case, output), state[0] if self.kind == "lstm" else state
        if not case.bidirectional:
            return h[-1], output[-1]
        forward, backward = output.chunk(2, dim=2)
        return h[-2:], torch.stack([forward[-1], backward[0]])

    def test_dropout_of_everything_leaves_zeros(self, impl, case):
        """With a rate of 1 the upper layer reads zeros, and the lower one's state does not change."""
        if case.num_layers == 1:
            return skip_case
        directions = 2 if case.bidirectional else 1
        low, high = (map_state(lambda part, s=s: part[s], case.state) for s in _halves(directions))
        lower, first = impl(case, num_layers=1, params=case.params[:directions], state=low)
        zeros = torch.zeros_like(lower)
        upper, second = impl(case, num_layers=1, x=zeros, params=case.params[directions:], state=high)
        return impl(case, dropout=1.0, seed=0), (upper, map_state(lambda a, b: torch.cat([a, b]), first, second))

    def test_dropout_zeroes_its_share_and_scales_the_rest(self, impl, case):
        """Between layers each element is dropped by itself with the given chance; what stays is divided by the rest.

        The lower layer says the same everywhere and the upper one shows what it reads, so its output is 0 or one
        known value. By Hoeffding's inequality the share of zeros errs by more than 0.1 with a chance below
        2 exp(−2 · 1920 · 0.01) < 5e-17, and two slices of 80 elements or more agree with one below 0.625⁸⁰ < 1e-16.
        """
        # Few seeds, so that back ends which compile them in are not asked for too much.
        rate, seed = ((0.25, 1), (0.5, 2), (0.75, 3))[case.seed % 3]
        steps, batch, hidden = 8, 10, 24
        low, high, shown = self.transparent(case, hidden)
        given = case.but(
            x=case.x.new_zeros(steps, batch, hidden),
            state=None,
            params=[low, high],
            num_layers=2,
            bidirectional=False,
            batch_first=False,
            dropout=rate,
            seed=seed,
        )
        output, _ = impl(given)
        dropped = output == 0
        share = dropped.double().mean().item()
        require(abs(share - rate) <= 0.1, f"{share:.3f} of the elements are dropped, expected about {rate}")
        for axis, what in enumerate(("steps", "samples", "units")):
            a, b = dropped.select(axis, 0), dropped.select(axis, 1)
            require(bool((a != b).any()), f"the same elements are dropped for different {what}")
        again, other = impl(given)[0], impl(given, seed=seed + 10)[0]
        require(torch.equal(again, output), "the same seed drops other elements")
        require(not torch.equal(other == 0, dropped), "another seed drops the same elements")
        return output, torch.where(dropped, 0, shown(1 / (1 - rate)))


def _halves(size):
    return slice(0, size), slice(size, 2 * size)


class TestRnn(LayerLaws, Spec):
    component = recurrent.rnn
    kind = "rnn"
    cases = domains.rnn
    differentiable = ("x", "state", "params")
    extremes = domains.rnn_extremes
    edges = _edges("rnn")
    invalid = (
        *_invalid("rnn"),
        Invalid(
            ValueError,
            "an unknown nonlinearity",
            x=ramp(4, 5, 2),
            state=None,
            params=[parameters("rnn", 2, 3)],
            nonlinearity="sine",
        ),
    )
    prerequisites = ("rnn_cell",)

    def cell(self, case, x, state, params):
        return recurrent.rnn_cell(x, state, params, case.nonlinearity)

    def transparent(self, case, hidden):
        eye, zeros = torch.eye(hidden, dtype=case.dtype), torch.zeros(hidden, hidden, dtype=case.dtype)
        low = {"W_xh": zeros, "W_hh": zeros, "b_h": torch.full((hidden,), 0.5, dtype=case.dtype)}
        high = {"W_xh": eye, "W_hh": zeros, "b_h": torch.zeros(hidden, dtype=case.dtype)}
        activation = torch.tanh if case.nonlinearity == "tanh" else torch.relu
        return low, high, lambda scale: activation(scale * activation(low["b_h"]))

    def test_without_recurrent_weights_steps_are_alone(self, impl, case):
        """With W_hh = 0 one layer is a dense layer with an activation, at every step."""
        case = self.one_way(case).but(num_layers=1, state=None)
        params = {**case.params[0], "W_hh": torch.zeros_like(case.params[0]["W_hh"])}
        activation = torch.tanh if case.nonlinearity == "tanh" else torch.relu
        return impl(case, params=[params])[0], activation(case.x @ params["W_xh"] + params["b_h"])

    def test_published_shapes_of_note_001(self, impl):
        """input (T, B, D) and hx (layers, B, H) give output (T, B, H) and hn (layers, B, H)."""
        steps, batch, inputs, hidden, layers = published.NOTE_001_SIZES.values()
        params = [parameters("rnn", inputs if layer == 0 else hidden, hidden) for layer in range(layers)]
        output, state = impl.call(
            x=ramp(steps, batch, inputs), state=ramp(layers, batch, hidden), params=params, num_layers=layers
        )
        require(output.shape == (steps, batch, hidden), f"output has shape {tuple(output.shape)}")
        require(state.shape == (layers, batch, hidden), f"hn has shape {tuple(state.shape)}")


class TestGru(LayerLaws, Spec):
    component = recurrent.gru
    orders = (gates_by_tanh,)
    low_gradients = True
    kind = "gru"
    cases = domains.gru
    differentiable = ("x", "state", "params")
    extremes = domains.gru_extremes
    edges = _edges("gru")
    invalid = (
        *_invalid("gru"),
        Invalid(
            ValueError,
            "an unknown place of the reset gate",
            x=ramp(4, 5, 2),
            state=None,
            params=[parameters("gru", 2, 3)],
            reset="beside",
        ),
    )
    prerequisites = ("gru_cell",)

    def cell(self, case, x, state, params):
        return recurrent.gru_cell(x, state, params, case.reset)

    def transparent(self, case, hidden):
        base = {
            name: torch.zeros_like(value, dtype=case.dtype) for name, value in parameters("gru", hidden, hidden).items()
        }
        base = gate_fixed(base, z=SHUT, r=OPEN)
        low = {**base, "b_h": base["b_h"] + 0.5}
        high = {**base, "W_xh": torch.eye(hidden, dtype=case.dtype)}
        return low, high, lambda scale: torch.tanh(scale * torch.tanh(low["b_h"]))

    def test_open_update_gate_keeps_the_state(self, impl, case):
        """With z = 1 in every layer the state never changes, and is the output of every step."""
        case = self.one_way(case)
        params = [gate_fixed(one, z=OPEN) for one in case.params]
        output, final = impl(case, params=params)
        state = torch.zeros_like(final) if case.state is None else case.state
        return (output, final), (state[-1].unsqueeze(1 if case.batch_first else 0).expand_as(output), state)

    def test_published_shapes_of_note_002(self, impl):
        """(8, 200, 64), batch first, into 32 units: output (8, 200, 32), state (1, 8, 32)."""
        hidden, inputs = published.NOTE_002_HIDDEN, published.NOTE_002_INPUTS
        output, state = impl.call(
            x=ramp(*inputs), state=None, params=[parameters("gru", inputs[2], hidden)], batch_first=True
        )
        require(output.shape == published.NOTE_002_OUTPUT, f"output has shape {tuple(output.shape)}")
        require(state.shape == published.NOTE_002_STATE, f"the state has shape {tuple(state.shape)}")


class TestLstm(LayerLaws, Spec):
    component = recurrent.lstm
    orders = (gates_by_tanh,)
    low_gradients = True
    kind = "lstm"
    cases = domains.lstm
    differentiable = ("x", "state", "params")
    extremes = domains.lstm_extremes
    edges = _edges("lstm")
    invalid = (
        *_invalid("lstm"),
        Invalid(
            TypeError,
            "a state without its cells",
            x=ramp(4, 5, 2),
            state=ramp(1, 5, 3),
            params=[parameters("lstm", 2, 3)],
        ),
    )
    prerequisites = ("lstm_cell",)

    def cell(self, case, x, state, params):
        return recurrent.lstm_cell(x, state, params)

    def transparent(self, case, hidden):
        base = {
            name: torch.zeros_like(value, dtype=case.dtype)
            for name, value in parameters("lstm", hidden, hidden).items()
        }
        base = gate_fixed(base, f=SHUT, i=OPEN, o=OPEN)
        low = {**base, "b_c": base["b_c"] + 0.5}
        high = {**base, "W_xc": torch.eye(hidden, dtype=case.dtype)}

        def twice(x):
            return torch.tanh(torch.tanh(x))

        return low, high, lambda scale: twice(scale * twice(low["b_c"]))

    def test_open_forget_gate_carries_the_cell_to_the_end(self, impl, case):
        """With every forget gate at 1 and input gate at 0 the cells arrive as they set out."""
        params = [gate_fixed(one, f=OPEN, i=SHUT) for one in case.params]
        _, (h, c) = impl(case, params=params)
        return c, torch.zeros_like(h) if case.state is None else case.state[1]

    def test_samples_with_states_are_alone(self, impl, case):
        """A sample with its own h and c by itself gives its own part of the result."""
        batch_axis = 0 if case.batch_first else 1
        at = case.seed % case.x.shape[batch_axis]
        state = map_state(lambda part: part[:, at : at + 1], case.state)
        output, final = impl(case)
        alone = impl(case, x=case.x.narrow(batch_axis, at, 1), state=state)
        return alone, (output.narrow(batch_axis, at, 1), map_state(lambda part: part[:, at : at + 1], final))

    def test_published_shapes_of_note_000_and_note_002(self, impl):
        """(32, 50, 10) into 20 units and (8, 200, 64) into 32, batch first; the note's two layouts agree in shape."""
        batch, steps, inputs, hidden = published.NOTE_000_LSTM.values()
        for first in (True, False):
            x = ramp(batch, steps, inputs) if first else ramp(steps, batch, inputs)
            output, (h, c) = impl.call(x=x, state=None, params=[parameters("lstm", inputs, hidden)], batch_first=first)
            expected = (batch, steps, hidden) if first else (steps, batch, hidden)
            require(output.shape == expected, f"output has shape {tuple(output.shape)}, expected {expected}")
            require(h.shape == c.shape == (1, batch, hidden), f"h, c have shapes {tuple(h.shape)}, {tuple(c.shape)}")
        inputs, hidden = published.NOTE_002_INPUTS, published.NOTE_002_HIDDEN
        output, (h, c) = impl.call(
            x=ramp(*inputs), state=None, params=[parameters("lstm", inputs[2], hidden)], batch_first=True
        )
        require(output.shape == published.NOTE_002_OUTPUT, f"output has shape {tuple(output.shape)}")
        require(h.shape == c.shape == published.NOTE_002_STATE, f"h, c have shapes {tuple(h.shape)}, {tuple(c.shape)}")
