"""Train what chapter training trains, on tasks that take a minute: docs/training.md tells what they reach.

python examples/train.py digits|stories|dates|gaps [--epochs N] [--seed 0] [--layers reference|torch] [--checkpoint FILE]
                         [--curve FILE] [--logs FOLDER]

digits    scikit-learn's 1,797 handwritten digits, 500 of them held out                       train_classifier
stories   sentences that a small grammar makes up, letter by letter                           train_language_model
dates     "the 3rd of march, 1987" → "1987-03-03", days that were not trained on              train_seq2seq
gaps      a word of the stories' sentences is hidden, and found from those around it          train_bert

The detector has an example of its own, examples/detection.py.

Ctrl-C leaves the checkpoint of the last finished epoch, and the same command goes on from it. Everything but digits is made up
here; nothing is downloaded.
"""

import argparse
import datetime
import importlib
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from torch import Generator, Tensor

from lawbook.reference import training
from lawbook.reference.seq2seq import bleu

Model = Callable[..., Any]
LAYERS = {
    "reference": ("lawbook.reference.training",),
    "torch": tuple(
        f"lawbook.fixtures.adapters.torch.{name}"
        for name in ("trainers", "trainers_of_sequences", "trainers_of_sights")
    ),
}


@dataclass(frozen=True)
class Task:
    """What is trained on what, and how it is looked at afterwards.

    Args:
        trainer: the component's name.
        epochs: how many are usual.
        data: its arguments, without epochs, seed, checkpoint and on_epoch.
        judge: model → what it scores on data that was held out, by name, and something to read.
    """

    trainer: str
    epochs: int
    data: dict[str, Any]
    judge: Callable[[Model], tuple[dict[str, float], str]]


def digits() -> Task:
    """Handwritten digits of 8×8 pixels."""
    from sklearn.datasets import load_digits

    pictures, labels = (torch.from_numpy(part) for part in load_digits(return_X_y=True))
    order = torch.randperm(len(labels), generator=Generator().manual_seed(0))
    train, test = order[500:], order[:500]
    pictures = pictures.float()

    def judge(model: Model) -> tuple[dict[str, float], str]:
        found = model(pictures[test]).argmax(1)
        wrong = (found != labels[test]).nonzero()[:, 0][:6].tolist()
        pairs = ", ".join(f"{int(labels[test][k])} taken for {int(found[k])}" for k in wrong)
        return {"share of held-out digits that are right": float((found == labels[test]).double().mean())}, pairs

    data = {"X": pictures[train], "y": labels[train].long(), "classes": 10}
    return Task("train_classifier", 30, data, judge)


WORDS = {
    "one": ["a fox", "the old heron", "my sister", "the baker", "a quiet child", "the night train"],
    "many": ["two foxes", "the herons", "my brothers", "the bakers", "some children", "the boats"],
    "walks": ["walks", "runs", "comes home", "goes away", "waits"],
    "walk": ["walk", "run", "come home", "go away", "wait"],
    "where": [
        "to the river",
        "through the rain",
        "behind the mill",
        "before dawn",
        "without a word",
        "after the storm",
    ],
    "saying": ["and sings of the sea", "and is not seen again", "while snow falls", "as it did last year"],
}


def story(generator: Generator, length: int) -> tuple[str, float]:
    """Sentences of so many letters together at least, and how many bits a letter the choices in them take.

    The verb agrees with who acts: a model has to remember that over several words.
    """
    text, bits = "", 0.0

    def pick(options: list[str]) -> str:
        nonlocal bits
        bits += math.log2(len(options))
        return options[int(torch.randint(0, len(options), (), generator=generator))]

    while len(text) < length:
        number = pick(["one", "many"])
        who, does = pick(WORDS[number]), pick(WORDS["walks" if number == "one" else "walk"])
        parts = [who, does, pick(WORDS["where"])]
        if number == "one" and pick(["", "more"]):
            parts.append(pick(WORDS["saying"]))
        text += " ".join(parts) + ". "
    return text, bits / len(text)


