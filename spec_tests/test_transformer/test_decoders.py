"""The decoder and its blocks."""

import torch

from lawbook.fixtures.cases import transformer as domains
from lawbook.reference import attention, transformer
from lawbook.spec_tests.crowds import waves
from lawbook.spec_tests.spec import Batch, Invalid, Spec, require, skip_case
from lawbook.spec_tests.test_attention.fused import divided_last
from lawbook.spec_tests.test_attention.laws import ramp
from lawbook.spec_tests.test_transformer.laws import (
    KEY_BIAS,
    changed,
    decoder_parameters,
    decoder_stack,
    one_by_one,
    padded,
    require_no_nan,
    silent,
    with_one_bias,
    without_biases,
)


class MemoryLaws(Spec):
    """Laws of what reads a memory; ``read`` names the argument beside it that gets tokens."""

    orders = (divided_last,)
    without_effect = KEY_BIAS

    read: str
    wrt: tuple[str, ...]

    def test_padding_of_the_memory_has_no_influence(self, impl, case):
        """Other rows of the memory beyond the valid length change neither a result nor a gradient, and have none."""
        lens, inside = padded(case, case.memory.shape[1], len(case.memory))
        if lens is None:
            return skip_case
        found = []
        for memory in (torch.where(inside, case.memory, 5 * case.noise(case.memory.shape, 1)), case.memory):
            result, grads = impl.vjp(case, None, self.wrt, memory=memory, valid_lens=lens)
            require((torch.where(inside, 0, grads["memory"]) == 0).all(), "padding has a gradient", got=grads["memory"])
            found.append((result, grads))
        return tuple(found)

    def test_nan_in_the_padding_stays_there(self, impl, case):
        """A nan in the memory beyond the valid length reaches neither the result nor a gradient."""
        lens, inside = padded(case, case.memory.shape[1], len(case.memory))
        if lens is None:
            return skip_case
        spoiled = torch.where(inside, case.memory, torch.nan)
        result, grads = impl.vjp(case, None, self.wrt, memory=spoiled, valid_lens=lens)
        require(not result[0].isnan().any(), "the result holds nan from the padding", got=result[0])
        require_no_nan(grads, "the padding")

    def test_rows_of_the_memory_have_no_order(self, impl, case):
        """Without padding, rows of the memory may change places."""
        order = torch.randperm(case.memory.shape[1], generator=case.generator(5))
        return impl(case, memory=case.memory[:, order], valid_lens=None), impl(case, valid_lens=None)

    def test_step_by_step_is_all_at_once(self, impl, case):
        """Token by token, each step with the cache of the one before, gives what all tokens at once give."""

        def step(part, cache):
            return impl(case, **{self.read: part, "cache": cache})

        return one_by_one(step, case[self.read], case.cache), impl(case)

    def test_two_parts_are_the_whole(self, impl, case):
        """A first part, and the rest with its cache, give what both at once give."""
        tokens = case[self.read]
        steps = tokens.shape[1]
        if steps < 2:
            return skip_case
        at = 1 + case.seed % (steps - 1)
        first, cache = impl(case, **{self.read: tokens[:, :at]})
        second, cache = impl(case, **{self.read: tokens[:, at:], "cache": cache})
        return (torch.cat([first, second], 1), cache), impl(case)


