"""Embeddings, encoder and the whole model."""

import torch

from lawbook.fixtures.cases import bert as domains
from lawbook.fixtures.published import bert as published
from lawbook.fixtures.tree import map_leaves
from lawbook.reference import bert, normalization, transformer
from lawbook.spec_tests.spec import Batch, Invalid, Spec, require, skip_case
from lawbook.spec_tests.test_attention.fused import divided_last
from lawbook.spec_tests.test_attention.laws import ramp
from lawbook.spec_tests.test_bert.laws import embeddings, encoder, model
from lawbook.spec_tests.test_transformer.laws import KEY_BIAS, changed, padded, require_no_nan, silent

TOKENS = torch.tensor([[1, 4, 0], [2, 2, 5]])
SEGMENTS = torch.tensor([[0, 0, 1], [0, 1, 1]])


class TestBertEmbeddings(Spec):
    component = bert.bert_embeddings
    cases = domains.bert_embeddings
    differentiable = ("params",)
    twice = True
    extremes = domains.bert_embeddings_extremes
    _good = dict(tokens=TOKENS, segments=SEGMENTS, params=embeddings(4, 6, 5))
    _plain = embeddings(4, 6, 5, normed=False)
    edges = (
        dict(tokens=torch.tensor([[0]]), segments=torch.tensor([[1]]), params=embeddings(1, 1, 1)),
        dict(tokens=TOKENS[:0], segments=SEGMENTS[:0], params=_plain),
        dict(tokens=TOKENS[:, :0], segments=SEGMENTS[:, :0], params=_plain),
    )
    invalid = (
        Invalid(IndexError, "a token beyond the vocabulary", **{**_good, "tokens": TOKENS + 1}),
        Invalid(IndexError, "a negative token", **{**_good, "tokens": TOKENS - 1}),
        Invalid(IndexError, "a third segment", **{**_good, "segments": SEGMENTS + 1}),
        Invalid(IndexError, "a negative segment", **{**_good, "segments": SEGMENTS - 1}),
        Invalid(ValueError, "more tokens than positions", **{**_good, "params": embeddings(4, 6, 2)}),
        Invalid(
            ValueError, "tokens of three axes", **{**_good, "tokens": TOKENS[:, None], "segments": SEGMENTS[:, None]}
        ),
        Invalid(TypeError, "tokens that are no integers", **{**_good, "tokens": ramp(2, 3)}),
        Invalid(ValueError, "tables of different widths", **{**_good, "params": {**_plain, "segment": ramp(2, 3)}}),
        Invalid(ValueError, "a missing table", **{**_good, "params": {"token": ramp(6, 4)}}),
    )
    prerequisites = ("embedding", "layer_norm")

    def batch(self, case):
        return Batch(0, tokens=0, segments=0)

    def test_three_tables_are_added(self, impl, case):
        """Without a norm the result is the sum of three rows, none of them scaled."""
        params = {name: case.params[name] for name in ("token", "segment", "position")}
        steps = case.tokens.shape[1]
        rows = params["token"][case.tokens] + params["segment"][case.segments] + params["position"][:steps]
        return impl(case, params=params), rows

    def test_norm_is_taken_of_the_sum(self, impl, case):
        """With a norm it is that of the result without."""
        size = case.params["token"].shape[1]
        plain = {name: case.params[name] for name in ("token", "segment", "position")}
        learned = dict(gamma=1 + case.noise((size,), 1) / 4, beta=case.noise((size,), 2))
        sum_ = impl(case, params=plain)
        normed = normalization.layer_norm(sum_, (size,), **learned, eps=case.eps)
        return impl(case, params={**plain, **learned}), normed

    def test_positions_receive_their_gradient(self, impl, case):
        """Row t of the position table gets the sum of what flows to position t; rows beyond get exactly 0."""
        plain = {name: case.params[name] for name in ("token", "segment", "position")}
        steps, size = case.tokens.shape[1], plain["token"].shape[1]
        cotangent = case.noise((*case.tokens.shape, size), 3)
        found = impl.vjp(case, cotangent, ("params",), params=plain)[1]["params"]["position"]
        require((found[steps:] == 0).all(), "positions beyond the input have a gradient", got=found)
        return found[:steps], cotangent.sum(0)

    def test_same_position_in_every_sample(self, impl, case):
        """Equal tokens and segments give equal rows in every sample of a batch."""
        tokens, segments = (x[:1].expand_as(x) for x in (case.tokens, case.segments))
        found = impl(case, tokens=tokens, segments=segments)
        return found, found[:1].expand_as(found)


