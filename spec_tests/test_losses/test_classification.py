"""Laws of losses of predicted classes."""

import math

import torch
from torch import int64, ones, tensor, zeros

from lawbook.fixtures.cases import losses as domains
from lawbook.fixtures.published import losses as published
from lawbook.reference import losses
from lawbook.spec_tests.crowds import waves
from lawbook.spec_tests.spec import Batch, Invalid, Spec, require

FIVE, FAR = torch.arange(300) % 5, 61 * torch.arange(5)
"""Labels of 300 samples and five classes, and of five samples and 300 classes."""
LABELS = tensor([0, 2])


def _axis(scores):
    return min(scores.ndim - 1, 1)


def _with_classes(case):
    """The case with classes for a target, and scores that are finite."""
    logits = case.logits.clamp(min=-30) if case.logits.isinf().any() else case.logits
    classes = case.target.argmax(_axis(logits)) if case.target.is_floating_point() else case.target
    return case.but(logits=logits, target=classes)


def _one_hot(classes, scores):
    axis = _axis(scores)
    return torch.zeros_like(scores).scatter(axis, classes.unsqueeze(axis), 1)


def _weights(case, classes):
    """Each sample's weight: 0 for ignored ones."""
    kept = case.target != case.ignore_index
    weight = ones(classes, dtype=case.dtype) if case.weight is None else case.weight
    return weight[torch.where(kept, case.target, 0)] * kept