class TestDecoderBlock(MemoryLaws, Spec):
    component = transformer.decoder_block
    cases = domains.decoder_block
    differentiable = ("x", "memory", "params", "cache")
    extremes = domains.decoder_block_extremes
    read = "x"
    wrt = ("x", "memory", "params")
    _good = dict(
        x=ramp(2, 3, 4, value=1.0),
        memory=ramp(2, 5, 4, value=2.0),
        valid_lens=torch.tensor([2, 5]),
        params=decoder_parameters(4, 5),
        heads=2,
    )
    edges = (
        dict(x=ramp(1, 1, 1), memory=ramp(1, 1, 1), valid_lens=None, params=decoder_parameters(1, 1), heads=1),
        {**_good, "cache": ramp(2, 1, 4)},
        {**_good, "x": ramp(0, 3, 4), "memory": ramp(0, 5, 4), "valid_lens": None},
        {
            **_good,
            "x": waves(2, 3, 24),
            "memory": waves(2, 5, 24),
            "params": decoder_parameters(24, 40),
            "heads": 8,
        },
    )
    invalid = (
        Invalid(ValueError, "a memory of a single sample", **{**_good, "memory": ramp(1, 5, 4)}),
        Invalid(
            ValueError, "a norm without shift", **{**_good, "params": {**_good["params"], "norm2": {"gamma": ramp(4)}}}
        ),
        Invalid(
            ValueError,
            "a bias of queries alone, of the tokens",
            **{**_good, "params": with_one_bias(_good["params"], "self_attention")},
        ),
        Invalid(
            ValueError,
            "a bias of queries alone, to the memory",
            **{**_good, "params": with_one_bias(_good["params"], "cross_attention")},
        ),
        Invalid(ValueError, "features that heads do not divide", **{**_good, "heads": 3}),
        Invalid(ValueError, "a memory of another size", **{**_good, "memory": ramp(2, 5, 6)}),
        Invalid(ValueError, "a memory of another batch", **{**_good, "memory": ramp(3, 5, 4), "valid_lens": None}),
        Invalid(ValueError, "a cache of another batch", **_good, cache=ramp(3, 2, 4)),
        Invalid(ValueError, "a cache of another size", **_good, cache=ramp(2, 2, 6)),
        Invalid(ValueError, "lengths for another batch", **{**_good, "valid_lens": torch.tensor([1, 2, 3])}),
        Invalid(ValueError, "a missing part", **{**_good, "params": {"ffn": _good["params"]["ffn"]}}),
        Invalid(
            ValueError,
            "queries and keys that are wider than the features",
            **{
                **_good,
                "params": {
                    **_good["params"],
                    "self_attention": {**_good["params"]["self_attention"], "W_q": ramp(4, 6), "W_k": ramp(4, 6)},
                },
            },
        ),
    )
    prerequisites = ("multi_head_attention", "position_wise_ffn", "add_norm")

    def batch(self, case):
        others = {name: 0 for name in ("valid_lens", "cache") if case[name] is not None}
        return Batch(0, x=0, memory=0, **others)

    def test_cache_grows_by_what_was_read(self, impl, case):
        """The new cache is the old one with x behind it."""
        earlier = [] if case.cache is None else [case.cache]
        return impl(case)[1], torch.cat([*earlier, case.x], 1)

    def test_it_is_attention_twice_then_network(self, impl, case):
        """Each layer reads the one before: the second attention asks with the first one's normalized result."""
        params = dict(case.params)
        for name in ("self_attention", "cross_attention"):
            params[name] = without_biases(params[name])
        x, memory, heads = case.x, case.memory, case.heads
        seen = x if case.cache is None else torch.cat([case.cache, x], 1)
        own = dict(params=params["self_attention"], heads=heads, causal=True, alignment="lower_right")
        y = attention.multi_head_attention(x, seen, seen, None, **own)
        x = transformer.add_norm(x, y, **params["norm1"], eps=case.eps)
        y = attention.multi_head_attention(x, memory, memory, case.valid_lens, params["cross_attention"], heads)
        x = transformer.add_norm(x, y, **params["norm2"], eps=case.eps)
        y = transformer.position_wise_ffn(x, params["ffn"], case.activation)
        return impl(case, params=params)[0], transformer.add_norm(x, y, **params["norm3"], eps=case.eps)

    def test_future_has_no_influence(self, impl, case):
        """Other tokens after position t change no result up to t, and get no gradient from there."""
        steps = case.x.shape[1]
        at = case.seed % steps
        later = (torch.arange(steps) > at)[:, None]
        x = torch.where(later, case.noise(case.x.shape, 1), case.x)
        result, cache = impl(case)
        cotangent = [torch.where(later, 0, case.noise(result.shape, 2)), torch.zeros_like(cache)]
        grads = impl.vjp(case, cotangent, ("x",))[1]
        require((grads["x"][:, at + 1 :] == 0).all(), f"tokens after {at} have a gradient", got=grads["x"])
        return impl(case, x=x)[0][:, : at + 1], result[:, : at + 1]

    def test_memory_of_length_zero_says_nothing(self, impl, case):
        """Where no row of the memory is seen, attention to it leaves its last bias alone."""
        part = case.params["cross_attention"]
        deaf = changed(case.params, cross_attention={"W_o": torch.zeros_like(part["W_o"])})
        none = torch.zeros(len(case.x), dtype=torch.int64)
        return impl(case, valid_lens=none), impl(case, valid_lens=None, params=deaf)

    def test_without_memory_and_cache_it_is_a_causal_encoder(self, impl, case):
        """With attention to the memory silent, an encoder's block (its attention silent) follows causal attention."""
        params = changed(case.params, cross_attention=silent(case.params["cross_attention"]))
        params["self_attention"] = without_biases(params["self_attention"])
        x, heads, eps = case.x, case.heads, case.eps
        seen = attention.multi_head_attention(x, x, x, None, params["self_attention"], heads, causal=True)
        x = transformer.add_norm(x, seen, **params["norm1"], eps=eps)
        block = dict(
            attention=params["cross_attention"], norm1=params["norm2"], ffn=params["ffn"], norm2=params["norm3"]
        )
        expected = transformer.encoder_block(x, None, block, heads, case.activation, eps)
        return impl(case, cache=None, params=params)[0], expected