class PaddedLaws(Spec):
    """Laws of what reads padded tokens and segments."""

    orders = (divided_last,)
    without_effect = KEY_BIAS

    def tables(self, case):
        """The tables of embeddings."""
        raise NotImplementedError

    def with_table(self, case, table, name="token"):
        """The parameters with another table."""
        raise NotImplementedError

    def within(self, impl, case, inside, **given):
        """What the valid length decides, and gradients of what flows to it alone."""
        raise NotImplementedError

    def test_padding_has_no_influence(self, impl, case):
        """Other tokens and segments beyond the valid length change neither rows within nor a gradient."""
        lens, inside = padded(case, case.tokens.shape[1], len(case.tokens))
        if lens is None:
            return skip_case
        within = inside[..., 0]
        tables = self.tables(case)
        other = dict(
            tokens=torch.where(within, case.tokens, (case.tokens + 1) % len(tables["token"])),
            segments=torch.where(within, case.segments, 1 - case.segments),
        )
        return self.within(impl, case, inside, **other, valid_lens=lens), self.within(
            impl, case, inside, valid_lens=lens
        )

    def test_nan_in_the_padding_stays_there(self, impl, case):
        """A padding token whose embedding is nan reaches no row within the length and no gradient."""
        lens, inside = padded(case, case.tokens.shape[1], len(case.tokens))
        if lens is None:
            return skip_case
        table = self.tables(case)["token"]
        tokens = torch.where(inside[..., 0], case.tokens, len(table))
        params = self.with_table(case, torch.cat([table, torch.full_like(table[:1], torch.nan)]))
        y, grads = self.within(impl, case, inside, tokens=tokens, valid_lens=lens, params=params)
        for part in y:
            require(not part.isnan().any(), "what lies within the length holds nan", got=part)
        require_no_nan(grads, "the padding")

    def test_two_more_tokens_of_padding_have_no_influence(self, impl, case):
        """Behind the valid length there may be any number of tokens."""
        batch, steps = case.tokens.shape
        tables = self.tables(case)
        position = tables["position"]
        longer = torch.cat([position[:steps], case.noise((2, position.shape[1]), 6)])
        lens = torch.full((batch,), steps) if case.valid_lens is None else case.valid_lens.clamp(max=steps)
        inside = (torch.arange(steps) < lens[:, None])[..., None]
        more = {name: torch.cat([case[name], case[name][:, :1].expand(-1, 2)], 1) for name in ("tokens", "segments")}
        found = self.results(impl(case, **more, valid_lens=lens, params=self.with_table(case, longer, "position")))
        plain = self.results(impl(case, valid_lens=lens))
        return (
            (torch.where(inside, found[0][:, :steps], 0), found[1:]),
            (torch.where(inside, plain[0], 0), plain[1:]),
        )

    def results(self, found):
        """The parts of a result, the encoded tokens first, without those that depend on what is asked for."""
        return (found,) if isinstance(found, torch.Tensor) else (found[0], found[2])