class TestCrossEntropy(Spec):
    component = losses.cross_entropy
    low_gradients = True
    extremes = domains.cross_entropy_extremes
    cases = domains.cross_entropy
    differentiable = ("logits", "target")
    twice = True
    prerequisites = ("log_softmax", "nll_loss")
    # The sum of a few losses of 1e4 may leave float16 where their mean does not: the order of both is left open.
    low_precisions = (torch.bfloat16,)
    invalid = (
        Invalid(IndexError, "a class beyond the last", logits=ones(2, 3), target=tensor([0, 3])),
        Invalid(IndexError, "a negative class other than ignore_index", logits=ones(2, 3), target=tensor([0, -4])),
        Invalid(IndexError, "-4 while -1 is ignored", logits=ones(2, 3), target=tensor([-1, -4]), ignore_index=-1),
        Invalid(ValueError, "one target for two samples", logits=ones(2, 3), target=tensor([0])),
        Invalid(ValueError, "targets in a column", logits=ones(2, 3), target=tensor([[0], [2]])),
        Invalid(ValueError, "a weight too many", logits=ones(2, 3), target=LABELS, weight=ones(4)),
        Invalid(ValueError, "an unknown reduction", logits=ones(2, 3), target=LABELS, reduction="average"),
        Invalid(ValueError, "smoothing above one", logits=ones(2, 3), target=LABELS, label_smoothing=1.5),
        Invalid(ValueError, "a negative smoothing", logits=ones(2, 3), target=LABELS, label_smoothing=-0.5),
    )
    edges = (
        {"logits": zeros(0, 3), "target": zeros(0, dtype=int64)},
        {"logits": zeros(0, 3), "target": zeros(0, dtype=int64), "reduction": "sum"},
        {"logits": zeros(0, 3), "target": zeros(0, dtype=int64), "reduction": "none"},
        {"logits": zeros(2, 3, 0), "target": zeros(2, 0, dtype=int64), "reduction": "sum"},
        {"logits": ones(1, 1), "target": tensor([0])},
        {"logits": ones(3), "target": tensor(2)},
        {"logits": ones(2, 3), "target": tensor([-100, -100])},
        {"logits": 3 * waves(300, 5), "target": FIVE},
        {"logits": 3 * waves(5, 300), "target": FAR},
        {"logits": 3 * waves(5, 300), "target": FAR, "weight": waves(300) + 2, "label_smoothing": 0.1},
    )

    def batch(self, case):
        return Batch(output=0, logits=0, target=0) if case.reduction == "none" and case.logits.ndim > 1 else None

    def test_negative_log_likelihood_of_log_softmax(self, impl, case):
        """Without smoothing it is nll_loss of log_softmax."""
        case = _with_classes(case)
        log_probs = losses.log_softmax(case.logits, _axis(case.logits))
        truth = losses.nll_loss(log_probs, case.target, case.weight, case.ignore_index, case.reduction)
        return impl(case, label_smoothing=0.0), truth

    def test_one_hot_probabilities_are_classes(self, impl, case):
        """A certain distribution costs what its class costs."""
        case = _with_classes(case)
        kept = torch.where(case.target == case.ignore_index, 0, case.target)
        changes = {"reduction": "none", "ignore_index": -100}
        return impl(case, target=_one_hot(kept, case.logits), **changes), impl(case, target=kept, **changes)

    def test_weighted_mean_divides_by_the_weights(self, impl, case):
        """mean · (sum of the weights of the samples kept) = sum."""
        case = _with_classes(case)
        total = _weights(case, case.logits.shape[_axis(case.logits)]).sum()
        if total == 0:
            return self.skip
        return impl(case, reduction="mean") * total, impl(case, reduction="sum")

    def test_sum_of_none_is_the_sum(self, impl, case):
        """Adding up the losses of "none" gives "sum"."""
        return impl(case, reduction="none").sum(), impl(case, reduction="sum")

    def test_ignored_samples_weigh_nothing(self, impl, case):
        """Other scores at ignored samples change nothing, be they −inf."""
        case = _with_classes(case)
        axis = _axis(case.logits)
        ignored = (case.target == case.ignore_index).unsqueeze(axis)
        other = 3 * case.logits.flip(axis) + 1
        other.select(axis, 0).fill_(-math.inf if case.logits.shape[axis] > 1 else 0)
        changed = torch.where(ignored, other, case.logits)
        return impl(case, logits=changed, label_smoothing=0.0), impl(case, label_smoothing=0.0)

    def test_nothing_but_ignored_samples(self, impl, case):
        """All ignored: "mean" is nan, "sum" 0, "none" zeros."""
        case = _with_classes(case)
        ignored = case.but(target=torch.full_like(case.target, case.ignore_index))
        mean, rest = impl(ignored, reduction="mean"), [impl(ignored, reduction=how) for how in ("sum", "none")]
        require(mean.isnan().all(), f"the mean of nothing is {mean.item()}, expected nan")
        require(all((loss == 0).all() for loss in rest), f"ignored samples cost {rest}, expected 0")

    def test_shift_changes_nothing(self, impl, case):
        """Adding one number to all scores of a sample changes nothing."""
        shift = case.noise(case.logits.sum(_axis(case.logits), keepdim=True).shape).round()
        return impl(case, logits=case.logits + shift), impl(case)

    def test_smoothing_mixes_with_the_uniform_target(self, impl, case):
        """The loss at smoothing ¼ lies a quarter of the way to that at smoothing 1."""
        case = _with_classes(case)
        mixed = 0.75 * impl(case, label_smoothing=0.0) + 0.25 * impl(case, label_smoothing=1.0)
        return impl(case, label_smoothing=0.25), mixed

    def test_full_smoothing_forgets_the_class(self, impl, case):
        """At smoothing 1 every class weighs the same, the right one included."""
        case = _with_classes(case)
        axis = _axis(case.logits)
        cost = -losses.log_softmax(case.logits, axis).mean(axis)
        kept = case.target != case.ignore_index
        got = impl(case, label_smoothing=1.0, weight=None, reduction="none")
        return got, torch.where(kept, cost, torch.zeros_like(cost))

    def test_gradient_is_softmax_minus_one_hot(self, impl, case):
        """∂(Σ l)/∂logits = softmax − one-hot, and 0 at ignored samples."""
        case = _with_classes(case)
        axis = _axis(case.logits)
        kept = case.target != case.ignore_index
        truth = losses.softmax(case.logits, axis) - _one_hot(torch.where(kept, case.target, 0), case.logits)
        changes = {"weight": None, "label_smoothing": 0.0, "reduction": "sum"}
        one = torch.ones((), dtype=case.dtype)
        gradient = impl.vjp(case, [one], wrt=("logits",), **changes)[1]["logits"]
        return gradient, truth * kept.unsqueeze(axis)

    def test_published_pair(self, impl):
        """On the note's two samples it equals nll_loss and batch-averaged KL divergence from one-hot rows."""
        logits, target = tensor(published.CLASS_LOGITS), tensor(published.CLASS_TRUTH)
        got = float(impl.call(logits=logits, target=target))
        expected = (math.log1p(math.exp(-10) + math.exp(-20)) + math.log(3)) / 2
        require(f"{got:.4f}" == f"{expected:.4f}", f"got {got:.4f}, expected {expected:.4f}")


