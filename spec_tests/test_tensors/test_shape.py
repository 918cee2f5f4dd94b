"""Laws of shapes: what is a view, what is a copy, and what is refused."""

import numpy as np
import torch
from torch import ones, zeros

from lawbook.fixtures.cases.tensors import shape as domains
from lawbook.fixtures.published import tensor_shapes as published
from lawbook.reference import tensors
from lawbook.spec_tests.memory import window
from lawbook.spec_tests.spec import Invalid, Spec, require
from lawbook.spec_tests.test_tensors.views import LAYOUTS, MOVED, SHARED, View, refuses, require_elements


def require_shape(got, expected, what="the result"):
    require(tuple(got.shape) == tuple(expected), f"{what} has shape {tuple(got.shape)}, expected {tuple(expected)}")


def viewable(x, size):
    """Whether NumPy can show the memory of x in another shape."""
    # Strides alone decide; numbers of a dtype that NumPy lacks stand for themselves.
    same = torch.empty_strided(x.shape, x.stride(), dtype=torch.int64)
    try:
        np.reshape(same.numpy(), size, copy=False)
    except ValueError:
        return False
    return True


class TestTranspose(View):
    component = tensors.transpose
    cases = domains.transpose
    invalid = (
        Invalid(IndexError, "an axis beyond the last", x=ones(2, 3), d0=0, d1=2),
        Invalid(IndexError, "an axis before the first", x=ones(2, 3), d0=-3, d1=1),
    )
    edges = (
        dict(x=zeros(0, 3), d0=0, d1=1),
        dict(x=ones(1, 1), d0=0, d1=1),
        dict(x=ones(2), d0=0, d1=-1),
    )

    def test_twice_changes_nothing(self, impl, case):
        """Swapping the same axes again gives x."""
        return impl(case, x=impl(case)), case.x

    def test_either_axis_may_be_named_first(self, impl, case):
        """Swapping a with b is swapping b with a."""
        return impl(case, d0=case.d1, d1=case.d0), impl(case)

    def test_axes_count_from_either_end(self, impl, case):
        """An axis may be named from the front or from the back."""
        count = case.x.ndim
        return impl(case, d0=(case.d0 + count) % count, d1=(case.d1 + count) % count - count), impl(case)

    def test_equals_numpy(self, impl, case):
        """The elements are those of NumPy's swapaxes."""
        places = np.arange(case.x.numel()).reshape(tuple(case.x.shape)).swapaxes(case.d0, case.d1)
        return impl(case), case.x.reshape(-1)[torch.from_numpy(places.copy())]

    def test_sizes_are_swapped(self, impl, case):
        """The two sizes are swapped, the others stay."""
        expected = list(case.x.shape)
        expected[case.d0], expected[case.d1] = expected[case.d1], expected[case.d0]
        require_shape(impl(case), expected)


class TestPermute(View):
    component = tensors.permute
    cases = domains.permute
    prerequisites = ("transpose",)
    invalid = (
        Invalid(ValueError, "an axis named twice", x=ones(2, 3), dims=(0, 0)),
        Invalid(ValueError, "an axis named from both ends", x=ones(2, 3), dims=(1, -1)),
        Invalid(ValueError, "an axis left out", x=ones(2, 3), dims=(1,)),
        Invalid(IndexError, "an axis beyond the last", x=ones(2, 3), dims=(0, 2)),
    )
    edges = (dict(x=zeros(0, 3), dims=(1, 0)), dict(x=ones(1, 1), dims=(1, 0)), dict(x=torch.tensor(2.0), dims=()))

    def test_inverse_undoes_it(self, impl, case):
        """The inverse order gives x back."""
        inverse = tuple(torch.tensor([axis % case.x.ndim for axis in case.dims]).argsort().tolist())
        return impl(case, x=impl(case), dims=inverse), case.x

    def test_sizes_move_along(self, impl, case):
        """Axis k of the result has the size of axis dims_k of x."""
        require_shape(impl(case), [case.x.shape[axis] for axis in case.dims])

    def test_equals_numpy(self, impl, case):
        """The elements are those of NumPy's transpose."""
        places = np.arange(case.x.numel()).reshape(tuple(case.x.shape)).transpose(case.dims)
        return impl(case), case.x.reshape(-1)[torch.from_numpy(places.copy())]

    def test_order_in_place_changes_nothing(self, impl, case):
        """Every axis where it stands gives x."""
        return impl(case, dims=tuple(range(case.x.ndim))), case.x

    def test_published_shape(self, impl):
        """permute(2, 1, 0) of (3, 4, 5) is (5, 4, 3)."""
        given, dims, expected = published.NOTE_001_PERMUTE
        require_shape(impl.call(x=torch.ones(given), dims=dims), expected)


