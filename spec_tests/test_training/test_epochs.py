"""Laws of an epoch and of stopping."""

import torch
from torch import ones, zeros

from lawbook.fixtures.cases import training as domains
from lawbook.fixtures.cases.training import Descent, Live, dense, distance
from lawbook.fixtures.implementation import copy
from lawbook.reference import training
from lawbook.spec_tests.spec import Invalid, Spec, require, skip_case

PARAMS = {"weight": torch.tensor([[0.5, -1.0], [0.25, 2.0]]), "bias": torch.tensor([0.0, 0.5])}
X, Y = torch.arange(6.0).reshape(3, 2) / 4, torch.tensor([0, 1, 1])
USUAL = dict(net=dense, params=PARAMS, batches=[(X, Y)], loss=distance, updater=Descent(0.125))


class TestTrainEpoch(Spec):
    component = training.train_epoch
    cases = domains.train_epoch
    prerequisites = ("accuracy", "evaluate_accuracy", "evaluate_loss")
    declines = {
        "low_precision": "a share of right answers: in few bits scores tie, and rounding decides which class wins",
        "nan_not_hidden": "whether a score that is no number counts as the largest is not in the contract",
        "extremes_stay_finite": "how far a step goes is the updater's affair",
    }
    invalid = (
        Invalid(ValueError, "no batch", **{**USUAL, "batches": []}),
        Invalid(ValueError, "an empty batch", **{**USUAL, "batches": [(X, Y), (X[:0], Y[:0])]}),
        Invalid(
            ValueError, "an empty batch of the mean", **{**USUAL, "batches": [(X, Y), (X[:0], Y[:0])]}, reduction="mean"
        ),
        Invalid(ValueError, "a loss that is averaged already", **{**USUAL, "loss": lambda s, y: distance(s, y).mean()}),
        Invalid(ValueError, "an unknown reduction", **USUAL, reduction="none"),
        Invalid(TypeError, "parameters of whole numbers", **{**USUAL, "params": {"weight": ones(2, 2).long()}}),
    )
    edges = (dict(**{**USUAL, "batches": [(X[:1], Y[:1])]}), dict(**USUAL, reduction="mean"))

    def test_mean_and_sum_take_the_same_steps(self, impl, case):
        """The mean, and the sum that the updater divides by the batch's size, lead to the same parameters and figures."""
        return impl(case, reduction="mean"), impl(case, reduction="sum")

    def test_one_step_goes_along_the_gradient(self, impl, case):
        """After a single batch the parameters have moved as the updater moves them along the mean loss's gradient."""
        X, y = case.batches[0]
        params = {name: p.clone().requires_grad_() for name, p in case.params.items()}
        with torch.enable_grad():
            mean = case.loss(case.net(params, X), y).mean()
        found = torch.autograd.grad(mean, list(params.values()), allow_unused=True, materialize_grads=True)
        expected = case.updater(case.params, dict(zip(params, found, strict=True)), 1)
        return impl(case, batches=case.batches[:1])[0], expected

    def test_batches_follow_each_other(self, impl, case):
        """The last batch's step begins where the ones before it ended, with a gradient of its own."""
        if len(case.batches) < 2:
            return skip_case
        before = impl(case, batches=case.batches[:-1])[0]
        return impl(case, params=before, batches=case.batches[-1:])[0], impl(case)[0]

    def test_figures_are_of_before_the_steps(self, impl, case):
        """At the rate 0 loss and accuracy are those of evaluation; a first batch's are, whatever the rate."""
        net = lambda X: case.net(case.params, X)  # noqa: E731
        still, first = impl(case, updater=Descent(0.0)), impl(case, batches=case.batches[:1])
        found = []
        for result, batches in ((still, case.batches), (first, case.batches[:1])):
            found.append((result[1], training.evaluate_loss(net, batches, case.loss)))
            found.append((result[2], training.evaluate_accuracy(net, batches)))
        return found

    def test_rate_zero_moves_nothing(self, impl, case):
        """At the rate 0 the parameters are what they were, to the last bit."""
        for name, p in impl(case, updater=Descent(0.0))[0].items():
            require(torch.equal(p, case.params[name]), f"{name} is {p}, it was {case.params[name]}")

    def test_updater_may_write_in_place(self, impl, case):
        """An updater that writes over the parameters it is given leads to the same, and leaves the caller's as they were."""

        def writing(params, gradients, number):
            new = case.updater(params, gradients, number)
            if not all(isinstance(p, torch.Tensor) for p in params.values()):
                return new
            for name, p in params.items():
                p.copy_(new[name])
            return params

        given = copy({**case.arguments, "updater": writing})
        _, found = impl.call_with(given)
        for name, p in given["params"].items():
            require(torch.equal(p, case.params[name]), f"the caller's {name} became {p}, it was {case.params[name]}")
        return found, impl(case)

    def test_nothing_is_left_to_chance(self, impl, case):
        """Whatever the random generators' state, the result is the same to the last bit."""
        results = []
        state = torch.get_rng_state()
        try:
            for seed in (0, 1):
                torch.manual_seed(seed)
                results.append(impl(case))
        finally:
            torch.set_rng_state(state)
        (first, *figures), (second, *others) = results
        same = figures == others and all(torch.equal(first[name], second[name]) for name in first)
        require(same, f"with other random numbers the epoch ends with {others} in place of {figures}, or elsewhere")

    def test_no_graph_is_kept(self, impl, case):
        """The parameters given back require no gradient: the epoch's computations are not kept alive."""
        held = [name for name, p in impl(case)[0].items() if p.requires_grad]
        require(not held, f"{held} require a gradient: they hold the graph of the steps that led to them")


