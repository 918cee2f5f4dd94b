"""Laws of parameters in files."""

import json
import os
import pickle
import resource
import struct
import tempfile

import torch

from lawbook.fixtures.cases import modules as domains
from lawbook.fixtures.cases.folders import TemporaryFile
from lawbook.fixtures.cases.modules import CODES, bits, packed, stored
from lawbook.fixtures.implementation import Raised
from lawbook.reference import modules
from lawbook.spec_tests.spec import Invalid, Spec, require

DTYPES = {code: dtype for dtype, code in CODES.items()}
STATE = {"weight": torch.arange(6.0).reshape(2, 3), "bias": torch.tensor([1.0, -2.0])}

BOTH = {
    "accelerator_agrees": "files are read and written on the CPU",
    "extremes_stay_finite": "nothing is computed",
}


def read_by_hand(path):
    """The tensors of a file, by the format's description alone."""
    with open(path, "rb") as file:
        content = file.read()
    (length,) = struct.unpack("<Q", content[:8])
    header, data = json.loads(content[8 : 8 + length]), content[8 + length :]
    header.pop("__metadata__", None)
    spans = sorted(entry["data_offsets"] for entry in header.values())
    ends = [0, *(end for _, end in spans)]
    require([begin for begin, _ in spans] == ends[:-1] and ends[-1] == len(data), "the data has gaps or overlaps")

    def tensor(entry):
        begin, end = entry["data_offsets"]
        dtype = DTYPES[entry["dtype"]]
        flat = torch.frombuffer(bytearray(data[begin:end]), dtype=dtype) if end > begin else torch.empty(0, dtype=dtype)
        return flat.reshape(entry["shape"])

    return {name: tensor(entry) for name, entry in header.items()}


def require_same(got, expected, what):
    """Require the very same names, shapes, dtypes and bits."""
    require(set(got) == set(expected), f"{what} holds {sorted(got)}, expected {sorted(expected)}")
    for name, tensor in expected.items():
        found = got[name]
        same_form = (found.shape, found.dtype) == (tensor.shape, tensor.dtype)
        require(same_form, f"{what}: {name} is {found.dtype} {tuple(found.shape)}")
        require(torch.equal(bits(found), bits(tensor)), f"{what}: the bits of {name} are others")


def refuses(impl, **arguments):
    """Whether the call raises an ordinary exception."""
    try:
        impl.call(**arguments)
    except Raised as raised:
        if not isinstance(raised.error, Exception):
            raise
        return True
    return False


def content_of(path):
    with open(path, "rb") as file:
        return file.read()