class TestBertEncoder(PaddedLaws, Spec):
    component = bert.bert_encoder
    cases = domains.bert_encoder
    differentiable = ("params",)
    extremes = domains.bert_encoder_extremes
    _good = dict(tokens=TOKENS, segments=SEGMENTS, valid_lens=torch.tensor([2, 3]), params=encoder(4, 5, 6, 5), heads=2)
    edges = (
        dict(
            tokens=torch.tensor([[0]]),
            segments=torch.tensor([[1]]),
            valid_lens=None,
            params=encoder(1, 1, 1, 1),
            heads=1,
        ),
        {**_good, "tokens": TOKENS[:0], "segments": SEGMENTS[:0], "valid_lens": None},
        {**_good, "params": encoder(24, 40, 6, 5), "heads": 8},
    )
    invalid = (
        Invalid(IndexError, "a token beyond the vocabulary", **{**_good, "tokens": TOKENS + 1}),
        Invalid(IndexError, "a negative token", **{**_good, "tokens": TOKENS - 1}),
        Invalid(ValueError, "more tokens than positions", **{**_good, "params": encoder(4, 5, 6, 2)}),
        Invalid(ValueError, "features that heads do not divide", **{**_good, "heads": 3}),
        Invalid(ValueError, "lengths for another batch", **{**_good, "valid_lens": torch.tensor([1, 2, 3])}),
        Invalid(ValueError, "no block", **{**_good, "params": {**_good["params"], "blocks": []}}),
    )
    prerequisites = ("bert_embeddings", "encoder_block")

    def batch(self, case):
        lens = {} if case.valid_lens is None else {"valid_lens": 0}
        return Batch(0, tokens=0, segments=0, **lens)

    def tables(self, case):
        return case.params["embeddings"]

    def with_table(self, case, table, name="token"):
        return changed(case.params, embeddings={name: table})

    def within(self, impl, case, inside, **given):
        """Rows within the length, and gradients of what flows to them alone."""
        shape = (*case.tokens.shape, self.tables(case)["token"].shape[1])
        cotangent = torch.where(inside, case.noise(shape, 2), 0)
        y, grads = impl.vjp(case, cotangent, ("params",), **given)
        return (torch.where(inside, y, 0),), grads

    def test_blocks_run_one_after_the_other(self, impl, case):
        """The last block on what the encoder without it gives, or on the embeddings."""
        blocks = case.params["blocks"]
        if len(blocks) > 1:
            x = impl(case, params={**case.params, "blocks": list(blocks[:-1])})
        else:
            x = bert.bert_embeddings(case.tokens, case.segments, case.params["embeddings"], case.eps)
        found = transformer.encoder_block(x, case.valid_lens, blocks[-1], case.heads, case.activation, case.eps)
        return impl(case), found

    def test_both_directions_are_read(self, impl, case):
        """Reversed tokens, segments and positions give reversed results: no direction is preferred."""
        steps = case.tokens.shape[1]
        table = case.params["embeddings"]["position"][:steps]
        turned = dict(tokens=case.tokens.flip(1), segments=case.segments.flip(1), valid_lens=None)
        found = impl(case, **turned, params=self.with_table(case, table.flip(0), "position"))
        return found.flip(1), impl(case, valid_lens=None)

    def test_positions_receive_a_gradient(self, impl, case):
        """Through silent blocks, the table of positions gets what the table of tokens would, were every token a word."""
        blocks = [
            changed(block, attention=silent(block["attention"]), ffn=silent(block["ffn"]))
            for block in case.params["blocks"]
        ]
        batch, steps = case.tokens.shape
        table = case.params["embeddings"]["position"]
        words = torch.arange(steps).expand(batch, -1)
        given = {**case.params["embeddings"], "token": table[:steps].clone(), "position": table}
        params = {**case.params, "embeddings": given, "blocks": blocks}
        grads = impl.vjp(case, None, ("params",), tokens=words, valid_lens=None, params=params)[1]
        grads = grads["params"]["embeddings"]
        return grads["position"][:steps], grads["token"]

    def test_published_shape_of_note_004(self, impl):
        """Two inputs of eight tokens, 768 hidden units in 4 heads: (2, 8, 768)."""
        params = map_leaves(torch.Tensor.float, encoder(published.HIDDEN, 8, 50, 8))
        tokens = torch.arange(16).reshape(2, 8)
        given = dict(tokens=tokens, segments=torch.tensor(published.SEGMENTS), valid_lens=None)
        shape = tuple(impl.call(**given, params=params, heads=published.HEADS).shape)
        require(shape == published.ENCODED, f"gave shape {shape}, expected {published.ENCODED}")


