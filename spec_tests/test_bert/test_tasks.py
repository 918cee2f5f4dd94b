"""The heads of both tasks, their loss, and how many numbers are learned."""

import torch

from lawbook.fixtures.cases import bert as domains
from lawbook.fixtures.published import bert as published
from lawbook.fixtures.tree import floating, map_leaves
from lawbook.reference import bert, normalization
from lawbook.reference.transformer.layers import ACTIVATIONS
from lawbook.spec_tests.crowds import waves
from lawbook.spec_tests.spec import Batch, Invalid, Spec, require
from lawbook.spec_tests.test_attention.laws import ramp
from lawbook.spec_tests.test_bert.laws import encoder, mask_head, model, sentence_head
from lawbook.spec_tests.test_transformer.laws import require_no_nan

NO_TENSOR = {
    "memory_layout": "no argument is a tensor",
    "low_precision": "no argument is a tensor",
    "extremes_stay_finite": "no argument has extreme values",
    "nan_not_hidden": "no argument can hold nan",
    "accelerator_agrees": "no argument is a tensor that would say where to compute",
}


class TestMaskLmHead(Spec):
    component = bert.mask_lm_head
    cases = domains.mask_lm_head
    differentiable = ("encoded", "params")
    extremes = domains.mask_lm_head_extremes
    _good = dict(encoded=ramp(2, 3, 4), positions=torch.tensor([[1, 0], [2, 2]]), params=mask_head(4, 6))
    edges = (
        dict(encoded=ramp(1, 1, 1), positions=torch.tensor([[0]]), params=mask_head(1, 1)),
        {**_good, "positions": torch.zeros(2, 0, dtype=torch.int64)},
        {**_good, "encoded": ramp(0, 3, 4), "positions": torch.zeros(0, 2, dtype=torch.int64)},
        {**_good, "encoded": waves(2, 3, 20), "params": mask_head(20, 300)},
    )
    invalid = (
        Invalid(IndexError, "a position beyond the input", **{**_good, "positions": torch.tensor([[1, 0], [2, 3]])}),
        Invalid(IndexError, "a negative position", **{**_good, "positions": torch.tensor([[1, 0], [2, -1]])}),
        Invalid(ValueError, "positions for another batch", **{**_good, "positions": torch.tensor([[1], [0], [2]])}),
        Invalid(TypeError, "positions that are no integers", **{**_good, "positions": ramp(2, 2)}),
        Invalid(ValueError, "encodings wider than the weights", **{**_good, "encoded": ramp(2, 3, 5)}),
        Invalid(ValueError, "a missing weight", **{**_good, "params": {"W_1": ramp(4, 4), "b_1": ramp(4)}}),
    )
    prerequisites = ("layer_norm", "gelu", "relu")

    def batch(self, case):
        return Batch(0, encoded=0, positions=0)

    def test_each_position_is_read_in_its_own_sample(self, impl, case):
        """Prediction p of sample b is that of a single token, the one at its position."""
        rows = [
            impl(case, encoded=case.encoded[b : b + 1, t : t + 1], positions=torch.zeros(1, 1, dtype=torch.int64))[0, 0]
            for b, positions in enumerate(case.positions.tolist())
            for t in positions
        ]
        found = impl(case)
        return found, torch.stack(rows).reshape(found.shape)

    def test_it_is_a_network_with_a_norm(self, impl, case):
        """Weights, activation, norm and output layer, in this order."""
        params = case.params
        picked = torch.stack([x[at] for x, at in zip(case.encoded, case.positions, strict=True)])
        hidden = ACTIVATIONS[case.activation](picked @ params["W_1"] + params["b_1"])
        hidden = normalization.layer_norm(hidden, hidden.shape[-1:], params["gamma"], params["beta"], case.eps)
        return impl(case), hidden @ params["W_2"] + params["b_2"]

    def test_repeated_positions_are_foretold_alike(self, impl, case):
        """Positions in another order, or named twice, give the same predictions in that order."""
        twice = torch.cat([case.positions.flip(1), case.positions], 1)
        found = impl(case)
        return impl(case, positions=twice), torch.cat([found.flip(1), found], 1)

    def test_other_positions_have_no_gradient(self, impl, case):
        """Tokens that nobody asks for have a gradient of exactly 0, and may hold nan."""
        asked = torch.zeros(case.encoded.shape[:2], dtype=torch.bool).scatter(1, case.positions, True)
        encoded = torch.where(asked[..., None], case.encoded, torch.nan)
        result, grads = impl.vjp(case, None, ("encoded", "params"), encoded=encoded)
        require(not result.isnan().any(), "predictions hold nan from elsewhere", got=result)
        require((grads["encoded"][~asked] == 0).all(), "other positions have a gradient", got=grads["encoded"])
        require_no_nan(grads, "elsewhere")

    def test_published_shape_of_note_004(self, impl):
        """Three positions of two inputs among 10000 words: (2, 3, 10000)."""
        size, words = 8, published.VOCABULARY
        params = map_leaves(torch.Tensor.float, mask_head(size, words))
        given = dict(encoded=ramp(2, 8, size).float(), positions=torch.tensor(published.POSITIONS), params=params)
        shape = tuple(impl.call(**given).shape)
        require(shape == published.MASKED, f"gave shape {shape}, expected {published.MASKED}")


