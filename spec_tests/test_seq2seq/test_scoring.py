"""The loss without padding, and BLEU."""

import math
from collections import Counter

import torch

from lawbook.fixtures.cases import seq2seq as domains
from lawbook.fixtures.published import seq2seq as published
from lawbook.reference import seq2seq
from lawbook.reference.losses import cross_entropy
from lawbook.spec_tests.crowds import waves
from lawbook.spec_tests.spec import Batch, Invalid, Spec, require, skip_case
from lawbook.spec_tests.test_seq2seq.laws import NO_TENSORS, number, printed, ramp, within


class TestMaskedSoftmaxCe(Spec):
    component = seq2seq.masked_softmax_ce
    cases = domains.masked_softmax_ce
    differentiable = ("pred",)
    twice = True
    extremes = domains.masked_softmax_ce_extremes
    _labels = torch.tensor([[0, 1, 2], [2, 1, 0]])
    _good = dict(pred=ramp(2, 3, 4), label=_labels, valid_len=torch.tensor([1, 3]))
    edges = (
        dict(pred=ramp(1, 1, 1), label=torch.tensor([[0]]), valid_len=torch.tensor([1])),
        dict(pred=ramp(0, 3, 2), label=torch.zeros(0, 3).long(), valid_len=torch.zeros(0).long()),
        dict(pred=ramp(2, 1, 2), label=torch.tensor([[1], [0]]), valid_len=torch.tensor([0, 1]), average="tokens"),
        dict(pred=ramp(2, 2, 1), label=torch.tensor([[0, 0], [0, 0]]), valid_len=torch.tensor([1, 2])),
        dict(pred=waves(2, 3, 300), label=torch.tensor([[299, 0, 7], [256, 255, 5]]), valid_len=torch.tensor([3, 2])),
    )
    invalid = (
        Invalid(ValueError, "labels for fewer steps", **{**_good, "label": _labels[:, :2]}),
        Invalid(ValueError, "lengths for another batch", **{**_good, "valid_len": torch.tensor([1, 2, 3])}),
        Invalid(ValueError, "an unknown average", **_good, average="median"),
        Invalid(ValueError, "no step", **{**_good, "pred": _good["pred"][:, :0], "label": _labels[:, :0]}),
        Invalid(IndexError, "a label beyond the classes", **{**_good, "label": _labels + 2}),
        Invalid(IndexError, "a negative label", **{**_good, "label": _labels - 1}),
    )
    prerequisites = ("sequence_mask", "cross_entropy")

    def rows(self, case):
        return ()

    def batch(self, case):
        return Batch(0, pred=0, label=0, valid_len=0)

    def test_padding_has_no_influence(self, impl, case):
        """Other logits and labels beyond the length change neither loss nor gradient, and have a gradient of exactly 0."""
        inside = within(case.valid_len, case.pred.shape[1])
        pred = torch.where(inside[..., None], case.pred, 9 * case.noise(case.pred.shape, 1))
        label = torch.where(inside, case.label, case.pred.shape[2] - 1 - case.label)
        value, grads = impl.vjp(case, None, ("pred",), pred=pred, label=label)
        require((grads["pred"][~inside] == 0).all(), "padding has a gradient", got=grads["pred"])
        return (value, grads), impl.vjp(case, None, ("pred",))

    def test_nan_in_the_padding_stays_there(self, impl, case):
        """A nan beyond the length reaches neither loss nor gradient."""
        inside = within(case.valid_len, case.pred.shape[1])
        pred = torch.where(inside[..., None], case.pred, torch.nan)
        value, grads = impl.vjp(case, None, ("pred",), pred=pred)
        require(not value.isnan().any(), "the loss is nan from the padding", got=value)
        require(not grads["pred"].isnan().any(), "the gradient is nan from the padding", got=grads["pred"])

    def test_nothing_counts_in_an_empty_row(self, impl, case):
        """Rows of length 0 lose nothing and have no gradient, with either average."""
        value, grads = impl.vjp(case, None, ("pred",), valid_len=torch.zeros_like(case.valid_len))
        require((value == 0).all(), "a row of length 0 has a loss", got=value)
        require((grads["pred"] == 0).all(), "a row of length 0 has a gradient", got=grads["pred"])

    def test_averages_differ_by_their_counts(self, impl, case):
        """The mean over steps times the steps is the mean over tokens times the tokens."""
        steps = case.pred.shape[1]
        tokens = case.valid_len.clamp(0, steps).to(case.dtype)
        return steps * impl(case, average="steps"), tokens * impl(case, average="tokens")

    def test_without_padding_it_is_cross_entropy(self, impl, case):
        """At full length it is the mean cross entropy of the row, with either average."""
        full = torch.full_like(case.valid_len, case.pred.shape[1])
        rows = [cross_entropy(one, label) for one, label in zip(case.pred, case.label, strict=True)]
        return impl(case, valid_len=full), torch.stack(rows)

    def test_more_padding(self, impl, case):
        """A padded step more changes nothing of the mean over tokens, and makes that over steps smaller by T / (T + 1)."""
        steps = case.pred.shape[1]
        lens = case.valid_len.clamp(0, steps)
        pred = torch.cat([case.pred, case.pred[:, :1]], 1)
        label = torch.cat([case.label, case.label[:, :1]], 1)
        factor = steps / (steps + 1) if case.average == "steps" else 1
        return impl(case, pred=pred, label=label, valid_len=lens), factor * impl(case, valid_len=lens)

    def test_published_losses(self, impl):
        """Equal logits for ten classes, four, two and no token of four: the textbook's losses."""
        lens = torch.tensor(published.LENGTHS)
        label = torch.ones(len(lens), published.STEPS, dtype=torch.int64)
        found = impl.call(pred=torch.ones(*label.shape, published.CLASSES), label=label, valid_len=lens)
        printed(found.tolist(), published.LOSSES)


