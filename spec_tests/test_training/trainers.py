"""What must hold for everything that trains: it learns, by the seed alone, and a stop in between leaves no trace."""

import math
import os
import pickle
import shutil
import tempfile
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from lawbook.fixtures.cases.kit import Case
from lawbook.fixtures.cases.training_tasks import remembered
from lawbook.fixtures.implementation import Raised
from lawbook.fixtures.tree import floating, values
from lawbook.fixtures.trial import Trial
from lawbook.reference.modules import load_parameters
from lawbook.spec_tests.chance import ALARM
from lawbook.spec_tests.spec import Spec, require
from lawbook.spec_tests.universal import UniversalLaws

Model = Callable[..., Any]
Trained = tuple[Model, Tensor]

SHORT = 3
"""Epochs of trainings that are interrupted, resumed and compared to the last bit: they need not have learned."""


class Interrupted(KeyboardInterrupt):
    """Ctrl-C, told from that of a person at the keyboard."""


class Trap:
    """What unpickling it runs: it leaves a file behind."""

    def __init__(self, path: str):
        self.path = path

    def __reduce__(self) -> Any:
        return open, (self.path, "w")


class Watched:
    """An on_epoch that writes down what it is told, keeps a copy of the checkpoint of that moment, and stops in time."""

    def __init__(self, checkpoint: str | None = None, stop: int | None = None):
        self.checkpoint = checkpoint
        self.stop = stop
        self.told: list[tuple[Any, Any]] = []
        self.copies: list[str] = []

    def __call__(self, epoch: Any, loss: Any) -> None:
        self.told.append((epoch, loss))
        if self.checkpoint is not None:
            require(os.path.exists(self.checkpoint), f"when on_epoch hears of epoch {epoch} there is no checkpoint yet")
            self.copies.append(f"{self.checkpoint}.after-{len(self.told)}")
            shutil.copyfile(self.checkpoint, self.copies[-1])
        if self.stop is not None and len(self.told) == self.stop:
            raise Interrupted