class TestNllLoss(Spec):
    component = losses.nll_loss
    cases = domains.nll_loss
    differentiable = ("log_probs",)
    twice = True
    invalid = (
        Invalid(IndexError, "a class beyond the last", log_probs=-ones(2, 3), target=tensor([0, 3])),
        Invalid(IndexError, "a negative class other than ignore_index", log_probs=-ones(2, 3), target=tensor([0, -4])),
        Invalid(ValueError, "one target for two samples", log_probs=-ones(2, 3), target=tensor([0])),
        Invalid(ValueError, "a weight too many", log_probs=-ones(2, 3), target=LABELS, weight=ones(4)),
        Invalid(ValueError, "an unknown reduction", log_probs=-ones(2, 3), target=LABELS, reduction="average"),
        Invalid(TypeError, "probabilities for a target", log_probs=-ones(2, 3), target=ones(2)),
    )
    edges = (
        {"log_probs": zeros(0, 3), "target": zeros(0, dtype=int64)},
        {"log_probs": zeros(0, 3), "target": zeros(0, dtype=int64), "reduction": "none"},
        {"log_probs": -ones(1, 1), "target": tensor([0])},
        {"log_probs": -ones(3), "target": tensor(2)},
        {"log_probs": -ones(2, 3), "target": tensor([-100, -100])},
        {"log_probs": waves(300, 5).log_softmax(1), "target": FIVE},
        {"log_probs": waves(5, 300).log_softmax(1), "target": FAR, "weight": waves(300) + 2},
    )
    declines = {"extremes_stay_finite": "it picks and adds: only a log-probability of −inf gives an infinite loss"}

    def batch(self, case):
        return Batch(output=0, log_probs=0, target=0) if case.reduction == "none" and case.log_probs.ndim > 1 else None

    def test_picks_the_target(self, impl, case):
        """Each loss is the negative log-probability of its class."""
        kept = case.target != case.ignore_index
        picked = (case.log_probs * _one_hot(torch.where(kept, case.target, 0), case.log_probs)).sum(
            _axis(case.log_probs)
        )
        return impl(case, weight=None, reduction="none"), -picked * kept

    def test_other_classes_do_not_matter(self, impl, case):
        """Nothing is normalized: changing the other log-probabilities changes nothing."""
        kept = case.target != case.ignore_index
        target = _one_hot(torch.where(kept, case.target, 0), case.log_probs).bool() & kept.unsqueeze(
            _axis(case.log_probs)
        )
        return impl(case, log_probs=torch.where(target, case.log_probs, 2 * case.log_probs - 1)), impl(case)

    def test_weighted_mean_divides_by_the_weights(self, impl, case):
        """mean · (sum of the weights of the samples kept) = sum = the sum of none."""
        total = _weights(case, case.log_probs.shape[_axis(case.log_probs)]).sum()
        if total == 0:
            return self.skip
        whole = impl(case, reduction="sum")
        return [(impl(case, reduction="mean") * total, whole), (impl(case, reduction="none").sum(), whole)]

    def test_nothing_but_ignored_samples(self, impl, case):
        """All ignored: "mean" is nan, "sum" 0."""
        ignored = case.but(target=torch.full_like(case.target, case.ignore_index))
        mean, total = impl(ignored, reduction="mean"), impl(ignored, reduction="sum")
        require(mean.isnan().all() and total == 0, f"got {mean.item()} and {total.item()}, expected nan and 0")


class TestProbabilityCrossEntropy(Spec):
    component = losses.probability_cross_entropy
    cases = domains.probability_cross_entropy
    differentiable = ("y_hat",)
    twice = True
    invalid = (
        Invalid(ValueError, "labels in a column", y_hat=ones(2, 3) / 3, y=tensor([[0], [2]])),
        Invalid(IndexError, "a class beyond the last", y_hat=ones(2, 3) / 3, y=tensor([0, 3])),
        Invalid(IndexError, "a negative class", y_hat=ones(2, 3) / 3, y=tensor([0, -1])),
        Invalid(ValueError, "one label for two samples", y_hat=ones(2, 3) / 3, y=tensor([0])),
    )
    edges = (
        {"y_hat": zeros(0, 3), "y": zeros(0, dtype=int64)},
        {"y_hat": ones(1, 1), "y": tensor([0])},
        {"y_hat": waves(300, 5).softmax(1), "y": FIVE},
        {"y_hat": waves(5, 300).softmax(1), "y": FAR},
    )
    declines = {"extremes_stay_finite": "a probability of 0 truly costs infinity"}

    def batch(self, case):
        return Batch(output=0, y_hat=0, y=0)

    def test_cross_entropy_of_the_logarithms(self, impl, case):
        """It equals cross_entropy of log y_hat, which normalizes once more."""
        y_hat = case.y_hat / case.y_hat.sum(-1, keepdim=True)
        return impl(case, y_hat=y_hat), losses.cross_entropy(y_hat.log(), case.y, reduction="none")

    def test_certainty_costs_nothing(self, impl, case):
        """A probability of 1 for the right class costs 0, one of 0 costs infinity."""
        right = impl(case, y_hat=_one_hot(case.y, case.y_hat))
        wrong = impl(case, y_hat=1 - _one_hot(case.y, case.y_hat))
        require((right == 0).all(), f"certain and right costs {right.tolist()}, expected zeros")
        require((wrong == math.inf).all(), f"certain and wrong costs {wrong.tolist()}, expected infinity")

    def test_halved_probabilities_cost_one_bit_more(self, impl, case):
        """Half the probability costs log 2 more: nothing is normalized or bounded."""
        return impl(case, y_hat=case.y_hat / 2), impl(case) + math.log(2)


