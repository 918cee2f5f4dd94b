"""The encoder and its blocks."""

import torch

from lawbook.fixtures.cases import transformer as domains
from lawbook.fixtures.published import transformer as published
from lawbook.reference import attention, normalization, transformer
from lawbook.spec_tests.crowds import waves
from lawbook.spec_tests.spec import Batch, Invalid, Spec, require, skip_case
from lawbook.spec_tests.test_attention.fused import divided_last
from lawbook.spec_tests.test_attention.laws import ramp
from lawbook.spec_tests.test_transformer.laws import (
    KEY_BIAS,
    changed,
    encoder_parameters,
    encoder_stack,
    padded,
    require_no_nan,
    silent,
    with_one_bias,
    without_biases,
)


class TestEncoderBlock(Spec):
    component = transformer.encoder_block
    orders = (divided_last,)
    without_effect = KEY_BIAS
    cases = domains.encoder_block
    differentiable = ("x", "params")
    extremes = domains.encoder_block_extremes
    _good = dict(x=ramp(2, 3, 4, value=1.0), valid_lens=torch.tensor([2, 3]), params=encoder_parameters(4, 5), heads=2)
    edges = (
        dict(x=ramp(1, 1, 1), valid_lens=None, params=encoder_parameters(1, 1), heads=1),
        {**_good, "x": ramp(2, 1, 4), "valid_lens": torch.tensor([1, 1])},
        {**_good, "x": ramp(0, 3, 4), "valid_lens": None},
        {**_good, "x": waves(2, 3, 24), "params": encoder_parameters(24, 40), "heads": 8},
    )
    invalid = (
        Invalid(
            ValueError, "a norm without shift", **{**_good, "params": {**_good["params"], "norm1": {"gamma": ramp(4)}}}
        ),
        Invalid(ValueError, "features that heads do not divide", **{**_good, "heads": 3}),
        Invalid(ValueError, "no head", **{**_good, "heads": 0}),
        Invalid(ValueError, "tokens wider than the weights", **{**_good, "x": ramp(2, 3, 6)}),
        Invalid(ValueError, "lengths for another batch", **{**_good, "valid_lens": torch.tensor([1, 2, 3])}),
        Invalid(ValueError, "a missing part", **{**_good, "params": {"attention": _good["params"]["attention"]}}),
        Invalid(
            ValueError, "a bias of queries alone", **{**_good, "params": with_one_bias(_good["params"], "attention")}
        ),
        Invalid(ValueError, "an unknown activation", **_good, activation="none"),
        Invalid(
            ValueError,
            "one scale for all features",
            **{**_good, "params": {**_good["params"], "norm1": {"gamma": ramp(1), "beta": ramp(4)}}},
        ),
    )
    prerequisites = ("self_attention", "position_wise_ffn", "add_norm")

    def batch(self, case):
        return Batch(0, x=0, **({} if case.valid_lens is None else {"valid_lens": 0}))

    def test_silent_layers_leave_two_norms(self, impl, case):
        """Where attention and network give zeros, the tokens are normalized by the first norm and then by the second."""
        params, size = case.params, case.x.shape[2:]
        quiet = changed(params, attention=silent(params["attention"]), ffn=silent(params["ffn"]))
        first = normalization.layer_norm(case.x, size, **params["norm1"], eps=case.eps)
        return impl(case, params=quiet), normalization.layer_norm(first, size, **params["norm2"], eps=case.eps)

    def test_it_is_attention_then_network(self, impl, case):
        """Each layer's result is added to that layer's own input, and the sum normalized, before it goes on."""
        params = {**case.params, "attention": without_biases(case.params["attention"])}
        y = attention.self_attention(case.x, params["attention"], case.heads, case.valid_lens)
        x = transformer.add_norm(case.x, y, **params["norm1"], eps=case.eps)
        y = transformer.position_wise_ffn(x, params["ffn"], case.activation)
        return impl(case, params=params), transformer.add_norm(x, y, **params["norm2"], eps=case.eps)

    def test_biases_of_zeros_are_none(self, impl, case):
        """Attention without biases is attention with biases of zeros."""
        plain = without_biases(case.params["attention"])
        zeros = {f"b_{name}": torch.zeros_like(plain["W_q"][0]) for name in "qkvo"}
        none = impl(case, params={**case.params, "attention": plain})
        return none, impl(case, params={**case.params, "attention": {**plain, **zeros}})

    def test_permuted_tokens_give_permuted_results(self, impl, case):
        """Without padding nothing tells positions apart."""
        order = torch.randperm(case.x.shape[1], generator=case.generator(5))
        return impl(case, valid_lens=None, x=case.x[:, order]), impl(case, valid_lens=None)[:, order]

    def test_lengths_of_all_tokens_and_more_mask_nothing(self, impl, case):
        """Lengths as large as the number of tokens, or larger, are no mask."""
        lens = case.x.shape[1] + torch.arange(len(case.x))
        return impl(case, valid_lens=lens), impl(case, valid_lens=None)

    def test_padding_has_no_influence(self, impl, case):
        """Other tokens beyond the valid length change neither the rows within nor their gradients."""
        lens, inside = padded(case, case.x.shape[1], len(case.x))
        if lens is None:
            return skip_case
        cotangent = torch.where(inside, case.noise(case.x.shape, 2), 0)
        found = []
        for x in (torch.where(inside, case.x, 5 * case.noise(case.x.shape, 1)), case.x):
            y, grads = impl.vjp(case, cotangent, ("x", "params"), x=x, valid_lens=lens)
            require((torch.where(inside, 0, grads["x"]) == 0).all(), "padding has a gradient", got=grads["x"])
            found.append((torch.where(inside, y, 0), grads))
        return tuple(found)

    def test_nan_in_the_padding_stays_there(self, impl, case):
        """A nan beyond the valid length reaches no row within it and no gradient."""
        lens, inside = padded(case, case.x.shape[1], len(case.x))
        if lens is None:
            return skip_case
        x = torch.where(inside, case.x, torch.nan)
        cotangent = torch.where(inside, case.noise(case.x.shape, 2), 0)
        y, grads = impl.vjp(case, cotangent, ("x", "params"), x=x, valid_lens=lens)
        require(not y[inside[..., 0]].isnan().any(), "rows within the length hold nan", got=y)
        require_no_nan(grads, "the padding")

    def test_tokens_beyond_the_length_are_queries_still(self, impl, case):
        """A token beyond the valid length finds what it would find within it, had no other been added."""
        steps = case.x.shape[1]
        if steps < 2:
            return skip_case
        lens = torch.full((len(case.x),), steps - 1)
        # The first token again, behind the others: as a query it is no different.
        x = torch.cat([case.x[:, :-1], case.x[:, :1]], 1)
        found = impl(case, x=x, valid_lens=lens)
        return found[:, -1], found[:, 0]


