"""Choosing a model: capacity, folds, and the gap between training and validation."""

import torch

from lawbook.fixtures.cases import generalization as domains
from lawbook.fixtures.published import generalization as published
from lawbook.reference import generalization
from lawbook.spec_tests.spec import Batch, Invalid, Spec, require
from lawbook.spec_tests.test_generalization.test_perceptrons import labels, ramp


class TestPolynomialFeatures(Spec):
    component = generalization.polynomial_features
    cases = domains.polynomial_features
    differentiable = ("x",)
    twice = True
    extremes = domains.polynomial_features_extremes
    edges = (dict(x=ramp(0), degree=3), dict(x=ramp(2, 0), degree=0), dict(x=torch.zeros(1), degree=2))
    invalid = (
        Invalid(ValueError, "a degree of −1", x=ramp(3), degree=-1),
        Invalid(TypeError, "half a degree", x=ramp(3), degree=1.5),
        Invalid(TypeError, "whole numbers", x=labels(1, 2), degree=2),
    )

    def rows(self, case):
        return tuple(range(case.x.ndim))

    def batch(self, case):
        return Batch(output=0, x=0) if case.x.ndim else None

    def test_begins_with_one_and_the_number(self, impl, case):
        """Feature 0 is 1, of zero too, and feature 1 the number itself."""
        found = impl(case)
        require(bool((found[..., 0] == 1).all()), "feature 0 is not 1")
        if case.degree:
            require(torch.equal(found[..., 1], case.x), "feature 1 is not the number itself")

    def test_each_is_the_next_ones_derivative(self, impl, case):
        """The slope of feature i + 1 is feature i."""
        noise = case.noise((*case.x.shape, case.degree + 1))
        _, found = impl.vjp(case, torch.cat([torch.zeros_like(noise[..., :1]), noise], -1), degree=case.degree + 1)
        return found["x"], (noise * impl(case)).sum(-1)

    def test_a_sum_of_numbers_mixes_their_features(self, impl, case):
        """f_n(x + y) = Σ f_i(x) f_{n−i}(y), the binomial theorem."""
        y = case.noise(case.x.shape, 1)
        a, b, n = impl(case), impl(case, x=y), case.degree
        return impl(case, x=case.x + y)[..., n], (a * b.flip(-1)).sum(-1)

    def test_a_lower_degree_leaves_out_the_last(self, impl, case):
        """Features of a lower degree are the first of a higher one's."""
        return impl(case, degree=case.degree + 2)[..., : case.degree + 1], impl(case)

    def test_published_polynomial_of_note_004(self, impl):
        """5 + 1.2x − 3.4x²/2! + 5.6x³/3! is 5.4333 at 1 and 8.0667 at 2."""
        x = torch.tensor([1.0, 2.0], dtype=torch.float64)
        weights = torch.tensor(published.NOTE_004_COEFFICIENTS, dtype=torch.float64)
        found = [f"{value:.4f}" for value in (impl.call(x=x, degree=3) @ weights).tolist()]
        require(found == ["5.4333", "8.0667"], f"gave {found}")


