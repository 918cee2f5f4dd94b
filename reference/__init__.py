"""The reference: every component of the catalogue, a module or package a chapter, in the order the notes teach them.

Where a contract says nothing else, results are new tensors that share no memory with the arguments, which stay as they are; a
nan shows in whatever is computed from it; the layout in memory does not matter; and the same call gives the same result.
"""

from importlib import import_module

CHAPTERS = (
    "tensors",
    "autograd",
    "data",
    "optimization",
    "losses",
    "activations",
    "generalization",
    "initialization",
    "modules",
    "convolution",
    "pooling",
    "normalization",
    "cnn",
    "parallelism",
    "augmentation",
    "detection",
    "segmentation",
    "style_transfer",
    "sequences",
    "recurrent",
    "seq2seq",
    "attention",
    "transformer",
    "bert",
    "training",
)


def chapter_order(chapter: str) -> tuple[int, str]:
    """Where a chapter stands among the others: as the notes teach them, then a third party's own by name."""
    return (CHAPTERS.index(chapter) if chapter in CHAPTERS else len(CHAPTERS), chapter)


def chapter_of(component: str) -> str:
    """The chapter whose module defines a component; empty when none does."""
    for chapter in CHAPTERS:
        home = f"lawbook.reference.{chapter}"
        found = getattr(getattr(import_module(home), component, None), "__module__", "")
        if found == home or found.startswith(f"{home}."):
            return chapter
    return ""