class TestMT(View):
    component = tensors.mT
    cases = domains.mT
    prerequisites = ("transpose",)
    invalid = (
        Invalid(ValueError, "one axis", x=ones(3)),
        Invalid(ValueError, "no axis", x=torch.tensor(2.0)),
    )
    edges = (dict(x=zeros(0, 3)), dict(x=zeros(2, 3, 0)), dict(x=ones(1, 1)))

    def test_twice_changes_nothing(self, impl, case):
        """Transposed twice it is x."""
        return impl(case, x=impl(case)), case.x

    def test_every_matrix_by_itself(self, impl, case):
        """Each matrix of a stack is transposed where it stands."""
        if case.x.ndim == 2:
            return list(zip(impl(case).unbind(0), case.x.unbind(1), strict=True)) or self.skip
        alone = [impl(case, x=matrix) for matrix in case.x.unbind(0)]
        return list(zip(impl(case).unbind(0), alone, strict=True)) or self.skip

    def test_equals_transpose_of_the_last_two(self, impl, case):
        """It is transpose(−2, −1)."""
        return impl(case), tensors.transpose(case.x, -2, -1)


INVALID_SIZES = (
    Invalid(ValueError, "another number of elements", x=ones(2, 3), size=(2, 4)),
    Invalid(ValueError, "a −1 that nothing fits", x=ones(2, 3), size=(4, -1)),
    Invalid(ValueError, "two sizes to be inferred", x=ones(2, 3), size=(-1, -1)),
    Invalid(ValueError, "fewer elements", x=ones(2, 3), size=(2, 2)),
    Invalid(ValueError, "a size of −2", x=ones(2, 3), size=(-2, 3)),
    Invalid(ValueError, "sizes below 0 whose product fits", x=ones(2, 3), size=(-2, -3)),
    Invalid(ValueError, "a −1 that any number fits", x=zeros(0, 3), size=(0, -1)),
    Invalid(ValueError, "a −1 that any number fits, before a size of 0", x=zeros(0, 3), size=(-1, 0)),
    Invalid(ValueError, "a size of −2 of no elements", x=zeros(0, 3), size=(-2, 0)),
)
EDGE_SIZES = (
    dict(x=zeros(0, 3), size=(3, 0)),
    dict(x=zeros(0, 3), size=(-1,)),
    dict(x=zeros(2, 0), size=(0, 5, 2)),
    dict(x=zeros(0, 3), size=(0, 0)),
    dict(x=ones(1, 1), size=()),
    dict(x=torch.tensor(2.0), size=(1, -1)),
)


class TestReshape(Spec):
    component = tensors.reshape
    cases = domains.reshape
    differentiable = ("x",)
    declines = SHARED | {"no_aliasing": "the result is a view whenever there can be one: a law of its own says when"}
    invalid = INVALID_SIZES
    edges = EDGE_SIZES

    def test_order_is_kept(self, impl, case):
        """Written row by row the elements are those of x, in the same order."""
        return impl(case).reshape(-1), case.x.reshape(-1)

    def test_there_and_back(self, impl, case):
        """In its old shape again it is x."""
        return impl(case, x=impl(case), size=tuple(case.x.shape)), case.x

    def test_one_size_is_inferred(self, impl, case):
        """Any one size may be −1: it is what is left of the number of elements."""
        known = tensors.reshape(case.x, case.size).shape
        if case.x.numel() == 0:
            return self.skip
        return [(impl(case, size=(*known[:k], -1, *known[k + 1 :])), impl(case)) for k in range(len(known))]

    def test_a_view_when_it_can_be(self, impl, case):
        """It shares the memory of x where the strides allow a view, and copies where they do not."""
        for name, layout in LAYOUTS.items():
            x = layout(case.x)
            can = viewable(x, case.size)
            seen = window(impl.call_with({"x": x, "size": case.size})[0], impl)
            before = tensors.reshape(case.x, case.size).clone()
            x.copy_(case.noise(x.shape))
            # A copy keeps what x held; a view shows what was written into x later.
            expected = tensors.reshape(x, case.size) if can else before
            how = "does not show in the result, which could be a view" if can else "shows in the result, a copy"
            require_elements(seen, expected, f"what was written into x ({name}) {how}")

    def test_published_shape(self, impl):
        """reshape(3, −1) of (3, 5, 4) is (3, 20)."""
        given, size, expected = published.NOTE_001_RESHAPE
        require_shape(impl.call(x=torch.ones(given), size=size), expected)


