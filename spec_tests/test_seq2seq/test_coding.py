"""Encoder and decoder."""

from typing import Any

import torch

from lawbook.fixtures.cases import seq2seq as domains
from lawbook.fixtures.published import seq2seq as published
from lawbook.reference import recurrent, seq2seq
from lawbook.spec_tests.spec import Batch, Invalid, Spec, require, skip_case
from lawbook.spec_tests.test_recurrent.laws import parameters
from lawbook.spec_tests.test_seq2seq.laws import ramp


class TestEncodeDecode(Spec):
    component = seq2seq.encode_decode
    cases = domains.encode_decode
    differentiable = ("source", "target")
    twice = True
    extremes = domains.encode_decode_extremes
    edges = (
        dict(encoder=domains.affine(2.0, 1.0), decoder=domains.mixing(3.0), source=ramp(1), target=ramp(1)),
        dict(encoder=domains.affine(2.0, 1.0), decoder=domains.mixing(3.0), source=ramp(0, 2), target=ramp(0, 2)),
    )
    invalid = (
        Invalid(TypeError, "no encoder", encoder=None, decoder=domains.mixing(3.0), source=ramp(2), target=ramp(2)),
        Invalid(TypeError, "no decoder", encoder=domains.affine(2.0, 1.0), decoder=7, source=ramp(2), target=ramp(2)),
    )

    def rows(self, case):
        return ()

    def test_state_passes_once(self, impl, case):
        """The encoder is called once with the source, the decoder once with the target and the very state."""
        met: list[tuple[Any, ...]] = []

        def encoder(source):
            met.append(("encoder", source))
            return state

        def decoder(target, given):
            met.append(("decoder", target, given))
            return target

        state = object()
        impl.call(encoder=encoder, decoder=decoder, source=case.source, target=case.target)
        require([one[0] for one in met] == ["encoder", "decoder"], f"called were {[one[0] for one in met]}")
        require(met[1][2] is state, "the decoder does not get the encoder's state")

    def test_source_shows_through_the_state_alone(self, impl, case):
        """An encoder that forgets its source leaves no trace of it in the result or in a gradient."""
        zero = domains.affine(0.0, 1.0)

        def forgetful(source):
            return zero(source * 0)

        result, grads = impl.vjp(case, None, ("source",), encoder=forgetful, source=case.source.clamp(-9, 9))
        require((grads["source"] == 0).all(), "a forgotten source has a gradient", got=grads["source"])
        other = case.noise(case.source.shape)
        return impl(case, encoder=forgetful, source=other), result


def _params(layers=2, context=0):
    return dict(
        embedding=ramp(5, 2),
        gru=[parameters("gru", 2 + context if layer == 0 else 3, 3) for layer in range(layers)],
    )


def _textbook(context=0):
    """Parameters of the sizes that the textbook prints shapes for."""
    sizes = published.SIZES
    vocabulary, embedded, hidden = sizes["vocabulary"], sizes["embedding"], sizes["hidden"]
    params = dict(
        embedding=ramp(vocabulary, embedded).float(),
        gru=[
            {name: x.float() for name, x in parameters("gru", inputs, hidden).items()}
            for inputs in (embedded + context, hidden)
        ],
    )
    if context:
        params |= dict(W_hq=ramp(hidden, vocabulary).float(), b_q=ramp(vocabulary).float())
    return dict(tokens=torch.zeros(published.TOKENS, dtype=torch.int64), params=params)


TOKENS = torch.tensor([[0, 1, 2, 4], [2, 3, 0, 1]])


class TestSeq2seqEncoder(Spec):
    component = seq2seq.seq2seq_encoder
    cases = domains.seq2seq_encoder
    differentiable = ("params", "state")
    extremes = domains.seq2seq_encoder_extremes
    nan_arguments = ("state", "params")
    declines = {
        "nan_not_hidden": "a look-up does not meet a nan of tokens that are not read, a product with one-hot rows does"
    }
    edges = (
        dict(tokens=TOKENS[:1, :1], params=_params(1), state=None),
        dict(tokens=TOKENS[:0], params=_params(1), state=None),
    )
    invalid = (
        Invalid(IndexError, "a token beyond the vocabulary", tokens=TOKENS + 1, params=_params(), state=None),
        Invalid(IndexError, "a negative token", tokens=TOKENS - 1, params=_params(), state=None),
        Invalid(TypeError, "tokens that are no integers", tokens=ramp(2, 4), params=_params(), state=None),
        Invalid(ValueError, "a state for another batch", tokens=TOKENS, params=_params(), state=ramp(2, 3, 3)),
        Invalid(ValueError, "a missing embedding", tokens=TOKENS, params={"gru": _params()["gru"]}, state=None),
    )
    prerequisites = ("gru",)

    def batch(self, case):
        return Batch((1, 1), tokens=0, **({} if case.state is None else {"state": 1}))

    def test_it_is_a_gru_on_embeddings(self, impl, case):
        """Rows of the embedding pass through the layers, time first."""
        inputs = case.params["embedding"][case.tokens.T]
        layers = case.params["gru"]
        return impl(case), recurrent.gru(inputs, case.state, layers, len(layers), reset=case.reset)

    def test_last_output_is_the_last_layers_state(self, impl, case):
        """What the last layer shows at the last step is its final state."""
        output, state = impl(case)
        return output[-1], state[-1]

    def test_state_carries_everything(self, impl, case):
        """Reading the first tokens and then the rest from the state reached is reading all of them."""
        at = case.tokens.shape[1] // 2
        if at == 0:
            return skip_case
        first, state = impl(case, tokens=case.tokens[:, :at])
        second, final = impl(case, tokens=case.tokens[:, at:], state=state)
        return (torch.cat([first, second]), final), impl(case)

    def test_names_of_tokens_do_not_matter(self, impl, case):
        """Renaming the tokens along with the rows of the embedding changes nothing."""
        size = len(case.params["embedding"])
        new = (torch.arange(size) + 1) % size
        params = {**case.params, "embedding": case.params["embedding"].roll(1, 0)}
        return impl(case, tokens=new[case.tokens], params=params), impl(case)

    def test_tokens_that_are_not_read_have_no_gradient(self, impl, case):
        """Rows of the embedding that were not read have a gradient of exactly 0."""
        unread = torch.ones(len(case.params["embedding"]), dtype=torch.bool)
        unread[case.tokens.flatten()] = False
        grads = impl.vjp(case, None, ("params",))[1]["params"]["embedding"]
        require((grads[unread] == 0).all(), "a token that was not read has a gradient", got=grads)

    def test_published_shapes(self, impl):
        """Four sentences of seven tokens, 16 units in two layers: the textbook's shapes."""
        output, state = impl.call(**_textbook(), state=None)
        require(tuple(output.shape) == published.ENCODER_OUTPUT, f"the output has shape {tuple(output.shape)}")
        require(tuple(state.shape) == published.STATE, f"the state has shape {tuple(state.shape)}")


