"""Laws of samplers, batches and loaders."""

import gc
import multiprocessing

import torch

from lawbook.fixtures.cases import data as domains
from lawbook.fixtures.published import data as published
from lawbook.reference import data
from lawbook.spec_tests.chance import SEEDS
from lawbook.spec_tests.spec import Invalid, Spec, require
from lawbook.spec_tests.test_data.laws import (
    NO_TENSOR,
    NOT_COMPUTED,
    STOCHASTIC,
    check_every_order,
    check_permutation,
    check_scattered,
    check_sizes,
    check_stream,
    check_unlike,
    marked,
    rows_of,
)

PATIENCE = 5
"""Seconds that workers may take to end."""
X, Y = torch.arange(6.0).reshape(3, 2), torch.tensor([0, 1, 0])


class TestSequentialSampler(Spec):
    component = data.sequential_sampler
    cases = domains.sequential_sampler
    declines = NO_TENSOR
    invalid = (Invalid(ValueError, "a negative number", n=-1), Invalid(TypeError, "a fraction", n=2.5))
    edges = (dict(n=0), dict(n=1))

    def test_is_the_identity(self, impl, case):
        """Position k is k."""
        order = impl(case)
        require(order.tolist() == list(range(case.n)), f"the order is {order.tolist()[:20]}")


class TestRandomSampler(Spec):
    component = data.random_sampler
    cases = domains.random_sampler
    declines = NO_TENSOR | STOCHASTIC
    invalid = (Invalid(ValueError, "a negative number", n=-1, seed=0), Invalid(TypeError, "a fraction", n=2.5, seed=0))
    edges = (dict(n=0, seed=0), dict(n=1, seed=3))

    def test_is_a_permutation(self, impl, case):
        """Every position once."""
        check_permutation(impl(case), case.n, "the order")

    def test_same_seed_same_order(self, impl, case):
        """The same seed gives the same order again, also after another seed."""
        first = impl(case)
        impl(case, seed=case.seed + 1)
        return impl(case), first

    def test_no_place_is_preferred(self, impl):
        """100,000 positions are scattered, and those of another seed are unlike them."""
        orders = [impl.call(n=100_000, seed=seed) for seed in SEEDS]
        for order, seed in zip(orders, SEEDS, strict=True):
            check_permutation(order, 100_000, f"the order of seed {seed}")
            check_scattered(order, f"the order of seed {seed}")
        check_unlike(*orders, f"the orders of seeds {SEEDS[0]} and {SEEDS[1]}")

    def test_every_order_is_equally_likely(self, impl):
        """Of three positions each of the six orders comes up as often as chance allows."""
        check_every_order(lambda seed: impl.call(n=3, seed=seed), "the sampler")

    def test_same_stream_same_order(self, impl):
        """PyTorch's permutation of this seed comes in its order; any other knows nothing of it."""
        for seed in SEEDS:
            check_stream(impl.call(n=1000, seed=seed), self.component(n=1000, seed=seed), "the order")


class TestBatchSampler(Spec):
    component = data.batch_sampler
    cases = domains.batch_sampler
    declines = NOT_COMPUTED | {
        "low_precision": "no argument is floating",
        "nan_not_hidden": "no argument can hold nan",
    }
    prerequisites = ("num_batches",)
    invalid = (
        Invalid(ValueError, "batches of nothing", indices=torch.arange(3), batch_size=0, drop_last=False),
        Invalid(ValueError, "a negative size", indices=torch.arange(3), batch_size=-2, drop_last=False),
        Invalid(TypeError, "a fraction for a size", indices=torch.arange(3), batch_size=1.5, drop_last=False),
    )
    edges = (
        dict(indices=torch.zeros(0, dtype=torch.int64), batch_size=2, drop_last=False),
        dict(indices=torch.zeros(0, dtype=torch.int64), batch_size=2, drop_last=True),
        dict(indices=torch.tensor([5]), batch_size=2, drop_last=True),
        dict(indices=torch.tensor([5]), batch_size=1, drop_last=True),
    )

    def test_concatenation_gives_the_indices(self, impl, case):
        """One batch after the other gives back the indices, less a tail that is dropped."""
        batches = impl(case)
        n = len(case.indices)
        kept = n - n % case.batch_size if case.drop_last else n
        joined = torch.cat([*batches, case.indices[:0]])
        require(
            torch.equal(joined, case.indices[:kept]),
            f"the batches hold {joined.tolist()[:20]}, expected {case.indices[:kept].tolist()[:20]}",
        )

    def test_all_but_the_last_are_full(self, impl, case):
        """Batches have their full size; the last may be short, unless it is dropped; none is empty."""
        batches = [(batch,) for batch in impl(case)]
        check_sizes(batches, len(case.indices), case.batch_size, case.drop_last, "the order")