class TestView(View):
    component = tensors.view
    cases = domains.reshape
    prerequisites = ("reshape",)
    declines = SHARED | {"memory_layout": "the layout decides whether there is a view: a law of its own says when"}
    invalid = (
        *INVALID_SIZES,
        Invalid(ValueError, "memory in another order", x=ones(3, 2).mT, size=(6,)),
    )
    edges = EDGE_SIZES
    # Others forbid some shapes.
    layouts = ("contiguous", "strided")

    def test_order_is_kept(self, impl, case):
        """Written row by row the elements are those of x, in the same order."""
        return impl(case).reshape(-1), case.x.reshape(-1)

    def test_never_a_copy(self, impl, case):
        """In every memory layout it is either a view of the right elements or refused, refused exactly where NumPy refuses."""
        for name, layout in LAYOUTS.items():
            x = layout(case.x)
            can = viewable(x, case.size)
            if not can:
                require(refuses(impl, x=x, size=case.size), f"accepts strides {x.stride()} ({name}), which need a copy")
                continue
            seen = window(impl.call_with({"x": x, "size": case.size})[0], impl)
            x.copy_(case.noise(x.shape))
            expected = tensors.view(x, case.size)
            require_elements(seen, expected, f"what was written into x ({name}) does not show in the result")

    def test_repeated_rows(self, impl, case):
        """Of a row that stands for many, NumPy's answer too: the many may be split, and merged with nothing."""
        x = case.x.reshape(-1)[:4].expand(4, -1) if case.x.numel() else case.x
        rows, count = x.shape[0], x.shape[-1]
        for size in ((rows, count), (1, rows, count), (2, -1, count), (-1,)) if case.x.numel() else ():
            can = viewable(x, size)
            refused = refuses(impl, x=x, size=size)
            require(refused != can, f"{'refuses' if can else 'accepts'} {size} of strides {x.stride()}")

    def test_cut_tensors(self, impl):
        """Axes that do not follow each other in memory stay apart; those beside them may be merged and split."""
        x = torch.arange(120.0).reshape(2, 5, 3, 4)
        for cut in (x[:, :3], x[:, :, :2], x[:, :4, :, :2], x[:, ::2], x.transpose(0, 1)[:, :, 1:]):
            flat = cut.shape
            sizes = (
                (flat[0], -1),
                (-1, flat[3]),
                (flat[0] * flat[1], -1),
                (flat[0], flat[1] * flat[2], flat[3]),
                (-1,),
            )
            for size in (*sizes, (flat[0], flat[1], flat[2] * flat[3]), (1, *flat[:3], 1, flat[3])):
                if not viewable(cut, size):
                    require(refuses(impl, x=cut, size=size), f"accepts {size} of strides {cut.stride()}")
                    continue
                seen = window(impl.call_with({"x": cut, "size": size})[0], impl)
                require_elements(seen, cut.reshape(size), f"other elements in {size} of strides {cut.stride()}")

    def test_published_shape(self, impl):
        """view(−1, 3) of (3, 5, 4) is (20, 3)."""
        given, size, expected = published.NOTE_001_VIEW
        require_shape(impl.call(x=torch.ones(given), size=size), expected)


class TestUnsqueeze(View):
    component = tensors.unsqueeze
    cases = domains.unsqueeze
    invalid = (
        Invalid(IndexError, "an axis beyond the new last", x=ones(2, 3), dim=3),
        Invalid(IndexError, "an axis before the first", x=ones(2, 3), dim=-4),
    )
    edges = (dict(x=zeros(0, 3), dim=1), dict(x=ones(1, 1), dim=-1), dict(x=torch.tensor(2.0), dim=0))

    def test_one_more_axis_of_size_one(self, impl, case):
        """The new axis has size 1 and stands at dim of the result."""
        result = impl(case)
        at = case.dim % (case.x.ndim + 1)
        require_shape(result, (*case.x.shape[:at], 1, *case.x.shape[at:]))

    def test_squeeze_undoes_it(self, impl, case):
        """Without the new axis it is x."""
        return tensors.squeeze(impl(case), case.dim), case.x

    def test_published_shapes(self, impl):
        """(3, 4) becomes (1, 3, 4), (3, 1, 4) and (3, 4, 1)."""
        given, expected = published.NOTE_001_UNSQUEEZE
        for dim, shape in expected.items():
            require_shape(impl.call(x=torch.ones(given), dim=dim), shape, f"with dim={dim} the result")


