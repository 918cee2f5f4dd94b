"""The judge rejects what is wrong and accepts what is rounded: fixed examples, then shares over hundreds of cases."""

import math
from contextlib import contextmanager
from fractions import Fraction

import pytest
import torch
import torch.nn.functional as F

import lawbook.fixtures.adapters.torch.convolution as torch_convolution
import lawbook.fixtures.adapters.torch.losses as torch_losses
from lawbook.fixtures.cases import convolution as convolution_cases
from lawbook.fixtures.cases import losses as losses_cases
from lawbook.fixtures.cases.kit import Case, domain
from lawbook.reference import convolution, losses
from lawbook.spec_tests.form import check_form
from lawbook.spec_tests.judge import FACTOR, LawBroken, compare, moved, shrunk, spread, ulp
from lawbook.spec_tests.rounding import RandomRounding, SequentialSums, SumsByHalves
from lawbook.tools.tests.specimens import cases, held

INF, NAN = float("inf"), float("nan")


def softmax(x):
    weights = torch.exp(x - x.amax(-1, keepdim=True))
    return weights / weights.sum(-1, keepdim=True)


def same(x):
    return x * 1.0


def case_of(x, dtype=torch.float32):
    return Case({"x": torch.as_tensor(x, dtype=torch.float64)}, dtype)