class TestTransformerEncoder(Spec):
    component = transformer.transformer_encoder
    orders = (divided_last,)
    without_effect = KEY_BIAS
    cases = domains.transformer_encoder
    differentiable = ("params",)
    extremes = domains.transformer_encoder_extremes
    _good = dict(
        tokens=torch.tensor([[1, 4, 0], [2, 2, 5]]),
        valid_lens=torch.tensor([2, 3]),
        params=encoder_stack(4, 5, 6, 2),
        heads=2,
    )
    edges = (
        dict(tokens=torch.tensor([[0]]), valid_lens=None, params=encoder_stack(1, 1, 1), heads=1),
        {**_good, "tokens": torch.zeros(0, 3, dtype=torch.int64), "valid_lens": None},
    )
    invalid = (
        Invalid(IndexError, "a token beyond the vocabulary", **{**_good, "tokens": torch.tensor([[1, 6], [0, 1]])}),
        Invalid(IndexError, "a negative token", **{**_good, "tokens": torch.tensor([[1, -1], [0, 1]])}),
        Invalid(TypeError, "tokens that are no integers", **{**_good, "tokens": ramp(2, 3)}),
        Invalid(ValueError, "features that heads do not divide", **{**_good, "heads": 3}),
        Invalid(ValueError, "lengths for another batch", **{**_good, "valid_lens": torch.tensor([1, 2, 3])}),
        Invalid(ValueError, "no block", **{**_good, "params": {"embedding": ramp(6, 4), "blocks": []}}),
        Invalid(ValueError, "a missing part", **{**_good, "params": {"embedding": ramp(6, 4)}}),
    )
    prerequisites = ("encoder_block", "positional_encoding", "embedding")

    def batch(self, case):
        return Batch(0, tokens=0, **({} if case.valid_lens is None else {"valid_lens": 0}))

    def test_blocks_run_one_after_the_other(self, impl, case):
        """The last block on what the encoder without it gives, or on embeddings times √D plus positions."""
        table, blocks = case.params["embedding"], case.params["blocks"]
        x = table.shape[1] ** 0.5 * table[case.tokens]
        x = x + attention.positional_encoding(x.shape[1], x.shape[2], x.dtype)
        if len(blocks) > 1:
            x = impl(case, params={**case.params, "blocks": list(blocks[:-1])})
        found = transformer.encoder_block(x, case.valid_lens, blocks[-1], case.heads, case.activation, case.eps)
        return impl(case), found

    def test_positions_tell_equal_tokens_apart(self, impl, case):
        """With an embedding of zeros and silent layers, rows are the normalized positions, those of a sample all different."""
        blocks = [
            changed(block, attention=silent(block["attention"]), ffn=silent(block["ffn"]))
            for block in case.params["blocks"]
        ]
        params = dict(embedding=torch.zeros_like(case.params["embedding"]), blocks=blocks)
        steps, size = case.tokens.shape[1], case.params["embedding"].shape[1]
        x = attention.positional_encoding(steps, size, case.dtype)
        for block in blocks:
            for name in ("norm1", "norm2"):
                x = normalization.layer_norm(x, (size,), **block[name], eps=case.eps)
        return impl(case, params=params), x.expand(len(case.tokens), -1, -1)

    def test_padding_has_no_influence(self, impl, case):
        """Other tokens beyond the valid length change neither the rows within nor a gradient."""
        lens, inside = padded(case, case.tokens.shape[1], len(case.tokens))
        if lens is None:
            return skip_case
        other = (case.tokens + 1) % len(case.params["embedding"])
        shape = (*case.tokens.shape, case.params["embedding"].shape[1])
        cotangent = torch.where(inside, case.noise(shape, 2), 0)
        found = []
        for tokens in (torch.where(inside[..., 0], case.tokens, other), case.tokens):
            y, grads = impl.vjp(case, cotangent, ("params",), tokens=tokens, valid_lens=lens)
            found.append((torch.where(inside, y, 0), grads))
        return tuple(found)

    def test_nan_in_the_padding_stays_there(self, impl, case):
        """A padding token whose embedding is nan reaches no row within the length and no gradient."""
        lens, inside = padded(case, case.tokens.shape[1], len(case.tokens))
        if lens is None:
            return skip_case
        table = case.params["embedding"]
        tokens = torch.where(inside[..., 0], case.tokens, len(table))
        params = {**case.params, "embedding": torch.cat([table, torch.full_like(table[:1], torch.nan)])}
        cotangent = torch.where(inside, case.noise((*tokens.shape, table.shape[1]), 2), 0)
        y, grads = impl.vjp(case, cotangent, ("params",), tokens=tokens, valid_lens=lens, params=params)
        require(not y[inside[..., 0]].isnan().any(), "rows within the length hold nan", got=y)
        require_no_nan(grads, "the padding")

    def test_embeddings_are_multiplied_by_the_root_of_their_size(self, impl):
        """With four features an embedding counts twice: tokens of embedding −½ P meet the positions P and leave nothing."""
        size = published.EMBEDDING_SIZE
        block = encoder_parameters(size, 3)
        block = changed(block, attention=silent(block["attention"]), ffn=silent(block["ffn"]))
        table = -attention.positional_encoding(3, size, torch.float64) / published.EMBEDDING_FACTOR
        params = dict(embedding=table, blocks=[block])
        tokens = torch.arange(3)[None]
        given = {"params": params, "tokens": tokens, "valid_lens": None, "heads": 2, "eps": 0.1}
        found = impl.call(**given)
        zeros = torch.zeros(1, 3, size, dtype=torch.float64)
        for name in ("norm1", "norm2"):
            zeros = normalization.layer_norm(zeros, (size,), **block[name], eps=0.1)
        for row, expected in zip(found[0], zeros[0], strict=True):
            shown, true = ([f"{float(x):.4f}" for x in values] for values in (row, expected))
            require(shown == true, f"a row is {shown}, expected {true}", got=found)