class TestNextSentenceHead(Spec):
    component = bert.next_sentence_head
    cases = domains.next_sentence_head
    differentiable = ("encoded", "params")
    twice = True
    extremes = domains.next_sentence_head_extremes
    _good = dict(encoded=ramp(2, 3, 4), params=sentence_head(4))
    edges = (
        dict(encoded=ramp(1, 1, 1), params=sentence_head(1)),
        {**_good, "encoded": ramp(0, 3, 4)},
    )
    invalid = (
        Invalid(ValueError, "encodings wider than the weights", **{**_good, "encoded": ramp(2, 3, 5)}),
        Invalid(ValueError, "no token", **{**_good, "encoded": ramp(2, 0, 4)}),
        Invalid(ValueError, "one bias for both answers", **{**_good, "params": {**_good["params"], "b_2": ramp(1)}}),
        Invalid(ValueError, "a missing weight", **{**_good, "params": {"W_1": ramp(4, 4), "b_1": ramp(4)}}),
    )

    def batch(self, case):
        return Batch(0, encoded=0)

    def test_only_the_first_token_counts(self, impl, case):
        """Other tokens, nan included, change nothing and have a gradient of exactly 0."""
        encoded = case.encoded.clone()
        encoded[:, 1:] = torch.nan
        result, grads = impl.vjp(case, None, ("encoded", "params"), encoded=encoded)
        require((grads["encoded"][:, 1:] == 0).all(), "other tokens have a gradient", got=grads["encoded"])
        require_no_nan(grads, "other tokens")
        return result, impl(case)

    def test_hidden_layer_is_bounded(self, impl, case):
        """Through tanh: whatever the encoding, a logit is within the bias and the sum of its weights' sizes."""
        params = case.params
        found = impl(case, encoded=100 * case.encoded)
        reach = params["W_2"].abs().sum(0)
        high, low = params["b_2"] + reach, params["b_2"] - reach
        return [(torch.maximum(found, high), high.expand_as(found)), (torch.minimum(found, low), low.expand_as(found))]

    def test_opposite_encodings_give_opposite_logits(self, impl, case):
        """Without biases the head is odd."""
        params = {name: torch.zeros_like(x) if name.startswith("b_") else x for name, x in case.params.items()}
        return impl(case, params=params, encoded=-case.encoded), -impl(case, params=params)