class Trainer(Spec):
    """A trained component. What is to be said about its task stands in the methods that a subclass gives.

    Class attributes:
        promised: the score on held-out data that it must reach.
        falls_to: the share of the first epoch's loss that the last one's must be below.
    """

    cost = 12
    promised: float
    falls_to: float = 0.75
    declines = {
        "agrees_with_reference": "which network is trained, and how, is not in the contract: 'learns the task' judges it",
        "shape_and_dtype": "the result is a model: 'the model's answers have the contract's form' looks at what it says",
        "repeated_calls_agree": "'the same seed gives the same result' says it of models",
        "memory_layout": "sums in another order are rounded otherwise, and training makes another model of that",
        "no_aliasing": "a model is a function: what it keeps cannot be seen",
        "low_precision": "a training's result in few bits has no truth to be compared with",
        "extremes_stay_finite": "which inputs a network still learns from is not in the contract",
        "nan_not_hidden": "what a network makes of a nan is not in the contract",
        "edge_sizes": "models are compared by what they score: 'one sample is enough' covers the least data",
        "accelerator_agrees": "devices sum in other orders, and training makes another model of that",
    }

    def answers(self, model: Model, case: Case) -> Any:
        """What the model says of some held-out data."""
        raise NotImplementedError

    def beside(self, model: Model, case: Case) -> tuple[Any, Any]:
        """What it says of the same samples twice, in batches of one size, beside other samples the second time."""
        raise NotImplementedError

    def require_form(self, found: Any, case: Case) -> None:
        """Require that ``answers`` have the shapes, dtypes and properties of the contract."""
        raise NotImplementedError

    def score(self, model: Model, case: Case) -> float:
        """How well the model does on held-out data."""
        raise NotImplementedError

    def hopeless(self, case: Case) -> Case:
        """The same with nothing in it to be learned."""
        raise NotImplementedError

    def luck(self, model: Model, case: Case) -> tuple[float, float, int]:
        """Of a hopeless case: a held-out score within 0..1, its expectation for any model, and the number it is a mean of."""
        raise NotImplementedError

    def blind_loss(self, case: Case) -> tuple[float, int]:
        """Of a hopeless case: the least loss to be expected before anything is known, and the number of losses an epoch."""
        raise NotImplementedError

    def other(self, case: Case) -> Case:
        """Another task of the same form."""
        raise NotImplementedError

    def least(self, case: Case) -> Case:
        """As little data as the contract allows."""
        raise NotImplementedError

    def trained(self, impl: Trial, case: Case, label: str) -> Trained:
        """The result of a training that several laws look at; ``label`` tells a case's trainings apart."""
        # A script that reproduces a failure calls the function itself, and not a trial of it.
        key = (getattr(impl, "_function", impl), self.name, case.seed, case.dtype, label)
        return remembered(key, lambda: self.result(impl, case))

    def result(self, impl: Trial, case: Case, **changes: Any) -> Trained:
        """Model and history of a training, in the form of the contract."""
        found = impl(case, **changes)
        require(isinstance(found, tuple) and len(found) == 2, f"the result is {type(found).__name__}, expected a pair")
        model, history = found
        require(callable(model), f"the model is {type(model).__name__}, expected a function")
        return model, history

    def brief(self, impl: Trial, case: Case) -> Trained:
        """A training of few epochs without a checkpoint, and without anyone watching."""
        return self.trained(impl, case.but(epochs=SHORT), "brief")

    def require_same(self, got: Trained, expected: Trained, case: Case, what: str) -> None:
        """Require two results to be the same to the last bit."""
        require(
            equal(got[1], expected[1]),
            f"{what} the history is {_shown(got[1])}, expected {_shown(expected[1])} to the last bit",
        )
        same = equal(self.answers(got[0], case), self.answers(expected[0], case))
        require(same, f"{what} the model answers otherwise, though the histories are the same")

    def test_inputs_unmodified(self, impl: Trial, case: Case) -> Any:
        """The data is as it was after the training."""
        return UniversalLaws.test_inputs_unmodified(self, impl, case.but(epochs=1))

    def test_global_state(self, impl: Trial, case: Case) -> Any:
        """Random generators, default dtype and device, grad mode, thread count and the like are left as found."""
        return UniversalLaws.test_global_state(self, impl, case.but(epochs=1))

    def test_learns_the_task(self, impl: Trial, case: Case) -> None:
        """On data that it never saw the model does as well as promised."""
        found = self.score(self.trained(impl, case, "whole")[0], case)
        require(found >= self.promised, f"the score on held-out data is {found:.3f}, expected {self.promised} at least")

    def test_history_falls(self, impl: Trial, case: Case) -> None:
        """The history is one finite number in float64 for every epoch, and the loss falls."""
        history = self.trained(impl, case, "whole")[1]
        require(isinstance(history, Tensor), f"the history is {type(history).__name__}, expected a tensor")
        form = (history.dtype, tuple(history.shape))
        require(form == (torch.float64, (case.epochs,)), f"the history is {form}, expected float64 ({case.epochs},)")
        require(history.isfinite().all(), f"the history is {_shown(history)}")
        first, last = float(history[0]), float(history[-1])
        require(last < self.falls_to * first, f"the loss is {first:.4g} at first and {last:.4g} at last")

    def test_nothing_is_learned_where_there_is_nothing(self, impl: Trial, case: Case) -> None:
        """Where the answers are random, a model is right as often as chance is, and the first epoch's loss no lower."""
        hopeless = self.hopeless(case).but(epochs=SHORT)
        model, history = self.trained(impl, hopeless, "hopeless")
        found, expected, count = self.luck(model, hopeless)
        # Hoeffding's inequality: the mean of as many numbers within 0..1.
        limit = expected + math.sqrt(math.log(1 / ALARM) / (2 * count))
        require(found <= limit, f"of random answers {found:.3f} are right, chance allows {limit:.3f}")
        # For any model Π (probability of what came) · (number of answers) has the mean 1: Markov's inequality.
        loss, count = self.blind_loss(hopeless)
        least, first = loss - math.log(1 / ALARM) / count, float(history[0])
        require(
            first >= least, f"the first loss is {first:.4f} for random answers, chance allows no less than {least:.4f}"
        )

    def test_same_seed_same_result(self, impl: Trial, case: Case) -> None:
        """The same call gives the same history and the same model to the last bit, whatever the global generators' state."""
        expected = self.brief(impl, case)
        state = torch.get_rng_state()
        try:
            torch.manual_seed(case.seed % 1000)
            found = self.result(impl, case, epochs=SHORT)
        finally:
            torch.set_rng_state(state)
        self.require_same(found, expected, case, "with the same seed again")

    def test_another_seed_is_another_model(self, impl: Trial, case: Case) -> None:
        """Another seed leads to another history and another model."""
        model, history = self.brief(impl, case)
        other, others = self.result(impl, case, epochs=SHORT, seed=case["seed"] + 1)
        require(not equal(history, others), f"with another seed the history is the very same, {_shown(history)}")
        # Answers in whole numbers may be the same from models that have hardly begun.
        answers, different = self.answers(model, case), self.answers(other, case)
        same = bool(floating(answers)) and equal(answers, different)
        require(not same, "with another seed the model answers the very same")

    def test_model_is_in_evaluation_mode(self, impl: Trial, case: Case) -> None:
        """The model says the same every time, whatever stands beside a sample in its batch, and holds no graph."""
        model, _ = self.trained(impl, case, "whole")
        first = self.answers(model, case)
        require(equal(first, self.answers(model, case)), "asked the same twice, the model answers otherwise")
        held = [leaf for leaf in values(first) if isinstance(leaf, Tensor) and leaf.requires_grad]
        require(not held, "the model's answers require a gradient: they hold a graph")
        alone, beside = self.beside(model, case)
        require(equal(alone, beside), "what the model says of a sample depends on the others in its batch")

    def test_answers_have_the_form_of_the_contract(self, impl: Trial, case: Case) -> None:
        """The model's answers have the shapes and dtypes, and are of the kind, that the contract says."""
        self.require_form(self.answers(self.brief(impl, case)[0], case), case)

    def test_on_epoch_hears_of_every_epoch(self, impl: Trial, case: Case) -> None:
        """on_epoch is called once after each epoch, 0, 1, …, with the loss that the history has, and changes nothing."""
        watched = Watched()
        result = self.result(impl, case, epochs=SHORT, on_epoch=watched)
        epochs, losses = [epoch for epoch, _ in watched.told], [loss for _, loss in watched.told]
        require(epochs == list(range(SHORT)), f"it hears of the epochs {epochs}, expected {list(range(SHORT))}")
        require(all(type(loss) is float for loss in losses), f"the losses are {losses}, expected Python floats")
        require(losses == result[1].tolist(), f"it hears of the losses {losses}, the history is {_shown(result[1])}")
        self.require_same(result, self.brief(impl, case), case, "with an on_epoch")

    def test_checkpoint_changes_nothing(self, impl: Trial, case: Case) -> None:
        """With a checkpoint the result is the same, and beside the one file, in the safetensors format, nothing is left."""
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "checkpoint")
            result = self.result(impl, case, epochs=SHORT, checkpoint=path)
            left = sorted(os.listdir(folder))
            require(left == ["checkpoint"], f"the folder holds {left} afterwards, expected the checkpoint alone")
            try:
                load_parameters(path)
            except ValueError as error:
                require(False, f"the checkpoint is not in the safetensors format: {error}")
        self.require_same(result, self.brief(impl, case), case, "with a checkpoint")

    def test_interrupted_and_resumed(self, impl: Trial, case: Case) -> None:
        """What on_epoch raises reaches the caller; the same call again goes on, and ends as if nothing had happened."""
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "checkpoint")
            self.interrupt(impl, case, path, 1)
            rest = Watched()
            resumed = self.result(impl, case, epochs=SHORT, checkpoint=path, on_epoch=rest)
        epochs = [epoch for epoch, _ in rest.told]
        require(
            epochs == list(range(1, SHORT)), f"after epoch 0 it goes on with {epochs}, expected the epochs behind it"
        )
        self.require_same(resumed, self.brief(impl, case), case, "interrupted and resumed")

    def test_killed_after_any_epoch(self, impl: Trial, case: Case) -> None:
        """The file as it is when on_epoch hears of an epoch is all that is needed to go on, wherever it was moved."""
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "checkpoint")
            watched = Watched(path)
            self.result(impl, case, epochs=SHORT, checkpoint=path, on_epoch=watched)
            require(len(watched.copies) == SHORT, f"on_epoch is called {len(watched.copies)} times in {SHORT} epochs")
            for after, there in list(enumerate(watched.copies, 1))[1:]:
                resumed = self.result(impl, case, epochs=SHORT, checkpoint=there)
                self.require_same(resumed, self.brief(impl, case), case, f"from the file after {after} epochs on")

    def test_checkpoint_is_replaced_as_a_whole(self, impl: Trial, case: Case) -> None:
        """No state is written over the one before: an earlier file that also goes by another name stays what it was."""
        with tempfile.TemporaryDirectory() as folder:
            path, other = os.path.join(folder, "checkpoint"), os.path.join(folder, "other name")
            self.interrupt(impl, case, path, 1)
            before = content_of(path)
            os.link(path, other)
            self.result(impl, case, epochs=SHORT, checkpoint=path)
            require(content_of(path) != before, "the checkpoint is that of the first epoch still")
            require(
                content_of(other) == before,
                "later epochs are written over the file of the first: a stop amid writing would leave neither",
            )

    def test_going_on_to_more_epochs(self, impl: Trial, case: Case) -> None:
        """A training of one epoch that goes on to more is the same as one of so many at once; back it cannot go."""
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "checkpoint")
            self.result(impl, case, epochs=1, checkpoint=path)
            longer = self.result(impl, case, epochs=SHORT, checkpoint=path)
            self.require_refused(impl, case.but(epochs=1), path, f"that has seen {SHORT} epochs for a training of one")
        self.require_same(longer, self.brief(impl, case), case, "first one epoch and then on")

    def test_checkpoint_of_another_task_is_refused(self, impl: Trial, case: Case) -> None:
        """A checkpoint of other data or of another seed is refused, and left as it is."""
        brief, other = case.but(epochs=1), self.other(case).but(epochs=1)
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "checkpoint")
            self.result(impl, brief, checkpoint=path)
            self.require_refused(impl, other.but(epochs=2), path, "of other data")
            self.require_refused(impl, brief.but(epochs=2, seed=case["seed"] + 1), path, "of another seed")

    def test_damaged_checkpoint_is_refused(self, impl: Trial, case: Case) -> None:
        """A file that is cut off, empty, or has a wrong byte is refused, and left as it is; nothing in it is ever run."""
        with tempfile.TemporaryDirectory() as folder:
            path, marker = os.path.join(folder, "checkpoint"), os.path.join(folder, "marker")
            self.result(impl, case, epochs=1, checkpoint=path)
            whole = content_of(path)
            wrong = bytearray(whole)
            wrong[len(whole) * 3 // 4] ^= 0x10
            torch.save({"params": Trap(marker)}, path)
            zipped = content_of(path)
            for what, content in {
                "that is cut in half": whole[: len(whole) // 2],
                "that lacks its last byte": whole[:-1],
                "that is empty": b"",
                "with one bit wrong": bytes(wrong),
                "that is a pickle": pickle.dumps({"params": Trap(marker)}),
                "that torch.save wrote": zipped,
            }.items():
                with open(path, "wb") as file:
                    file.write(content)
                self.require_refused(impl, case.but(epochs=2), path, what)
                require(not os.path.exists(marker), f"what a file {what} holds was run")

    def test_one_sample_is_enough(self, impl: Trial, case: Case) -> None:
        """The least data there can be is trained on, with a finite history and a model that answers."""
        least = self.least(case).but(epochs=2)
        model, history = self.result(impl, least)
        require(history.isfinite().all() and len(history) == 2, f"the history is {_shown(history)}")
        self.require_form(self.answers(model, least), least)

    def interrupt(self, impl: Trial, case: Case, path: str, after: int) -> None:
        """Train until on_epoch raises, after so many epochs; require that what it raises comes through."""
        try:
            impl(case, epochs=SHORT, checkpoint=path, on_epoch=Watched(stop=after))
        except Interrupted:
            return
        except Raised as raised:
            if isinstance(raised.error, Interrupted):
                return
            raise
        require(False, "on_epoch raised KeyboardInterrupt, and the caller heard nothing of it")

    def require_refused(self, impl: Trial, case: Case, path: str, what: str) -> None:
        """Require that a call with the checkpoint raises, and leaves the file as it is."""
        before = content_of(path)
        try:
            impl(case, checkpoint=path)
        except Raised as raised:
            if not isinstance(raised.error, Exception):
                raise
        else:
            require(False, f"a checkpoint {what} is taken, expected ValueError (or another exception)")
        require(content_of(path) == before, f"a checkpoint {what} is refused, but the file has changed")


def content_of(path: str) -> bytes:
    """What stands in the checkpoint; it must be there."""
    require(os.path.exists(path), "there is no checkpoint where it was to be written")
    with open(path, "rb") as file:
        return file.read()


def equal(a: Any, b: Any) -> bool:
    """Whether two trees of tensors and numbers are the same to the last bit."""
    if isinstance(a, Tensor):
        return isinstance(b, Tensor) and a.dtype == b.dtype and a.shape == b.shape and torch.equal(a, b)
    if isinstance(a, list | tuple):
        return isinstance(b, list | tuple) and len(a) == len(b) and all(map(equal, a, b))
    return bool(a == b)


def _shown(history: Tensor) -> str:
    return "[" + ", ".join(f"{loss:.6g}" for loss in history.tolist()) + "]"
