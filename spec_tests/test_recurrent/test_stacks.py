"""States to begin with, a language model, and writing on from a prefix."""

import torch

from lawbook.fixtures.cases import recurrent as domains
from lawbook.fixtures.published import recurrent as published
from lawbook.reference import recurrent
from lawbook.spec_tests.spec import Invalid, Spec, require
from lawbook.spec_tests.test_recurrent.laws import parameters, ramp, without


class TestBeginState(Spec):
    component = recurrent.begin_state
    cases = domains.begin_state
    edges = (
        dict(kind="rnn", layers=1, directions=1, batch_size=0, hidden_size=2),
        dict(kind="lstm", layers=1, directions=1, batch_size=1, hidden_size=1),
    )
    invalid = (
        Invalid(ValueError, "an unknown kind", kind="tree", layers=1, directions=1, batch_size=2, hidden_size=3),
        Invalid(ValueError, "a negative batch", kind="gru", layers=1, directions=1, batch_size=-1, hidden_size=3),
        Invalid(
            ValueError, "a negative number of units", kind="gru", layers=1, directions=1, batch_size=2, hidden_size=-1
        ),
        Invalid(ValueError, "no layer", kind="gru", layers=0, directions=1, batch_size=2, hidden_size=3),
        Invalid(TypeError, "half a layer", kind="gru", layers=0.5, directions=1, batch_size=2, hidden_size=3),
    )
    declines = {
        "extremes_stay_finite": "no argument has extreme values",
        "nan_not_hidden": "no argument can hold nan",
        "accelerator_agrees": "no argument is a tensor that would say where to compute",
    }

    def test_all_is_zero_and_counts_directions(self, impl, case):
        """Zeros (layers · directions, B, H), which is layers times two for two directions."""
        states = impl(case)
        expected = (case.layers * case.directions, case.batch_size, case.hidden_size)
        for state in states if case.kind == "lstm" else [states]:
            require(tuple(state.shape) == expected, f"the state has shape {tuple(state.shape)}, expected {expected}")
            require((state == 0).all(), "a state is not zero")

    def test_both_parts_are_tensors_of_their_own(self, impl, case):
        """Of an LSTM, writing to h leaves c alone."""
        h, c = impl(case, kind="lstm")
        h.add_(1)
        require((c == 0).all(), "h and c share their memory")

    def test_it_begins_a_layer(self, impl, case):
        """A layer that starts from it gives what it gives without a state."""
        directions, hidden = case.directions, case.hidden_size
        params = [
            parameters(case.kind, 2 if index < directions else directions * hidden, hidden)
            for index in range(case.layers * directions)
        ]
        params = [{name: value.float() for name, value in one.items()} for one in params]
        layer = getattr(recurrent, case.kind)
        x = ramp(3, case.batch_size, 2).float()
        options = {"num_layers": case.layers, "bidirectional": directions == 2}
        return layer(x, impl(case), params, **options), layer(x, None, params, **options)


class TestRnnLanguageModel(Spec):
    component = recurrent.rnn_language_model
    cases = domains.rnn_language_model
    differentiable = ("state", "params")
    extremes = domains.rnn_language_model_extremes
    declines = {
        "nan_not_hidden": "a product with one-hot rows spreads a nan of tokens that were not read, a look-up does not; "
        "the contract leaves it open",
        "samples_independent": "samples and steps share the output's first axis; the time-major law separates them",
    }
    edges = tuple(
        dict(
            tokens=torch.zeros(batch, 1, dtype=torch.int64),
            state=ramp(batch, 1),
            params={**parameters("rnn", 2, 1), "W_hq": ramp(1, 2), "b_q": ramp(2)},
        )
        for batch in (1, 0)
    )
    _good = dict(
        tokens=torch.tensor([[0, 1, 2], [2, 3, 0]]),
        state=ramp(2, 3),
        params={**parameters("rnn", 4, 3), "W_hq": ramp(3, 4), "b_q": ramp(4)},
    )
    invalid = (
        Invalid(IndexError, "a token beyond the vocabulary", **{**_good, "tokens": torch.tensor([[0, 4], [1, 1]])}),
        Invalid(IndexError, "a negative token", **{**_good, "tokens": torch.tensor([[0, -1], [1, 1]])}),
        Invalid(TypeError, "tokens that are no integers", **{**_good, "tokens": ramp(2, 3)}),
        Invalid(ValueError, "a state for another batch", **{**_good, "state": ramp(3, 3)}),
        Invalid(ValueError, "a missing output weight", **{**_good, "params": without(_good["params"], "W_hq")}),
        Invalid(
            ValueError,
            "scores of five tokens for a vocabulary of four",
            **{**_good, "params": {**_good["params"], "W_hq": ramp(3, 5), "b_q": ramp(5)}},
        ),
    )
    prerequisites = ("rnn_cell",)

    def test_output_is_time_major(self, impl, case):
        """Row t · B + b of the output belongs to step t of sample b, which by itself has the same scores."""
        at = case.seed % len(case.tokens)
        output, state = impl(case)
        alone, final = impl(case, tokens=case.tokens[at : at + 1], state=case.state[at : at + 1])
        return (output[at :: len(case.tokens)], state[at : at + 1]), (alone, final)

    def test_reads_one_hot_rows(self, impl, case):
        """It is the recurrent layer on one-hot inputs with a dense layer on every state."""
        params = case.params
        inputs = torch.eye(len(params["W_xh"]), dtype=params["W_xh"].dtype)[case.tokens.T]
        inner = {name: params[name] for name in ("W_xh", "W_hh", "b_h")}
        output, state = recurrent.rnn(inputs, case.state[None], inner)
        return impl(case), (output.flatten(0, 1) @ params["W_hq"] + params["b_q"], state[0])

    def test_state_carries_everything(self, impl, case):
        """Reading the first tokens and then the rest from the state reached is reading all of them."""
        at = case.tokens.shape[1] // 2
        first, state = impl(case, tokens=case.tokens[:, :at])
        second, final = impl(case, tokens=case.tokens[:, at:], state=state)
        return (torch.cat([first, second]), final), impl(case)

    def test_names_of_tokens_do_not_matter(self, impl, case):
        """Renaming the tokens along with the rows of W_xh changes nothing."""
        size = len(case.params["W_xh"])
        new = (torch.arange(size) + 1) % size
        params = {**case.params, "W_xh": case.params["W_xh"].roll(1, 0)}
        return impl(case, tokens=new[case.tokens], params=params), impl(case)

    def test_published_shape_of_note_003(self, impl):
        """Tokens (2, 5) of 28 characters give an output of 10 × 28."""
        size, hidden = published.NOTE_003_VOCABULARY, 16
        output, state = impl.call(
            tokens=torch.arange(10).reshape(published.NOTE_003_TOKENS),
            state=ramp(2, hidden),
            params={**parameters("rnn", size, hidden), "W_hq": ramp(hidden, size), "b_q": ramp(size)},
        )
        require(output.shape == published.NOTE_003_OUTPUT, f"output has shape {tuple(output.shape)}, expected (10, 28)")
        require(state.shape == (2, hidden), f"the state has shape {tuple(state.shape)}, expected (2, {hidden})")