class TestNumBatches(Spec):
    component = data.num_batches
    cases = domains.num_batches
    declines = NO_TENSOR
    invalid = (
        Invalid(ValueError, "batches of nothing", n=3, batch_size=0, drop_last=False),
        Invalid(ValueError, "a negative size", n=3, batch_size=-2, drop_last=True),
        Invalid(ValueError, "fewer than no samples", n=-1, batch_size=2, drop_last=False),
    )
    edges = (
        dict(n=0, batch_size=3, drop_last=False),
        dict(n=0, batch_size=3, drop_last=True),
        dict(n=1, batch_size=1, drop_last=False),
        dict(n=1, batch_size=2, drop_last=True),
    )

    def test_batches_cover_the_samples(self, impl, case):
        """With the last batch all samples find room, and with a batch fewer they do not; without it all are full."""
        count = impl(case)
        room = count * case.batch_size
        if case.drop_last:
            require(room <= case.n < room + case.batch_size, f"{count} full batches of {case.batch_size} of {case.n}")
        else:
            require(
                room - case.batch_size < case.n <= room,
                f"{count} batches of {case.batch_size} for {case.n} samples",
            )


class LoaderLaws:
    """What holds for every pass through the data.

    Batches are read by ``batches``: (implementation, tensors, batch size, seed) → the list of one shuffled pass.
    """

    def order(self, impl, n, batch_size, seed):
        """The rows of one shuffled pass."""
        tensors = [torch.arange(n), torch.arange(n) * 2 + 1]
        batches = self.batches(impl, tensors, batch_size, seed)
        first, second = (torch.cat([batch[k] for batch in batches]) for k in (0, 1))
        require(torch.equal(first * 2 + 1, second), "features and labels of a row do not come together")
        return first

    def test_a_shuffled_pass_is_scattered(self, impl):
        """10,000 rows in batches of 100 come in random order, and in one unlike that of another seed."""
        orders = [self.order(impl, 10_000, 100, seed) for seed in SEEDS]
        for order, seed in zip(orders, SEEDS, strict=True):
            check_permutation(order, 10_000, f"the pass of seed {seed}")
            check_scattered(order, f"the pass of seed {seed}")
        check_unlike(*orders, f"the passes of seeds {SEEDS[0]} and {SEEDS[1]}")

    def test_every_order_is_equally_likely(self, impl):
        """Of three rows in batches of two, each of the six orders comes up as often as chance allows."""
        check_every_order(lambda seed: self.order(impl, 3, 2, seed), "the pass")


