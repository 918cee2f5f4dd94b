"""Laws of evaluation: every sample counts alike, and the network is left as it was."""

from copy import deepcopy

import torch
from torch import nn, ones, zeros

from lawbook.fixtures.cases import training as domains
from lawbook.fixtures.cases.training import Dropping, squared
from lawbook.fixtures.implementation import Raised
from lawbook.reference import training
from lawbook.spec_tests.spec import Invalid, Spec, require


def twice(x):
    """A network without parameters, as a plain function."""
    return x * 2


def one_number(outputs, y):
    """A loss that is already averaged."""
    return squared(outputs, y).mean()


def of_the_first(outputs, y):
    """The losses of the first sample alone."""
    return squared(outputs, y)[:1]


class Watching(nn.Module):
    """A network that notes, at every call, in which mode it is and whether gradients are recorded."""

    def __init__(self, net):
        super().__init__()
        self.net = net
        self.train(True)
        self.seen = []

    def forward(self, x):
        self.seen.append((any(module.training for module in self.modules()), torch.is_grad_enabled()))
        return self.net(x)


class Failing(nn.Module):
    """A network that raises at its second call."""

    def __init__(self):
        super().__init__()
        self.dropping = Dropping()
        self.calls = 0

    def forward(self, x):
        self.calls += 1
        if self.calls == 2:
            raise RuntimeError("the network fails")
        return self.dropping(x)


def _modes(net):
    return {name: module.training for name, module in net.named_modules()}


class Evaluation(Spec):
    """What holds for accuracies and losses."""

    def test_batch_split_does_not_matter(self, impl, case):
        """All samples in one batch, or one in each, give the same result."""
        X, y = (torch.cat(parts) for parts in zip(*case.batches, strict=True))
        alone = [(X[i : i + 1], y[i : i + 1]) for i in range(len(X))]
        return [(impl(case, batches=[(X, y)]), impl(case)), (impl(case, batches=alone), impl(case))]

    def test_every_batch_twice(self, impl, case):
        """Data that is there twice gives the same result; the batches' order does not matter either."""
        twice_as_many = [*case.batches, *case.batches[::-1]]
        return impl(case, batches=twice_as_many), impl(case)

    def test_network_is_in_eval_mode(self, impl, case):
        """All of the network's modules are in eval mode whenever it is called."""
        net = Watching(deepcopy(case.net))
        impl(case, net=net)
        require(len(net.seen) > 0, "the network is never called")
        require(not any(training for training, _ in net.seen), "the network is called with modules in training mode")

    def test_leaves_no_gradient(self, impl, case):
        """No gradient is recorded while the network is called, and its parameters have none afterwards."""
        net = Watching(deepcopy(case.net))
        impl(case, net=net)
        require(not any(recording for _, recording in net.seen), "the network is called while gradients are recorded")
        left = [name for name, p in net.named_parameters() if p.grad is not None or not p.requires_grad]
        require(not left, f"{left} have a gradient, or cannot have one any more")

    def test_every_module_has_its_own_mode_back(self, impl, case):
        """Afterwards every module is in the mode in which it was: a frozen layer stays frozen, an evaluated net in eval mode."""
        for mode in (True, False):
            net = deepcopy(case.net).train(mode)
            net[0].training = not mode
            before = _modes(net)
            impl(case, net=net)
            require(_modes(net) == before, f"modules that were in training mode {before} are left in {_modes(net)}")

    def test_modes_are_back_after_an_error(self, impl, case):
        """When the network fails the error is handed on, and every module is in its mode again."""
        net = Failing()
        X, y = case.batches[0]
        try:
            impl(case, net=net, batches=[(X, y)] * 3)
        except Raised as raised:
            if not isinstance(raised.error, Exception):
                raise
        else:
            require(False, "the network failed, and a result was given nevertheless")
        require(all(_modes(net).values()), f"after an error the modules' modes are {_modes(net)}, all were in training")

    def test_network_is_unchanged(self, impl, case):
        """Parameters and running statistics are what they were, to the last bit."""
        net = deepcopy(case.net).train()
        before = {name: value.clone() for name, value in net.state_dict().items()}
        impl(case, net=net)
        for name, value in net.state_dict().items():
            require(torch.equal(value, before[name]), f"{name} is {value}, it was {before[name]}")

    def test_whether_it_was_training_does_not_matter(self, impl, case):
        """A network gives the same result whichever mode it comes in."""
        found = [impl(case, net=deepcopy(case.net).train(mode)) for mode in (True, False)]
        return found[0], found[1]


