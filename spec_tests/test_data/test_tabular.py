"""Laws of tables."""

import torch

from lawbook.fixtures.cases import data as domains
from lawbook.reference import data
from lawbook.spec_tests.spec import Invalid, Spec, require
from lawbook.spec_tests.test_data.laws import CPU, NO_TENSOR

NAN = torch.nan
FLAT = (
    Invalid(ValueError, "columns of two axes", columns={"a": torch.ones(2, 3)}),
    Invalid(ValueError, "columns of different lengths", columns={"a": torch.ones(2), "b": torch.ones(3)}),
    Invalid(TypeError, "a column of texts", columns={"a": ["1", "2"]}),
)


def known(x):
    """The values that are there."""
    return x[~x.isnan()]


def differs(x):
    """Whether a column has two different values."""
    return bool(len(known(x))) and not bool((known(x) == known(x)[0]).all())


class TestStandardize(Spec):
    component = data.standardize
    cases = domains.standardize
    extremes = domains.standardize_extremes
    declines = {"accelerator_agrees": CPU}
    invalid = (*FLAT, Invalid(ValueError, "a correction of two", columns={"a": torch.ones(3)}, correction=2))
    edges = (
        dict(columns={}),
        dict(columns={"a": torch.zeros(0)}),
        dict(columns={"a": torch.tensor([3.0]), "b": torch.tensor([NAN])}),
        dict(columns={"a": torch.tensor([3.0, NAN, NAN]), "b": torch.tensor([NAN, NAN, NAN])}, correction=0),
        dict(columns={"a": torch.tensor([3.0, 5.0])}, correction=0),
    )

    def test_mean_zero_and_deviation_one(self, impl, case):
        """The known values of a column add up to 0, their squares to their number less the correction."""
        y = impl(case)
        sums, expected = [], []
        for name, x in case.columns.items():
            if differs(x):
                found, count = y[name][~x.isnan()], int((~x.isnan()).sum())
                sums += [found.sum(), found.square().sum()]
                expected += [torch.zeros((), dtype=x.dtype), torch.tensor(count - case.correction, dtype=x.dtype)]
        return (torch.stack(sums), torch.stack(expected)) if sums else self.skip

    def test_a_constant_column_gives_zero(self, impl):
        """Where all known values are the same, one of them alone included, the result is exactly 0: not nan, not ±1."""
        for value in (0.0, 5.0, 0.1, -1e-3, 1e4 / 3):
            for count in (1, 2, 3, 7, 100):
                x = torch.full((count + 1,), value, dtype=self.dtype)
                x[-1] = NAN
                y = impl.call(columns={"a": x})["a"]
                wrong = (y[:-1] != 0) | y[:-1].isnan()
                require(not bool(wrong.any()), f"{count} times {value} gives {y[:-1].tolist()[:5]}, expected 0")
                require(bool(y[-1].isnan()), f"the missing value beside them gives {float(y[-1])}, expected nan")

    def test_missing_values_do_not_count(self, impl, case):
        """The known values alone give what they give among missing ones, and missing ones stay."""
        y = impl(case)
        pairs = []
        for name, x in case.columns.items():
            there = ~x.isnan()
            require(bool((y[name].isnan() == ~there).all()), f"column {name}: values are missing in other places")
            if differs(x):
                pairs.append((y[name][there], impl(case, columns={name: x[there]})[name]))
        return pairs or self.skip

    def test_shift_and_scale_leave_it_unchanged(self, impl, case):
        """2 x gives what x gives, and −x the negative."""
        y = impl(case)
        double, negative = (impl(case, columns={k: x * by for k, x in case.columns.items()}) for by in (2, -1))
        moved = {name: x for name, x in case.columns.items() if differs(x)}
        if not moved:
            return self.skip
        return [
            ({k: double[k] for k in moved}, {k: y[k] for k in moved}),
            ({k: negative[k] for k in moved}, {k: -y[k] for k in moved}),
        ]

    def test_columns_are_treated_alone(self, impl, case):
        """A column gives by itself what it gives among others."""
        y = impl(case)
        moved = {name: x for name, x in case.columns.items() if differs(x)}
        return [(impl(case, columns={k: x})[k], y[k]) for k, x in moved.items()] or self.skip


