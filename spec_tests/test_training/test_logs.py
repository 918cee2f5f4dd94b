"""Laws of logs: what was written is read back, by lawbook's own reader and by TensorBoard's."""

import os
import threading
from itertools import pairwise

import torch

from lawbook.fixtures.cases import training_logs as domains
from lawbook.fixtures.cases.folders import Folder
from lawbook.fixtures.implementation import Raised
from lawbook.reference import training
from lawbook.spec_tests.spec import Invalid, Spec, require, skip_case
from lawbook.spec_tests.test_training import event_files

READ_BACK = "nothing is returned: what the file holds is read back by laws of its own"
NOTHING = {
    "agrees_with_reference": READ_BACK,
    "repeated_calls_agree": "every call writes a file of its own, as laws of its own say",
    "memory_layout": READ_BACK,
    "no_aliasing": "nothing is returned",
    "low_precision": READ_BACK,
    "extremes_stay_finite": "nothing is computed",
    "nan_not_hidden": READ_BACK,
    "edge_sizes": READ_BACK,
    "accelerator_agrees": "files are written by the CPU, and nothing is returned",
}
THREADS = 4


def written(impl, case, **changes):
    """The folder after the call."""
    folder = Folder(case.log_dir.name)
    impl(case, log_dir=folder, **changes)
    require(os.path.isdir(folder), f"after the call there is no folder {folder.name}")
    return folder


def called(impl, **arguments):
    """The folder after a call with these arguments, tensors as they lie in memory."""
    folder = Folder()
    impl.call_with(dict(log_dir=folder, **arguments))
    return folder


