"""Laws of data sets."""

import torch

from lawbook.fixtures.cases import data as domains
from lawbook.fixtures.implementation import Raised
from lawbook.fixtures.published import data as published
from lawbook.reference import data
from lawbook.spec_tests.chance import SEEDS
from lawbook.spec_tests.spec import Invalid, Spec, require
from lawbook.spec_tests.test_data.laws import (
    NO_TENSOR,
    NOT_COMPUTED,
    STOCHASTIC,
    VIEWS,
    check_every_order,
    check_permutation,
    check_scattered,
    check_stream,
    check_unlike,
)

X, Y = torch.arange(6.0).reshape(3, 2), torch.tensor([0, 1, 0])
FIRST = torch.tensor([0])


class TestTensorDataset(Spec):
    component = data.tensor_dataset
    cases = domains.tensor_dataset
    declines = NOT_COMPUTED | VIEWS
    invalid = (
        Invalid(ValueError, "labels for two of three rows", tensors=[X, Y[:2]], positions=FIRST),
        Invalid(ValueError, "labels for more rows than there are", tensors=[X[:2], Y], positions=FIRST),
        Invalid(ValueError, "labels with samples along their second axis", tensors=[X, Y[None]], positions=FIRST),
        Invalid(ValueError, "a tensor without an axis", tensors=[torch.tensor(1.0)], positions=FIRST),
        Invalid(ValueError, "no tensor", tensors=[], positions=FIRST),
        Invalid(IndexError, "a position beyond the last", tensors=[X, Y], positions=torch.tensor([0, 3])),
        Invalid(IndexError, "a position before the first", tensors=[X, Y], positions=torch.tensor([-4])),
    )
    edges = (
        dict(tensors=[torch.zeros(0, 3), torch.zeros(0)], positions=torch.zeros(0, dtype=torch.int64)),
        dict(tensors=[torch.zeros(2, 0)], positions=torch.tensor([1])),
        dict(tensors=[torch.ones(1)], positions=torch.tensor([0, -1, 0])),
    )

    def test_rows_are_those_of_every_tensor(self, impl, case):
        """Item i is the tuple of the i-th rows, and the length is that of every tensor."""
        length, items = impl(case)
        require(length == len(case.tensors[0]), f"the length is {length}, expected {len(case.tensors[0])}")
        return [
            (part, tensor[i])
            for item, i in zip(items, case.positions.tolist(), strict=True)
            for part, tensor in zip(item, case.tensors, strict=True)
        ] or self.skip


class TestConcatDatasets(Spec):
    component = data.concat_datasets
    cases = domains.concat_datasets
    declines = NOT_COMPUTED | VIEWS
    prerequisites = ("tensor_dataset",)
    invalid = (
        Invalid(ValueError, "labels for two of three rows", a=[X, Y[:2]], b=[X, Y], positions=FIRST),
        Invalid(ValueError, "labels for two of three rows in the second", a=[X, Y], b=[X, Y[:2]], positions=FIRST),
        Invalid(IndexError, "a position beyond the last", a=[X], b=[X], positions=torch.tensor([6])),
        Invalid(IndexError, "a position before the first", a=[X], b=[X], positions=torch.tensor([-7])),
    )
    edges = (
        dict(a=[torch.zeros(0, 3)], b=[torch.zeros(0, 3)], positions=torch.zeros(0, dtype=torch.int64)),
        dict(a=[torch.zeros(0, 3)], b=[torch.ones(1, 3)], positions=torch.tensor([0, -1])),
        dict(a=[torch.ones(1)], b=[torch.zeros(1, 0)], positions=torch.tensor([1, 0, -1, -2])),
    )

    def test_lengths_add_and_order_is_kept(self, impl, case):
        """All positions in turn give the items of the first, then those of the second."""
        n, m = len(case.a[0]), len(case.b[0])
        length, items = impl(case, positions=torch.arange(n + m))
        require(length == n + m, f"the length is {length}, expected {n} + {m}")
        rows = [[t[i] for t in case.a] for i in range(n)] + [[t[i] for t in case.b] for i in range(m)]
        return list(items), rows

    def test_negative_positions_count_from_the_end(self, impl, case):
        """Position −k is position n + m − k."""
        total = len(case.a[0]) + len(case.b[0])
        back, ahead = (impl(case, positions=torch.arange(total) - by)[1] for by in (total, 0))
        for k, (found, expected) in enumerate(zip(back, ahead, strict=True)):
            same = len(found) == len(expected) and all(map(torch.equal, found, expected))
            require(same, f"of {total} items the one at position {k - total} is not the one at {k}")


