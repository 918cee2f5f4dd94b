"""Laws of several workers: what they do together is what one would have done."""

import contextlib
import os
from functools import partial

import torch

from lawbook.fixtures.cases import parallelism as domains
from lawbook.fixtures.cases.parallelism import Dying, Joined, bell, dense, linear_loss, scaled_loss
from lawbook.fixtures.implementation import NotOffered, Raised, copy
from lawbook.fixtures.tree import leaves
from lawbook.reference import parallelism
from lawbook.spec_tests.memory import storage
from lawbook.spec_tests.spec import Invalid, Spec, require, skip_case

X, Y = torch.arange(12.0).reshape(6, 2) / 8, torch.arange(6.0)
PARAMS = {"weight": torch.tensor([0.5, -1.0]), "bias": torch.tensor(0.25)}
FUNCTION = "loss functions stand for a user's own; 'equals the single-device gradient' runs in every dtype of the judge"


def require_same(results, what):
    """Require that what all workers hold is the same, to the last bit."""
    first = dict(leaves(results[0]))
    for k, result in enumerate(results[1:], 1):
        for path, leaf in leaves(result):
            same = leaf.shape == first[path].shape and bool(torch.eq(leaf, first[path]).logical_or(leaf.isnan()).all())
            require(
                same, f"{what} of worker {k} is not that of worker 0{path and f', {path}'}: {leaf} for {first[path]}"
            )


def require_error_of_a_dead_worker(call, n):
    """Require that a worker's death is an error, that the others are not kept waiting for it, and that work goes on.

    ``call`` takes a loss function. A loss function that fails for one of its samples ends a worker's process, or raises where
    there is none.
    """
    judge, expected = os.getpid(), call(linear_loss)
    try:
        call(Dying(-1.0, judge))
    except Raised:
        raise NotOffered("loss functions are traced here: they cannot fail for one sample alone") from None
    for label in (0.0, 5.0):
        try:
            found = call(Dying(label, judge))
        except Raised as raised:
            if not isinstance(raised.error, Exception):
                raise
        else:
            require(False, f"one of {n} workers died, and the others gave {found} as if nothing had happened")
    again = dict(leaves(call(linear_loss)))
    for path, leaf in leaves(expected):
        require(torch.equal(leaf, again[path]), f"after a worker's death {path} is {again[path]}, before it was {leaf}")


class TestSplitBatch(Spec):
    component = parallelism.split_batch
    cases = domains.split_batch
    differentiable = ("x",)
    declines = {"no_aliasing": "shards may be views: the batch need not be copied"}
    invalid = (
        Invalid(ValueError, "no worker", x=X, n=0),
        Invalid(ValueError, "less than no worker", x=X, n=-2),
        Invalid(ValueError, "a number in place of a batch", x=torch.tensor(1.0), n=2),
        Invalid(TypeError, "two and a half workers", x=X, n=2.5),
    )
    edges = (
        dict(x=torch.zeros(0, 3), n=2),
        dict(x=torch.ones(1), n=3),
        dict(x=torch.ones(2, 0), n=1),
    )

    def test_concatenation_gives_back(self, impl, case):
        """All shards, one behind the other, are the batch."""
        return torch.cat(list(impl(case))), case.x

    def test_there_is_a_shard_for_every_worker(self, impl, case):
        """There are exactly n shards; with fewer samples than workers some are empty."""
        shards = impl(case)
        require(len(shards) == case.n, f"{len(shards)} shards for {case.n} workers")

    def test_sizes_differ_by_at_most_one(self, impl, case):
        """No worker has two samples more than another, and none of the first has fewer than one behind it."""
        sizes = [len(shard) for shard in impl(case)]
        require(max(sizes) - min(sizes) <= 1, f"{len(case.x)} samples are cut into shards of {sizes}")
        require(sizes == sorted(sizes, reverse=True), f"shards of {sizes}: the larger ones do not come first")