def _precision(pred, label, n):
    """The share of clipped n-gram matches."""
    ours, theirs = ([tuple(x[i : i + n]) for i in range(len(x) - n + 1)] for x in (pred, label))
    return sum(min(ours.count(one), theirs.count(one)) for one in set(ours)) / len(ours)


def _penalty(pred, label):
    return math.exp(min(0.0, 1 - len(label) / len(pred)))


class TestBleu(Spec):
    component = seq2seq.bleu
    cases = domains.bleu
    declines = NO_TENSORS
    edges = (
        dict(pred=[], label=[], k=1),
        dict(pred=["a"], label=[], k=1),
        dict(pred="", label="a b", k=2),
        dict(pred=["a"], label=["a"], k=1),
        dict(pred=["a"], label=["a"], k=2),
    )
    invalid = (
        Invalid(ValueError, "n-grams of no token", pred=["a"], label=["a"], k=0),
        Invalid(ValueError, "fewer weights than n-grams", pred=["a", "b"], label=["a", "b"], k=2, weights=[1.0]),
        Invalid(ValueError, "a negative weight", pred=["a", "b"], label=["a", "b"], k=2, weights=[1.0, -0.5]),
    )

    def test_equal_sentences_score_one(self, impl, case):
        """A prediction that is the label, of k tokens at least, scores 1."""
        label = [*case.label, "x", "y", "z", "w"]
        return number(impl(case, pred=list(label), label=label)), number(1)

    def test_one_means_the_same_n_grams(self, impl, case):
        """A score of 1 takes the same n-grams, as often, for every n up to k; all others score less."""
        if len(case.pred) < case.k:
            return skip_case
        same = all(
            Counter(tuple(case.pred[i : i + n]) for i in range(len(case.pred) - n + 1))
            == Counter(tuple(case.label[i : i + n]) for i in range(len(case.label) - n + 1))
            for n in range(1, case.k + 1)
        )
        found = number(impl(case))
        if same:
            return found, number(1)
        if min(case.weights or [1]) > 0:
            require(found < 1, f"scores {found}, yet the n-grams are not the same")

    def test_score_lies_between_zero_and_one(self, impl, case):
        """No score is below 0 or above 1."""
        found = number(impl(case))
        return found, found.clamp(0, 1)

    def test_too_short_scores_zero(self, impl, case):
        """A prediction that is empty, or shorter than k, scores 0."""
        for length in range(case.k):
            found = float(impl(case, pred=case.label[:length]))
            require(found == 0, f"{length} tokens score {found} for k = {case.k}")

    def test_no_match_of_some_length_scores_zero(self, impl, case):
        """Without a common n-gram for some n up to k the score is 0, not merely small."""
        label = ["a", "b", "c", "d", "e", "f"]
        pred = ["a", "c", "e", "b", "d", "f"]
        found = float(impl(case, pred=pred, label=label, k=max(case.k, 2), weights=None))
        require(found == 0, f"without a common pair of tokens the score is {found}")

    def test_no_match_scores_zero_whatever_its_weight(self, impl, case):
        """Without a common pair of tokens the score is 0, also where pairs have a weight of 0."""
        found = float(impl(case, pred=["a", "c", "b"], label=["a", "b", "c"], k=2, weights=[1.0, 0.0]))
        require(found == 0, f"a c b against a b c, which have no pair in common, score {found} at the weights 1 and 0")

    def test_short_predictions_pay_the_penalty(self, impl, case):
        """The label's beginning matches throughout: its score is exp(1 − len_label / len_pred) alone."""
        label = ["a", "b", "c", "d", *case.label]
        pred = label[: 4 + len(case.label) // 2]
        return number(impl(case, pred=pred, label=label)), number(_penalty(pred, label))

    def test_long_predictions_pay_no_penalty(self, impl, case):
        """With the label and four tokens more, single matches count by their share alone."""
        label = ["a", *case.label]
        found = impl(case, pred=[*label, "x", "x", "x", "x"], label=label, k=1, weights=None)
        return number(found), number((len(label) / (len(label) + 4)) ** 0.5)

    def test_repeated_words_count_as_often_as_in_the_label(self, impl, case):
        """Six times a word that the label has twice are two matches of six."""
        label = ["the", "cat", "is", "on", "the", "mat"]
        found = impl(case, pred=["the"] * 6, label=label, k=1, weights=None)
        return number(found), number((2 / 6) ** 0.5)

    def test_one_more_length_multiplies(self, impl, case):
        """N-grams of one more length multiply the score by p_n to the power ½ⁿ."""
        n = case.k + 1
        if len(case.pred) < n:
            return skip_case
        longer = impl(case, k=n, weights=None)
        factor = _precision(case.pred, case.label, n) ** (0.5**n)
        return number(longer), number(float(impl(case, weights=None)) * factor)

    def test_weights_are_exponents(self, impl, case):
        """Twice the weights square what is left of the score without the penalty."""
        if len(case.pred) < case.k:
            return skip_case
        weights = [1 / (n + 1) for n in range(case.k)]
        once, twice = impl(case, weights=weights), impl(case, weights=[2 * w for w in weights])
        return number(float(twice) * _penalty(case.pred, case.label)), number(float(once) ** 2)

    def test_tokens_are_not_glued_together(self, impl, case):
        """Other tokens that give the same text when joined are other tokens."""
        for pred, label in ((["ab", "c", "x"], ["a", "bc", "x"]), (["a b", "c", "x"], ["a", "b c", "x"])):
            found = float(impl(case, pred=pred, label=label, k=2, weights=None))
            require(found == 0, f"{pred} against {label} scores {found}")
        glued = impl(case, pred=["a b", "c", "d"], label=["a", "b c", "d"], k=1, weights=None)
        return number(glued), number((1 / 3) ** 0.5)

    def test_names_of_tokens_do_not_matter(self, impl, case):
        """Tokens renamed in both, differently each, score the same."""
        names = {token: f"t{i}" for i, token in enumerate(dict.fromkeys([*case.pred, *case.label]))}
        renamed = impl(case, pred=[names[t] for t in case.pred], label=[names[t] for t in case.label])
        return number(renamed), number(impl(case))

    def test_text_is_split_at_spaces(self, impl, case):
        """A string is the list of its words."""
        pred, label = ([f"w{str(t).replace(' ', '_')}" for t in x] for x in (case.pred, case.label))
        text = impl(case, pred=" ".join(pred), label=" ".join(label))
        return number(text), number(impl(case, pred=pred, label=label))

    def test_published_precisions(self, impl):
        """The textbook's p_n of A B B C D against A B C D E F, taken from the scores for growing k."""
        scores = [impl.call(pred=published.PREDICTED, label=published.LABEL, k=k) for k in range(1, 5)]
        previous = _penalty(published.PREDICTED.split(), published.LABEL.split())
        for n, (score, share) in enumerate(zip(scores, published.PRECISIONS, strict=True), start=1):
            printed([(score / previous) ** (2**n)], [f"{share:.6f}"])
            previous = score

    def test_published_translations(self, impl):
        """The scores that the textbook prints for translations, with n-grams of up to two tokens."""
        for pred, label, score in published.TRANSLATIONS:
            printed([impl.call(pred=pred, label=label, k=2)], [score])