class TestSeq2seqDecoder(Spec):
    component = seq2seq.seq2seq_decoder
    cases = domains.seq2seq_decoder
    differentiable = ("params", "state")
    extremes = domains.seq2seq_decoder_extremes
    _two = {**_params(2, 4), "W_hq": ramp(3, 5), "b_q": ramp(5)}
    _good = dict(tokens=TOKENS, params=_two, state=(ramp(2, 4), ramp(2, 2, 3)))
    _one = {**_params(1, 4), "W_hq": ramp(3, 5), "b_q": ramp(5)}
    declines = {
        "nan_not_hidden": "a look-up does not meet a nan of tokens that are not read, a product with one-hot rows does",
        "no_aliasing": "the context passes on: it may be the very tensor given",
    }
    edges = (
        dict(tokens=TOKENS[:1, :1], params=_one, state=(ramp(1, 4), ramp(1, 1, 3))),
        dict(tokens=TOKENS[:0], params=_one, state=(ramp(0, 4), ramp(1, 0, 3))),
    )
    invalid = (
        Invalid(IndexError, "a token beyond the vocabulary", **{**_good, "tokens": TOKENS + 1}),
        Invalid(IndexError, "a negative token", **{**_good, "tokens": TOKENS - 1}),
        Invalid(TypeError, "tokens that are no integers", **{**_good, "tokens": ramp(2, 4)}),
        Invalid(ValueError, "a context for another batch", **{**_good, "state": (ramp(3, 4), ramp(2, 2, 3))}),
        Invalid(ValueError, "a context of another size", **{**_good, "state": (ramp(2, 3), ramp(2, 2, 3))}),
        Invalid(ValueError, "a missing output weight", **{**_good, "params": _params(2, 4)}),
        Invalid(ValueError, "one bias for all tokens", **{**_good, "params": {**_two, "b_q": ramp(1)}}),
    )
    prerequisites = ("gru",)

    def test_context_is_joined_at_every_step(self, impl, case):
        """A GRU reads, at each step, the token's embedding with the same context behind it."""
        context, hidden = case.state
        inputs = case.params["embedding"][case.tokens.T]
        inputs = torch.cat([inputs, context.expand(len(inputs), -1, -1)], 2)
        layers = case.params["gru"]
        output, final = recurrent.gru(inputs, hidden, layers, len(layers), reset=case.reset)
        logits = (output @ case.params["W_hq"] + case.params["b_q"]).transpose(0, 1)
        return impl(case), (logits, (context, final))

    def test_step_by_step_is_all_at_once(self, impl, case):
        """Tokens read one by one, each from the state returned, have the scores they have together."""
        state, parts = case.state, []
        for token in case.tokens.split(1, dim=1):
            logits, state = impl(case, tokens=token, state=state)
            parts.append(logits)
        return (torch.cat(parts, 1), state), impl(case)

    def test_context_passes_on_unchanged(self, impl, case):
        """The context returned is the one given."""
        require(torch.equal(impl(case)[1][0], case.state[0]), "the context has changed")

    def test_later_tokens_do_not_show(self, impl, case):
        """Scores up to a step do not depend on the tokens after it."""
        at = case.seed % case.tokens.shape[1]
        tokens = case.tokens.clone()
        tokens[:, at + 1 :] = (tokens[:, at + 1 :] + 1) % len(case.params["embedding"])
        return impl(case, tokens=tokens)[0][:, : at + 1], impl(case)[0][:, : at + 1]

    def test_samples_do_not_mix(self, impl, case):
        """Each sample by itself has its scores and its state."""
        at = case.seed % len(case.tokens)
        pick = slice(at, at + 1)
        context, hidden = case.state
        logits, (_, final) = impl(case, tokens=case.tokens[pick], state=(context[pick], hidden[:, pick]))
        whole, (_, state) = impl(case)
        return (logits, final), (whole[pick], state[:, pick])

    def test_published_shapes(self, impl):
        """From the state of such an encoder, whose last layer is the context: the textbook's shapes."""
        state = torch.zeros(published.STATE)
        logits, (_, final) = impl.call(**_textbook(published.SIZES["hidden"]), state=(state[-1], state))
        require(tuple(logits.shape) == published.LOGITS, f"the logits have shape {tuple(logits.shape)}")
        require(tuple(final.shape) == published.STATE, f"the state has shape {tuple(final.shape)}")