class TestDataLoader(LoaderLaws, Spec):
    component = data.data_loader
    cases = domains.data_loader
    declines = NOT_COMPUTED | {
        "agrees_with_reference": STOCHASTIC["agrees_with_reference"]
        + "; 'without shuffling the order is kept' judges the rest",
        "repeated_calls_agree": "a seed does not stand for the same order in all libraries; 'same seed same batches' says "
        "it of the implementation's own",
        "memory_layout": "a seed does not stand for the same order in all libraries; 'without shuffling the order is kept' "
        "runs on transposed memory too",
        "low_precision": "nothing is rounded; 'rows stay together' runs in half precision too",
        "nan_not_hidden": "nothing is computed; 'without shuffling the order is kept' holds a nan",
    }
    prerequisites = ("tensor_dataset", "batch_sampler", "collate")
    invalid = (
        Invalid(ValueError, "fewer than no workers for no rows", tensors=[X[:0]], batch_size=2, seed=0, num_workers=-1),
        Invalid(ValueError, "labels for two of three rows", tensors=[X, Y[:2]], batch_size=2, seed=0),
        Invalid(ValueError, "no tensor", tensors=[], batch_size=2, seed=0),
        Invalid(ValueError, "batches of nothing", tensors=[X, Y], batch_size=0, seed=0),
        Invalid(ValueError, "a negative size", tensors=[X, Y], batch_size=-1, seed=0),
        Invalid(ValueError, "a negative number of workers", tensors=[X, Y], batch_size=2, seed=0, num_workers=-1),
        Invalid(ValueError, "a negative number of passes", tensors=[X, Y], batch_size=2, seed=0, passes=-1),
    )
    edges = (
        dict(tensors=[torch.zeros(0, 3)], batch_size=2, seed=0),
        dict(tensors=[torch.ones(1, 1), torch.ones(1)], batch_size=1, seed=0, passes=2),
        dict(tensors=[torch.ones(2, 1)], batch_size=1, seed=0, passes=0),
        dict(tensors=[torch.ones(2, 0)], batch_size=3, seed=0, drop_last=True),
        dict(tensors=[torch.ones(2, 0)], batch_size=3, seed=0),
    )

    def batches(self, impl, tensors, batch_size, seed):
        return impl.call(tensors=tensors, batch_size=batch_size, shuffle=True, seed=seed)[0]

    def test_every_sample_once_a_pass(self, impl, case):
        """In each pass every sample comes once; of the tail that is dropped none, and no other is missing."""
        tensors = marked(case.tensors[:1])
        n = len(tensors[0])
        for k, batches in enumerate(impl(case, tensors=tensors)):
            check_sizes(batches, n, case.batch_size, case.drop_last, f"pass {k}")
            seen = [row for batch in batches for row in rows_of(batch, tensors, f"pass {k}").tolist()]
            require(len(set(seen)) == len(seen), f"in pass {k} a sample comes twice: {sorted(seen)}")
            require(set(seen) <= set(range(n)), f"pass {k} holds rows that are none: {sorted(seen)}")

    def test_rows_stay_together(self, impl, case):
        """Features and labels of a row come in the same place of the same batch, in every pass, in half precision too."""
        tensors = marked(case.tensors)
        if impl.implementation.has_dtype(torch.bfloat16):
            tensors = [t.bfloat16() if t.is_floating_point() else t for t in tensors]
        for k, batches in enumerate(impl(case, tensors=tensors)):
            for j, batch in enumerate(batches):
                rows_of(batch, tensors, f"batch {j} of pass {k}")

    def test_without_shuffling_the_order_is_kept(self, impl, case):
        """Every pass is the data in its order, nan and infinities included, from any layout in memory."""
        tensors = list(case.tensors)
        if tensors[0].is_floating_point() and tensors[0].ndim > 1:
            tensors[0] = tensors[0].clone()
            tensors[0][0, 0] = torch.nan
            tensors[0] = tensors[0].transpose(-1, -2).contiguous().transpose(-1, -2)
        n = len(tensors[0])
        kept = n - n % case.batch_size if case.drop_last else n
        passes = impl.call_with({**case.arguments, "tensors": tensors, "shuffle": False})[1]
        require(len(passes) == case.passes, f"there are {len(passes)} passes, expected {case.passes}")
        pairs = []
        for k, batches in enumerate(passes):
            check_sizes(batches, n, case.batch_size, case.drop_last, f"pass {k}")
            for j, tensor in enumerate(tensors):
                pairs.append((torch.cat([tensor[:0], *(batch[j] for batch in batches)]), tensor[:kept]))
        return pairs

    def test_same_seed_same_batches(self, impl, case):
        """The same seed gives the same batches again, also after another seed."""
        first = impl(case)
        impl(case, seed=case.seed + 1)
        return impl(case), first

    def test_each_pass_is_shuffled_anew(self, impl):
        """Three passes through 200 rows have three orders that are unlike each other, each of them scattered."""
        rows = torch.arange(200)
        passes = impl.call(tensors=[rows], batch_size=7, shuffle=True, seed=SEEDS[0], passes=3)
        orders = [torch.cat([batch[0] for batch in batches]) for batches in passes]
        for k, order in enumerate(orders):
            check_permutation(order, 200, f"pass {k}")
            check_scattered(order, f"pass {k}")
            check_unlike(order, orders[k - 1], f"passes {k} and {(k - 1) % 3}")

    def test_workers_change_nothing(self, impl):
        """Two and three processes give what the calling one gives, batch for batch, in both passes: tails that are short,
        shares that are uneven, and a process without a share included.
        """
        tensors = [torch.arange(46.0).reshape(23, 2), torch.arange(23)]
        for workers, options in ((2, dict(batch_size=5)), (3, dict(batch_size=10, drop_last=True))):
            given = dict(tensors=tensors, shuffle=True, seed=SEEDS[0], passes=2, **options)
            alone, together = (impl.call(**given, num_workers=k) for k in (0, workers))
            for k, (a, b) in enumerate(zip(alone, together, strict=True)):
                sizes = [[len(batch[0]) for batch in batches] for batches in (a, b)]
                require(
                    sizes[0] == sizes[1],
                    f"pass {k}: {workers} workers give batches of {sizes[1]}, the calling process {sizes[0]}",
                )
                same = all(torch.equal(x, y) for p, q in zip(a, b, strict=True) for x, y in zip(p, q, strict=True))
                require(same, f"pass {k}: {workers} workers give other batches than the calling process")

    def test_no_worker_is_left(self, impl):
        """When all batches are there, the processes that gathered them end, as soon as nobody holds the loader."""
        before = set(multiprocessing.active_children())
        impl.call(tensors=[torch.arange(20.0)], batch_size=5, seed=SEEDS[0], num_workers=2)
        gc.collect()
        for worker in set(multiprocessing.active_children()) - before:
            # One that is about to end is given the time.
            worker.join(PATIENCE)
            require(not worker.is_alive(), f"a worker is still there {PATIENCE} seconds after the last batch")

    def test_published_batches_of_note_002(self, impl):
        """49 samples in batches of ten by two workers, the last one dropped: four batches of ten."""
        rows = torch.arange(1, published.NOTE_002_SAMPLES + 1)
        (batches,) = impl.call(
            tensors=[rows],
            batch_size=published.NOTE_002_BATCH,
            shuffle=True,
            drop_last=True,
            seed=0,
            num_workers=published.NOTE_002_WORKERS,
        )
        sizes = tuple(len(batch[0]) for batch in batches)
        require(sizes == published.NOTE_002_BATCHES, f"the batches have {sizes} samples")
        seen = torch.cat([batch[0] for batch in batches])
        require(len(torch.unique(seen)) == len(seen), "a sample comes twice")