class TestTransformerDecoder(MemoryLaws, Spec):
    component = transformer.transformer_decoder
    cases = domains.transformer_decoder
    differentiable = ("memory", "params", "cache")
    extremes = domains.transformer_decoder_extremes
    read = "tokens"
    wrt = ("memory", "params")
    _good = dict(
        tokens=torch.tensor([[1, 4, 0], [2, 2, 5]]),
        memory=ramp(2, 5, 4, value=2.0),
        valid_lens=torch.tensor([2, 5]),
        params=decoder_stack(4, 5, 6, 2),
        heads=2,
    )
    edges = (
        dict(tokens=torch.tensor([[0]]), memory=ramp(1, 1, 1), valid_lens=None, params=decoder_stack(1, 1, 1), heads=1),
        {**_good, "cache": [ramp(2, 1, 4), ramp(2, 1, 4)]},
        {**_good, "tokens": torch.zeros(0, 3, dtype=torch.int64), "memory": ramp(0, 5, 4), "valid_lens": None},
    )
    invalid = (
        Invalid(IndexError, "a token beyond the vocabulary", **{**_good, "tokens": torch.tensor([[1, 6], [0, 1]])}),
        Invalid(IndexError, "a negative token", **{**_good, "tokens": torch.tensor([[1, -1], [0, 1]])}),
        Invalid(TypeError, "tokens that are no integers", **{**_good, "tokens": ramp(2, 3)}),
        Invalid(ValueError, "features that heads do not divide", **{**_good, "heads": 3}),
        Invalid(ValueError, "a memory of another size", **{**_good, "memory": ramp(2, 5, 6)}),
        Invalid(ValueError, "a cache of one block for two", **_good, cache=[ramp(2, 1, 4)]),
        Invalid(ValueError, "caches of one step and of two", **_good, cache=[ramp(2, 1, 4), ramp(2, 2, 4)]),
        Invalid(ValueError, "no block", **{**_good, "params": {**_good["params"], "blocks": []}}),
        Invalid(ValueError, "a missing part", **{**_good, "params": {"embedding": ramp(6, 4)}}),
    )
    prerequisites = ("decoder_block", "positional_encoding", "embedding")

    def batch(self, case):
        if case.cache is not None:
            return None
        return Batch(0, tokens=0, memory=0, **({} if case.valid_lens is None else {"valid_lens": 0}))

    def test_first_cache_holds_embeddings_with_their_positions(self, impl, case):
        """Behind the old cache of the first block stand √D · embedding plus positions that go on where it ends."""
        table = case.params["embedding"]
        earlier = [] if case.cache is None else [case.cache[0]]
        first, size = (earlier[0].shape[1] if earlier else 0), table.shape[1]
        positions = attention.positional_encoding(first + case.tokens.shape[1], size, case.dtype)[first:]
        return impl(case)[1][0], torch.cat([*earlier, size**0.5 * table[case.tokens] + positions], 1)

    def test_blocks_run_one_after_the_other(self, impl, case):
        """The last block on the result of those before it, which its cache holds, then the output layer."""
        logits, caches = impl(case)
        params = case.params
        cache, steps = (None if case.cache is None else case.cache[-1]), case.tokens.shape[1]
        x = caches[-1][:, -steps:]
        settings = dict(heads=case.heads, cache=cache, activation=case.activation, eps=case.eps)
        y, _ = transformer.decoder_block(x, case.memory, case.valid_lens, params["blocks"][-1], **settings)
        return logits, y @ params["W_out"] + params["b_out"]

    def test_future_has_no_influence(self, impl, case):
        """Other tokens after position t change no logits up to t."""
        steps = case.tokens.shape[1]
        at = case.seed % steps
        other = (case.tokens + 1) % len(case.params["embedding"])
        tokens = torch.where(torch.arange(steps) > at, other, case.tokens)
        return impl(case, tokens=tokens)[0][:, : at + 1], impl(case)[0][:, : at + 1]

    def test_tokens_not_read_have_no_gradient(self, impl, case):
        """Rows of the embedding that no token names have a gradient of exactly 0."""
        grads = impl.vjp(case, None, ("params",))[1]["params"]["embedding"]
        read = torch.zeros(len(grads), dtype=torch.bool).index_fill(0, case.tokens.flatten(), True)
        require((grads[~read] == 0).all(), "tokens that are not read have a gradient", got=grads)