class Log(Spec):
    """What holds for every log."""

    def test_file_is_one_that_tensorboard_finds(self, impl, case):
        """The folder is made with its parents and holds files named …tfevents…, of whole records with right check sums."""
        folder = written(impl, case)
        names = os.listdir(folder)
        require(names and all("tfevents" in name for name in names), f"the folder holds {names}")
        event_files.events(folder)

    def test_times_are_seconds_of_our_days(self, impl, case):
        """Every event has its time in seconds since 1970, and no event is earlier than the one before."""
        times = [event.wall_time for event in event_files.events(written(impl, case))]
        # From 2020 to 2100.
        require(all(1.577e9 < time < 4.103e9 for time in times), f"events have the times {times}")
        require(times == sorted(times), f"events have the times {times}, in this order")

    def test_files_of_before_stay(self, impl, case):
        """A second call to the same folder leaves what was written before, and adds as much."""
        folder = written(impl, case)
        before, events = event_files.files(folder), event_files.events(folder)
        impl(case, log_dir=folder)
        now = event_files.files(folder)
        lost = [name for name, content in before.items() if not now.get(name, b"").startswith(content)]
        require(not lost, f"the second call changed {lost}")
        added = len(event_files.events(folder))
        require(added == 2 * len(events), f"after two calls there are {added} events, after one {len(events)}")

    def test_writers_at_once_do_not_meet(self, impl, case):
        """Four threads that write to one folder at once lose nothing, and spoil nothing of each other."""
        # Asked for its path before the threads do, as that makes it.
        kept = Folder(case.log_dir.name)
        folder, failed = os.fspath(kept), []
        begin = threading.Barrier(THREADS)

        def write():
            begin.wait()
            try:
                impl(case, log_dir=folder)
            except BaseException as error:
                failed.append(error)

        threads = [threading.Thread(target=write) for _ in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if failed:
            raise failed[0]
        alone, found = len(event_files.events(written(impl, case))), len(event_files.events(folder))
        require(found == THREADS * alone, f"{THREADS} writers of {alone} events each leave {found}")

    def test_refused_calls_write_nothing(self, impl):
        """A call that is refused leaves no event behind."""
        for invalid in self.invalid:
            folder = Folder()
            try:
                impl.call(**{**invalid.arguments, "log_dir": folder})
            except Raised as raised:
                if not isinstance(raised.error, Exception):
                    raise
            left = len(event_files.events(folder)) if os.path.isdir(folder) else 0
            require(left == 0, f"{invalid.what} is refused, or not, with {left} events in the file")


class TestLogScalars(Log):
    component = training.log_scalars
    cases = domains.log_scalars
    declines = NOTHING
    invalid = (
        Invalid(ValueError, "a step more", log_dir=Folder(), tag="a", values=torch.ones(2), steps=torch.arange(3)),
        Invalid(ValueError, "a matrix", log_dir=Folder(), tag="a", values=torch.ones(2, 3)),
        Invalid(TypeError, "steps between", log_dir=Folder(), tag="a", values=torch.ones(1), steps=torch.tensor([0.5])),
        Invalid(TypeError, "a tag that is a number", log_dir=Folder(), tag=3, values=torch.ones(2)),
        Invalid(TypeError, "complex numbers", log_dir=Folder(), tag="a", values=torch.ones(2) * 1j),
    )

    def test_numbers_are_read_back(self, impl, case):
        """The file holds the tag with every number, in single precision, at its step, in the order given."""
        _same_scalars(event_files.values(written(impl, case)), case.tag, case.values, case.steps)

    def test_tensorboard_reads_the_same(self, impl, case):
        """TensorBoard's own reader gives the tag's numbers and steps."""
        found = event_files.tensorboard(written(impl, case))
        tags = found.Tags()["scalars"]
        require(tags == [case.tag] * (len(case.values) > 0), f"TensorBoard reads the tags {tags}")
        scalars = found.Scalars(case.tag) if tags else []
        _same_scalars([(s.step, case.tag, "scalar", s.value) for s in scalars], case.tag, case.values, case.steps)

    def test_every_dtype_keeps_its_numbers(self, impl):
        """Numbers of bfloat16, float16, float64 and whole ones are those that the dtype holds, also 1e30 and 1e-30."""
        for dtype in (torch.bfloat16, torch.float16, torch.float64, torch.int64):
            values = torch.tensor([1.0, 1000.0] if dtype == torch.int64 else [0.1, 1e5, 1e30, 1e-30, -3.0]).to(dtype)
            found = event_files.values(called(impl, tag="a", values=values))
            _same_scalars(found, "a", values, None, f"of {dtype} ")

    def test_steps_may_come_in_any_order(self, impl):
        """Steps that come twice, go back, lie below 0 or beyond 32 bits are kept, in the order given."""
        steps = torch.tensor([3, 3, 1, -2, (1 << 40) + 1, 0])
        values = torch.arange(6, dtype=self.dtype)
        _same_scalars(event_files.values(called(impl, tag="a", values=values, steps=steps)), "a", values, steps)

    def test_infinities_and_nan_are_kept(self, impl):
        """Infinities of both signs, nan, and zeros of both signs are in the file as what they are."""
        values = torch.tensor([torch.inf, torch.nan, -torch.inf, -0.0, 0.0], dtype=self.dtype)
        _same_scalars(event_files.values(called(impl, tag="a", values=values)), "a", values, None)

    def test_strides_do_not_matter(self, impl):
        """Every other number of a tensor, and one number expanded, are written as they are indexed."""
        for values in (torch.arange(8, dtype=self.dtype)[1::2], torch.full((1,), 3.0, dtype=self.dtype).expand(4)):
            folder = called(impl, tag="a", values=values, steps=torch.arange(8)[::2])
            _same_scalars(event_files.values(folder), "a", values, torch.arange(8)[::2])


def _same_scalars(found, tag, values, steps, what=""):
    wanted = values.to(torch.float32)
    steps = list(range(len(values))) if steps is None else steps.tolist()
    require(
        [(step, name, kind) for step, name, kind, _ in found] == [(step, tag, "scalar") for step in steps],
        f"the file holds {[(step, name) for step, name, *_ in found]}, expected {tag!r} at the steps {steps}",
    )
    numbers = torch.tensor([number for *_, number in found], dtype=torch.float32)
    same = (numbers == wanted) & (numbers.signbit() == wanted.signbit()) | (numbers.isnan() & wanted.isnan())
    require(same.all(), f"the numbers {what}in the file are {numbers.tolist()}, expected {wanted.tolist()}")


class TestLogHistogram(Log):
    component = training.log_histogram
    cases = domains.log_histogram
    declines = NOTHING
    invalid = (
        Invalid(ValueError, "no number", log_dir=Folder(), tag="a", values=torch.ones(0)),
        Invalid(ValueError, "a nan", log_dir=Folder(), tag="a", values=torch.tensor([1.0, torch.nan])),
        Invalid(ValueError, "an infinity", log_dir=Folder(), tag="a", values=torch.tensor([1.0, torch.inf])),
        Invalid(ValueError, "no bucket", log_dir=Folder(), tag="a", values=torch.ones(2), bins=0),
        Invalid(TypeError, "a tag that is a number", log_dir=Folder(), tag=3, values=torch.ones(2)),
    )

    def test_tag_and_step_are_read_back(self, impl, case):
        """The file holds one histogram, with its tag, at its step."""
        found = event_files.values(written(impl, case))
        place = [(step, tag, kind) for step, tag, kind, _ in found]
        require(place == [(case.step, case.tag, "histogram")], f"the file holds {place}")

    def test_counts_add_up(self, impl, case):
        """The number of values is their number, and so is the sum of the counts, none of which is negative."""
        found = _histogram(written(impl, case))
        count = case.values.numel()
        require(found["num"] == count, f"{count} values are {found['num']} in the file")
        counts = found["counts"]
        require(min(counts) >= 0 and sum(counts) == count, f"the counts of {count} values are {counts}")

    def test_least_and_largest_are_right(self, impl, case):
        """Minimum and maximum are those of the values, exactly."""
        found = _histogram(written(impl, case))
        limits = (float(case.values.min()), float(case.values.max()))
        require((found["min"], found["max"]) == limits, f"values from {limits} are from {found} in the file")

    def test_sums_are_right(self, impl, case):
        """The sum is the values', and the sum of squares that of their squares."""
        found = _histogram(written(impl, case))
        wide = case.values.double()
        return [(found["sum"], float(wide.sum())), (found["sum_squares"], float((wide * wide).sum()))]

    def test_buckets_cover_the_values(self, impl, case):
        """Up to every limit as many values are counted as lie below it, or below and on it, and none lies above the last."""
        found = _histogram(written(impl, case))
        limits, counts = found["limits"], torch.tensor(found["counts"]).cumsum(0).tolist()
        require(len(limits) == len(counts), f"there are {len(limits)} limits for {len(counts)} counts")
        require(limits == sorted(limits), f"the limits are {limits}, expected rising ones")
        wide = case.values.double()
        for limit, count in zip(limits, counts, strict=True):
            low, high = int((wide < limit).sum()), int((wide <= limit).sum())
            require(
                low <= count <= high,
                f"up to the limit {limit} {count} values are counted, {low} lie below it and {high - low} on it",
            )
        require(limits[-1] >= wide.max(), f"the last limit is {limits[-1]}, the largest value {float(wide.max())}")

    def test_buckets_are_as_many_as_asked(self, impl, case):
        """Of the numbers 0, …, 2 b, b buckets hold two each, the last one three (or the first one, if above counts)."""
        bins = case.bins
        values = torch.arange(2 * bins + 1, dtype=torch.float64)
        found = _histogram(written(impl, case, values=values, bins=bins))
        filled = [(limit, count) for limit, count in zip(found["limits"], found["counts"], strict=True) if count]
        limits = [limit for limit, _ in filled]
        require(limits == [2.0 * k for k in range(1, bins + 1)], f"with {bins} bins 0 … {2 * bins} has limits {limits}")
        counts = sorted(count for _, count in filled)
        require(counts == [2.0] * (bins - 1) + [3.0], f"with {bins} bins 0 … {2 * bins} is counted as {counts}")

    def test_tensorboard_reads_the_same(self, impl, case):
        """TensorBoard's own reader gives the tag's histogram at its step, with the figures and buckets of the file."""
        folder = written(impl, case)
        own, found = _histogram(folder), event_files.tensorboard(folder)
        require(found.Tags()["histograms"] == [case.tag], f"TensorBoard reads the tags {found.Tags()['histograms']}")
        (event,) = found.Histograms(case.tag)
        value = event.histogram_value
        names = {"limits": "bucket_limit", "counts": "bucket"}
        theirs = {name: getattr(value, names.get(name, name)) for name in own}
        theirs |= {name: list(theirs[name]) for name in names}
        require((event.step, theirs) == (case.step, own), f"TensorBoard reads {theirs} at {event.step}")

    def test_thirty_buckets_at_step_zero_by_default(self, impl):
        """Without ``bins`` no bucket is wider than a thirtieth of the range, without ``step`` it is step 0."""
        folder = called(impl, tag="a", values=torch.arange(301, dtype=torch.float64))
        ((step, _, _, found),) = event_files.values(folder)
        require(step == 0, f"the file says step {step}")
        _no_wider(found, 10)

    def test_equal_numbers_have_narrow_buckets(self, impl):
        """Around numbers that are all equal a bucket is no wider than 1, also where it is the only one."""
        for bins in (1, 2):
            _no_wider(_histogram(called(impl, tag="a", values=torch.full((3,), 2.0), bins=bins)), 1)

    def test_every_dtype_is_counted(self, impl):
        """Numbers of bfloat16, float16, float64 and whole ones are those that the dtype holds, also 1e30, and so are sums."""
        for dtype in (torch.bfloat16, torch.float16, torch.float64, torch.int64):
            large = {torch.bfloat16: 1e30, torch.float64: 1e100, torch.float16: 6e4}.get(dtype, 1 << 20)
            values = torch.tensor([3.0, 1.0, 7.0, large], dtype=torch.float64).to(dtype)
            found = _histogram(called(impl, tag="a", values=values))
            limits = (float(values.double().min()), float(values.double().max()))
            require(
                (found["min"], found["max"], sum(found["counts"])) == (*limits, 4.0),
                f"4 values of {dtype} from {limits[0]} to {limits[1]} are {found} in the file",
            )
            wide = values.double()
            sums = (float(wide.sum()), float((wide * wide).sum()))
            both = (found["sum"], found["sum_squares"])
            require(both == sums, f"values of {dtype} and their squares add up to {sums}, in the file to {both}")

    def test_strides_do_not_matter(self, impl):
        """Every other number of a tensor, and one number expanded, are counted as they are indexed."""
        for values in (torch.arange(8, dtype=self.dtype)[1::2], torch.full((1,), 3.0, dtype=self.dtype).expand(4)):
            found = _histogram(called(impl, tag="a", values=values, bins=2))
            figures = (found["num"], found["sum"])
            require(figures == (4.0, float(values.sum())), f"the numbers {values.tolist()} are {found} in the file")


def _no_wider(histogram, width):
    filled = [k for k, count in enumerate(histogram["counts"]) if count]
    limits = histogram["limits"][max(filled[0] - 1, 0) : filled[-1] + 1]
    widest = max((b - a for a, b in pairwise(limits)), default=0)
    require(
        widest <= width * (1 + 1e-12), f"a bucket is {widest} wide, expected {width} at most: the limits are {limits}"
    )


def _histogram(folder):
    found = [value for _, _, kind, value in event_files.values(folder) if kind == "histogram"]
    require(len(found) == 1, f"the file holds {len(found)} histograms, expected one")
    require(found[0]["counts"] and found[0]["limits"], "the histogram has no bucket")
    return found[0]


class TestLogImage(Log):
    component = training.log_image
    cases = domains.log_image
    declines = NOTHING
    invalid = (
        Invalid(ValueError, "no column", log_dir=Folder(), tag="a", image=torch.zeros(3, 4, 0)),
        Invalid(ValueError, "a batch", log_dir=Folder(), tag="a", image=torch.zeros(1, 3, 2, 2)),
        Invalid(ValueError, "colours last", log_dir=Folder(), tag="a", image=torch.zeros(4, 5, 3)),
        Invalid(ValueError, "no pixel", log_dir=Folder(), tag="a", image=torch.zeros(3, 0, 2)),
        Invalid(ValueError, "bytes in a floating dtype", log_dir=Folder(), tag="a", image=torch.full((3, 2, 2), 200.0)),
        Invalid(ValueError, "numbers above 1", log_dir=Folder(), tag="a", image=torch.full((3, 2, 2), 1.5)),
        Invalid(ValueError, "numbers below 0", log_dir=Folder(), tag="a", image=torch.full((3, 2, 2), -0.5)),
        Invalid(ValueError, "nan", log_dir=Folder(), tag="a", image=torch.full((3, 2, 2), torch.nan)),
        Invalid(TypeError, "whole numbers", log_dir=Folder(), tag="a", image=torch.ones(3, 2, 2).long()),
    )

    def test_tag_and_step_are_read_back(self, impl, case):
        """The file holds one picture, with its tag, at its step, and says its height, width and three colours."""
        found = event_files.values(written(impl, case))
        place = [(step, tag, kind) for step, tag, kind, _ in found]
        require(place == [(case.step, case.tag, "image")], f"the file holds {place}")
        says = tuple(found[0][3][name] for name in ("channels", "height", "width"))
        require(says == tuple(case.image.shape), f"a picture of {tuple(case.image.shape)} is said to be of {says}")

    def test_step_zero_by_default(self, impl):
        """Without ``step`` it is step 0."""
        ((step, *_),) = event_files.values(called(impl, tag="a", image=torch.zeros(3, 1, 1)))
        require(step == 0, f"the file says step {step}")

    def test_bytes_are_kept(self, impl, case):
        """A picture of bytes decodes to these bytes, every one at its place."""
        image = case.image if case.image.dtype == torch.uint8 else _nearest(case.image)
        _same_pixels(_pixels(written(impl, case, image=image)), image, "bytes")

    def test_levels_are_kept(self, impl, case):
        """A picture of levels divided by 255 decodes to the levels."""
        levels = case.image if case.image.dtype == torch.uint8 else _nearest(case.image)
        image = (levels.double() / 255).to(case.dtype)
        _same_pixels(_pixels(written(impl, case, image=image)), levels, "levels over 255")

    def test_others_become_the_nearest_level(self, impl, case):
        """Numbers between levels become the level that is nearest."""
        if case.image.dtype == torch.uint8:
            return skip_case
        _same_pixels(_pixels(written(impl, case)), _nearest(case.image), "numbers from 0 to 1")

    def test_half_precision_keeps_levels(self, impl):
        """In float16 all 256 levels divided by 255 decode to the levels, and so does white in bfloat16."""
        levels = torch.arange(256, dtype=torch.uint8).reshape(1, 16, 16).expand(3, -1, -1)
        image = (levels.double() / 255).half()
        _same_pixels(_pixels(called(impl, tag="a", image=image)), levels, "levels over 255 in float16")
        white = torch.ones(3, 2, 1, dtype=torch.bfloat16)
        _same_pixels(_pixels(called(impl, tag="a", image=white)), _nearest(white), "white in bfloat16")

    def test_strides_do_not_matter(self, impl):
        """A picture whose colours come last in memory, and one that is turned, are written as they are indexed."""
        image = torch.arange(3 * 4 * 5, dtype=torch.uint8).reshape(4, 5, 3)
        for turned in (image.permute(2, 0, 1), image.permute(2, 1, 0), image.permute(2, 0, 1)[:, :, ::2]):
            _same_pixels(_pixels(called(impl, tag="a", image=turned)), turned, "bytes")

    def test_tensorboard_reads_the_same(self, impl, case):
        """TensorBoard's own reader gives the tag's picture at its step, whole."""
        folder = written(impl, case)
        found = event_files.tensorboard(folder)
        require(found.Tags()["images"] == [case.tag], f"TensorBoard reads the tags {found.Tags()['images']}")
        (event,) = found.Images(case.tag)
        place = (event.step, event.height, event.width)
        require(
            place == (case.step, *case.image.shape[1:]), f"TensorBoard reads a picture of step, height, width {place}"
        )
        _same_pixels(event_files.decode_png(event.encoded_image_string), _pixels(folder), "pixels")


def _nearest(image):
    return image if image.dtype == torch.uint8 else (image.double() * 255 + 0.5).floor().to(torch.uint8)


def _pixels(folder):
    found = [value["pixels"] for _, _, kind, value in event_files.values(folder) if kind == "image"]
    require(len(found) == 1, f"the file holds {len(found)} pictures, expected one")
    return found[0]


def _same_pixels(found, wanted, what):
    require(found.shape == wanted.shape, f"a picture of {tuple(wanted.shape)} decodes to {tuple(found.shape)}")
    wrong = (found != wanted).nonzero().tolist()
    if wrong:
        at = tuple(wrong[0])
        require(False, f"{what}: pixel {at} decodes to {int(found[at])}, expected {int(wanted[at])}")


class TestLogGraph(Log):
    component = training.log_graph
    cases = domains.log_graph
    declines = {
        **NOTHING,
        "memory_layout": "no argument is a tensor",
        "low_precision": "no argument is a tensor",
        "nan_not_hidden": "no argument can hold nan",
    }
    invalid = (
        Invalid(ValueError, "an input that is no node", log_dir=Folder(), nodes={"a": ("Add", ("b",))}),
        Invalid(ValueError, "a node without a name", log_dir=Folder(), nodes={"": ("Add", ())}),
        Invalid(TypeError, "an op that is none", log_dir=Folder(), nodes={"a": (3, ())}),
        Invalid(TypeError, "a name that is none", log_dir=Folder(), nodes={3: ("Add", ())}),
        Invalid(TypeError, "an input that is none", log_dir=Folder(), nodes={3: ("Add", ()), "a": ("Add", (3,))}),
    )

    def test_nodes_are_read_back(self, impl, case):
        """The file holds one graph, of the nodes that were given, in their order, each with its op."""
        found = event_files.graphs(written(impl, case))
        require(len(found) == 1, f"the file holds {len(found)} graphs, expected one")
        nodes = [(name, op) for name, op, _ in found[0]]
        wanted = [(name, op) for name, (op, _) in case.nodes.items()]
        require(nodes == wanted, f"the nodes {wanted} are {nodes} in the file")

    def test_edges_are_read_back(self, impl, case):
        """Every node takes what it was given to take, in this order, and twice what comes twice."""
        edges = {name: tuple(inputs) for graph in event_files.graphs(written(impl, case)) for name, _, inputs in graph}
        wanted = {name: tuple(inputs) for name, (_, inputs) in case.nodes.items()}
        require(edges == wanted, f"the edges {wanted} are {edges} in the file")

    def test_tensorboard_reads_the_same(self, impl, case):
        """TensorBoard's own reader gives the graph."""
        found = event_files.tensorboard(written(impl, case))
        require(found.Tags()["graph"], "TensorBoard finds no graph")
        nodes = {node.name: (node.op, tuple(node.input)) for node in found.Graph().node}
        wanted = {name: (op, tuple(inputs)) for name, (op, inputs) in case.nodes.items()}
        require(nodes == wanted, f"TensorBoard reads the graph {nodes}, expected {wanted}")