class TestSqueeze(View):
    component = tensors.squeeze
    cases = domains.squeeze
    invalid = (
        Invalid(IndexError, "an axis beyond the last", x=ones(2, 1), dim=2),
        Invalid(IndexError, "an axis before the first", x=ones(2, 1), dim=-3),
    )
    edges = (
        dict(x=zeros(0, 1, 3), dim=None),
        dict(x=zeros(1, 0), dim=0),
        dict(x=ones(1, 1), dim=None),
        dict(x=ones(1, 1), dim=-1),
        dict(x=torch.tensor(2.0), dim=None),
    )

    def test_an_axis_of_another_size_stays(self, impl, case):
        """An axis whose size is not 1 is left as it is, and so are all others."""
        return [(impl(case, dim=k), case.x) for k, n in enumerate(case.x.shape) if n != 1]

    def test_a_view_where_nothing_is_removed(self, impl, case):
        """Left as it is, x is seen, not copied: what is written into it later shows in the result."""
        for k, n in enumerate(case.x.shape):
            if n != 1:
                x = case.x.clone()
                seen = window(impl.call_with({"x": x, "dim": k})[0], impl)
                x.copy_(case.noise(x.shape))
                require_elements(seen, x, f"what was written into x does not show in the result with dim={k}")

    def test_without_an_axis_none_of_size_one_is_left(self, impl, case):
        """Without dim every axis of size 1 goes, and the others keep their order."""
        require_shape(impl(case, dim=None), [n for n in case.x.shape if n != 1])

    def test_with_an_axis_only_that_one_goes(self, impl, case):
        """With dim the other axes of size 1 stay."""
        if 1 not in case.x.shape:
            return self.skip
        at = case.x.shape.index(1)
        gone = impl(case, dim=at)
        require_shape(gone, (*case.x.shape[:at], *case.x.shape[at + 1 :]))
        return tensors.unsqueeze(gone, at), case.x

    def test_order_is_kept(self, impl, case):
        """Written row by row the elements are those of x."""
        return impl(case).reshape(-1), case.x.reshape(-1)

    def test_published_shapes(self, impl):
        """(1, 3, 1, 4) becomes (3, 4), (3, 1, 4) and (1, 3, 4)."""
        given, expected = published.NOTE_001_SQUEEZE
        for dim, shape in expected.items():
            require_shape(impl.call(x=torch.ones(given), dim=dim), shape, f"with dim={dim} the result")


class TestCat(Spec):
    component = tensors.cat
    cases = domains.cat
    differentiable = ("tensors",)
    declines = MOVED
    invalid = (
        Invalid(ValueError, "no tensor", tensors=[], dim=0),
        Invalid(ValueError, "another size along another axis", tensors=[ones(2, 3), ones(2, 4)], dim=0),
        Invalid(ValueError, "sizes that only broadcast", tensors=[ones(2, 3), ones(2, 1)], dim=0),
        Invalid(ValueError, "another number of axes", tensors=[ones(2, 3), ones(3)], dim=0),
        Invalid(ValueError, "an empty tensor with another number of axes", tensors=[ones(2, 3), zeros(0)], dim=0),
        Invalid(IndexError, "an axis beyond the last", tensors=[ones(2, 3), ones(2, 3)], dim=2),
    )
    edges = (
        dict(tensors=[zeros(0, 3), zeros(0, 3)], dim=1),
        dict(tensors=[zeros(2, 0), ones(2, 3)], dim=-1),
        dict(tensors=[ones(1, 1)], dim=0),
    )

    def test_split_undoes_it(self, impl, case):
        """Split at the sizes of its parts it gives the parts back, in order."""
        sizes = [x.shape[case.dim] for x in case.tensors]
        joined = impl(case)
        require(joined.shape[case.dim] == sum(sizes), f"axis {case.dim} has size {joined.shape[case.dim]}")
        return tuple(joined.split(sizes, case.dim)), tuple(case.tensors)

    def test_in_several_steps(self, impl, case):
        """Joining the first with the rest joined gives the same."""
        rest = impl(case, tensors=case.tensors[1:]) if len(case.tensors) > 1 else case.tensors[0].narrow(case.dim, 0, 0)
        return impl(case, tensors=[case.tensors[0], rest]), impl(case)

    def test_nothing_adds_nothing(self, impl, case):
        """A part without elements along the axis changes nothing."""
        nothing = case.tensors[0].narrow(case.dim, 0, 0)
        return impl(case, tensors=[nothing, *case.tensors, nothing]), impl(case)

    def test_published_shape(self, impl):
        """(2, 3, 5) and (2, 2, 5) joined along axis 1 are (2, 5, 5)."""
        given, dim, expected = published.NOTE_001_CAT
        require_shape(impl.call(tensors=[torch.ones(shape) for shape in given], dim=dim), expected)