class TestBertLoss(Spec):
    component = bert.bert_loss
    cases = domains.bert_loss
    differentiable = ("mlm_logits", "nsp_logits")
    twice = True
    extremes = domains.bert_loss_extremes
    nan_arguments = ("nsp_logits",)
    _good = dict(
        mlm_logits=ramp(2, 3, 4),
        mlm_labels=torch.tensor([[1, 0, 3], [2, 2, 0]]),
        mlm_weights=torch.tensor([[1.0, 1.0, 0.0], [1.0, 0.0, 0.0]]),
        nsp_logits=ramp(2, 2),
        nsp_labels=torch.tensor([1, 0]),
    )
    edges = (
        dict(
            mlm_logits=ramp(1, 1, 1),
            mlm_labels=torch.tensor([[0]]),
            mlm_weights=torch.ones(1, 1),
            nsp_logits=ramp(1, 2),
            nsp_labels=torch.tensor([1]),
        ),
        dict(
            mlm_logits=ramp(2, 2, 1),
            mlm_labels=torch.zeros(2, 2, dtype=torch.int64),
            mlm_weights=torch.tensor([[1.0, 0.0], [1.0, 1.0]]),
            nsp_logits=ramp(2, 2),
            nsp_labels=torch.tensor([1, 0]),
        ),
        {
            **_good,
            "mlm_logits": ramp(2, 0, 4),
            "mlm_labels": torch.zeros(2, 0, dtype=torch.int64),
            "mlm_weights": torch.zeros(2, 0),
        },
    )
    invalid = (
        Invalid(IndexError, "a label beyond the classes", **{**_good, "mlm_labels": _good["mlm_labels"] + 3}),
        Invalid(IndexError, "a third answer", **{**_good, "nsp_labels": torch.tensor([1, 2])}),
        Invalid(IndexError, "a negative label", **{**_good, "mlm_labels": _good["mlm_labels"] - 3}),
        Invalid(IndexError, "a negative answer", **{**_good, "nsp_labels": torch.tensor([1, -1])}),
        Invalid(ValueError, "labels for another batch", **{**_good, "nsp_labels": torch.tensor([1])}),
        Invalid(ValueError, "a negative weight", **{**_good, "mlm_weights": _good["mlm_weights"] - 0.5}),
        Invalid(TypeError, "weights in whole numbers", **{**_good, "mlm_weights": _good["mlm_weights"].long()}),
        Invalid(ValueError, "weights for other predictions", **{**_good, "mlm_weights": torch.ones(2, 1)}),
        Invalid(TypeError, "labels that are no integers", **{**_good, "mlm_labels": ramp(2, 3)}),
    )
    prerequisites = ("log_softmax", "cross_entropy")

    def test_loss_is_the_sum_of_both(self, impl, case):
        """The third result is the first plus the second."""
        mlm, nsp, loss = impl(case)
        return loss, mlm + nsp

    def test_padded_predictions_weigh_nothing(self, impl, case):
        """Where the weight is 0, logits may hold nan and labels anything: no loss changes, and their gradient is 0."""
        padding = case.mlm_weights == 0
        given = dict(
            mlm_logits=torch.where(padding[..., None], torch.nan, case.mlm_logits),
            mlm_labels=torch.where(padding, -100, case.mlm_labels),
        )
        result, grads = impl.vjp(case, None, ("mlm_logits", "nsp_logits"), **given)
        require((grads["mlm_logits"][padding] == 0).all(), "padding has a gradient", got=grads["mlm_logits"])
        return (result, grads), impl.vjp(case, None, ("mlm_logits", "nsp_logits"))

    def test_more_padding_changes_nothing(self, impl, case):
        """Predictions of weight 0 behind the others leave the losses as they are."""
        labels, weights = case.mlm_labels, case.mlm_weights
        longer = dict(
            mlm_logits=torch.cat([case.mlm_logits, case.noise(case.mlm_logits.shape, 1)], 1),
            mlm_labels=torch.cat([labels, torch.zeros_like(labels)], 1),
            mlm_weights=torch.cat([weights, torch.zeros_like(weights)], 1),
        )
        return impl(case, **longer), impl(case)

    def test_scaled_weights_change_nothing(self, impl, case):
        """Weights four times as large weigh as much against each other."""
        return impl(case, mlm_weights=4 * case.mlm_weights), impl(case)

    def test_each_prediction_counts_once(self, impl, case):
        """With all weights 1, the first loss is the mean over all predictions of what each alone would cost."""
        batch, count = case.mlm_labels.shape
        one = torch.ones_like(case.mlm_weights)
        alone = []
        for k in range(batch * count):
            only = torch.zeros(batch * count, dtype=one.dtype).index_fill(0, torch.tensor([k]), 1).reshape(batch, count)
            alone.append(impl(case, mlm_weights=only)[0])
        return impl(case, mlm_weights=one)[0], torch.stack(alone).mean()

    def test_without_any_weight_the_first_loss_is_zero(self, impl, case):
        """Where nothing is to be foretold the first loss is exactly 0, and the second as ever."""
        mlm, nsp, _ = impl(case, mlm_weights=torch.zeros_like(case.mlm_weights))
        require(float(mlm) == 0, f"the loss of nothing is {float(mlm)}", got=mlm)
        return nsp, impl(case)[1]

    def test_equal_logits_cost_the_logarithm_of_the_classes(self, impl, case):
        """Where all classes are equally likely the losses are log V and log 2, whatever the labels."""
        classes = case.mlm_logits.shape[2]
        one = torch.ones_like(case.mlm_weights)
        equal = dict(mlm_logits=torch.ones_like(case.mlm_logits), nsp_logits=torch.zeros_like(case.nsp_logits))
        found = impl(case, **equal, mlm_weights=one)[:2]
        expected = torch.tensor([classes, 2], dtype=torch.float64).log().to(case.dtype)
        return torch.stack(list(found)), expected