class TestAllReduce(Spec):
    component = parallelism.all_reduce
    cases = domains.all_reduce
    differentiable = ("tensors",)
    invalid = (
        Invalid(ValueError, "no worker", tensors=[]),
        Invalid(ValueError, "shapes that differ", tensors=[torch.ones(2), torch.ones(3)]),
        Invalid(ValueError, "shapes that would broadcast", tensors=[torch.ones(2, 3), torch.ones(3)]),
        Invalid(ValueError, "dtypes that differ", tensors=[torch.ones(2), torch.ones(2, dtype=torch.int64)]),
    )
    edges = (dict(tensors=[torch.zeros(0), torch.zeros(0)]), dict(tensors=[torch.ones(1)]))

    def test_every_worker_holds_the_same_sum(self, impl, case):
        """What the workers hold afterwards is the same to the last bit, and it is the sum."""
        results = impl(case)
        require(len(results) == len(case.tensors), f"{len(results)} results for {len(case.tensors)} workers")
        require_same(results, "the sum")
        return results[-1], sum(case.tensors[1:], case.tensors[0])

    def test_order_of_the_workers_does_not_matter(self, impl, case):
        """Workers in the reverse order have the same sum, up to rounding."""
        return impl(case, tensors=case.tensors[::-1])[0], impl(case)[0]

    def test_one_worker_keeps_what_it_has(self, impl, case):
        """A worker alone holds its own numbers, to the last bit."""
        for tensor in case.tensors:
            (found,) = impl(case, tensors=[tensor])
            require(torch.equal(found, tensor), f"one worker alone has {found}, it held {tensor}")

    def test_workers_share_no_memory(self, impl, case):
        """Each worker's sum lies in memory of its own: what one writes there, no other sees."""
        results, _ = impl.call_with(copy(case.arguments))
        owners: dict[int, int] = {}
        for k, result in enumerate(results):
            other = owners.setdefault(storage(result) or -k - 1, k)
            require(other == k, f"workers {other} and {k} share the memory of their sums")

    def test_whole_numbers_are_added_exactly(self, impl):
        """Counts beyond 2⁵³ are added without rounding."""
        large = torch.tensor([2**53, -(2**60)])
        for result in impl.call(tensors=[large, torch.tensor([1, 3])]):
            require(result.tolist() == [2**53 + 1, -(2**60) + 3], f"2⁵³ + 1 and −2⁶⁰ + 3 are {result.tolist()}")


class TestDataParallelGradient(Spec):
    component = parallelism.data_parallel_gradient
    cases = domains.data_parallel_gradient
    declines = {"nan_not_hidden": "whether a loss hands a nan on is the loss function's affair"}
    prerequisites = ("split_batch", "all_reduce")
    invalid = (
        Invalid(ValueError, "labels of five of six samples", loss_fn=linear_loss, params=PARAMS, X=X, y=Y[:5], n=2),
        Invalid(ValueError, "one label for six samples", loss_fn=linear_loss, params=PARAMS, X=X, y=Y[1:2], n=1),
        Invalid(ValueError, "no sample", loss_fn=linear_loss, params=PARAMS, X=X[:0], y=Y[:0], n=2),
        Invalid(ValueError, "a number in place of labels", loss_fn=linear_loss, params=PARAMS, X=X[:1], y=Y[0], n=1),
        Invalid(ValueError, "no worker", loss_fn=linear_loss, params=PARAMS, X=X, y=Y, n=0),
        Invalid(
            ValueError, "one weight for six samples", loss_fn=linear_loss, params=PARAMS, X=X, y=Y, n=2, weights=Y[1:2]
        ),
        Invalid(ValueError, "weights of 0", loss_fn=linear_loss, params=PARAMS, X=X, y=Y, n=2, weights=Y * 0),
        Invalid(ValueError, "a negative weight", loss_fn=linear_loss, params=PARAMS, X=X, y=Y, n=2, weights=Y - 1),
        Invalid(
            ValueError, "an unknown reduction", loss_fn=linear_loss, params=PARAMS, X=X, y=Y, n=2, reduction="none"
        ),
    )
    edges = (
        dict(loss_fn=linear_loss, params=PARAMS, X=X[:1], y=Y[1:2], n=3),
        dict(loss_fn=linear_loss, params=PARAMS, X=X[:2], y=Y[:2], n=1, reduction="sum"),
        dict(loss_fn=scaled_loss, params=PARAMS, X=X[:3, 0], y=Y[:3], n=2),
    )

    def test_equals_the_single_device_gradient(self, impl, case):
        """Together the workers find the gradient of the whole batch's loss, with uneven shards too."""
        params = {name: p.clone().requires_grad_() for name, p in case.params.items()}
        weights = torch.ones_like(case.y) if case.weights is None else case.weights
        with torch.enable_grad():
            loss = (weights * case.loss_fn(params, case.X, case.y)).sum()
        if case.reduction == "mean":
            loss = loss / weights.sum()
        found = torch.autograd.grad(loss, list(params.values()), allow_unused=True, materialize_grads=True)
        return impl(case), dict(zip(params, found, strict=True))

    def test_number_of_workers_does_not_matter(self, impl, case):
        """Any number of workers finds the same gradient, more workers than samples included."""
        return [(impl(case, n=n), impl(case)) for n in (1, 2, 4) if n != case.n]

    def test_a_sample_of_weight_zero_does_not_count(self, impl, case):
        """A sample more, of weight 0, in front of all others, changes nothing but who gets which sample."""
        weights = torch.ones_like(case.y) if case.weights is None else case.weights
        longer = {"X": torch.cat([case.X[-1:] + 1, case.X]), "y": torch.cat([case.y[:1] - 3, case.y])}
        return impl(case, weights=torch.cat([weights[:1] * 0, weights]), **longer), impl(case)

    def test_twice_the_batch(self, impl, case):
        """Every sample twice: a mean has the same gradient, a sum twice the gradient."""
        weights = None if case.weights is None else torch.cat([case.weights] * 2)
        found = impl(case, X=torch.cat([case.X] * 2), y=torch.cat([case.y] * 2), weights=weights)
        factor = 2 if case.reduction == "sum" else 1
        return found, {name: factor * gradient for name, gradient in impl(case).items()}

    def test_a_parameter_that_nothing_uses_has_gradient_zero(self, impl, case):
        """A parameter that no loss depends on has a gradient of zeros, not none."""
        spare = case.noise((3,))
        found = impl(case, params={**case.params, "spare": spare})
        require(set(found) == {*case.params, "spare"}, f"there are gradients of {sorted(found)}")
        require(not bool(found["spare"].any()), f"its gradient is {found['spare']}")

    def test_a_worker_that_dies_is_an_error(self, impl):
        """When one worker dies, the call raises in place of hanging or of leaving its samples out; the next call works."""
        for n in (2, 3):
            require_error_of_a_dead_worker(partial(self._call, impl, n), n)

    @staticmethod
    def _call(impl, n, loss_fn):
        return impl.call(loss_fn=loss_fn, params=PARAMS, X=X, y=Y, n=n)