class TestSaveParameters(Spec):
    component = modules.save_parameters
    cases = domains.save_parameters
    declines = BOTH | {
        "nan_not_hidden": "the result is a number of elements; 'every bit is kept' includes nan",
        "low_precision": "the result is a number of elements; 'every bit is kept' runs over all dtypes",
    }
    edges = (
        dict(path=TemporaryFile(), state={}),
        dict(path=TemporaryFile(), state={"empty": torch.zeros(0, 3), "one": torch.tensor(2.0)}),
    )
    invalid = (
        Invalid(TypeError, "a number for a tensor", path=TemporaryFile(), state={"a": torch.ones(2), "b": 3.0}),
        Invalid(TypeError, "a name that is no text", path=TemporaryFile(), state={1: torch.ones(2)}),
        Invalid(TypeError, "a list", path=TemporaryFile(), state=[torch.ones(2)]),
        Invalid(TypeError, "complex numbers", path=TemporaryFile(), state={"a": torch.ones(2, dtype=torch.complex128)}),
        Invalid(ValueError, "the format's own name", path=TemporaryFile(), state={"__metadata__": torch.ones(2)}),
        Invalid(OSError, "a folder for a file", path=os.sep, state=dict(STATE)),
        Invalid(OSError, "a folder that is not there", path="/no/such/folder/of/lawbook/file", state=dict(STATE)),
    )

    def test_every_bit_is_kept(self, impl, case):
        """What the format's description reads from the file are the names, shapes, dtypes and bits that were saved."""
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "saved")
            impl(case, path=path)
            require_same(read_by_hand(path), case.state, "the file")

    def test_every_dtype_and_every_number(self, impl):
        """nan, infinities, −0, the extremes of every dtype, an empty tensor and one without axes come back."""
        state = {code: torch.tensor([0, 1, 1], dtype=dtype) for dtype, code in CODES.items()}
        for code in ("F64", "F32", "F16", "BF16"):
            info = torch.finfo(DTYPES[code])
            numbers = [torch.nan, torch.inf, -torch.inf, -0.0, info.max, info.tiny, info.eps]
            state[code] = torch.tensor(numbers, dtype=DTYPES[code])
        for code in ("I64", "I32", "I16", "I8", "U8"):
            info = torch.iinfo(DTYPES[code])
            state[code] = torch.tensor([info.min, info.max, 0], dtype=DTYPES[code])
        state |= {"empty": torch.zeros(0, 3), "scalar": torch.tensor(2.5), 'a "name"\n名': torch.ones(1, 1)}
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "saved")
            impl.call(path=path, state=state)
            require_same(read_by_hand(path), state, "the file")

    def test_layout_does_not_matter(self, impl):
        """Transposed, strided and expanded tensors are saved by their values, in order."""
        x = torch.arange(12.0).reshape(3, 4)
        state = {"t": x.t(), "s": x[:, ::2], "e": torch.tensor([[1.0], [2.0]]).expand(2, 3), "o": x.reshape(-1)[5:]}
        state |= {f"whole {name}": part.to(torch.int32) for name, part in state.items()}
        state |= {"byte": (x > 3).t(), "long": x.long()[:, ::2], "whole t": x.int().t(), "whole s": x.int()[:, ::2]}
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "saved")
            impl.implementation.function("save_parameters")(path=path, state=impl.implementation.to_native(state))
            require_same(read_by_hand(path), {name: part.contiguous() for name, part in state.items()}, "the file")

    def test_counts_what_it_writes(self, impl, case):
        """The result is the number of numbers in all tensors."""
        found = impl(case)
        expected = sum(tensor.numel() for tensor in case.state.values())
        require(found == expected, f"the result is {found}, expected {expected}")

    def test_the_old_file_is_replaced_as_a_whole(self, impl):
        """A shorter state leaves nothing of a longer one that was there."""
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "saved")
            impl.call(path=path, state={"long": torch.ones(500), **STATE})
            impl.call(path=path, state=dict(STATE))
            require_same(read_by_hand(path), STATE, "the second file")
            require(
                os.listdir(folder) == ["saved"], f"the folder holds {sorted(os.listdir(folder))}, expected one file"
            )

    def test_a_refused_state_leaves_the_old_file(self, impl):
        """What is refused for its last entry leaves the file as it was, and no other file beside it."""
        bad = ({**STATE, "z": 3.0}, {**STATE, "z": None}, {**STATE, "z": "text"})
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "saved")
            impl.call(path=path, state=dict(STATE))
            before = content_of(path)
            for state in bad:
                require(refuses(impl, path=path, state=state), f"accepts {state['z']!r} for a tensor")
                require(content_of(path) == before, f"refusing {state['z']!r} changed the file that was there")
            require(
                os.listdir(folder) == ["saved"], f"the folder holds {sorted(os.listdir(folder))}, expected one file"
            )

    def test_a_save_that_fails_half_way_leaves_the_old_file(self, impl):
        """When there is no room, the save raises, the file that was there is whole, and nothing lies beside it."""
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "saved")
            impl.call(path=path, state=dict(STATE))
            before = content_of(path)
            soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
            resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
            try:
                refused = refuses(impl, path=path, state={"large": torch.ones(50_000), **STATE})
            finally:
                resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
            require(refused, "a save for which there is no room does not raise")
            require(os.path.exists(path) and content_of(path) == before, "the file that was there is no longer whole")
            require(
                os.listdir(folder) == ["saved"], f"the folder holds {sorted(os.listdir(folder))}, expected one file"
            )


def entry(dtype="F32", shape=(2,), span=(0, 8), **more):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(span), **more}


