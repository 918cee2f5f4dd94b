"""Rows of unequal length, and stacks of unlike cells."""

import torch

from lawbook.fixtures.cases import recurrent as domains
from lawbook.reference import recurrent
from lawbook.spec_tests.spec import Batch, Invalid, Spec, require
from lawbook.spec_tests.test_recurrent.gates import gates_by_tanh
from lawbook.spec_tests.test_recurrent.laws import hidden_size, map_state, parameters, ramp, swap_layout, without

LAYERS = {"rnn": recurrent.rnn, "gru": recurrent.gru, "lstm": recurrent.lstm}


def _form(case):
    return {name: case[name] for name in ("nonlinearity", "reset") if name in case.arguments}


def _layer(case):
    """The reference's layer of the case's kind, to be given x, state and batch_first."""
    form = {**_form(case), "num_layers": case.num_layers, "bidirectional": case.bidirectional}
    return lambda x, state, batch_first=False: LAYERS[case.kind](x, state, case.params, batch_first=batch_first, **form)


def _padding(case):
    """(T, B, 1) or (B, T, 1): where a row is over."""
    steps = case.x.shape[1 if case.batch_first else 0]
    return swap_layout(case, (torch.arange(steps)[:, None] >= case.lengths)[:, :, None])


class TestPackedRecurrent(Spec):
    component = recurrent.packed_recurrent
    orders = (gates_by_tanh,)
    cases = domains.packed_recurrent
    differentiable = ("x", "state", "params")
    extremes = domains.packed_recurrent_extremes
    edges = (
        dict(x=ramp(1, 1, 1), lengths=torch.tensor([1]), kind="gru", state=None, params=[parameters("gru", 1, 1)]),
        dict(
            x=ramp(3, 2, 1),
            lengths=torch.tensor([1, 1]),
            kind="rnn",
            state=None,
            params=[parameters("rnn", 1, 2)] * 2,
            bidirectional=True,
        ),
        dict(
            x=ramp(1, 4, 2),
            lengths=torch.tensor([3]),
            kind="lstm",
            state=None,
            params=[parameters("lstm", 2, 1)],
            batch_first=True,
        ),
    )
    invalid = (
        Invalid(
            ValueError,
            "an unknown kind",
            x=ramp(4, 2, 3),
            lengths=torch.tensor([4, 2]),
            kind="transformer",
            state=None,
            params=[parameters("rnn", 3, 2)],
        ),
        Invalid(
            IndexError,
            "a length beyond the last step",
            x=ramp(4, 2, 3),
            lengths=torch.tensor([5, 2]),
            kind="rnn",
            state=None,
            params=[parameters("rnn", 3, 2)],
        ),
        Invalid(
            IndexError,
            "a negative length",
            x=ramp(4, 2, 3),
            lengths=torch.tensor([4, -1]),
            kind="rnn",
            state=None,
            params=[parameters("rnn", 3, 2)],
        ),
        Invalid(
            ValueError,
            "a length for every row but one",
            x=ramp(4, 2, 3),
            lengths=torch.tensor([4]),
            kind="rnn",
            state=None,
            params=[parameters("rnn", 3, 2)],
        ),
        Invalid(
            ValueError,
            "a missing weight",
            x=ramp(4, 2, 3),
            lengths=torch.tensor([4, 2]),
            kind="lstm",
            state=None,
            params=[without(parameters("lstm", 3, 2), "W_hf")],
        ),
    )
    prerequisites = ("rnn", "gru", "lstm")

    def batch(self, case):
        axis = 0 if case.batch_first else 1
        if case.kind == "lstm":
            return Batch(output=(axis, 1, 1), x=axis, lengths=0) if case.state is None else None
        return Batch(output=(axis, 1), x=axis, lengths=0, **({} if case.state is None else {"state": 1}))

    def test_each_row_is_as_if_alone(self, impl, case):
        """A row's output within its length and its final state are those of the layer run on that row alone."""
        at = case.seed % len(case.lengths)
        length = int(case.lengths[at])
        x = swap_layout(case, case.x)[:length, at : at + 1]
        alone = _layer(case)(x, map_state(lambda part: part[:, at : at + 1], case.state))
        output, state = impl(case)
        row = swap_layout(case, output)[:length, at : at + 1]
        return (row, map_state(lambda part: part[:, at : at + 1], state)), alone

    def test_beyond_the_length_is_zero(self, impl, case):
        """Outputs in the padding are exactly zero."""
        output, _ = impl(case)
        beyond = torch.where(_padding(case), output, 0)
        require((beyond == 0).all(), f"the padding of the output holds {beyond.abs().max().item()}, expected 0")

    def test_padding_is_not_read(self, impl, case):
        """Other values in the padding, also nan, leave output and state as they are."""
        noise = torch.where(case.noise(case.x.shape) > 0, torch.nan, 1000.0).to(case.x.dtype)
        return impl(case, x=torch.where(_padding(case), noise, case.x)), impl(case)

    def test_padding_has_no_gradient(self, impl, case):
        """The padding's own gradient is zero, and nan in it does not reach the parameters' gradient."""
        given = impl.vjp(case, wrt=self.differentiable)[1]
        inside = torch.where(_padding(case), given["x"], 0)
        require((inside == 0).all(), f"the padding has a gradient of {inside.abs().max().item()}, expected 0")
        spoiled = case.but(x=torch.where(_padding(case), torch.nan, case.x))
        return impl.vjp(spoiled, wrt=self.differentiable)[1]["params"], given["params"]

    def test_more_padding_changes_nothing(self, impl, case):
        """Two more steps of padding add two steps of zeros."""
        x, axis = case.x, 1 if case.batch_first else 0
        longer = torch.cat([x, x.narrow(axis, 0, 1) * 0 + 3, x.narrow(axis, 0, 1)], dim=axis)
        output, state = impl(case, x=longer)
        steps = x.shape[axis]
        beyond = output.narrow(axis, steps, 2)
        require((beyond == 0).all(), "the added padding has an output that is not zero")
        return (output.narrow(axis, 0, steps), state), impl(case)

    def test_full_lengths_are_the_plain_layer(self, impl, case):
        """With every row as long as the sequence it is the layer itself."""
        full = torch.full_like(case.lengths, case.x.shape[1 if case.batch_first else 0])
        return impl(case, lengths=full), _layer(case)(case.x, case.state, case.batch_first)

    def test_empty_row_keeps_its_state(self, impl, case):
        """A row of length 0 among full ones has zero output and the state it began with."""
        lengths = torch.full_like(case.lengths, case.x.shape[1 if case.batch_first else 0])
        at = case.seed % len(lengths)
        lengths[at] = 0
        output, state = impl(case, lengths=lengths)
        row = swap_layout(case, output)[:, at]
        require((row == 0).all(), f"a row of length 0 has an output of {row.abs().max().item()}, expected 0")
        final = map_state(lambda part: part[:, at], state)
        start = map_state(lambda part: part[:, at], case.state)
        return final, map_state(torch.zeros_like, final) if start is None else start