class TestSoftmaxCrossEntropyGradient(Spec):
    component = losses.softmax_cross_entropy_gradient
    extremes = domains.softmax_cross_entropy_gradient_extremes
    cases = domains.softmax_cross_entropy_gradient
    differentiable = ("logits",)
    prerequisites = ("softmax",)
    invalid = (
        Invalid(IndexError, "a class beyond the last", logits=ones(2, 3), y=tensor([0, 3])),
        Invalid(IndexError, "a negative class", logits=ones(2, 3), y=tensor([0, -1])),
        Invalid(ValueError, "one label for two samples", logits=ones(2, 3), y=tensor([0])),
    )
    edges = (
        {"logits": zeros(0, 3), "y": zeros(0, dtype=int64)},
        {"logits": ones(1, 1), "y": tensor([0])},
        {"logits": 3 * waves(300, 5), "y": FIVE},
        {"logits": 3 * waves(5, 300), "y": FAR},
    )

    def batch(self, case):
        return Batch(output=0, logits=0, y=0)

    def test_rows_sum_to_zero(self, impl, case):
        """What the right class gains the others lose."""
        total = impl(case).sum(1)
        return total, torch.zeros_like(total)

    def test_gradient_of_the_summed_cross_entropy(self, impl, case):
        """It is what differentiating cross_entropy gives, without a division by N."""
        scores = case.logits.detach().clone().requires_grad_()
        with torch.enable_grad():
            loss = losses.cross_entropy(scores, case.y, reduction="sum")
            return impl(case), torch.autograd.grad(loss, scores)[0]

    def test_softmax_but_for_one_at_the_label(self, impl, case):
        """Adding the one-hot row gives the softmax."""
        return impl(case) + _one_hot(case.y, case.logits), losses.softmax(case.logits, 1)


class TestSequenceCrossEntropy(Spec):
    component = losses.sequence_cross_entropy
    extremes = domains.sequence_cross_entropy_extremes
    cases = domains.sequence_cross_entropy
    differentiable = ("logits",)
    twice = True
    prerequisites = ("cross_entropy",)
    invalid = (
        Invalid(IndexError, "a class beyond the last", logits=ones(1, 2, 3), target=tensor([[0, 3]])),
        Invalid(ValueError, "fewer targets than steps", logits=ones(1, 2, 3), target=tensor([[0]])),
        Invalid(ValueError, "an unknown reduction", logits=ones(1, 2, 3), target=LABELS[None], reduction="average"),
    )
    edges = (
        {"logits": zeros(0, 2, 3), "target": zeros(0, 2, dtype=int64), "reduction": "none"},
        {"logits": zeros(2, 0, 3), "target": zeros(2, 0, dtype=int64), "reduction": "sum"},
        {"logits": ones(1, 1, 1), "target": tensor([[0]])},
        {"logits": ones(1, 2, 3), "target": tensor([[-100, -100]])},
        {"logits": 3 * waves(10, 30, 5), "target": FIVE.reshape(10, 30)},
        {"logits": 3 * waves(1, 5, 300), "target": FAR.reshape(1, 5)},
    )

    def batch(self, case):
        return Batch(output=0, logits=0, target=0) if case.reduction == "none" else None

    def test_flattened_steps_cost_the_same(self, impl, case):
        """It is cross_entropy of the (B·T, V) scores, folded back under "none"."""
        flat = losses.cross_entropy(
            case.logits.flatten(0, 1), case.target.flatten(), None, case.ignore_index, case.reduction
        )
        return impl(case), flat.reshape(case.target.shape) if case.reduction == "none" else flat

    def test_padding_weighs_nothing(self, impl, case):
        """A further step of padding for every sequence changes neither mean nor sum."""
        logits = torch.cat([case.logits, case.noise(case.logits[:, :1].shape)], 1)
        target = torch.cat([case.target, torch.full_like(case.target[:, :1], case.ignore_index)], 1)
        return [
            (impl(case, logits=logits, target=target, reduction=how), impl(case, reduction=how))
            for how in ("mean", "sum")
        ]

    def test_mean_is_over_the_steps_that_count(self, impl, case):
        """mean · (steps not ignored) = sum = the sum of none."""
        count = (case.target != case.ignore_index).sum()
        if count == 0:
            return self.skip
        total = impl(case, reduction="sum")
        return [(impl(case, reduction="mean") * count, total), (impl(case, reduction="none").sum(), total)]

    def test_order_of_the_steps_does_not_matter(self, impl, case):
        """Each step is a sample of its own."""
        reversed_ = impl(case, logits=case.logits.flip(1), target=case.target.flip(1), reduction="none")
        return reversed_, impl(case, reduction="none").flip(1)