EIGHT = bytes(8)
GOOD = stored(STATE)
DAMAGED = {
    "an empty file": b"",
    "three bytes": b"abc",
    "a length and nothing more": struct.pack("<Q", 2),
    "a file that ends within its header": GOOD[:20],
    "a header that is said to be a byte longer than the file": struct.pack("<Q", 3) + b"{}",
    "a file that ends within its data": GOOD[:-1],
    "a byte after its data": GOOD + b"\0",
    "a header longer than the file": struct.pack("<Q", 2**40) + GOOD[8:],
    "a header of 2⁶⁴ − 1 bytes": struct.pack("<Q", 2**64 - 1) + GOOD[8:],
    "a header that is not JSON": packed(b"{not json}", EIGHT),
    "a header that is cut off": packed(b'{"a": {"dtype": "F32"', EIGHT),
    "a header that is a list": packed(b"[1, 2]", EIGHT),
    "a header that is not UTF-8": packed(b'{"\xff": 1}', b""),
    "a header that begins with blanks": packed(b'  {"a": ' + json.dumps(entry()).encode() + b"}", EIGHT),
    "an entry that is a number": packed({"a": 3}, EIGHT),
    "an entry without a shape": packed({"a": {"dtype": "F32", "data_offsets": [0, 8]}}, EIGHT),
    "an unknown dtype": packed({"a": entry(dtype="F31")}, EIGHT),
    "a shape with a fraction": packed({"a": entry(shape=(2.0,))}, EIGHT),
    "a shape with a truth value": packed({"a": entry(shape=(True, 2))}, EIGHT),
    "a shape that is no list": packed({"a": {**entry(span=(0, 4)), "shape": {}}}, bytes(4)),
    "offsets with a truth value": packed({"a": entry(span=(False, 8))}, EIGHT),
    "three offsets": packed({"a": entry(span=(0, 8, 8))}, EIGHT),
    "a negative size": packed({"a": entry(shape=(-1, -2))}, EIGHT),
    "a size that overflows": packed({"a": entry(shape=(2**62, 4), span=(0, 0))}, b""),
    "fewer bytes than the shape takes": packed({"a": entry(shape=(3,))}, EIGHT),
    "offsets backwards": packed({"a": entry(span=(8, 0))}, EIGHT),
    "offsets beyond the file": packed({"a": entry(span=(8, 16))}, EIGHT),
    "negative offsets": packed({"a": entry(span=(-8, 0))}, EIGHT),
    "tensors that overlap": packed({"a": entry(), "b": entry(span=(4, 12))}, bytes(12)),
    "two tensors in one place": packed({"a": entry(), "b": entry()}, EIGHT),
    "a gap between tensors": packed({"a": entry(), "b": entry(span=(12, 20))}, bytes(20)),
    "data that nothing describes": packed({}, EIGHT),
    "a name that appears twice": packed(
        b'{"a": %b, "a": %b}' % (json.dumps(entry()).encode(), json.dumps(entry(span=(8, 16))).encode()), bytes(16)
    ),
    "metadata that is no text": packed({"__metadata__": {"format": 3}, "a": entry()}, EIGHT),
    "a pickle": pickle.dumps({"a": [1.0, 2.0]}),
}


