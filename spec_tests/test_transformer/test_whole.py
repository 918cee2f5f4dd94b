"""Encoder and decoder joined, and how many numbers they learn."""

import torch

from lawbook.fixtures.cases import transformer as domains
from lawbook.fixtures.tree import floating
from lawbook.reference import transformer
from lawbook.spec_tests.spec import Batch, Invalid, Spec, require, skip_case
from lawbook.spec_tests.test_attention.fused import divided_last
from lawbook.spec_tests.test_attention.laws import ramp
from lawbook.spec_tests.test_transformer.laws import KEY_BIAS, decoder_stack, encoder_stack, padded, require_no_nan

NO_TENSOR = {
    "memory_layout": "no argument is a tensor",
    "low_precision": "no argument is a tensor",
    "extremes_stay_finite": "no argument has extreme values",
    "nan_not_hidden": "no argument can hold nan",
    "accelerator_agrees": "no argument is a tensor that would say where to compute",
}


class TestTransformer(Spec):
    component = transformer.transformer
    orders = (divided_last,)
    without_effect = KEY_BIAS
    cases = domains.transformer
    differentiable = ("params",)
    extremes = domains.transformer_extremes
    _good = dict(
        source=torch.tensor([[1, 4, 0, 3], [2, 2, 5, 1]]),
        target=torch.tensor([[1, 0, 4], [2, 3, 3]]),
        valid_lens=torch.tensor([2, 4]),
        params=dict(encoder=encoder_stack(4, 5, 6), decoder=decoder_stack(4, 5, 5)),
        heads=2,
    )
    edges = (
        dict(
            source=torch.tensor([[0]]),
            target=torch.tensor([[0]]),
            valid_lens=None,
            params=dict(encoder=encoder_stack(1, 1, 1), decoder=decoder_stack(1, 1, 1)),
            heads=1,
        ),
        {
            **_good,
            "source": torch.zeros(0, 4, dtype=torch.int64),
            "target": torch.zeros(0, 3, dtype=torch.int64),
            "valid_lens": None,
        },
    )
    invalid = (
        Invalid(IndexError, "a source beyond its vocabulary", **{**_good, "source": torch.tensor([[1, 6], [0, 1]])}),
        Invalid(IndexError, "a target beyond its vocabulary", **{**_good, "target": torch.tensor([[1, 5], [0, 1]])}),
        Invalid(IndexError, "a negative token in the source", **{**_good, "source": torch.tensor([[1, -1], [0, 1]])}),
        Invalid(IndexError, "a negative token in the target", **{**_good, "target": torch.tensor([[1, -1], [0, 1]])}),
        Invalid(ValueError, "batches that differ", **{**_good, "target": torch.tensor([[1, 2]])}),
        Invalid(ValueError, "features that heads do not divide", **{**_good, "heads": 3}),
        Invalid(TypeError, "tokens that are no integers", **{**_good, "target": ramp(2, 3)}),
        Invalid(ValueError, "no decoder", **{**_good, "params": {"encoder": encoder_stack(4, 5, 6)}}),
    )
    prerequisites = ("transformer_encoder", "transformer_decoder")

    def batch(self, case):
        return Batch(0, source=0, target=0, **({} if case.valid_lens is None else {"valid_lens": 0}))

    def test_decoder_reads_what_the_encoder_wrote(self, impl, case):
        """The decoder's logits with the encoder's result as memory, both under the source's lengths."""
        encoder, decoder = case.params["encoder"], case.params["decoder"]
        form = (case.activation, case.eps)
        memory = transformer.transformer_encoder(case.source, case.valid_lens, encoder, case.heads, *form)
        found = transformer.transformer_decoder(case.target, memory, case.valid_lens, decoder, case.heads, None, *form)
        return impl(case), found[0]

    def test_later_targets_have_no_influence(self, impl, case):
        """Other tokens of the target after position t change no logits up to t."""
        steps = case.target.shape[1]
        at = case.seed % steps
        other = (case.target + 1) % len(case.params["decoder"]["embedding"])
        target = torch.where(torch.arange(steps) > at, other, case.target)
        return impl(case, target=target)[:, : at + 1], impl(case)[:, : at + 1]

    def test_padding_of_the_source_has_no_influence(self, impl, case):
        """Other tokens of the source beyond the valid length change neither logits nor a gradient."""
        lens, inside = padded(case, case.source.shape[1], len(case.source))
        if lens is None:
            return skip_case
        other = (case.source + 1) % len(case.params["encoder"]["embedding"])
        source = torch.where(inside[..., 0], case.source, other)
        return (
            impl.vjp(case, None, ("params",), source=source, valid_lens=lens),
            impl.vjp(case, None, ("params",), valid_lens=lens),
        )

    def test_longer_padding_has_no_influence(self, impl, case):
        """Two more tokens of padding behind every source change no logits."""
        batch, steps = case.source.shape
        lens = torch.full((batch,), steps) if case.valid_lens is None else case.valid_lens.clamp(max=steps)
        longer = torch.cat([case.source, case.source[:, :1].expand(-1, 2)], 1)
        return impl(case, source=longer, valid_lens=lens), impl(case)

    def test_nan_in_the_padding_stays_there(self, impl, case):
        """A padding token whose embedding is nan reaches neither logits nor a gradient."""
        lens, inside = padded(case, case.source.shape[1], len(case.source))
        if lens is None:
            return skip_case
        encoder = case.params["encoder"]
        table = encoder["embedding"]
        source = torch.where(inside[..., 0], case.source, len(table))
        encoder = {**encoder, "embedding": torch.cat([table, torch.full_like(table[:1], torch.nan)])}
        given = dict(source=source, valid_lens=lens, params={**case.params, "encoder": encoder})
        logits, grads = impl.vjp(case, None, ("params",), **given)
        require(not logits.isnan().any(), "the logits hold nan from the padding", got=logits)
        require_no_nan(grads, "the padding")