def bad_cells(error, what, cells, states, x=None):
    """Cells, states or a sequence that a stack refuses."""
    return Invalid(error, what, cells=cells, x=ramp(4, 2, 3) if x is None else x, states=states)


class TestDeepRecurrent(Spec):
    component = recurrent.deep_recurrent
    orders = (gates_by_tanh,)
    cases = domains.deep_recurrent
    differentiable = ("cells", "x", "states")
    extremes = domains.deep_recurrent_extremes
    edges = (
        dict(cells=[("gru", parameters("gru", 1, 1))], x=ramp(1, 1, 1), states=[None]),
        dict(
            cells=[("rnn", parameters("rnn", 2, 1)), ("lstm", parameters("lstm", 1, 3))],
            x=ramp(2, 0, 2),
            states=[None, None],
        ),
    )
    invalid = (
        bad_cells(ValueError, "no cell", [], []),
        bad_cells(ValueError, "an unknown kind", [("tree", parameters("rnn", 3, 2))], [None]),
        bad_cells(ValueError, "more states than cells", [("rnn", parameters("rnn", 3, 2))], [None, None]),
        bad_cells(
            ValueError, "a second cell that does not fit the first", [("rnn", parameters("rnn", 3, 2))] * 2, [None] * 2
        ),
        bad_cells(ValueError, "a state for another batch", [("gru", parameters("gru", 3, 2))], [ramp(3, 2)]),
        bad_cells(
            ValueError, "one state for all samples", [("lstm", parameters("lstm", 3, 2))], [(ramp(1, 2), ramp(1, 2))]
        ),
        bad_cells(ValueError, "a bias of one number", [("rnn", {**parameters("rnn", 3, 2), "b_h": ramp(1)})], [None]),
        bad_cells(
            ValueError,
            "a bias that only the other form has",
            [("gru", {**parameters("gru", 3, 2), "b_hh": ramp(2)})],
            [None],
        ),
        bad_cells(
            TypeError, "whole numbers for x", [("gru", parameters("gru", 3, 2))], [None], torch.ones(4, 2, 3).long()
        ),
    )
    prerequisites = ("rnn_cell", "gru_cell", "lstm_cell")

    def batch(self, case):
        if any(state is not None for state in case.states):
            return None
        tensors = sum(2 if kind == "lstm" else 1 for kind, _ in case.cells)
        return Batch(output=(1, *[0] * tensors), x=1)

    def test_each_layer_reads_the_one_below(self, impl, case):
        """A stack is its cells run one after the other, the output of each the input of the next."""
        x, finals = case.x, []
        for cell, state in zip(case.cells, case.states, strict=True):
            x, (final,) = impl(case, cells=[cell], x=x, states=[state])
            finals.append(final)
        return impl(case), (x, finals)

    def test_one_cell_is_its_layer(self, impl, case):
        """A stack of one cell is the layer of that kind."""
        (kind, params), state = case.cells[0], case.states[0]
        form = {"reset": case.reset} if kind == "gru" else {}
        output, final = LAYERS[kind](case.x, map_state(lambda part: part[None], state), params, **form)
        return impl(case, cells=case.cells[:1], states=[state]), (output, [map_state(lambda part: part[0], final)])

    def test_states_carry_everything(self, impl, case):
        """Running the first steps and then the rest from the states reached is running all of them."""
        at = len(case.x) // 2
        first, states = impl(case, x=case.x[:at])
        second, finals = impl(case, x=case.x[at:], states=list(states))
        return (torch.cat([first, second]), finals), impl(case)

    def test_missing_states_are_zeros(self, impl, case):
        """No state is a state of zeros, layer by layer."""
        zeros = []
        for kind, params in case.cells:
            one = case.x.new_zeros(case.x.shape[1], hidden_size(params))
            zeros.append((one, one.clone()) if kind == "lstm" else one)
        return impl(case, states=[None] * len(zeros)), impl(case, states=zeros)

    def test_output_is_the_uppermost_state(self, impl, case):
        """The last output is the uppermost layer's final h."""
        output, finals = impl(case)
        return output[-1], finals[-1][0] if case.cells[-1][0] == "lstm" else finals[-1]