def noise(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


class TestRows:
    def test_a_fault_in_the_last_small_rows_of_a_long_tensor_is_seen(self):
        x = noise(1000, 8)
        x[:990] *= 1e6
        case = case_of(x)
        got = case.x.clone()
        assert held(same, case, got).share <= 1
        got[-1] *= 1.001
        outcome = held(same, case, got)
        assert outcome.share > 100
        assert outcome.deviation.position.startswith("[999, ")
        assert held(same, case, got, rows=(0, 1)).share < 1, "over the whole tensor it would be hidden"

    def test_zeros_are_no_softmax_over_200_000_classes(self):
        case = case_of(noise(2, 200_000))
        assert held(softmax, case, torch.softmax(case.x, -1)).share <= 1
        assert held(softmax, case, torch.zeros_like(case.x)).share > 1000

    def test_one_wrong_class_among_200_000_is_seen(self):
        case = case_of(noise(1, 200_000))
        got = torch.softmax(case.x, -1)
        got[0, int(got.argmin())] = 1e-4
        assert held(softmax, case, got).share > 1

    def test_rows_run_along_the_axis_that_is_named(self):
        case = case_of(torch.tensor([[1e6, 1.0], [2e6, 2.0]]))
        got = case.x.clone()
        got[0, 1] += 0.01
        assert held(same, case, got, rows=-1).share < 1, "a neighbour in its row is large"
        assert held(same, case, got, rows=0).share > 1

    def test_a_tensor_without_axes_is_its_own_row(self):
        assert held(same, case_of(3.0), torch.tensor(3.0)).share == 0
        assert held(same, case_of(3.0), torch.tensor(3.0001)).share > 1


class TestNotFinite:
    @pytest.mark.parametrize(
        ("truth", "got"),
        [
            ([1.0, 2.0], [1.0, NAN]),
            ([1.0, NAN], [1.0, 2.0]),
            ([NAN, 1.0], [1.0, NAN]),
            ([INF, 1.0], [-INF, 1.0]),
            ([INF, 1.0], [3e38, 1.0]),
            ([INF, 1.0], [NAN, 1.0]),
            ([1.0, 1.0], [INF, 1.0]),
            ([-INF, INF], [INF, -INF]),
        ],
    )
    def test_out_of_place_or_of_the_other_sign(self, truth, got):
        assert held(same, case_of(truth), torch.tensor(got)).share == INF

    @pytest.mark.parametrize("values", [[NAN, 1.0], [INF, 1.0], [-INF, INF], [NAN, NAN]])
    def test_in_place_and_of_the_right_sign(self, values):
        assert held(same, case_of(values), torch.tensor(values)).share == 0

    def test_an_infinity_does_not_excuse_its_row(self):
        assert held(same, case_of([INF, 1.0]), torch.tensor([INF, 1.001])).share > 1

    def test_beyond_the_range_of_the_dtype_the_infinity_of_that_sign_is_right(self):
        case = case_of([300.0, -300.0, 2.0], torch.float16)

        def cube(x):
            return x * x * x

        right = torch.tensor([INF, -INF, 8.0], dtype=torch.float16)
        assert held(cube, case, right).share == 0
        for wrong in ([-INF, -INF, 8.0], [NAN, -INF, 8.0], [65504.0, -INF, 8.0], [INF, -INF, 9.0]):
            assert held(cube, case, torch.tensor(wrong, dtype=torch.float16)).share > 1, wrong

    def test_an_infinity_is_right_where_the_range_ends_within_what_is_allowed(self):
        truth, yard = (torch.tensor(v, dtype=torch.float64) for v in ([[65000.0], [3.0]], [[6e2], [0.0]]))

        def share(*got):
            got = torch.tensor(got, dtype=torch.float16)[:, None]
            return compare(got, truth, torch.float16, -1, lambda level: [yard]).share

        assert share(INF, 3.0) <= 1
        for wrong in ((-INF, 3.0), (NAN, 3.0), (65000.0, INF)):
            assert share(*wrong) == INF, wrong

    def test_where_the_reference_overflows_on_its_way_only_that_element_is_free(self):
        def detour(x):
            return (x * 100) * (x / 100)

        case = case_of([1000.0, 2.0], torch.float16)
        assert torch.isinf(detour(case.x)[0])
        assert held(detour, case, torch.tensor([INF, 4.0], dtype=torch.float16)).share <= 1
        assert held(detour, case, torch.tensor([INF, NAN], dtype=torch.float16)).share > 1
        assert held(detour, case, torch.tensor([INF, 4.5], dtype=torch.float16)).share > 1

    def test_denormals_may_be_flushed_to_zero(self):
        case = case_of([1e-40, 2e-42])
        assert held(same, case, torch.zeros(2)).share < 1
        assert held(same, case, torch.full((2,), 1e-37)).share > 1

    def test_what_is_flushed_half_way_may_be_multiplied(self):
        def detour(x):
            return torch.exp(x) * 1000

        flushed = torch.zeros(1)
        assert detour(torch.tensor([-88.0]).double()) > 5e-36
        assert held(detour, case_of([-88.0]), flushed).share <= 1
        # exp(−85) is ten times the smallest normal number.
        assert held(detour, case_of([-85.0]), flushed).share > 1

    def test_what_is_flushed_is_no_excuse_for_more_than_a_millionfold(self):
        def detour(x):
            return x * x * 1e30

        assert held(detour, case_of([1e-20]), torch.tensor([1e-10])).share <= 1
        assert held(detour, case_of([1e-20]), torch.zeros(1)).share > 1


class TestExact:
    @pytest.mark.parametrize(
        ("truth", "got", "equal"),
        [
            (torch.tensor([1, 2]), torch.tensor([1, 2]), True),
            (torch.tensor([1, 2]), torch.tensor([1, 3]), False),
            (torch.tensor([10**9]), torch.tensor([10**9 + 1]), False),
            (torch.tensor([True]), torch.tensor([False]), False),
            (7, 7, True),
            (7, torch.tensor(7), True),
            (7, 8, False),
            ("relu", "relu", True),
            ("relu", "tanh", False),
            (None, None, True),
        ],
    )
    def test_what_is_not_floating_is_equal_or_wrong(self, truth, got, equal):
        outcome = compare(got, truth, torch.float32, -1, lambda level: [None])
        assert outcome.share == (0 if equal else INF)

    def test_the_first_difference_is_named(self):
        outcome = compare(torch.tensor([[1, 2], [3, 5]]), torch.tensor([[1, 2], [3, 4]]), torch.float32, -1, None)
        assert (outcome.deviation.position, outcome.deviation.got, outcome.deviation.expected) == ("[1, 1]", 5, 4)

    def test_ties_are_judged_by_the_position_that_was_chosen(self):
        def best(x):
            return x.argmax(-1)

        case = case_of([[2.0, 2.0, 1.0]])
        assert held(best, case, torch.tensor([0])).share == 0
        assert held(best, case, torch.tensor([1])).share == INF

    def test_a_python_float_is_judged_like_a_tensor_without_axes(self):
        def total(x):
            return float(x.sum())

        case = case_of([0.1, 0.2, 0.3])
        assert held(total, case, 0.6).share <= 1
        assert held(total, case, 0.6001).share > 1
        assert held(total, case, NAN).share == INF

    def test_dicts_meet_key_by_key_whatever_their_order(self):
        def parts(x):
            return {"a": x + 1, "b": x * 2}

        case = case_of([5.0])
        assert held(parts, case, {"b": torch.tensor([10.0]), "a": torch.tensor([6.0])}).share == 0
        assert held(parts, case, {"b": torch.tensor([6.0]), "a": torch.tensor([10.0])}).share > 1


class TestForm:
    X = torch.zeros(3)

    @pytest.mark.parametrize(
        ("got", "contract", "complaint"),
        [
            (3.0, X, "expected a tensor"),
            (None, X, "the result is None"),
            ("zeros", X, "expected a tensor"),
            ([X], X, "the result is list"),
            (X, (X, X), "the result is Tensor, expected 2 parts"),
            ((X,), (X, X), "the result is 1 parts, expected 2 parts"),
            ({"a": X}, {"a": X, "b": X}, "a dict of ['a'], expected a dict of ['a', 'b']"),
            (X[:, None], X, "has shape (3, 1), expected (3,)"),
            (X[None], X, "has shape (1, 3), expected (3,)"),
            (torch.zeros(()), torch.zeros(1), "has shape (), expected (1,)"),
            (X.double(), X, "has dtype float64, expected float32"),
            (X.long(), X, "has dtype int64, expected float32"),
            ((X, X.half()), (X, X), "the result[1] has dtype float16"),
            (1, 1.0, "int 1, expected float 1.0"),
            (True, 1, "expected int 1"),
            (1, True, "expected bool"),
            (0, None, "expected None"),
        ],
    )
    def test_another_form(self, got, contract, complaint):
        with pytest.raises(LawBroken) as broken:
            check_form(got, contract)
        assert complaint in str(broken.value)

    @pytest.mark.parametrize(
        ("got", "contract"),
        [
            ([X, X], (X, X)),
            ((X, X), [X, X]),
            (torch.tensor(2), 2),
            (torch.tensor(2.5), 2.5),
            (torch.tensor(True), True),
        ],
    )
    def test_lists_for_tuples_and_tensors_without_axes_for_numbers_will_do(self, got, contract):
        check_form(got, contract)

    def test_the_order_is_type_structure_shape_dtype(self):
        contract = (torch.zeros(2), torch.zeros(2))
        with pytest.raises(LawBroken, match="parts"):
            check_form((torch.zeros(5, dtype=torch.int64),), contract)
        with pytest.raises(LawBroken, match="shape"):
            check_form((torch.zeros(5, dtype=torch.int64), torch.zeros(2)), contract)
        with pytest.raises(LawBroken, match="dtype"):
            check_form((torch.full((2,), NAN, dtype=torch.float64), torch.zeros(2)), contract)
        check_form((torch.full((2,), NAN), torch.zeros(2)), contract)
        assert compare((torch.full((2,), NAN), torch.zeros(2)), contract, torch.float32, -1, _no_spread).share == INF


def _no_spread(level):
    return [torch.zeros(2, dtype=torch.float64)] * 2


class TestYardstick:
    def difference(self, x):
        return x[..., :1] - x[..., 1:]

    def test_an_ill_conditioned_case_widens_it(self):
        near, far = case_of([1.0, 1.0 + 1e-6]), case_of([1.0, 1e-6])
        allowed = []
        for case in (near, far):
            truth = self.difference(case.to(torch.float64).x)
            allowed.append(float((spread(lambda at: self.difference(at.x), case, truth)(1)[0] / truth.abs()).max()))
        assert allowed[0] > 0.05, "cancellation costs the leading digits"
        assert allowed[1] < 1e-6, "a subtraction without cancellation costs none"

    def test_rounding_half_way_counts_where_the_answer_cancels(self):
        def variance_in_one_pass(x):
            return (x * x).mean(-1) - x.mean(-1).square()

        case = case_of(noise(20) + 100)
        truth = variance_in_one_pass(case.to(torch.float64).x)
        yard = spread(lambda at: variance_in_one_pass(at.x), case, truth)(1)[0]
        assert float(yard / truth) > 1e-4

    @pytest.mark.parametrize("level", [0, 1, 2])
    def test_exact_arithmetic_leaves_only_the_moves(self, level):
        case = case_of([1.0, 2.0, 4.0])
        truth = same(case.to(torch.float64).x)
        yard = spread(lambda at: same(at.x), case, truth)(level)[0]
        assert float((yard / truth).max()) <= 2 * torch.finfo(torch.float32).eps

    def test_moves_are_of_one_unit_in_the_last_place_and_spare_zeros_and_infinities(self):
        case = case_of([1.0, -3.0, 0.0, INF, 1e-30, 1.5])
        for sign in (0, 1):
            step = (moved(case, sign).x.double() - case.x.double()).nan_to_num(0.0)
            assert torch.equal(step.abs(), ulp(case.x, torch.float32))
        inwards = shrunk(case).x
        assert bool((inwards.abs() <= case.x.abs()).all())

    def test_a_move_out_of_the_domain_goes_inwards_instead(self):
        def entropy(x):
            if bool((x > 1).any()):
                raise ValueError("beyond one")
            return x * torch.log(x)

        case = case_of([1.0, 1.0, 0.5])
        truth = entropy(case.to(torch.float64).x)
        assert float(spread(lambda at: entropy(at.x), case, truth)(1)[0].max()) > 0


class TestRandomRounding:
    def test_every_operation_is_rounded_by_up_to_half_a_unit(self):
        x = torch.ones(1000, dtype=torch.float64)
        with RandomRounding(torch.float32, 1):
            y = x * 3
        half = torch.finfo(torch.float32).eps / 2
        share = (y / 3 - 1).abs() / half
        assert 0.49 < float(share.min()) < 0.51
        assert 0.99 < float(share.max()) < 1.01
        assert 400 < int((y > 3).sum()) < 600, "up and down about equally often"

    def test_in_float64_it_is_a_whole_unit(self):
        x = torch.full((1000,), 3.0, dtype=torch.float64)
        with RandomRounding(torch.float64, 1):
            y = x * 3
        assert set((y - 9).tolist()) == {2.0**-49, -(2.0**-49)}
        unmoved = torch.tensor([0.0, torch.inf, -torch.inf], dtype=torch.float64)
        with RandomRounding(torch.float64, 1):
            assert torch.equal(unmoved * 2, unmoved)

    def test_moving_selecting_and_comparing_are_not(self):
        x = noise(4, 5)
        with RandomRounding(torch.float32, 1):
            assert torch.equal(x.T.flip(0)[1:3].reshape(-1), x.detach().clone().T.flip(0)[1:3].reshape(-1))
            assert torch.equal(x.amax(0), x.max(0).values)

    def test_it_reaches_the_backward_pass(self):
        """Linear forwards, so that only the backward products can be rounded."""

        class Linear(torch.autograd.Function):
            @staticmethod
            def forward(ctx, x):
                return x.clone()

            @staticmethod
            def backward(ctx, grad):
                return grad * 3

        def gradient():
            x = torch.ones(100, dtype=torch.float64, requires_grad=True)
            return torch.autograd.grad(Linear.apply(x), x, torch.ones(100, dtype=torch.float64))[0]

        assert torch.equal(gradient(), torch.full((100,), 3.0, dtype=torch.float64))
        with RandomRounding(torch.float32, 1):
            assert len(torch.unique(gradient())) > 90

    def test_roundings_do_not_cancel(self):
        """Equal amounts would, in one product of four, and the yardstick of what cancels would be nothing."""
        x = torch.ones(1000, dtype=torch.float64)
        with RandomRounding(torch.float32, 1):
            y = (x * 1) * 1 - 1
        assert int((y.abs() < 1e-12).sum()) == 0

    def test_sums_term_by_term_show_what_equal_terms_do(self):
        x = torch.full((2, 3000), 0.1, dtype=torch.float64)
        with SequentialSums(backwards=False):
            forwards, mean, whole = x.sum(1), x.mean(1, keepdim=True), x.sum()
        wide = float(torch.tensor(0.1, dtype=torch.float32).double())
        running = torch.zeros((), dtype=torch.float32)
        for _ in range(3000):
            running = running + 0.1
        assert forwards.tolist() == [float(running)] * 2
        assert mean.tolist() == [[float(running) / 3000]] * 2
        assert 1e-6 < abs(float(forwards[0]) / (3000 * wide) - 1) < 1e-3
        assert whole.shape == ()

    def test_lucky_running_sums_are_tried_again_with_other_roundings(self):
        """Of these deviations from their mean both running sums, forwards and backwards, lose a third of what others lose."""
        case = case_of(noise(714, seed=162))

        def evaluate(at):
            return ((at.x - at.x.mean()) * 0.7).sum()

        lucky = []
        for backwards in (False, True):
            with SequentialSums(backwards):
                lucky.append(abs(float(evaluate(case.to(torch.float64)))))
        assert max(lucky) < 6e-6
        assert float(spread(evaluate, case, evaluate(case.to(torch.float64)))(2)[0]) > 1.2e-5

    def test_sums_term_by_term_of_float64_are_of_float64(self):
        x = noise(714, seed=162)
        for backwards in (False, True):
            with SequentialSums(backwards, torch.float64):
                total, product = x.sum(), x @ x
            assert abs(float(total - x.sum())) < 1e-12
            assert abs(float(product - (x * x).sum())) < 1e-11

    def test_sums_term_by_term_keep_the_shapes(self):
        x = noise(2, 3, 4)
        for arguments in ((), (1,), ((0, 2),), ((-1, 0), True)):
            expected = x.sum(*arguments)
            with SequentialSums(backwards=True):
                assert torch.allclose(x.sum(*arguments), expected, rtol=1e-6, atol=1e-6)
                assert x.sum(*arguments).shape == expected.shape
        with SequentialSums(backwards=True):
            assert x[:0].sum(0).shape == (3, 4)
            assert x[:0].sum().item() == 0

    def test_another_order_of_operations_counts_from_the_second_level_on(self):
        """x + 10⁶ − 10⁶ is x, and in float32 its roundings are those of 10⁶."""
        late = [False]

        @contextmanager
        def lifted():
            late[0] = True
            yield
            late[0] = False

        def evaluate(at):
            return (at.x + 1e6) - 1e6 if late[0] else at.x * 1

        case = case_of([0.1, 0.2, 0.3])
        truth = evaluate(case.to(torch.float64))
        alone, other = spread(evaluate, case, truth), spread(evaluate, case, truth, orders=(lifted,))
        assert torch.equal(other(0)[0], alone(0)[0])
        assert float(alone(2)[0].max()) < 1e-6
        assert float(other(1)[0].min()) > 1e-3
        assert torch.ge(other(2)[0], other(1)[0]).all()
        # Beside x alone 0 is hopeless, so that no more roundings are tried.
        tiny = case_of([1e-9, 1e-9, 1e-9])
        truth = evaluate(tiny.to(torch.float64))
        for orders, passes in (((), False), ((lifted,), True)):
            found = compare(torch.zeros(3), truth, torch.float32, -1, spread(evaluate, tiny, truth, orders=orders))
            assert (found.share <= 1) == passes
        assert not late[0]

    def test_matrix_products_are_taken_term_by_term_too(self):
        """PyTorch multiplies a strided matrix in just this order: a result of its is that of the yardstick, to the bit."""
        x, weight = noise(5, 300).float().sort()[0], torch.full((2, 300), 1.3)
        strided = [torch.zeros(len(leaf), 600)[:, ::2].copy_(leaf) for leaf in (x, weight)]
        with SequentialSums(backwards=False):
            running = x.double() @ weight.double().T
        terms = x[:, None] * weight
        assert torch.equal(running.float(), torch.from_numpy(terms.numpy().cumsum(-1)[..., -1]))
        assert (running - (strided[0] @ strided[1].T).double()).abs().max() < 1e-6
        assert (running - x.double() @ weight.double().T).abs().max() > 1e-6

    def test_a_truth_in_float64_may_be_a_running_sum_itself(self):
        """Running sums repeat its roundings and show none of them: a right sum, hardly rounded, would be rejected."""
        case = case_of(torch.full((300,), 0.1, dtype=torch.float64), torch.float64)
        exact = 300 * Fraction(float(case.x[0])) ** 2

        def lost(total):
            return abs(float(Fraction(float(total)) - exact))

        def evaluate(at):
            return at.x[None] @ at.x[:, None]

        with SequentialSums(False, torch.float64):
            truth = evaluate(case)
        with SumsByHalves():
            halved = evaluate(case)
        assert lost(halved) < lost(truth) / 10
        assert float(spread(evaluate, case, truth)(2)[0]) > lost(truth) / 2

    def test_products_of_every_kind_keep_their_shapes(self):
        a, b, bias = noise(3, 4, 5), noise(3, 5, 2), noise(2)
        for function in (
            lambda: a @ b,
            lambda: a[0] @ b[0, :, 0],
            lambda: a[0, 0] @ b[0],
            lambda: a[0, 0] @ b[0, :, 0],
            lambda: a[:, :0] @ b,
            lambda: a[..., :0] @ b[:, :0],
            lambda: torch.nn.functional.linear(a, b[0].T, bias),
            lambda: torch.addmm(bias, a[0], b[0], beta=0.5, alpha=2),
            lambda: torch.baddbmm(bias, a, b, beta=0.5, alpha=2),
            lambda: torch.addmv(bias, b[0].T, a[0, 0], beta=0.5, alpha=2),
            lambda: torch.einsum("nij,njk->ik", a, b),
        ):
            expected = function()
            for sums in (SequentialSums(backwards=False), SequentialSums(backwards=True), SumsByHalves()):
                with sums:
                    found = function()
                assert found.shape == expected.shape
                assert found.dtype == expected.dtype
                assert torch.allclose(found, expected, rtol=1e-5, atol=1e-6)

    def test_the_same_seed_rounds_the_same_way(self):
        x = noise(50)
        answers = []
        for seed in (1, 1, 2):
            with RandomRounding(torch.float32, seed):
                answers.append(softmax(x))
        assert torch.equal(answers[0], answers[1])
        assert not torch.equal(answers[0], answers[2])


FIVE = ("normal", "uniform", "wide", "offset", "integers")


@domain
def rows(d):
    """Two axes, the last one long at times."""
    n, features = d.sizes(2, 2)
    return {"x": d.tensor((n, d.long(features, 64)), FIVE)}


@domain
def queries(d):
    """Batches of queries, keys and values."""
    batch, q, k, features = d.sizes(4, 2)
    return {name: d.tensor((batch, n, features), FIVE) for name, n in (("q", q), ("k", k), ("v", k))}


def layer_norm(x, eps=1e-5):
    centred = x - x.mean(-1, keepdim=True)
    return centred / torch.sqrt(centred.square().mean(-1, keepdim=True) + eps)


def one_pass_layer_norm(x):
    mean = x.mean(-1, keepdim=True)
    return (x - mean) / torch.sqrt((x * x).mean(-1, keepdim=True) - mean * mean + 1e-5)


def gelu(x):
    return 0.5 * x * (1 + torch.erf(x / math.sqrt(2)))


def attention(q, k, v):
    scores = torch.einsum("bqd,bkd->bqk", q, k) / math.sqrt(q.shape[-1])
    return torch.einsum("bqk,bkd->bqd", softmax(scores), v)


def shares(reference, over, other, count=300):
    """The shares of the allowed error over the first cases of a domain."""
    return [held(reference, case, other(**case.arguments)).share for case in cases(over, count)]


class TestPower:
    """Over 300 cases: the right ones all stay within, the wrong ones are beyond in at least the stated share."""

    @pytest.mark.parametrize(
        ("reference", "over", "library"),
        [
            (layer_norm, rows, lambda x: F.layer_norm(x, x.shape[-1:])),
            (gelu, rows, F.gelu),
            (attention, queries, lambda q, k, v: F.scaled_dot_product_attention(q, k, v)),
            (losses.cross_entropy, losses_cases.cross_entropy, torch_losses.cross_entropy),
            (convolution.conv2d, convolution_cases.conv2d, torch_convolution.conv2d),
        ],
        ids=["layer_norm", "gelu", "attention", "cross_entropy", "conv2d"],
    )
    def test_pytorch_stays_within(self, reference, over, library):
        assert FACTOR * max(shares(reference, over, library)) < 8

    @pytest.mark.parametrize(
        ("reference", "over", "wrong", "share"),
        [
            (layer_norm, rows, one_pass_layer_norm, 0.15),
            (layer_norm, rows, lambda x: layer_norm(x, 1.2e-5), 0.35),
            (gelu, rows, lambda x: F.gelu(x, approximate="tanh"), 0.65),
            (attention, queries, lambda q, k, v: attention(q, k[:, :-1], v[:, :-1]), 0.8),
        ],
        ids=["one-pass variance", "eps of 1.2e-5", "GELU by tanh", "a dropped key"],
    )
    def test_wrong_ones_are_beyond(self, reference, over, wrong, share):
        found = shares(reference, over, wrong)
        assert sum(x > 1 for x in found) / len(found) > share

    def test_exactly_eight_times_the_allowance_is_the_border(self):
        case = case_of([1.0])
        step = torch.finfo(torch.float32).eps
        truth = case.to(torch.float64).x
        nothing = [torch.zeros_like(truth)]
        for units, within in ((16, True), (17, False)):
            got = torch.tensor([1.0 + units * step])
            assert (compare(got, truth, torch.float32, -1, lambda level: nothing).share <= 1) is within