def _scores(*numbers):
    return torch.tensor(numbers)


class TestEarlyStopping(Spec):
    component = training.early_stopping
    cases = domains.early_stopping
    declines = {
        "extremes_stay_finite": "no number is computed",
        "nan_not_hidden": "a score of nan is an epoch that is not better, as the contract says",
        "accelerator_agrees": "scores are read one by one by the CPU, and the parameters are the caller's",
    }
    invalid = (
        Invalid(ValueError, "no patience", history=_scores(0.5), run_epoch=Live(), patience=0),
        Invalid(ValueError, "an unknown mode", history=_scores(0.5), run_epoch=Live(), patience=1, mode="best"),
        Invalid(ValueError, "a negative gain", history=_scores(0.5), run_epoch=Live(), patience=1, min_delta=-1.0),
    )
    edges = (
        dict(history=zeros(0), run_epoch=Live(), patience=1),
        dict(history=ones(1), run_epoch=Live((0,)), patience=1, mode="max"),
    )

    def test_best_epoch_is_the_best(self, impl, case):
        """Without a least gain, the best epoch is the first with the best score of those that were run."""
        best, epochs, _ = impl(case, min_delta=0.0)
        scores = case.history[:epochs] * (1 if case.mode == "min" else -1)
        scores = torch.where(scores.isnan(), torch.inf, scores)
        expected = int(scores.argmin()) if epochs and bool(scores.min() < torch.inf) else None
        require(best == expected, f"the best of {case.history[:epochs].tolist()} is found at {best}, not at {expected}")

    def test_checkpoint_is_of_the_best_epoch(self, impl, case):
        """The parameters given back are those after the best epoch, though later epochs wrote over them."""
        best, _, checkpoint = impl(case)
        if best is None:
            require(checkpoint is None, f"no epoch was better, yet there is a checkpoint: {checkpoint}")
            return None
        expected = Live(case.run_epoch.weight.shape)(best)["weight"]
        found = checkpoint["weight"]
        require(torch.equal(found, expected), f"after epoch {best} the weight was {expected}, given back is {found}")

    def test_no_epoch_is_run_after_the_end(self, impl, case):
        """Exactly the epochs that are counted are run, each once and in order."""
        live = Live()
        _, epochs, _ = impl(case, run_epoch=live)
        require(live.run == list(range(epochs)), f"{epochs} epochs are counted, those run are {live.run}")

    def test_patience_is_how_many_epochs_are_waited_for(self, impl, case):
        """When training ends early, exactly ``patience`` epochs have been run since the best one."""
        best, epochs, _ = impl(case)
        waited = epochs - 1 - (-1 if best is None else best)
        if epochs < len(case.history):
            require(
                waited == case.patience, f"ends {waited} epochs after the best one, the patience is {case.patience}"
            )
        else:
            require(waited <= case.patience, f"goes on for {waited} epochs, the patience is {case.patience}")

    def test_maximum_is_the_minimum_of_the_negative(self, impl, case):
        """The largest scores are stopped at as the smallest of their negatives are."""
        turned = "max" if case.mode == "min" else "min"
        return impl(case, history=-case.history, mode=turned), impl(case)

    def test_a_gain_of_just_min_delta_is_none(self, impl, case):
        """A score that is better by exactly the least gain is not better; one that is more so is."""
        sign = 1 if case.mode == "min" else -1
        given = dict(min_delta=0.25, patience=3)
        for second, expected in ((0.25, 0), (0.125, 1)):
            best = impl(case, history=sign * torch.tensor([0.5, second], dtype=case.dtype), **given)[0]
            require(best == expected, f"after {sign * 0.5} and {sign * second} the best is {best}, not {expected}")

    def test_small_gains_add_up(self, impl, case):
        """Gains too small to count add up against the last epoch that counted, not against the epoch before."""
        sign = 1 if case.mode == "min" else -1
        history = sign * torch.tensor([1.0, 0.875, 0.75, 0.625], dtype=case.dtype)
        best = impl(case, history=history, min_delta=0.25, patience=3)[0]
        require(best == 3, f"of {history.tolist()} with a least gain of 0.25 the best is {best}, not 3")