class TestRandomSplit(Spec):
    component = data.random_split
    cases = domains.random_split
    declines = NO_TENSOR | STOCHASTIC
    invalid = (
        Invalid(ValueError, "lengths that add up to less", n=10, lengths=[4, 5], seed=0),
        Invalid(ValueError, "lengths that add up to more", n=10, lengths=[4, 7], seed=0),
        Invalid(ValueError, "a negative length", n=10, lengths=[12, -2], seed=0),
        Invalid(ValueError, "no parts of ten", n=10, lengths=[], seed=0),
    )
    edges = (
        dict(n=0, lengths=[0, 0], seed=0),
        dict(n=1, lengths=[0, 1, 0], seed=0),
        dict(n=0, lengths=[], seed=1),
    )

    def test_is_a_partition(self, impl, case):
        """The parts have the lengths that were asked for, and together every position once."""
        parts = impl(case)
        sizes = [len(part) for part in parts]
        require(sizes == case.lengths, f"the parts have lengths {sizes}, expected {case.lengths}")
        if parts:
            check_permutation(torch.cat(parts), case.n, "all parts together")

    def test_same_seed_same_parts(self, impl, case):
        """The same seed gives the same parts again, also after another seed."""
        first = impl(case)
        impl(case, seed=case.seed + 1)
        return impl(case), first

    def test_the_parts_are_dealt_at_random(self, impl):
        """No part prefers positions: 100,000 are scattered, and those of another seed are unlike them."""
        orders = [torch.cat(impl.call(n=100_000, lengths=[70_000, 30_000], seed=seed)) for seed in SEEDS]
        for order, seed in zip(orders, SEEDS, strict=True):
            check_permutation(order, 100_000, f"the split of seed {seed}")
            check_scattered(order, f"the split of seed {seed}")
        check_unlike(*orders, f"the splits of seeds {SEEDS[0]} and {SEEDS[1]}")

    def test_every_split_is_equally_likely(self, impl):
        """Of three positions in parts of one and two, each of the six orders comes up as often as chance allows."""
        check_every_order(lambda seed: torch.cat(impl.call(n=3, lengths=[1, 2], seed=seed)), "the split")

    def test_same_stream_same_parts(self, impl):
        """Parts that are cut from PyTorch's permutation of this seed are in its order; others know nothing of it."""
        for seed in SEEDS:
            given = dict(n=1000, lengths=[600, 400], seed=seed)
            parts, true_parts = impl.call(**given), self.component(**given)
            check_stream(torch.cat(tuple(parts)), torch.cat(true_parts), "all parts together")
            for got, truth in zip(parts, true_parts, strict=True):
                check_stream(got, truth, "a part")

    def test_published_split_of_note_002(self, impl):
        """150 samples in parts of 120 and 30."""
        n, lengths = published.NOTE_002_SPLIT
        parts = impl.call(n=n, lengths=list(lengths), seed=0)
        require(tuple(map(len, parts)) == lengths, f"the parts have lengths {[len(part) for part in parts]}")
        check_permutation(torch.cat(parts), n, "both parts together")