class TestWarmUpPredict(Spec):
    component = recurrent.warm_up_predict
    cases = domains.warm_up_predict
    declines = {
        "extremes_stay_finite": "no argument has extreme values",
        "nan_not_hidden": "no argument can hold nan",
        "edge_sizes": "no argument has dimensions; one token and no step are among the cases",
    }
    invalid = (
        Invalid(
            ValueError, "an empty prefix", prefix="", steps=2, model=domains.table_model(3, 1), vocab=["a", "b", "c"]
        ),
        Invalid(
            ValueError, "an unknown token", prefix="ax", steps=2, model=domains.table_model(3, 1), vocab=["a", "b", "c"]
        ),
        Invalid(
            ValueError,
            "an empty prefix and no step",
            prefix="",
            steps=0,
            model=domains.table_model(3, 1),
            vocab=["a", "b", "c"],
        ),
        Invalid(
            TypeError, "half a step", prefix="ab", steps=1.5, model=domains.table_model(3, 1), vocab=["a", "b", "c"]
        ),
        Invalid(
            ValueError, "a step back", prefix="ab", steps=-1, model=domains.table_model(3, 1), vocab=["a", "b", "c"]
        ),
    )

    def test_starts_with_the_prefix(self, impl, case):
        """The result begins with the prefix and is as many tokens longer as were asked for."""
        found = list(impl(case))
        require(found[: len(case.prefix)] == list(case.prefix), f"{found} does not start with {case.prefix!r}")
        expected = len(case.prefix) + case.steps
        require(len(found) == expected, f"{found} has {len(found)} tokens, expected {expected}")

    def test_each_step_reads_the_token_before(self, impl, case):
        """The model reads every token of the result but the last, once each, in order."""
        read = []

        def recording(token, state):
            read.append(int(token))
            return case.model(token, state)

        found = impl(case, model=recording)
        fed = [case.vocab[token] for token in read]
        require(fed == list(found)[:-1], f"the model read {fed}, expected {list(found)[:-1]}")

    def test_warm_up_scores_are_ignored(self, impl, case):
        """What the model scores before the prefix's last token does not show."""

        def mute(token, state):
            count, inner = state or (0, None)
            scores, inner = case.model(token, inner)
            if count < len(case.prefix) - 1:
                scores = torch.arange(len(scores), 0, -1.0) * (token + 1)
            return scores, (count + 1, inner)

        found, expected = list(impl(case, model=mute)), list(impl(case))
        require(found == expected, f"gave {found}, expected {expected}")

    def test_predictions_may_join_the_prefix(self, impl, case):
        """Writing on from the prefix and its first prediction gives the same text."""
        whole = list(impl(case, steps=case.steps + 1))
        joined = list(impl(case, prefix=whole[: len(case.prefix) + 1]))
        require(joined == whole, f"in two parts {joined}, at once {whole}")

    def test_first_of_equal_scores_wins(self, impl, case):
        """Where all scores tie the first token is written."""
        found = list(impl(case, model=lambda token, state: (torch.zeros(len(case.vocab)), state), steps=2))
        expected = [*case.prefix, case.vocab[0], case.vocab[0]]
        require(found == expected, f"all scores tie, yet it wrote {found}, expected {expected}")