class TestFillMissing(Spec):
    component = data.fill_missing
    cases = domains.fill_missing
    declines = {
        "accelerator_agrees": CPU,
        "extremes_stay_finite": "infinities stay what they are; 'only missing values change' says so",
        "nan_not_hidden": "to put a number in its place is what it is for",
    }
    invalid = (
        *FLAT,
        Invalid(TypeError, "a text for a number", columns={"a": torch.ones(3)}, value="0"),
        Invalid(TypeError, "a truth value for a number", columns={"a": torch.ones(3)}, value=True),
    )
    edges = (
        dict(columns={}),
        dict(columns={"a": torch.zeros(0)}),
        dict(columns={"a": torch.tensor([NAN])}, value=2.0),
    )

    def test_only_missing_values_change(self, impl, case):
        """What is not nan keeps every bit, infinities and −0 included; what is nan becomes the value."""
        y = impl(case)
        for name, x in case.columns.items():
            there = ~x.isnan()
            kept = (y[name][there] == x[there]) & (y[name][there].signbit() == x[there].signbit())
            require(bool(kept.all()), f"column {name}: {x[there].tolist()} became {y[name][there].tolist()}")
            filled = y[name][~there]
            require(bool((filled == case.value).all()), f"column {name}: missing values became {filled.tolist()}")

    def test_infinities_stay(self, impl):
        """inf, −inf, −0 and the largest number stay what they are, beside a nan that does not."""
        largest = torch.finfo(self.dtype).max
        x = torch.tensor([torch.inf, -torch.inf, -0.0, largest, NAN], dtype=self.dtype)
        y = impl.call(columns={"a": x}, value=3.0)["a"]
        expected = torch.tensor([torch.inf, -torch.inf, -0.0, largest, 3.0], dtype=self.dtype)
        same = torch.equal(y, expected) and torch.equal(y.signbit(), expected.signbit())
        require(same, f"{x.tolist()} became {y.tolist()}")


class TestOneHotCategories(Spec):
    component = data.one_hot_categories
    cases = domains.one_hot_categories
    declines = NO_TENSOR
    invalid = (
        Invalid(ValueError, "columns of different lengths", columns={"a": ["x"], "b": ["x", "y"]}),
        Invalid(ValueError, "two indicators of one name", columns={"a": ["b_c"], "a_b": ["c"]}),
        Invalid(ValueError, "a level called as the missing one", columns={"a": ["nan", None]}),
        Invalid(TypeError, "numbers among texts", columns={"a": ["1", 2]}),
        Invalid(TypeError, "numbers in place of texts", columns={"a": [1, 2]}),
    )
    edges = (
        dict(columns={}),
        dict(columns={"a": ["x"]}),
        dict(columns={"a": [None]}),
        dict(columns={"a": [None]}, dummy_na=False),
        dict(columns={"a": []}),
    )

    def test_one_indicator_a_value(self, impl, case):
        """In each row one indicator of every column is True; without dummy_na none where the value is missing."""
        found = impl(case)
        rows = len(next(iter(case.columns.values())))
        total = torch.stack([torch.zeros(rows, dtype=torch.int64), *(x.to(torch.int64) for x in found.values())]).sum(0)
        expected = [
            sum(case.dummy_na or values[i] is not None for values in case.columns.values()) for i in range(rows)
        ]
        require(total.tolist() == expected, f"the rows have {total.tolist()} indicators, expected {expected}")

    def test_indicators_say_the_value(self, impl, case):
        """The indicator of a level is True where the column has it, that of missing values where it has none."""
        found = impl(case)
        for name, values in case.columns.items():
            for i, value in enumerate(values):
                key = f"{name}_nan" if value is None else f"{name}_{value}"
                if value is None and not case.dummy_na:
                    continue
                require(key in found, f"there is no indicator {key!r}, only {sorted(found)}")
                require(bool(found[key][i]), f"{key!r} is False in row {i}, where the value is {value!r}")

    def test_indicators_come_column_by_column(self, impl):
        """Columns in their order; in each the levels as Python sorts texts, capitals first; missing values last."""
        columns = {"b": ["z", "a", "B", None], "a": ["10", "9", "é", "e"]}
        found = list(impl.call(columns=columns, dummy_na=True))
        expected = ["b_B", "b_a", "b_z", "b_nan", "a_10", "a_9", "a_e", "a_é", "a_nan"]
        require(found == expected, f"the order is {', '.join(found)}, expected {', '.join(expected)}")

    def test_missing_values_always_have_an_indicator(self, impl):
        """With dummy_na every column has one, all False where nothing is missing; without it none has."""
        columns = {"a": ["x", "y"], "b": ["x", None]}
        found = impl.call(columns=columns, dummy_na=True)
        require(
            {"a_nan", "b_nan"} <= set(found), f"the indicators are {sorted(found)}, expected a_nan and b_nan among them"
        )
        require(
            found["a_nan"].tolist() == [False, False], f"a_nan is {found['a_nan'].tolist()}, but nothing is missing"
        )
        without = impl.call(columns=columns, dummy_na=False)
        require(set(without) == {"a_x", "a_y", "b_x"}, f"without dummy_na the indicators are {sorted(without)}")