class TestKFoldIndices(Spec):
    component = generalization.k_fold_indices
    cases = domains.k_fold_indices
    declines = {
        "memory_layout": "no argument is a tensor",
        "low_precision": "no argument is a tensor",
        "nan_not_hidden": "no argument is a tensor that could hold nan",
        "extremes_stay_finite": "the result is whole numbers",
        "accelerator_agrees": "no argument is a tensor that would say where to compute",
    }
    edges = (dict(n=2, k=2, i=1), dict(n=3, k=2, i=0), dict(n=3, k=2, i=1), dict(n=5, k=5, i=4))
    invalid = (
        Invalid(ValueError, "a single fold", n=6, k=1, i=0),
        Invalid(ValueError, "no fold", n=6, k=0, i=0),
        Invalid(ValueError, "more folds than samples", n=3, k=4, i=3),
        Invalid(IndexError, "a round beyond the last", n=6, k=3, i=3),
        Invalid(IndexError, "a negative round", n=6, k=3, i=-1),
        Invalid(TypeError, "half a fold", n=6, k=2.5, i=0),
    )

    def test_every_sample_validates_once(self, impl, case):
        """The k validation folds, one after the other, are 0 … n − 1, also where k does not divide n."""
        found = torch.cat([impl(case, i=i)[1] for i in range(case.k)])
        require(found.tolist() == list(range(case.n)), f"the folds hold {found.tolist()}")

    def test_no_sample_trains_and_validates(self, impl, case):
        """Training and validation share no sample, and together have all of them."""
        train, valid = (part.tolist() for part in impl(case))
        require(not set(train) & set(valid), f"samples {sorted(set(train) & set(valid))} train and validate")
        require(sorted(train + valid) == list(range(case.n)), f"of {case.n} samples {sorted(train + valid)} are used")

    def test_folds_are_as_equal_as_can_be(self, impl, case):
        """Sizes of folds differ by at most one."""
        sizes = [len(impl(case, i=i)[1]) for i in range(case.k)]
        require(max(sizes) - min(sizes) <= 1, f"folds of {sizes} samples")

    def test_published_folds_of_note_004(self, impl):
        """100 samples in 5 and in 10 folds: 20 and 10 validate, the rest trains."""
        samples = published.NOTE_004_TRAINING_SAMPLES
        for folds in published.NOTE_004_FOLDS:
            train, valid = impl.call(n=samples, k=folds, i=folds - 1)
            sizes = (len(train), len(valid))
            require(sizes == (samples - samples // folds, samples // folds), f"{folds} folds: sizes {sizes}")


class TestTrainValidGap(Spec):
    component = generalization.train_valid_gap
    cases = domains.train_valid_gap
    differentiable = ("train_losses", "valid_losses")
    extremes = domains.train_valid_gap_extremes
    edges = (dict(train_losses=ramp(1), valid_losses=ramp(1)), dict(train_losses=ramp(1), valid_losses=ramp(4)))
    invalid = (
        Invalid(ValueError, "no training loss", train_losses=ramp(0), valid_losses=ramp(2)),
        Invalid(ValueError, "no validation loss", train_losses=ramp(2), valid_losses=ramp(0)),
        Invalid(ValueError, "losses with two axes", train_losses=ramp(2, 2), valid_losses=ramp(2)),
    )

    def test_sets_that_are_equal_have_no_gap(self, impl, case):
        """The same losses on both sides give 0."""
        found = impl(case, valid_losses=case.train_losses)
        return found, torch.zeros_like(found)

    def test_swapping_the_sets_changes_the_sign(self, impl, case):
        """Training and validation swapped give the negative gap."""
        return impl(case, train_losses=case.valid_losses, valid_losses=case.train_losses), -impl(case)

    def test_repeated_losses_do_not_matter(self, impl, case):
        """A set of losses and the same set twice over have the same gap: sizes of the sets do not weigh."""
        return impl(case, train_losses=torch.cat([case.train_losses, case.train_losses])), impl(case)

    def test_a_validation_loss_raised_raises_the_gap(self, impl, case):
        """One more on every validation loss is one more in the gap."""
        return impl(case, valid_losses=case.valid_losses + 1), impl(case) + 1

    def test_capacity_widens_the_gap(self, impl):
        """Least squares on the note's polynomial with noise: of degree 15 the gap on 20 samples is above that of degree 3."""
        gaps = {degree: impl.call(**_fitted(degree)).item() for degree in (3, 15)}
        require(gaps[15] > gaps[3], f"gaps by degree: {gaps}")
        require(gaps[15] > 0, f"the gap of degree 15 is {gaps[15]}")


def _fitted(degree):
    """Squared errors of a polynomial fitted to 20 samples, on them and on 100 others, all between −2 and 2."""
    x = torch.linspace(-2, 2, 120, dtype=torch.float64)
    noise = published.NOTE_004_NOISE * torch.randn(120, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    truth = generalization.polynomial_features(x, 3) @ torch.tensor(
        published.NOTE_004_COEFFICIENTS, dtype=torch.float64
    )
    y, features = truth + noise, generalization.polynomial_features(x, degree)
    train = torch.arange(120) % 6 == 3
    weights = torch.linalg.lstsq(features[train], y[train, None]).solution[:, 0]
    errors = (features @ weights - y).square()
    return dict(train_losses=errors[train].float(), valid_losses=errors[~train].float())