class TestSynchronousSgd(Spec):
    component = parallelism.synchronous_sgd
    cases = domains.synchronous_sgd
    declines = {"nan_not_hidden": "whether a loss hands a nan on is the loss function's affair"}
    prerequisites = ("all_reduce", "data_parallel_gradient")
    invalid = (
        Invalid(ValueError, "no worker", loss_fn=linear_loss, params=PARAMS, batches=[], lr=0.1),
        Invalid(
            ValueError,
            "a worker with fewer batches than another",
            loss_fn=linear_loss,
            params=PARAMS,
            batches=[[(X, Y), (X, Y)], [(X, Y)]],
            lr=0.1,
        ),
        Invalid(
            ValueError,
            "labels of five of six samples",
            loss_fn=linear_loss,
            params=PARAMS,
            batches=[[(X, Y)], [(X, Y[:5])]],
            lr=0.1,
        ),
        Invalid(
            ValueError,
            "a step without a sample",
            loss_fn=linear_loss,
            params=PARAMS,
            batches=[[(X, Y), (X[:0], Y[:0])], [(X, Y), (X[:0], Y[:0])]],
            lr=0.1,
        ),
        Invalid(ValueError, "a negative rate", loss_fn=linear_loss, params=PARAMS, batches=[[(X, Y)]], lr=-0.1),
    )
    edges = (
        dict(loss_fn=linear_loss, params=PARAMS, batches=[[], []], lr=0.1),
        dict(loss_fn=linear_loss, params=PARAMS, batches=[[(X[:1], Y[:1])], [(X[:0], Y[:0])]], lr=0.1),
    )

    def test_workers_equal_one_with_all_their_samples(self, impl, case):
        """n workers with their batches go the way of one worker that has them all, step by step."""
        whole = [
            tuple(torch.cat(parts) for parts in zip(*step, strict=True)) for step in zip(*case.batches, strict=True)
        ]
        return impl(case)[0], impl(case, batches=[whole])[0]

    def test_workers_end_with_the_same_parameters(self, impl, case):
        """Every worker's parameters are the same at the end, to the last bit."""
        results = impl(case)
        require(len(results) == len(case.batches), f"{len(results)} results for {len(case.batches)} workers")
        require_same(results, "the parameter")

    def test_order_of_the_workers_does_not_matter(self, impl, case):
        """Workers in the reverse order end where they did, up to rounding."""
        return impl(case, batches=case.batches[::-1])[0], impl(case)[0]

    def test_one_step_goes_along_the_gradient(self, impl, case):
        """After one step the parameters have moved by the rate along the gradient of the mean over all samples."""
        first = [own[:1] for own in case.batches]
        X, y = (torch.cat([own[0][k] for own in first]) for k in (0, 1))
        gradient = parallelism.data_parallel_gradient(case.loss_fn, case.params, X, y, 1)
        moved = {name: p - case.lr * gradient[name] for name, p in case.params.items()}
        return impl(case, batches=first)[0], moved

    def test_steps_follow_each_other(self, impl, case):
        """The last step begins where the ones before it ended."""
        if len(case.batches[0]) < 2:
            return skip_case
        before = impl(case, batches=[own[:-1] for own in case.batches])[0]
        return impl(case, params=before, batches=[own[-1:] for own in case.batches])[0], impl(case)[0]

    def test_rate_zero_moves_nothing(self, impl, case):
        """At the rate 0 every worker ends with the parameters it began with."""
        for result in impl(case, lr=0.0):
            for name, p in case.params.items():
                require(torch.equal(result[name], p), f"{name} is {result[name]}, it was {p}")

    def test_a_worker_that_dies_is_an_error(self, impl):
        """When one worker dies, the call raises in place of hanging or of going on without it; the next call works."""
        for n in (2, 3):
            require_error_of_a_dead_worker(partial(self._call, impl, n), n)

    @staticmethod
    def _call(impl, n, loss_fn):
        shards = zip(torch.tensor_split(X, n), torch.tensor_split(Y, n), strict=True)
        return impl.call(loss_fn=loss_fn, params=PARAMS, batches=[[shard] for shard in shards], lr=0.125)