class TestTransformerParameterCount(Spec):
    component = transformer.transformer_parameter_count
    cases = domains.transformer_parameter_count
    declines = NO_TENSOR
    edges = (dict(layers=1, hidden=1, heads=1, ffn=1, source_vocab=1, target_vocab=1),)
    _good = dict(layers=2, hidden=4, heads=2, ffn=5, source_vocab=6, target_vocab=7)
    invalid = (
        Invalid(ValueError, "sizes that heads do not divide", **{**_good, "heads": 3}),
        Invalid(ValueError, "no block", **{**_good, "layers": 0}),
        Invalid(ValueError, "no head", **{**_good, "heads": 0}),
        Invalid(TypeError, "a size that is no whole number", **{**_good, "hidden": 4.5}),
    )

    def test_it_counts_a_live_network(self, impl):
        """The parameters of a network that runs are as many as are counted."""
        tokens = torch.zeros(1, 2, dtype=torch.int64)
        for layers, size, hidden, vocabularies in ((1, 4, 3, (5, 6)), (2, 2, 7, (3, 4))):
            params = dict(
                encoder=encoder_stack(size, hidden, vocabularies[0], layers),
                decoder=decoder_stack(size, hidden, vocabularies[1], layers),
            )
            transformer.transformer(tokens, tokens, None, params, 2)
            expected = sum(part.numel() for part in floating(params))
            found = impl.call(
                layers=layers,
                hidden=size,
                heads=2,
                ffn=hidden,
                source_vocab=vocabularies[0],
                target_vocab=vocabularies[1],
                bias=True,
            )
            require(found == expected, f"gave {found} for a network of {expected} numbers")

    def test_heads_change_nothing(self, impl, case):
        """As many parameters with one head."""
        found = impl(case), impl(case, heads=1)
        require(found[0] == found[1], f"{case.heads} heads have {found[0]} parameters, one head {found[1]}")

    def test_every_block_costs_the_same(self, impl, case):
        """Each pair of blocks adds what the pair before added."""
        a, b, c = (impl(case, layers=case.layers + more) for more in range(3))
        require(b - a == c - b, f"{case.layers} blocks and more have {a}, {b}, {c} parameters")

    def test_vocabularies_cost_their_tables(self, impl, case):
        """A word more costs D of the source, and 2 D + 1 of the target, whose output layer knows it too."""
        base = impl(case)
        more = (
            impl(case, source_vocab=case.source_vocab + 1) - base,
            impl(case, target_vocab=case.target_vocab + 1) - base,
        )
        expected = (case.hidden, 2 * case.hidden + 1)
        require(more == expected, f"a word more costs {more}, expected {expected}")

    def test_biases_of_attention_are_twelve_rows_a_layer(self, impl, case):
        """Four biases of D in each of three attentions a pair of blocks."""
        found = impl(case, bias=True) - impl(case, bias=False)
        expected = 12 * case.hidden * case.layers
        require(found == expected, f"biases cost {found}, expected {expected}")