class TestBertModel(PaddedLaws, Spec):
    component = bert.bert_model
    cases = domains.bert_model
    differentiable = ("params",)
    extremes = domains.bert_model_extremes
    _good = dict(
        tokens=TOKENS,
        segments=SEGMENTS,
        valid_lens=torch.tensor([2, 3]),
        positions=torch.tensor([[1, 0], [2, 2]]),
        params=model(4, 5, 6, 5),
        heads=2,
    )
    edges = (
        dict(
            tokens=torch.tensor([[0]]),
            segments=torch.tensor([[1]]),
            valid_lens=None,
            positions=torch.tensor([[0]]),
            params=model(1, 1, 1, 1),
            heads=1,
        ),
        {**_good, "positions": None},
        {**_good, "positions": torch.zeros(2, 0, dtype=torch.int64)},
    )
    invalid = (
        Invalid(IndexError, "a token beyond the vocabulary", **{**_good, "tokens": TOKENS + 1}),
        Invalid(IndexError, "a negative token", **{**_good, "tokens": TOKENS - 1}),
        Invalid(IndexError, "a position beyond the input", **{**_good, "positions": torch.tensor([[1, 0], [2, 3]])}),
        Invalid(IndexError, "a negative position", **{**_good, "positions": torch.tensor([[1, 0], [2, -1]])}),
        Invalid(ValueError, "more tokens than positions", **{**_good, "params": model(4, 5, 6, 2)}),
        Invalid(ValueError, "features that heads do not divide", **{**_good, "heads": 3}),
        Invalid(ValueError, "a missing part", **{**_good, "params": {"encoder": _good["params"]["encoder"]}}),
    )
    prerequisites = ("bert_encoder", "mask_lm_head", "next_sentence_head")

    def batch(self, case):
        others = {name: 0 for name in ("valid_lens", "positions") if case[name] is not None}
        return Batch(0, tokens=0, segments=0, **others)

    def tables(self, case):
        return case.params["encoder"]["embeddings"]

    def with_table(self, case, table, name="token"):
        return {**case.params, "encoder": changed(case.params["encoder"], embeddings={name: table})}

    def within(self, impl, case, inside, **given):
        """Rows within the length and the next sentence's logits, and gradients of what flows to these alone."""
        shape = (*case.tokens.shape, self.tables(case)["token"].shape[1])
        cotangent = [torch.where(inside, case.noise(shape, 2), 0), case.noise((len(case.tokens), 2), 3)]
        y, grads = impl.vjp(case, cotangent, ("params",), positions=None, **given)
        return (torch.where(inside, y[0], 0), y[2]), grads

    def test_heads_read_the_encoder(self, impl, case):
        """The encoder's result, and what both heads find in it."""
        params, form = case.params, (case.activation, case.eps)
        encoded, mlm, nsp = impl(case)
        given = (case.tokens, case.segments, case.valid_lens, params["encoder"], case.heads)
        found = [(encoded, bert.bert_encoder(*given, *form)), (nsp, bert.next_sentence_head(encoded, params["nsp"]))]
        if case.positions is not None:
            found.append((mlm, bert.mask_lm_head(encoded, case.positions, params["mlm"], *form)))
        return found

    def test_without_positions_nothing_is_foretold(self, impl, case):
        """With positions None there are no logits of tokens; everything else is as with them."""
        encoded, mlm, nsp = impl(case, positions=None)
        require(mlm is None, f"positions None give {type(mlm).__name__}, expected None")
        asked = impl(case, positions=torch.zeros(len(case.tokens), 1, dtype=torch.int64))
        return (encoded, nsp), (asked[0], asked[2])

    def test_published_shapes_of_note_004(self, impl):
        """(2, 8, 768), three positions of 10000 words each, and two classes."""
        size, words = published.HIDDEN, published.VOCABULARY
        params = map_leaves(torch.Tensor.float, model(size, 8, 50, 8))
        head = dict(W_2=torch.zeros(size, words), b_2=torch.zeros(words))
        params = changed(params, mlm=head)
        found = impl.call(
            tokens=torch.arange(16).reshape(2, 8),
            segments=torch.tensor(published.SEGMENTS),
            valid_lens=None,
            positions=torch.tensor(published.POSITIONS),
            params=params,
            heads=published.HEADS,
        )
        shapes = tuple(tuple(part.shape) for part in found)
        expected = (published.ENCODED, published.MASKED, published.NEXT)
        require(shapes == expected, f"gave shapes {shapes}, expected {expected}")