class TestModelParallelForward(Spec):
    component = parallelism.model_parallel_forward
    cases = domains.model_parallel_forward
    differentiable = ("stages", "x")
    invalid = (
        Invalid(ValueError, "no stage", stages=[], x=X),
        Invalid(TypeError, "a stage that is no function", stages=[(bell, {}), (3, {})], x=X),
    )
    edges = (
        dict(stages=[(bell, {})], x=torch.zeros(0, 2)),
        dict(stages=[(dense, {"weight": torch.ones(1, 1), "bias": torch.ones(1)}), (bell, {})], x=torch.ones(1, 1)),
    )

    def test_equals_the_unsplit_model(self, impl, case):
        """The stages on their devices give what the whole model gives on one."""
        return impl(case), self._whole(case.stages, case.x)

    def test_gradients_equal_those_of_the_unsplit_model(self, impl, case):
        """Every stage's parameters, and the input, have the gradients that they have in the whole model."""
        stages = [(f, {name: p.clone().requires_grad_() for name, p in params.items()}) for f, params in case.stages]
        x = case.x.clone().requires_grad_()
        with torch.enable_grad():
            y = self._whole(stages, x)
        cotangent = case.noise(y.shape)
        inputs = [x, *(p for _, params in stages for p in params.values())]
        found = torch.autograd.grad(y, inputs, cotangent, allow_unused=True, materialize_grads=True)
        by_name = impl.vjp(case, [cotangent])[1]
        got = [by_name["x"], *(by_name["stages"][k][1][name] for k, (_, p) in enumerate(stages) for name in p)]
        return got, list(found)

    def test_joining_two_stages_changes_nothing(self, impl, case):
        """Two neighbouring stages on one device give what they give on two."""
        if len(case.stages) < 2:
            return skip_case
        (f, p), (g, q), *rest = case.stages
        return impl(case, stages=[(Joined(f, g), {"first": p, "second": q}), *rest]), impl(case)

    def test_no_stage_runs_where_one_cannot(self, impl):
        """A stage that is no function is found before any stage runs: nothing has been computed by then."""
        calls = []

        def counted(params, x):
            calls.append(1)
            return bell(params, x)

        with contextlib.suppress(Raised):
            impl.call(stages=[(counted, {}), (3, {})], x=X)
        require(not calls, "the stage before the one that is no function was run")

    @staticmethod
    def _whole(stages, x):
        for function, params in stages:
            x = function(params, x)
        return x