TRAIN = {"Id": ["1", "2", "3"], "area": torch.tensor([1.0, 2.0, 6.0]), "zone": ["a", "b", None]}
TEST = {"Id": ["4"], "area": torch.tensor([4.0]), "zone": ["a"]}
PRICE = {"price": torch.tensor([5.0, 6.0, 7.0])}


def refused(error, what, train=TRAIN | PRICE, test=TEST, target="price", id="Id", **more):
    return Invalid(error, what, train=dict(train), test=dict(test), target=target, id=id, **more)


class TestTabularFeatures(Spec):
    component = data.tabular_features
    cases = domains.tabular_features
    declines = {
        "accelerator_agrees": CPU,
        "extremes_stay_finite": "the components it is made of are tried on them",
        "low_precision": "sums of half precision decide about deviations of 0; 'standardize' is tried in it",
        "nan_not_hidden": "a missing value becomes 0: that is what it is for",
    }
    prerequisites = ("standardize", "fill_missing", "one_hot_categories")
    invalid = (
        refused(ValueError, "a target that is not there", target="cost"),
        refused(ValueError, "an id that is not there", id="name"),
        refused(ValueError, "a column that test lacks", test={"Id": ["4"], "area": torch.ones(1)}),
        refused(ValueError, "a column that train lacks", test={**TEST, "rooms": torch.ones(1)}),
        refused(ValueError, "columns of different lengths", train={**TRAIN, **PRICE, "area": torch.ones(2)}),
        refused(ValueError, "a target for fewer rows", train={**TRAIN, "price": torch.ones(2)}),
        refused(TypeError, "numbers in one table, texts in the other", test={**TEST, "area": ["4"]}),
        refused(ValueError, "statistics of neither table", statistics="test"),
        refused(
            ValueError,
            "numbers and an indicator of one name",
            train={**PRICE, "zone": ["a", "b", "a"], "zone_a": torch.ones(3)},
            test={"zone": ["a"], "zone_a": torch.ones(1)},
            id=None,
        ),
    )
    edges = (
        dict(train=PRICE, test={}, target="price"),
        dict(
            train={"a": torch.tensor([1.0, 3.0]), "p": torch.ones(2)},
            test={"a": torch.tensor([-torch.inf, torch.inf, 2.0])},
            target="p",
        ),
        dict(train={**TRAIN, **PRICE}, test=TEST, target="price", id="Id", statistics="both"),
        dict(train={"a": torch.ones(1), "p": torch.ones(1)}, test={"a": torch.ones(1)}, target="p"),
        dict(train={"a": torch.tensor([NAN, 1.0]), "p": torch.ones(2)}, test={"a": torch.tensor([NAN])}, target="p"),
        dict(train={"a": ["x"], "p": torch.ones(1)}, test={"a": []}, target="p"),
    )

    def rows(self, case):
        return 0

    def test_the_same_columns_for_both(self, impl, case):
        """Both matrices have one column for every name, and no two have the same name."""
        found = impl(case)
        names = list(found["names"])
        widths = [found[table].shape[1] for table in ("train", "test")]
        require(widths == [len(names)] * 2, f"there are {len(names)} names, {widths[0]} and {widths[1]} columns")
        require(len(set(names)) == len(names), f"a name is there twice: {names}")
        rows = [len(next(iter(case[table].values()))) for table in ("train", "test")]
        require(
            [len(found["train"]), len(found["test"])] == rows, f"the matrices have other rows than the tables, {rows}"
        )

    def test_target_and_id_never_leak(self, impl, case):
        """Another target and another id change nothing, in neither table."""
        found = impl(case)
        tables = {name: dict(case[name]) for name in ("train", "test")}
        for table in tables.values():
            rows = len(next(iter(table.values())))
            for hidden in (case.target, case.id):
                if hidden in table:
                    table[hidden] = torch.arange(rows).to(case.dtype) * 7 - 50
        again = impl(case, **tables)
        require(list(again["names"]) == list(found["names"]), f"the columns became {again['names']}")
        return [(again[name], found[name]) for name in ("train", "test")]

    def test_rows_to_predict_do_not_enter_the_statistics(self, impl, case):
        """Under "train" the train matrix is the same whatever test holds."""
        test = {k: x[:1] if isinstance(x, torch.Tensor) else [None] for k, x in case.test.items()}
        found, again = (impl(case, statistics="train", test=table) for table in (case.test, test))
        require(list(again["names"]) == list(found["names"]), f"without test's values the columns are {again['names']}")
        return again["train"], found["train"]

    def test_both_tables_enter_the_statistics(self, impl, case):
        """Under "both" the tables are treated as one: cut elsewhere, the rows are the same."""
        train, test = dict(case.train), {k: x for k, x in case.test.items() if k != case.target}
        filler = torch.zeros(len(next(iter(test.values()))), dtype=case.dtype)

        def joined(a, b):
            return torch.cat([a, b]) if isinstance(a, torch.Tensor) else [*a, *b]

        whole = {k: joined(x, test.get(k, filler)) for k, x in train.items()}
        first = impl(case, statistics="both")
        head = {k: x[:1] for k, x in whole.items()}
        tail = {k: x[1:] for k, x in whole.items() if k != case.target}
        second = impl(case, statistics="both", train=head, test=tail)
        require(list(first["names"]) == list(second["names"]), f"cut elsewhere, the columns are {second['names']}")
        return tuple(torch.cat([found["train"], found["test"]]) for found in (second, first))

    def test_constant_columns_are_zero(self, impl):
        """A column that is constant in train is 0 in both tables, whatever test holds there: neither nan nor infinite."""
        for value in (0.1, 5.0, 0.0):
            train = {"a": torch.full((3,), value, dtype=self.dtype), "p": torch.ones(3, dtype=self.dtype)}
            test = {"a": torch.tensor([value, value + 1, NAN], dtype=self.dtype)}
            found = impl.call(train=train, test=test, target="p")
            for table in ("train", "test"):
                y = found[table][:, 0].tolist()
                require(y == [0.0] * 3, f"{value} throughout train gives {y} in {table}, expected 0")

    def test_an_unknown_level_has_no_indicator(self, impl):
        """Under "train" a level of test alone is 0 everywhere, and not taken for missing; under "both" it has its own."""
        train = {"zone": ["a", "b"], "p": torch.ones(2, dtype=self.dtype)}
        test = {"zone": ["c", None, "b"]}
        expected = {
            "train": (["zone_a", "zone_b", "zone_nan"], [[0.0, 0, 0], [0, 0, 1], [0, 1, 0]]),
            "both": (["zone_a", "zone_b", "zone_c", "zone_nan"], [[0.0, 0, 1, 0], [0, 0, 0, 1], [0, 1, 0, 0]]),
        }
        for rows, (names, matrix) in expected.items():
            found = impl.call(train=train, test=test, target="p", statistics=rows)
            require(list(found["names"]) == names, f"under {rows!r} the columns are {found['names']}, expected {names}")
            require(
                found["test"].tolist() == matrix, f"under {rows!r} test is {found['test'].tolist()}, expected {matrix}"
            )
