"""Batches of sequences of unequal length."""

import torch

from lawbook.fixtures.cases import seq2seq as domains
from lawbook.fixtures.published import seq2seq as published
from lawbook.reference import seq2seq
from lawbook.spec_tests.spec import Batch, Invalid, Spec, require, skip_case
from lawbook.spec_tests.test_seq2seq.laws import NO_TENSORS, ramp, within


class TestTruncatePad(Spec):
    component = seq2seq.truncate_pad
    cases = domains.truncate_pad
    declines = NO_TENSORS
    edges = (dict(line=[], num_steps=0, pad=0), dict(line=[], num_steps=2, pad=1), dict(line=[5], num_steps=1, pad=0))
    invalid = (
        Invalid(ValueError, "a negative length", line=[1, 2], num_steps=-1, pad=0),
        Invalid(TypeError, "half a step", line=[1, 2], num_steps=1.5, pad=0),
    )

    def test_length_is_num_steps(self, impl, case):
        """The result has as many items as were asked for."""
        found = list(impl(case))
        require(len(found) == case.num_steps, f"{found} has {len(found)} items, expected {case.num_steps}")

    def test_items_stay_and_padding_follows(self, impl, case):
        """The line's first items come first, in order; all others are padding."""
        found, line = list(impl(case)), case.line
        kept = min(len(line), case.num_steps)
        require(found[:kept] == line[:kept], f"{found} does not begin with {line[:kept]}")
        require(all(item == case.pad for item in found[kept:]), f"{found} has more than padding after {kept} items")

    def test_twice_is_once(self, impl, case):
        """Brought to that length again nothing changes."""
        once = list(impl(case))
        require(list(impl(case, line=once)) == once, "a second time gives another line")

    def test_given_line_is_left_alone(self, impl, case):
        """The line is not changed, and the result is a list of its own."""
        line = list(case.line)
        found = impl.call_with({**case.arguments, "line": line, "num_steps": len(line)})[0]
        require(found is not line, "the result is the line itself")
        require(line == case.line, f"the line became {line}")


def _vocab(**more):
    return {"<pad>": 1, "<eos>": 3, "a": 4, "b": 5, **more}


class TestBuildArrays(Spec):
    component = seq2seq.build_arrays
    cases = domains.build_arrays
    declines = NO_TENSORS
    edges = (
        dict(lines=[], vocab=domains.VOCAB, num_steps=3),
        dict(lines=[[]], vocab=domains.VOCAB, num_steps=1),
        dict(lines=[["a"]], vocab=_vocab(), num_steps=1),
    )
    invalid = (
        Invalid(ValueError, "an unknown token without <unk>", lines=[["z"]], vocab=_vocab(), num_steps=3),
        Invalid(ValueError, "a vocabulary without <eos>", lines=[["a"]], vocab={"<pad>": 1, "a": 4}, num_steps=3),
        Invalid(ValueError, "no step", lines=[], vocab=_vocab(), num_steps=0),
        Invalid(ValueError, "no step for a line", lines=[["a"]], vocab=_vocab(), num_steps=0),
        Invalid(ValueError, "a vocabulary without both, and no line", lines=[], vocab={"a": 4}, num_steps=3),
        Invalid(ValueError, "a vocabulary without <pad>", lines=[["a"]], vocab={"<eos>": 1, "a": 4}, num_steps=3),
    )
    prerequisites = ("truncate_pad",)

    def test_end_follows_the_line(self, impl, case):
        """Each row holds its tokens, then the end of the sequence, then padding, as far as there is room."""
        array, _ = impl(case)
        unknown = case.vocab["<unk>"]
        for row, line in zip(array.tolist(), case.lines, strict=True):
            whole = [case.vocab.get(token, unknown) for token in line] + [case.vocab["<eos>"]]
            whole += [case.vocab["<pad>"]] * case.num_steps
            require(row == whole[: case.num_steps], f"{line} became {row}, expected {whole[: case.num_steps]}")

    def test_length_counts_the_end_and_is_capped(self, impl, case):
        """The valid length is that of the line and its end, and no more than the row has."""
        found = impl(case)[1].tolist()
        expected = [min(len(line) + 1, case.num_steps) for line in case.lines]
        require(found == expected, f"the lengths are {found}, expected {expected}")

    def test_padding_in_a_line_counts(self, impl, case):
        """A line that itself holds <pad> is as long as it is."""
        lines = [["<pad>", *line, "<pad>"] for line in case.lines]
        found = impl(case, lines=lines, num_steps=20)[1].tolist()
        expected = [len(line) + 3 for line in case.lines]
        require(found == expected, f"the lengths are {found}, expected {expected}")

    def test_more_steps_only_add_padding(self, impl, case):
        """With two steps more, rows that were not cut are the same with padding behind."""
        narrow, lens = impl(case)
        wide, more = impl(case, num_steps=case.num_steps + 2)
        require(torch.equal(wide[:, : case.num_steps], narrow), "the first steps are others")
        whole = lens < case.num_steps
        require(torch.equal(more[whole], lens[whole]), "lengths of lines that were not cut changed")
        require((wide[whole][:, -2:] == case.vocab["<pad>"]).all(), "there is more than padding behind")