class TestCollate(Spec):
    component = data.collate
    cases = domains.collate
    declines = NOT_COMPUTED
    invalid = (
        Invalid(TypeError, "lists", samples=[([1, 2],), ([3, 4],)]),
        Invalid(ValueError, "no sample", samples=[]),
        Invalid(ValueError, "rows of different lengths", samples=[(torch.ones(2),), (torch.ones(3),)]),
        Invalid(ValueError, "a row that could be broadcast", samples=[(torch.ones(2),), (torch.ones(1),)]),
        Invalid(ValueError, "rows of different numbers of axes", samples=[(torch.ones(2),), (torch.ones(2, 1),)]),
        Invalid(ValueError, "a sample without a label", samples=[(torch.ones(2), 1), (torch.ones(2),)]),
        Invalid(ValueError, "a sample with a field more", samples=[(torch.ones(2),), (torch.ones(2), 1)]),
        Invalid(TypeError, "fields of no kind", samples=[(object(),), (object(),)]),
    )
    edges = (
        dict(samples=[(torch.zeros(0),), (torch.zeros(0),)]),
        dict(samples=[(torch.ones(1, 1), 2.5)]),
        dict(samples=[(), ()]),
    )

    def test_each_field_is_stacked(self, impl, case):
        """Row i of field k is field k of sample i."""
        batch = impl(case)
        require(len(batch) == len(case.samples[0]), f"the batch has {len(batch)} fields")
        pairs = []
        for k, part in enumerate(batch):
            require(len(part) == len(case.samples), f"field {k} has {len(part)} rows, expected {len(case.samples)}")
            for row, sample in zip(part, case.samples, strict=True):
                value = sample[k]
                pairs.append(
                    (row, torch.as_tensor(value, dtype=None if isinstance(value, torch.Tensor) else row.dtype))
                )
        return pairs

    def test_one_field_is_of_one_kind(self, impl):
        """Fields that hold whole numbers and fractions, or tensors of two dtypes, are refused: nothing is converted."""
        for what, field in (
            ("whole numbers and fractions", (1, 2.5)),
            ("fractions and whole numbers", (2.5, 1)),
            ("float32 and float64", (torch.ones(2), torch.ones(2).double())),
            ("int64 and float32", (torch.ones(2).long(), torch.ones(2))),
            ("a tensor and a number", (torch.tensor(1.0), 1.0)),
        ):
            try:
                batch = impl.call(samples=[(value,) for value in field])
            except Raised:
                continue
            require(False, f"accepts {what} in one field, and makes {batch[0].dtype} of them")


class TestImageFolderIndex(Spec):
    component = data.image_folder_index
    cases = domains.image_folder_index
    declines = NO_TENSOR
    invalid = (
        Invalid(ValueError, "no file", paths=[]),
        Invalid(ValueError, "no image", paths=["cat/notes.txt", "README.md"]),
        Invalid(ValueError, "images in no subfolder", paths=["1.png", "2.png"]),
        Invalid(ValueError, "absolute paths", paths=["/cat/1.png", "/dog/1.png"]),
        Invalid(TypeError, "one text in place of a list", paths="cat/1.png"),
    )
    edges = (dict(paths=["a/1.png"]), dict(paths=["b/x/y/z/1.JPG", "a.png", "c/1.txt"]))

    def test_classes_are_sorted_and_numbered(self, impl, case):
        """Classes are the first folders of the images, each once, in order; the number of each is its place."""
        classes, numbers, samples = impl(case)
        classes = list(classes)
        require(classes == sorted(set(classes)), f"the classes {classes} are not sorted, or one is there twice")
        expected = {name: k for k, name in enumerate(classes)}
        require(numbers == expected, f"the classes are numbered {numbers}, expected {expected}")
        found = {path.split("/")[0] for path, _ in samples}
        require(found == set(classes), f"the images lie in {sorted(found)}, the classes are {classes}")

    def test_a_label_is_that_of_the_first_folder(self, impl, case):
        """Every image has the number of its first folder, whatever else its path holds."""
        _, numbers, samples = impl(case)
        for path, number in samples:
            right = numbers.get(path.split("/")[0])
            require(number == right, f"{path!r} has the label {number}, expected {right}")

    def test_order_of_paths_does_not_matter(self, impl, case):
        """Reversed and sorted paths give the same."""
        found = impl(case)
        for paths in (case.paths[::-1], sorted(case.paths)):
            again = impl(case, paths=paths)
            require(again == found, f"in another order of paths: {again}, before: {found}")

    def test_each_image_once(self, impl, case):
        """The files with an image's ending in a subfolder, each once, and no others."""
        endings = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")
        expected = sorted(path for path in case.paths if "/" in path and path.lower().endswith(endings))
        found = sorted(path for path, _ in impl(case)[2])
        require(found == expected, f"the images are {found}, expected {expected}")