class TestSymmetricCrossEntropy(Spec):
    component = losses.symmetric_cross_entropy
    extremes = domains.symmetric_cross_entropy_extremes
    cases = domains.symmetric_cross_entropy
    differentiable = ("logits",)
    twice = True
    prerequisites = ("cross_entropy", "softmax")
    invalid = (
        Invalid(IndexError, "a class beyond the last", logits=ones(2, 3), labels=tensor([0, 3]), num_classes=3),
        Invalid(IndexError, "a negative class", logits=ones(2, 3), labels=tensor([0, -1]), num_classes=3),
        Invalid(ValueError, "another number of classes", logits=ones(2, 3), labels=LABELS, num_classes=4),
        Invalid(ValueError, "one label for two samples", logits=ones(2, 3), labels=tensor([0]), num_classes=3),
    )
    edges = (
        {"logits": zeros(0, 3), "labels": zeros(0, dtype=int64), "num_classes": 3},
        {"logits": ones(1, 1), "labels": tensor([0]), "num_classes": 1},
        {"logits": 3 * waves(300, 5), "labels": FIVE, "num_classes": 5},
        {"logits": 3 * waves(5, 300), "labels": FAR, "num_classes": 300},
    )

    def test_forward_part_is_the_cross_entropy(self, impl, case):
        """With b = 0 it is a · cross_entropy."""
        return impl(case, b=0.0), case.a * losses.cross_entropy(case.logits, case.labels)

    def test_reverse_part_grows_with_the_wrong_probability(self, impl, case):
        """With a = 0 it is b · log(1e4) · (mean probability of the wrong classes)."""
        wrong = losses.softmax(case.logits, 1) * (1 - _one_hot(case.labels, case.logits))
        return impl(case, a=0.0), case.b * math.log(1e4) * wrong.sum(1).mean()

    def test_parts_add_up(self, impl, case):
        """Both parts together are the sum of each alone."""
        return impl(case), impl(case, b=0.0) + impl(case, a=0.0)

    def test_published_ratios(self, impl):
        """Reverse over plain, for p = 0.8 and labels held off 0 and 1: 8.2502 for yes, 4.5786 for no.

        A label held at y is y of "yes" and 1 − y of "no": the note's plain term is that mixture of two calls, and its
        reverse term rescales, class by class, what log 1e-4 contributes.
        """
        p = published.SYMMETRIC_P
        logits = tensor([[math.log(1 - p), math.log(p)]], dtype=torch.float64)

        def part(label, a, b):
            return float(impl.call(logits=logits, labels=tensor([label]), num_classes=2, a=a, b=b))

        for label, (y, printed) in published.SYMMETRIC_RATIOS.items():
            plain = y * part(1, 1.0, 0.0) + (1 - y) * part(0, 1.0, 0.0)
            yes, no = (part(other, 0.0, 1.0) / math.log(1e-4) for other in (0, 1))
            ratio = f"{(yes * math.log(y) + no * math.log(1 - y)) / plain:.4f}"
            require(ratio == printed, f"for the label {label} the ratio is {ratio}, the note prints {printed}")
