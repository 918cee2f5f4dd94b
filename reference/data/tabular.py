"""Tables as columns: numbers with nan for what is missing, texts with None."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from lawbook.reference.checks import check_choice, check_floating

Texts = Sequence[str | None]
Columns = Mapping[str, Tensor | Texts]

MISSING = "nan"


def standardize(columns: Mapping[str, Tensor], correction: int = 1) -> dict[str, Tensor]:
    """Shift and scale every column to mean 0 and standard deviation 1.

        y_i = (x_i − mean) / s,    s² = Σ (x_j − mean)² / (m − correction)

    where sums run over the m values that are not nan. A column whose values are all the same, one value among them,
    gives 0 throughout; nan stays nan.

    Args:
        columns: (n,) each, floating, by name; nan is a missing value.
        correction: 1 or 0.

    Returns:
        The columns by the same names, of the same shapes and dtypes.

    Raises:
        ValueError: a column has not one axis, columns differ in length, or ``correction`` is another.
        TypeError: a column is not floating.

    Conventions:
        Note 004 and pandas divide by m − 1 (``correction=1``), scikit-learn's StandardScaler and batch normalization by
        m (``correction=0``).

    Source: note 004 (house prices, preprocessing).
    """
    check_choice("correction", correction, (0, 1))
    check_numbers(columns)
    return {name: _standardized(x, *statistics(x, correction)) for name, x in columns.items()}


def fill_missing(columns: Mapping[str, Tensor], value: float = 0.0) -> dict[str, Tensor]:
    """Put a number where one is missing.

        y_i = value where x_i is nan, else x_i

    Infinities and −0 stay as they are.

    Args:
        columns: (n,) each, floating, by name; nan is a missing value.
        value: what to put in its place.

    Returns:
        The columns by the same names, of the same shapes and dtypes.

    Raises:
        ValueError: a column has not one axis, or columns differ in length.
        TypeError: a column is not floating, or ``value`` is no number.

    Source: note 004 (house prices, fillna).
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"value is {value!r}, expected a number")
    check_numbers(columns)
    return {name: torch.where(x.isnan(), value, x) for name, x in columns.items()}


def one_hot_categories(columns: Mapping[str, Texts], dummy_na: bool = True) -> dict[str, Tensor]:
    """One indicator for every level of every column, and one for what is missing.

        y["column_level"]_i = (x_i = level);    y["column_nan"]_i = (x_i is missing)

    Args:
        columns: n texts each, by name; None is a missing value.
        dummy_na: whether missing values have an indicator of their own, in every column, also where nothing is
            missing. Without, all indicators of the column are False there.

    Returns:
        (n,) bool by name: column by column, levels in the order of Python's texts, the missing one last.

    Raises:
        ValueError: columns differ in length, or two indicators have the same name: column "a" with the level "b_c"
            beside column "a_b" with the level "c", or a level "nan" beside the indicator of missing values.
        TypeError: a value is neither text nor None.

    Source: note 004 (house prices, get_dummies with dummy_na).
    """
    for name, texts in columns.items():
        _check_texts(name, texts)
    _check_lengths(columns)
    found: dict[str, Tensor] = {}
    for name, texts in columns.items():
        _add_indicators(found, name, texts, levels(texts), dummy_na)
    return found


def tabular_features(
    train: Columns, test: Columns, target: str, id: str | None = None, statistics: str = "train"
) -> dict[str, list[str] | Tensor]:
    """Two tables as matrices of the same columns, without target and id.

        numbers:  (x − mean) / s, missing ones 0;    texts: one indicator a level and one for what is missing

    Columns of numbers come first, then the indicators, column by column in the order of ``train``. The statistics are
    mean, deviation (divided by m − 1) and levels. A column that is constant among the rows they are taken from is 0 in
    both tables, so is one without a value there.

    Args:
        train: columns by name: (n,) floating with nan for what is missing, or n texts with None.
        test: the same columns, m rows; the target may be absent, and is not looked at.
        target: the column to be predicted, floating; its dtype is that of the result.
        id: a column that names the rows, of any kind; None: there is none.
        statistics: the rows they are taken from, "train" or "both". A level of ``test`` alone has no indicator
            under "train": all of that column's are 0 there.

    Returns:
        ``names`` of the columns, "column" for numbers and "column_level" for indicators, ``train`` (n, D) and ``test``
        (m, D).

    Raises:
        ValueError: ``train`` lacks target or id, the tables differ in their other columns, columns of a table differ
            in length, two columns of the result have the same name, or ``statistics`` is another.
        TypeError: the target or another column of numbers is not floating, a text is neither text nor None, or a
            column is of numbers in one table and of texts in the other.

    Conventions:
        "train" is what later data allow: nothing about the rows to be predicted enters. Note 004 takes the statistics
        from both tables ("both"), and says that those of ``train`` serve where the test rows are not at hand.

    Source: note 004 (house prices, preprocessing).
    """
    check_choice("statistics", statistics, ("train", "both"))
    left_out = [target] if id is None else [target, id]
    for name in left_out:
        if name not in train:
            raise ValueError(f"train has no column {name!r}, only {', '.join(map(repr, train))}")
    check_floating(f"train[{target!r}]", train[target])  # type: ignore[arg-type]
    for table in (train, test):
        _check_lengths(table)
    train_only, test_only = ({k: x for k, x in table.items() if k not in left_out} for table in (train, test))
    if set(train_only) != set(test_only):
        differing = sorted(set(train_only) ^ set(test_only))
        raise ValueError(f"only one table has the columns {', '.join(map(repr, differing))}")
    found: tuple[dict[str, Tensor], dict[str, Tensor]] = ({}, {})
    for name, x in train_only.items():
        if isinstance(x, Tensor):
            _add_numbers(found, name, x, test_only[name], statistics)
    for name, x in train_only.items():
        if not isinstance(x, Tensor):
            _add_texts(found, name, x, test_only[name], statistics)
    sizes = (len(next(iter(table.values()))) if table else 0 for table in (train, test))
    dtype = train[target].dtype  # type: ignore[union-attr]
    matrices = [
        torch.stack([x.to(dtype) for x in table.values()], 1) if table else torch.zeros(size, 0, dtype=dtype)
        for table, size in zip(found, sizes, strict=True)
    ]
    return {"names": list(found[0]), "train": matrices[0], "test": matrices[1]}


