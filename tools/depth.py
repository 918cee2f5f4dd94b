"""The table of docs/initialization.md: how signals fare in random networks.

python -m lawbook.tools.depth [--depth 50] [--width 400]
"""

import argparse
import sys

from lawbook.reference.initialization import activation_variances

RULES = (
    ("N(0, 1)", "normal", "linear", 1.0),
    ("N(0, 1)", "normal", "tanh", 1.0),
    ("0.01 · N(0, 1)", "normal", "linear", 0.01),
    ("0.01 · N(0, 1)", "normal", "tanh", 0.01),
    ("Xavier, uniform", "xavier_uniform", "linear", 1.0),
    ("Xavier, normal", "xavier_normal", "linear", 1.0),
    ("Xavier, normal", "xavier_normal", "tanh", 1.0),
    ("Xavier, normal", "xavier_normal", "relu", 1.0),
    ("Kaiming, normal", "kaiming_normal", "relu", 1.0),
    ("Kaiming, uniform", "kaiming_uniform", "relu", 1.0),
    ("Kaiming, normal (gain 5/3)", "kaiming_normal", "tanh", 1.0),
)
SEEDS = range(5)


def table(depth: int, width: int) -> str:
    """Markdown: the mean square after some of the layers, the median of five seeds."""
    shown = sorted({1, max(1, depth // 5), max(1, depth // 2), depth})
    lines = [
        f"| weights | activation | {' | '.join(f'layer {layer}' for layer in shown)} |",
        f"|---|---|{'---|' * len(shown)}",
    ]
    for name, init, activation, std in RULES:
        runs = [activation_variances(depth, width, init, activation, seed=seed, std=std) for seed in SEEDS]
        middle = [sorted(float(run[layer - 1]) for run in runs)[len(runs) // 2] for layer in shown]
        lines.append(f"| {name} | {activation} | {' | '.join(f'{value:.2g}' for value in middle)} |")
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description="How signals fare in deep random networks.")
    parser.add_argument("--depth", type=int, default=50)
    parser.add_argument("--width", type=int, default=400)
    chosen = parser.parse_args(arguments)
    print(table(chosen.depth, chosen.width))
    return 0


if __name__ == "__main__":
    sys.exit(main())