def stories() -> Task:
    """Letters of made-up sentences."""
    text, _ = story(Generator().manual_seed(1), 40_000)
    other, least = story(Generator().manual_seed(2), 4_000)
    letters = sorted(set(text))
    places = {letter: k for k, letter in enumerate(letters)}

    def encoded(text: str) -> Tensor:
        return torch.tensor([places[letter] for letter in text])

    known = {word for words in WORDS.values() for phrase in words for word in phrase.split()}

    def judge(model: Model) -> tuple[dict[str, float], str]:
        windows = encoded(other).unfold(0, 41, 1)
        chances = model(windows[:, :-1]).gather(1, windows[:, -1:])
        told = spoken(model)
        words = told.replace(".", " ").split()[:-1]
        scores = {
            "bits a letter on other stories": -float(chances.double().mean()) / math.log(2),
            "bits a letter that the choices in them take": least,
            "share of the words it says that exist": sum(word in known for word in words) / len(words),
        }
        return scores, told

    def spoken(model: Model) -> str:
        generator, said = Generator().manual_seed(3), encoded(". ")[None]
        for _ in range(300):
            chances = model(said[:, -60:]).exp()
            said = torch.cat([said, torch.multinomial(chances, 1, generator=generator)], 1)
        return "".join(letters[k] for k in said[0, 2:].tolist())

    return Task("train_language_model", 20, {"corpus": encoded(text), "vocab": len(letters)}, judge)


FORMS = ("{day} {month} {year}", "{month} {day}, {year}", "the {day}{th} of {month}, {year}")
TOKENS = ["<pad>", "<bos>", "<eos>", *sorted(set("0123456789-, abcdefghijklmnopqrstuvwxyz"))]