def statistics(x: Tensor, correction: int) -> tuple[Tensor, Tensor]:
    """Mean and deviation of what is not nan; the deviation is 0 where the values do not differ."""
    known = x[~x.isnan()]
    if not len(known):
        return x.new_zeros(()), x.new_zeros(())
    mean = known.mean()
    # Decided by the values: the mean of equal ones may be rounded, and then their deviation is not 0.
    if bool((known == known[0]).all()):
        return known[0], x.new_zeros(())
    return mean, ((known - mean).square().sum() / (len(known) - correction)).sqrt()


def check_numbers(columns: Mapping[str, Tensor]) -> None:
    """Raise unless every column is floating and of one axis, and all are of one length."""
    for name, x in columns.items():
        check_floating(f"columns[{name!r}]", x)
        if x.ndim != 1:
            raise ValueError(f"columns[{name!r}] has shape {tuple(x.shape)}, expected one axis")
    _check_lengths(columns)


def levels(texts: Texts) -> list[str]:
    """Every text once, in order."""
    return sorted({text for text in texts if text is not None})


def _standardized(x: Tensor, mean: Tensor, deviation: Tensor) -> Tensor:
    if not bool(deviation):
        return torch.where(x.isnan(), x, torch.zeros_like(x))
    return (x - mean) / deviation


def _add_indicators(found: dict[str, Tensor], name: str, texts: Texts, known: list[str], dummy_na: bool) -> None:
    chosen = [(f"{name}_{level}", level) for level in known]
    for key, level in [*chosen, (f"{name}_{MISSING}", None)] if dummy_na else chosen:
        if key in found:
            raise ValueError(f"two indicators have the name {key!r}")
        found[key] = torch.tensor([text == level for text in texts], dtype=torch.bool)


def _add_numbers(found: tuple[dict[str, Tensor], ...], name: str, x: Tensor, y: object, rows: str) -> None:
    check_floating(f"test[{name!r}]", y)  # type: ignore[arg-type]
    assert isinstance(y, Tensor)
    check_floating(f"train[{name!r}]", x)
    mean, deviation = statistics(torch.cat([x, y]) if rows == "both" else x, 1)
    for table, part in zip(found, (x, y), strict=True):
        table[name] = torch.nan_to_num(
            _standardized(part, mean, deviation), nan=0.0, posinf=torch.inf, neginf=-torch.inf
        )


def _add_texts(found: tuple[dict[str, Tensor], ...], name: str, x: Texts, y: object, rows: str) -> None:
    if isinstance(y, Tensor):
        raise TypeError(f"{name!r} holds texts in train, numbers in test")
    _check_texts(f"train[{name!r}]", x)
    _check_texts(f"test[{name!r}]", y)
    assert isinstance(y, list | tuple)
    known = levels([*x, *y] if rows == "both" else x)
    for table, texts in zip(found, (x, y), strict=True):
        _add_indicators(table, name, texts, known, True)


def _check_texts(name: str, texts: object) -> None:
    if not isinstance(texts, list | tuple):
        raise TypeError(f"{name} is {type(texts).__name__}, expected a list of texts")
    for text in texts:
        if text is not None and not isinstance(text, str):
            raise TypeError(f"{name} holds {text!r}, expected texts or None")


def _check_lengths(columns: Columns) -> None:
    sizes = {name: len(column) for name, column in columns.items()}
    if len(set(sizes.values())) > 1:
        raise ValueError(f"columns have lengths {sizes}, expected the same one")
