"""A step of a decoder that attends."""

import torch

from lawbook.fixtures.cases import attention as domains
from lawbook.reference import attention, recurrent
from lawbook.spec_tests.spec import Batch, Invalid, Spec, require, skip_case
from lawbook.spec_tests.test_attention.laws import named, ramp, seen
from lawbook.spec_tests.test_recurrent.laws import parameters


def _parts(hidden, outputs, embedding, vocabulary, layers):
    return dict(
        embedding=ramp(vocabulary, embedding),
        attention=dict(W_q=ramp(hidden, 2), W_k=ramp(outputs, 2), w_v=ramp(2)),
        gru=[parameters("gru", outputs + embedding if layer == 0 else hidden, hidden) for layer in range(layers)],
        W_hq=ramp(hidden, vocabulary),
        b_q=ramp(vocabulary),
    )


class TestBahdanauDecoderStep(Spec):
    component = attention.bahdanau_decoder_step
    cases = domains.bahdanau_decoder_step
    differentiable = ("state", "encoder_outputs", "params")
    extremes = domains.bahdanau_decoder_step_extremes
    nan_arguments = ("state", "encoder_outputs")
    _good = dict(
        token=torch.tensor([1, 4]),
        state=ramp(2, 2, 3),
        encoder_outputs=ramp(2, 5, 2),
        valid_len=torch.tensor([3, 5]),
        params=_parts(3, 2, 4, 6, 2),
    )
    edges = (
        dict(
            token=torch.tensor([0]),
            state=ramp(1, 1, 1),
            encoder_outputs=ramp(1, 1, 1),
            valid_len=None,
            params=_parts(1, 1, 1, 1, 1),
        ),
        dict(
            token=torch.zeros(0, dtype=torch.int64),
            state=ramp(1, 0, 3),
            encoder_outputs=ramp(0, 4, 2),
            valid_len=None,
            params=_parts(3, 2, 4, 6, 1),
        ),
    )
    invalid = (
        Invalid(IndexError, "a token beyond the vocabulary", **{**_good, "token": torch.tensor([1, 6])}),
        Invalid(IndexError, "a negative token", **{**_good, "token": torch.tensor([1, -1])}),
        Invalid(TypeError, "tokens that are no integers", **{**_good, "token": ramp(2)}),
        Invalid(ValueError, "a state for another batch", **{**_good, "state": ramp(2, 3, 3)}),
        Invalid(ValueError, "encoder outputs for another batch", **{**_good, "encoder_outputs": ramp(3, 5, 2)}),
        Invalid(ValueError, "lengths for another batch", **{**_good, "valid_len": torch.tensor([1, 2, 3])}),
        Invalid(ValueError, "a missing part", **{**_good, "params": {"embedding": ramp(6, 4)}}),
    )
    prerequisites = ("additive_attention", "gru")

    def batch(self, case):
        lens = {} if case.valid_len is None else {"valid_len": 0}
        return Batch((0, 1, 0), token=0, state=1, encoder_outputs=0, **lens)

    def test_weights_sum_to_one_over_the_source(self, impl, case):
        """Weights over the source add up to one, and padding has none."""
        weights = impl(case)[2]
        inside = seen(case.valid_len, len(case.token), 1, weights.shape[1])[:, 0]
        require((weights[~inside] == 0).all(), "padding has a weight", got=weights)
        return weights.sum(1), torch.ones_like(weights[:, 0])

    def test_it_is_a_gru_on_context_and_token(self, impl, case):
        """Context by the weights, then the embedding, pass through the GRU and the output layer."""
        logits, state, weights = impl(case)
        params = case.params
        context = (weights[:, None] @ case.encoder_outputs)[:, 0]
        x = torch.cat([context, params["embedding"][case.token]], 1)
        output, final = recurrent.gru(x[None], case.state, params["gru"], len(case.state), reset=case.reset)
        return (logits, state), (output[0] @ params["W_hq"] + params["b_q"], final)

    def test_weights_are_those_of_additive_attention(self, impl, case):
        """The query is the last layer's state before the step, the encoder's outputs are the keys."""
        size = case.encoder_outputs.shape[1]
        values = torch.eye(size, dtype=case.dtype).expand(len(case.token), size, size)
        found = attention.additive_attention(
            case.state[-1][:, None], case.encoder_outputs, values, case.valid_len, case.params["attention"]
        )
        return impl(case)[2], found[:, 0]

    def test_token_does_not_decide_the_weights(self, impl, case):
        """Attention looks at the state alone: another token, the same weights."""
        other = (case.token + 1) % len(case.params["embedding"])
        return impl(case, token=other)[2], impl(case)[2]

    def test_padding_has_no_influence(self, impl, case):
        """Other encoder outputs beyond the valid length change nothing."""
        case, inside = self.padded(case)
        if case is None:
            return skip_case
        other = torch.where(inside, case.encoder_outputs, 100 * case.noise(case.encoder_outputs.shape, 1))
        return impl(case, encoder_outputs=other), impl(case)

    def test_nan_in_the_padding_stays_there(self, impl, case):
        """A nan beyond the valid length reaches neither the result nor a gradient."""
        case, inside = self.padded(case)
        if case is None:
            return skip_case
        spoiled = torch.where(inside, case.encoder_outputs, torch.nan)
        results, grads = impl.vjp(case, None, ("state", "encoder_outputs", "params"), encoder_outputs=spoiled)
        require(not any(result.isnan().any() for result in results), "the result holds nan from the padding")
        grads["params"] = {**grads["params"], "gru": dict(enumerate(grads["params"]["gru"]))}
        for name, grad in named({str(key): value for key, value in grads.items()}):
            require(not grad.isnan().any(), f"the gradient for {name} holds nan from the padding", got=grad)

    def test_source_of_length_zero_is_a_context_of_zeros(self, impl, case):
        """Without any source token the weights are zeros and the step is one on a context of zeros."""
        none = torch.zeros(len(case.token), dtype=torch.int64)
        logits, state, weights = impl(case, valid_len=none)
        require((weights == 0).all(), "a source of length 0 has weights", got=weights)
        blank = impl(case, encoder_outputs=torch.zeros_like(case.encoder_outputs), valid_len=None)
        return (logits, state), (blank[0], blank[1])

    def padded(self, case):
        """The case with lengths below the source's size, and where its tokens lie; None for one token."""
        batch, size = case.encoder_outputs.shape[:2]
        if size < 2:
            return None, None
        lens = torch.randint(1, size, (batch,), generator=case.generator(4))
        return case.but(valid_len=lens), seen(lens, batch, 1, size)[:, 0, :, None]