class TestStack(Spec):
    component = tensors.stack
    cases = domains.stack
    differentiable = ("tensors",)
    declines = MOVED
    prerequisites = ("cat", "unsqueeze")
    invalid = (
        Invalid(ValueError, "no tensor", tensors=[], dim=0),
        Invalid(ValueError, "another size", tensors=[ones(2, 3), ones(3, 3)], dim=0),
        Invalid(ValueError, "shapes that only broadcast", tensors=[ones(2, 3), ones(3)], dim=0),
        Invalid(IndexError, "an axis beyond the new last", tensors=[ones(2), ones(2)], dim=2),
    )
    edges = (
        dict(tensors=[zeros(0, 3), zeros(0, 3)], dim=1),
        dict(tensors=[ones(1, 1)], dim=-1),
        dict(tensors=[torch.tensor(1.0), torch.tensor(2.0)], dim=0),
    )

    def test_is_cat_of_unsqueezed(self, impl, case):
        """It is cat of the tensors with a new axis each."""
        return impl(case), tensors.cat([tensors.unsqueeze(x, case.dim) for x in case.tensors], case.dim)

    def test_taken_apart_gives_the_tensors(self, impl, case):
        """Place k of the new axis is tensor k."""
        return tuple(impl(case).unbind(case.dim)), tuple(case.tensors)

    def test_new_axis_counts_the_tensors(self, impl, case):
        """The new axis stands at dim of the result and has as many places as there are tensors."""
        shape = case.tensors[0].shape
        at = case.dim % (len(shape) + 1)
        require_shape(impl(case), (*shape[:at], len(case.tensors), *shape[at:]))


class TestBroadcastShapes(Spec):
    component = tensors.broadcast_shapes
    cases = domains.broadcast_shapes
    invalid = (
        Invalid(ValueError, "sizes that differ", sizes=[(2, 3), (2,)]),
        Invalid(ValueError, "none beside two", sizes=[(0,), (2,)]),
        Invalid(ValueError, "the third that goes with neither", sizes=[(2, 1), (1, 3), (4, 1)]),
        Invalid(ValueError, "a negative size", sizes=[(-1, 2)]),
    )
    edges = (dict(sizes=[]), dict(sizes=[()]), dict(sizes=[(0,), (1,)]), dict(sizes=[(), (1, 1)]))

    def test_equals_numpy(self, impl, case):
        """The common shape is NumPy's."""
        expected = np.broadcast_shapes(*case.sizes)
        require(tuple(impl(case)) == expected, f"the result is {tuple(impl(case))}, expected {expected}")

    def test_refused_where_numpy_refuses(self, impl, case):
        """With one size one larger, it is refused exactly where NumPy refuses."""
        for k, shape in enumerate(case.sizes):
            for axis in range(len(shape)):
                changed = [*case.sizes[:k], (*shape[:axis], shape[axis] + 1, *shape[axis + 1 :]), *case.sizes[k + 1 :]]
                try:
                    expected = np.broadcast_shapes(*changed)
                except ValueError:
                    require(refuses(impl, sizes=changed), f"accepts {changed}")
                    continue
                found = tuple(impl.call(sizes=changed))
                require(found == expected, f"of {changed} the result is {found}, expected {expected}")

    def test_order_does_not_matter(self, impl, case):
        """The shapes may come in any order."""
        return impl(case, sizes=case.sizes[::-1]), impl(case)

    def test_pair_by_pair(self, impl, case):
        """The first shape with the common one of the others gives the same."""
        return impl(case, sizes=[case.sizes[0], impl(case, sizes=case.sizes[1:])]), impl(case)

    def test_ones_and_nothing_change_nothing(self, impl, case):
        """A shape without sizes, a size of 1 and the common shape itself add nothing."""
        once = impl(case)
        return impl(case, sizes=[(), *case.sizes, once]), once