def dates() -> Task:
    """Days as they are written, and as ISO 8601 says them."""
    generator = Generator().manual_seed(4)
    days = [datetime.date(1950, 1, 1) + datetime.timedelta(days=k) for k in range(36_524)]
    chosen = [days[k] for k in torch.randperm(len(days), generator=generator)[:4_500].tolist()]
    places = {token: k for k, token in enumerate(TOKENS)}

    def written(day: datetime.date) -> str:
        form = FORMS[int(torch.randint(0, len(FORMS), (), generator=generator))]
        th = {1: "st", 2: "nd", 3: "rd"}.get(day.day % 10 if day.day // 10 != 1 else 0, "th")
        return form.format(day=day.day, month=day.strftime("%B").lower(), year=day.year, th=th)

    def encoded(texts: list[str]) -> tuple[Tensor, Tensor]:
        rows = [[*(places[letter] for letter in text), places["<eos>"]] for text in texts]
        width = max(map(len, rows))
        return torch.tensor([row + [0] * (width - len(row)) for row in rows]), torch.tensor([len(row) for row in rows])

    texts = [written(day) for day in chosen]
    source, lengths = encoded(texts)
    target, ends = encoded([day.isoformat() for day in chosen])

    def judge(model: Model) -> tuple[dict[str, float], str]:
        rows = model(source[4_000:], lengths[4_000:], 12).tolist()
        found = ["".join(TOKENS[k] for k in row if k > 2) for row in rows]
        right = [day.isoformat() for day in chosen[4_000:]]
        scores = [bleu(list(a), list(b), 4) for a, b in zip(found, right, strict=True)]
        equal = sum(a == b for a, b in zip(found, right, strict=True)) / len(right)
        lines = [f"{text} → {day}" for text, day in list(zip(texts[4_000:], found, strict=True))[:4]]
        return {"mean BLEU on held-out days": sum(scores) / len(scores), "share that is right": equal}, "\n".join(lines)

    data = {"source": source[:4_000], "source_lengths": lengths[:4_000]}
    data |= {"target": target[:4_000], "target_lengths": ends[:4_000], "vocab": len(TOKENS)}
    return Task("train_seq2seq", 25, data, judge)


SPECIAL = ("<pad>", "<cls>", "<sep>", "<mask>")
MASK = SPECIAL.index("<mask>")


def gaps() -> Task:
    """Sentences of the stories, word by word."""
    texts = [story(Generator().manual_seed(seed), 60_000)[0] for seed in (5, 6)]
    # Sentences that were not trained on.
    known = list(dict.fromkeys(texts[0].split(". ")[:-1]))[:1_500]
    others = [text for text in dict.fromkeys(texts[1].split(". ")[:-1]) if text not in set(known)][:300]
    words = [*SPECIAL, *sorted({word for text in known for word in text.split()})]
    places = {word: k for k, word in enumerate(words)}
    width = 2 + max(len(text.split()) for text in [*known, *others])

    def encoded(texts: list[str]) -> tuple[Tensor, Tensor]:
        rows = [[1, *(places[word] for word in text.split()), 2] for text in texts]
        return torch.tensor([row + [0] * (width - len(row)) for row in rows]), torch.tensor([len(row) for row in rows])

    tokens, lengths = encoded(known)

    def judge(model: Model) -> tuple[dict[str, float], str]:
        asked, ends = encoded(others)
        verbs = {
            places[verb]: kind for kind in ("walks", "walk") for phrase in WORDS[kind] for verb in phrase.split()[:1]
        }
        places_of_verbs = torch.tensor([[next(k for k, t in enumerate(row) if t in verbs)] for row in asked.tolist()])
        found = {}
        anywhere = torch.multinomial((asked > MASK).double(), 1, generator=Generator().manual_seed(7))
        for name, at in (("verbs", places_of_verbs), ("words", anywhere)):
            answers = model(asked.scatter(1, at, MASK), ends, at)[:, 0].argmax(1).tolist()
            found[name] = list(zip(answers, asked.gather(1, at)[:, 0].tolist(), strict=True))
        scores = {
            "share of hidden words that are found": sum(a == b for a, b in found["words"]) / len(others),
            "share of hidden verbs in whose place is a verb of the right number": sum(
                verbs.get(a) == verbs[b] for a, b in found["verbs"]
            )
            / len(others),
        }
        lines = []
        for k in range(6):
            sentence = [words[token] for token in asked[k, 1 : int(ends[k]) - 1].tolist()]
            at = int(anywhere[k]) - 1
            lines.append(f"{' '.join([*sentence[:at], '___', *sentence[at + 1 :]])}: {words[found['words'][k][0]]}")
        return scores, "\n".join(lines)

    return Task("train_bert", 30, {"tokens": tokens, "lengths": lengths, "vocab": len(words)}, judge)


TASKS: dict[str, Callable[[], Task]] = {"digits": digits, "stories": stories, "dates": dates, "gaps": gaps}


def trainer(layers: str, name: str) -> Callable[..., tuple[Model, Tensor]]:
    """The component of that name, the reference's own or PyTorch's."""
    modules = [importlib.import_module(module) for module in LAYERS[layers]]
    return next(getattr(module, name) for module in modules if hasattr(module, name))


def main(arguments: list[str] | None = None) -> int:
    """Train, tell how well it went, and draw the learning curve; 130 when interrupted."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task", choices=TASKS)
    parser.add_argument("--epochs", type=int, help="the total number; what a checkpoint has seen counts")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--layers", choices=LAYERS, default="reference")
    parser.add_argument("--checkpoint", type=Path, help="default: out/TASK-LAYERS-SEED.safetensors")
    parser.add_argument("--curve", type=Path, help="where the learning curve goes, an SVG picture")
    parser.add_argument("--logs", type=Path, help="a folder for TensorBoard")
    chosen = parser.parse_args(arguments)
    # Networks this small lose more by sharing the work than they gain, and one thread's sums are the same everywhere.
    torch.set_num_threads(1)
    task, console = TASKS[chosen.task](), Console()
    epochs = task.epochs if chosen.epochs is None else chosen.epochs
    checkpoint = chosen.checkpoint or Path("out") / f"{chosen.task}-{chosen.layers}-{chosen.seed}.safetensors"
    checkpoint.parent.mkdir(parents=True, exist_ok=True)
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[loss]}")
    begun = time.process_time()
    with Progress(*columns, TimeElapsedColumn(), console=console) as progress:
        bar = progress.add_task(chosen.task, total=epochs, loss="")
        train = trainer(chosen.layers, task.trainer)

        def on_epoch(epoch: int, loss: float) -> None:
            progress.update(bar, completed=epoch + 1, loss=f"loss {loss:.4f}")

        try:
            model, history = train(
                **task.data, epochs=epochs, seed=chosen.seed, checkpoint=checkpoint, on_epoch=on_epoch
            )
        except KeyboardInterrupt:
            progress.stop()
            kept = "the same command goes on from" if checkpoint.exists() else "no epoch was finished: there is no"
            console.print(f"interrupted; {kept} {checkpoint}")
            return 130
        progress.update(bar, completed=epochs)
    seconds = time.process_time() - begun
    scores, shown = task.judge(model)
    report(console, history, scores, shown, seconds)
    if chosen.curve is not None:
        chosen.curve.parent.mkdir(parents=True, exist_ok=True)
        title = f"{chosen.task}: mean training loss of every epoch"
        chosen.curve.write_text(training.learning_curves({chosen.layers: history}, title), encoding="utf-8")
    if chosen.logs is not None:
        training.log_scalars(chosen.logs, f"{chosen.task}/loss", history)
        for name, score in scores.items():
            training.log_scalars(chosen.logs, f"{chosen.task}/{name}", torch.tensor([score]), torch.tensor([epochs]))
    return 0


def report(console: Console, history: Tensor, scores: dict[str, float], shown: str, seconds: float) -> None:
    """What was reached, in words and figures."""
    console.print(
        f"loss {float(history[0]):.4f} → {float(history[-1]):.4f} in {len(history)} epochs, {seconds:.1f} s of CPU"
    )
    for name, score in scores.items():
        console.print(f"{name}: {score:.4f}")
    console.print(shown, highlight=False, markup=False)


if __name__ == "__main__":
    raise SystemExit(main())