class TestTeacherForcingInput(Spec):
    component = seq2seq.teacher_forcing_input
    cases = domains.teacher_forcing_input
    declines = {
        "low_precision": "indices have no precision",
        "nan_not_hidden": "indices hold no nan",
        "extremes_stay_finite": "no number is changed",
    }
    edges = (
        dict(target=torch.tensor([[5]]), bos=2),
        dict(target=torch.zeros(0, 3, dtype=torch.int64), bos=2),
    )
    invalid = (
        Invalid(ValueError, "a row instead of a batch", target=torch.tensor([1, 2, 3]), bos=2),
        Invalid(ValueError, "no step", target=torch.zeros(2, 0, dtype=torch.int64), bos=2),
    )

    def batch(self, case):
        return Batch(0, target=0)

    def test_begins_with_bos(self, impl, case):
        """The first column is the beginning of the sequence."""
        require((impl(case)[:, 0] == case.bos).all(), "a row does not begin with bos")

    def test_rest_is_the_target_one_step_late(self, impl, case):
        """Step t reads what the target was at t − 1."""
        found = impl(case)
        require(torch.equal(found[:, 1:], case.target[:, :-1]), "the target is not shifted by one step", got=found)

    def test_last_token_is_never_read(self, impl, case):
        """Another last token changes nothing: it is what is to be found out."""
        target = case.target.clone()
        target[:, -1] += 1
        require(torch.equal(impl(case, target=target), impl(case)), "the last target token is read")


class TestSequenceMask(Spec):
    component = seq2seq.sequence_mask
    cases = domains.sequence_mask
    differentiable = ("x",)
    extremes = domains.sequence_mask_extremes
    edges = (
        dict(x=ramp(1, 1), valid_len=torch.tensor([1])),
        dict(x=ramp(0, 3), valid_len=torch.zeros(0, dtype=torch.int64)),
        dict(x=ramp(2, 0), valid_len=torch.tensor([0, 1])),
        dict(x=ramp(2, 3, 0), valid_len=torch.tensor([0, 5]), value=2),
    )
    invalid = (
        Invalid(ValueError, "lengths for another batch", x=ramp(2, 4), valid_len=torch.tensor([1, 2, 3])),
        Invalid(ValueError, "a row instead of a batch", x=ramp(4), valid_len=torch.tensor([1, 2, 3, 4])),
    )

    def batch(self, case):
        return Batch(0, x=0, valid_len=0)

    def test_inside_is_kept(self, impl, case):
        """Up to its length each row is what it was, bit by bit."""
        inside = within(case.valid_len, case.x.shape[1])
        require(torch.equal(impl(case)[inside], case.x[inside]), "something within the length changed")

    def test_outside_is_the_value(self, impl, case):
        """Beyond its length each row holds the value, whatever axes follow."""
        inside = within(case.valid_len, case.x.shape[1])
        found = impl(case)
        require((found[~inside] == case.value).all(), f"beyond the length there is more than {case.value}", got=found)

    def test_length_zero_and_beyond(self, impl, case):
        """Length 0 replaces the whole row, a length beyond the last step nothing."""
        batch, steps = case.x.shape[:2]
        none, all_ = torch.zeros(batch, dtype=torch.int64), torch.full((batch,), steps + 3)
        require((impl(case, valid_len=none) == case.value).all(), "a row of length 0 is not replaced")
        require(torch.equal(impl(case, valid_len=all_), case.x), "a length beyond the last step changes something")

    def test_twice_is_once(self, impl, case):
        """A second mask changes nothing."""
        once = impl(case)
        require(torch.equal(impl(case, x=once), once), "masked again it is another")

    def test_padding_has_no_gradient(self, impl, case):
        """The gradient is the cotangent within the length, and exactly 0 beyond, where nan may stand."""
        if not case.x.is_floating_point():
            return skip_case
        inside = within(case.valid_len, case.x.shape[1])
        inside = inside.reshape(*inside.shape, *[1] * (case.x.ndim - 2)).expand_as(case.x)
        cotangent = case.noise(case.x.shape, 1)
        x = torch.where(inside, case.x, torch.nan)
        grads = impl.vjp(case, cotangent, ("x",), x=x)[1]["x"]
        require(torch.equal(grads, torch.where(inside, cotangent, 0)), "the gradient is not the mask", got=grads)

    def test_published_example(self, impl):
        """Two rows of three, one and two of which count: the textbook's result."""
        found = impl.call(x=torch.tensor(published.ROWS), valid_len=torch.tensor(published.ROW_LENGTHS))
        require(found.tolist() == published.MASKED_ROWS, f"{found.tolist()} is not the printed {published.MASKED_ROWS}")