class TestDataIter(LoaderLaws, Spec):
    component = data.data_iter
    cases = domains.data_iter
    declines = (
        NOT_COMPUTED
        | STOCHASTIC
        | {
            "memory_layout": "a seed does not stand for the same order in all libraries; 'rows stay together' runs on "
            "transposed memory too",
            "low_precision": "nothing is rounded; 'rows stay together' runs in half precision too",
            "nan_not_hidden": "nothing is computed",
        }
    )
    prerequisites = ("random_sampler",)
    invalid = (
        Invalid(ValueError, "labels for two of three rows", batch_size=2, features=X, labels=Y[:2], seed=0),
        Invalid(ValueError, "more labels than rows", batch_size=2, features=X[:2], labels=Y, seed=0),
        Invalid(ValueError, "batches of nothing", batch_size=0, features=X, labels=Y, seed=0),
        Invalid(ValueError, "a negative size", batch_size=-1, features=X, labels=Y, seed=0),
    )
    edges = (
        dict(batch_size=2, features=torch.zeros(0, 3), labels=torch.zeros(0), seed=0),
        dict(batch_size=3, features=torch.ones(1, 1), labels=torch.ones(1, 1), seed=0),
    )

    def batches(self, impl, tensors, batch_size, seed):
        return impl.call(batch_size=batch_size, features=tensors[0], labels=tensors[1], seed=seed)

    def test_every_sample_once(self, impl, case):
        """Every sample comes once, in full batches but for the last, which holds what is left."""
        tensors = marked([case.features, case.labels])
        n = len(case.features)
        batches = impl(case, features=tensors[0], labels=tensors[1])
        check_sizes(batches, n, case.batch_size, False, "the pass")
        seen = sorted(row for batch in batches for row in rows_of(batch, tensors, "a batch").tolist())
        require(seen == list(range(n)), f"the rows are {seen}, expected each of {n} once")

    def test_rows_stay_together(self, impl, case):
        """Features and labels of a row come in the same place, from transposed memory and in half precision too."""
        tensors = marked([case.features, case.labels])
        if impl.implementation.has_dtype(torch.bfloat16):
            tensors = [t.bfloat16() if t.is_floating_point() else t for t in tensors]
        turned = [t.transpose(0, -1).contiguous().transpose(0, -1) for t in tensors]
        for j, batch in enumerate(impl.call_with({**case.arguments, "features": turned[0], "labels": turned[1]})[1]):
            rows_of(batch, tensors, f"batch {j}")

    def test_same_seed_same_batches(self, impl, case):
        """The same seed gives the same batches again, also after another seed."""
        first = impl(case)
        impl(case, seed=case.seed + 1)
        return impl(case), first