X3, Y3 = torch.tensor([[1.0, 2.0], [3.0, 1.0], [0.0, 4.0]]), torch.tensor([1, 0, 0])


class TestEvaluateAccuracy(Evaluation):
    component = training.evaluate_accuracy
    cases = domains.evaluate_accuracy
    declines = {
        "extremes_stay_finite": "a share is finite",
        "nan_not_hidden": "whether a score that is no number counts as the largest is not in the contract",
    }
    prerequisites = ("accuracy",)
    invalid = (
        Invalid(ValueError, "no batch", net=twice, batches=[]),
        Invalid(ValueError, "no sample", net=twice, batches=[(zeros(0, 2), zeros(0).long())]),
        Invalid(ValueError, "three labels for two samples", net=twice, batches=[(X3[:2], Y3)]),
    )
    edges = (
        dict(net=twice, batches=[(ones(1, 2), zeros(1).long())]),
        dict(net=twice, batches=[(X3, Y3), (zeros(0, 2), zeros(0).long())]),
    )

    def test_perfect_labels_give_one(self, impl, case):
        """Labels that are the network's own classes give exactly 1, and any others exactly 0."""
        net = deepcopy(case.net).eval()
        with torch.no_grad():
            scores = [(X, net(X)) for X, _ in case.batches]
        right = impl(case, batches=[(X, s.argmax(1)) for X, s in scores])
        wrong = impl(case, batches=[(X, (s.argmax(1) + 1) % s.shape[1]) for X, s in scores])
        require((right, wrong) == (1.0, 0.0), f"all right gives {right}, none right {wrong}")

    def test_first_of_equal_scores_wins(self, impl):
        """A sample with equal scores is taken for the first of their classes."""
        X, y = ones(2, 3), torch.tensor([0, 1])
        found = impl.call(net=twice, batches=[(X, y)])
        require(found == 0.5, f"of labels 0 and 1 for equal scores the share {found} is right")


class TestEvaluateLoss(Evaluation):
    component = training.evaluate_loss
    cases = domains.evaluate_loss
    declines = {"extremes_stay_finite": "how large a loss becomes is the loss function's affair"}
    invalid = (
        Invalid(ValueError, "no batch", net=twice, batches=[], loss=squared),
        Invalid(ValueError, "no sample", net=twice, batches=[(zeros(0, 2), zeros(0, 2))], loss=squared),
        Invalid(ValueError, "a loss that is averaged already", net=twice, batches=[(X3, X3)], loss=one_number),
        Invalid(ValueError, "losses of one sample for three", net=twice, batches=[(X3, X3)], loss=of_the_first),
    )
    edges = (
        dict(net=twice, batches=[(ones(1, 1), zeros(1))], loss=squared),
        dict(net=twice, batches=[(X3, X3), (zeros(0, 2), zeros(0, 2))], loss=squared),
    )

    def test_labels_take_the_shape_of_the_outputs(self, impl, case):
        """Labels as a column or as a row give the same loss: nothing is broadcast to samples times samples."""
        X, _ = case.batches[0]
        column = case.noise((len(X), 1))
        given = {"net": lambda x: x[:, :1] * 2, "loss": squared}
        found = impl(case, batches=[(X, column[:, 0])], **given)
        return found, impl(case, batches=[(X, column)], **given)

    def test_a_loss_of_ones_is_one(self, impl, case):
        """A loss of 1 for every sample has the mean 1, exactly."""
        found = impl(case, loss=_ones)
        require(found == 1.0, f"the mean of ones is {found}")

    def test_doubled_loss(self, impl, case):
        """Twice the loss gives twice the mean."""
        return impl(case, loss=lambda outputs, y: 2 * case.loss(outputs, y)), 2 * impl(case)


def _ones(outputs, y):
    return torch.ones(len(outputs))