class Marker:
    """What a malicious pickle does: it makes a folder when it is read."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (self.path,)


class TestLoadParameters(Spec):
    component = modules.load_parameters
    cases = domains.load_parameters
    declines = BOTH | {
        "memory_layout": "no argument is a tensor",
        "low_precision": "no argument is a tensor; the files hold every dtype",
        "nan_not_hidden": "no argument is a tensor; 'every bit comes back' includes nan",
        "no_aliasing": "no argument is a tensor; 'what was loaded stays' judges the file's memory",
    }
    edges = (
        dict(path=TemporaryFile(stored({}), "no tensors")),
        dict(path=TemporaryFile(packed({}, b"", 1), "no tensors, header of two bytes"), expected={}),
        dict(path=TemporaryFile(stored({"a": torch.zeros(0, 3), "b": torch.tensor(1.0)}), "a (0, 3), b ()")),
    )
    invalid = (
        *(Invalid(ValueError, what, path=TemporaryFile(content, what)) for what, content in DAMAGED.items()),
        Invalid(OSError, "a file that is not there", path=TemporaryFile()),
        Invalid(OSError, "a folder", path=os.sep),
        Invalid(ValueError, "a file that lacks a name", path=TemporaryFile(GOOD), expected={"a": (1,), "bias": (2,)}),
        Invalid(
            ValueError,
            "a missing name",
            path=TemporaryFile(GOOD, "weight, bias"),
            expected={"weight": (2, 3), "bias": (2,), "scale": (2,)},
        ),
        Invalid(ValueError, "a surplus name", path=TemporaryFile(GOOD, "weight, bias"), expected={"weight": (2, 3)}),
        Invalid(
            ValueError,
            "a transposed shape",
            path=TemporaryFile(GOOD, "weight (2, 3), bias"),
            expected={"weight": (3, 2), "bias": (2,)},
        ),
        Invalid(
            ValueError,
            "a shape with an axis more",
            path=TemporaryFile(GOOD, "weight (2, 3), bias (2,)"),
            expected={"weight": (2, 3), "bias": (1, 2)},
        ),
    )

    def test_every_bit_comes_back(self, impl):
        """nan, infinities, −0 and the extremes of every dtype are what was stored."""
        state = {}
        for dtype, code in CODES.items():
            numbers = (
                [1, 0, 1] if not dtype.is_floating_point else [torch.nan, -torch.inf, -0.0, torch.finfo(dtype).tiny]
            )
            state[code] = torch.tensor(numbers, dtype=dtype)
        path = TemporaryFile(stored(state), "every dtype")
        require_same(impl.call(path=path), state, "what was loaded")

    def test_what_is_saved_is_loaded(self, impl, case):
        """The reference's file of the same tensors gives the same tensors: it reads what others write."""
        with tempfile.TemporaryDirectory() as folder:
            state = read_by_hand(case.path)
            path = os.path.join(folder, "saved")
            modules.save_parameters(path, state)
            require_same(impl(case, path=path), state, "what was loaded")

    def test_loading_leaves_the_file(self, impl, case):
        """The file's bytes are the same afterwards, and nothing lies beside it."""
        before = content_of(case.path)
        # A file of this call's own: what one implementation does to it must not be laid to another's charge.
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "saved")
            with open(path, "wb") as file:
                file.write(before)
            impl(case, path=path)
            require(content_of(path) == before, "loading changed the file")
            require(
                os.listdir(folder) == ["saved"], f"the folder holds {sorted(os.listdir(folder))}, expected one file"
            )

    def test_loading_runs_no_code(self, impl):
        """A pickle that would make a folder is refused, as it is and in torch's own archive, and the folder is not made."""
        with tempfile.TemporaryDirectory() as folder:
            made, path = os.path.join(folder, "made"), os.path.join(folder, "saved")
            with open(path, "wb") as file:
                pickle.dump({"weight": Marker(made)}, file)
            refused = [refuses(impl, path=path)]
            require(not os.path.exists(made), "the pickle ran when it was loaded")
            torch.save({"weight": Marker(made)}, path)
            refused.append(refuses(impl, path=path))
            require(not os.path.exists(made), "the pickle in the archive ran when it was loaded")
            require(all(refused), f"refused: the pickle {refused[0]}, the archive {refused[1]}; expected both")

    def test_what_was_loaded_stays(self, impl):
        """Tensors keep their values when the file is overwritten, and can be written to."""
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "saved")
            large = {"w": torch.arange(5000.0)}
            for content in (stored(large), stored({"w": torch.zeros(5000)})):
                if os.path.exists(path):
                    found = impl.call(path=path)["w"]
                with open(path, "wb") as file:
                    file.write(content)
            require(torch.equal(found, large["w"]), "overwriting the file changed what was loaded from it")
            found += 1
            require(bool((read_by_hand(path)["w"] == 0).all()), "writing to a loaded tensor changed the file")

    def test_expected_names_in_any_order(self, impl):
        """The shapes may be given in any order; with the right ones everything is loaded."""
        expected = {"bias": (2,), "weight": (2, 3)}
        for shapes in (expected, dict(reversed(expected.items())), None):
            require_same(impl.call(path=TemporaryFile(GOOD), expected=shapes), STATE, "what was loaded")