class TestBertParameterCount(Spec):
    component = bert.bert_parameter_count
    cases = domains.bert_parameter_count
    declines = NO_TENSOR
    edges = (dict(layers=1, hidden=1, heads=1, vocab=1),)
    _good = dict(layers=2, hidden=4, heads=2, vocab=7)
    invalid = (
        Invalid(ValueError, "sizes that heads do not divide", **{**_good, "heads": 3}),
        Invalid(ValueError, "no head", **{**_good, "heads": 0}),
        Invalid(ValueError, "no word", **{**_good, "vocab": 0}),
        Invalid(TypeError, "a size that is no whole number", **{**_good, "hidden": 4.5}),
    )

    def test_published_sizes_of_note_004(self, impl):
        """Base has about 110 million parameters, large about 340 million, within 2 %."""
        for name, (sizes, expected) in published.MODELS.items():
            found = impl.call(**sizes)
            off = abs(found / expected - 1)
            require(off <= published.TOLERANCE, f"{name} has {found:,} parameters, expected about {expected:,}")

    def test_it_counts_a_live_network(self, impl):
        """Of a network that runs: its encoder's numbers and the hidden layer's behind the first token."""
        tokens = torch.zeros(1, 2, dtype=torch.int64)
        for layers, size, ffn, vocab, longest in ((1, 4, 3, 5, 6), (2, 2, 7, 3, 4)):
            params = encoder(size, ffn, vocab, longest, layers)
            bert.bert_encoder(tokens, tokens, None, params, 2)
            expected = sum(part.numel() for part in floating(params)) + size * size + size
            found = impl.call(layers=layers, hidden=size, heads=2, vocab=vocab, ffn=ffn, max_len=longest)
            require(found == expected, f"gave {found} for a network of {expected} numbers")

    def test_heads_of_both_tasks_share_the_table(self, impl):
        """With both heads: all numbers of a network that runs, but for an output layer that is the table of tokens."""
        size, ffn, vocab, longest = 4, 3, 5, 6
        numbers = sum(part.numel() for part in floating(model(size, ffn, vocab, longest)))
        given = dict(layers=1, hidden=size, heads=2, vocab=vocab, ffn=ffn, max_len=longest, pretraining=True)
        found, expected = impl.call(**given), numbers - size * vocab
        require(found == expected, f"gave {found} for a network of {expected} numbers")

    def test_heads_change_nothing(self, impl, case):
        """As many parameters with one head."""
        found = impl(case), impl(case, heads=1)
        require(found[0] == found[1], f"{case.heads} heads have {found[0]} parameters, one head {found[1]}")

    def test_rows_of_tables_cost_their_width(self, impl, case):
        """A word, a position or a segment more costs D; a word one more where tokens are foretold."""
        base = impl(case)
        more = tuple(impl(case, **{name: case[name] + 1}) - base for name in ("vocab", "max_len", "segments"))
        expected = (case.hidden + case.pretraining, case.hidden, case.hidden)
        require(more == expected, f"a row more of each table costs {more}, expected {expected}")

    def test_inner_layer_is_four_times_as_wide(self, impl, case):
        """Without a size of its own the position-wise network has 4 D units."""
        found = impl(case, ffn=None), impl(case, ffn=4 * case.hidden)
        require(found[0] == found[1], f"by default {found[0]} parameters, with 4 D units {found[1]}")
