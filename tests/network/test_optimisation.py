"""How weights are moved: rates, decay, the loss, and the parts of training."""

import gc

import keras
import numpy as np
import pytest
from sklearn.metrics import log_loss

from glomclf import PatchClassifier, PatchEncoder
from glomclf.errors import ParameterError
from glomclf.network import assembly
from glomclf.network.assembly import build_network
from glomclf.network.backbones import load_backbone
from glomclf.network.batches import ArrayBatches
from glomclf.network.checkpoints import Checkpoint
from glomclf.network.epochs import epochs_without_gain, training_variables
from glomclf.network.optimisation import NetworkSpec, Pace, make_optimizer
from glomclf.network.programs import _kept


@pytest.fixture(scope="module")
def features():
    """90 rows of six features, two noisy classes, one of them rare; 30 to validate."""
    rng = np.random.default_rng(0)
    y = (rng.random(90) < 0.3).astype(int)
    X = (rng.normal(size=(90, 6)) + 0.8 * y[:, None]).astype(np.float32)
    return X[:60], y[:60], X[60:], y[60:]


def make_head(**parameters):
    small = {"dense_units": 8, "dropout": 0.2, "learning_rate": 0.01, "epochs": 4}
    return PatchClassifier(
        **{**small, "batch_size": 16, "random_state": 0, **parameters}
    )


def make_model(**parameters):
    small = {"dense_units": 8, "dropout": 0.2, "learning_rate": 1e-2, "seed": 3}
    settings = {**small, "optimizer": "adam", **parameters}
    return build_network(NetworkSpec((6,), **settings), None)


def fit_model(model, features, **options):
    X, y, X_val, y_val = (array.astype(np.float32) for array in features)
    options = {"batch_size": 16, "epochs": 4, **options}
    return model.fit(X, y, validation_data=(X_val, y_val), **options).history


@pytest.fixture(params=["whole", "in batches"])
def path(request, monkeypatch):
    """Both ways that the steps of an epoch are run in."""
    if request.param == "in batches":
        monkeypatch.setattr(assembly, "_SMALL", 0)
    return request.param


# -- as before where nothing is asked for ----------------------------------------------


def test_without_any_of_it_training_is_that_of_keras(features, path):
    X, y, X_val, y_val = (array.astype(np.float32) for array in features)
    ours, plain = make_model(), make_model()
    history = fit_model(ours, features)
    plain._standardise(X, 16)
    by_keras = keras.Model.fit(
        plain,
        ArrayBatches(X, y, batch_size=16, shuffle_seed=plain.spec.seed),
        validation_data=ArrayBatches(X_val, y_val, batch_size=16),
        shuffle=False,
        epochs=4,
        verbose=0,
    ).history
    assert history.keys() == by_keras.keys()
    for name, values in history.items():
        np.testing.assert_allclose(values, by_keras[name], rtol=1e-6)
    for found, expected in zip(ours.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-7)


# -- both paths ------------------------------------------------------------------------

EVERYTHING = {
    "schedule": "cosine",
    "warmup_epochs": 1.5,
    "weight_decay": 0.1,
    "clip_norm": 0.5,
    "label_smoothing": 0.1,
    "class_weight": {0: 1.0, 1: 2.0},
    "patience": 2,
}


@pytest.mark.parametrize(
    "parameters",
    [EVERYTHING, {"optimizer": "adamw", "warmup_epochs": 1}],
    ids=["everything", "adamw"],
)
def test_both_paths_give_the_same_numbers(features, monkeypatch, parameters):
    X, y, X_val, y_val = features
    fits = []
    for largest in (2**28, 0):
        monkeypatch.setattr(assembly, "_SMALL", largest)
        net = make_head(epochs=6, **parameters).fit(X, y, X_val=X_val, y_val=y_val)
        fits.append((net.history_, net.predict_proba(X)))
    (whole, proba_whole), (batched, proba_batched) = fits
    assert whole.keys() == batched.keys()
    for name, values in whole.items():
        np.testing.assert_allclose(values, batched[name], rtol=2e-4)
    np.testing.assert_allclose(proba_whole, proba_batched, atol=1e-4)


def test_a_program_lent_again_knows_nothing_of_the_last_fit(features):
    """Rates and numbers of steps are those of the fit at hand."""
    training = {"schedule": "cosine", "warmup_epochs": 1, "label_smoothing": 0.1}
    _kept.clear()
    fresh = fit_model(make_model(**training), features)
    _kept.clear()
    fewer = tuple(array[:25] for array in features)
    fit_model(make_model(**training, learning_rate=0.5), fewer, epochs=9)
    assert fit_model(make_model(**training), features) == fresh
    assert len(_kept) == 1


# -- rates -----------------------------------------------------------------------------


def rates(pace, n_steps):
    return [float(pace(step)) for step in range(n_steps)]


def test_without_a_warm_up_the_cosine_is_that_of_keras():
    pace = Pace(0.1, decays=True)
    pace.start(0.1, 0, 20)
    by_keras = keras.optimizers.schedules.CosineDecay(0.1, 20)
    np.testing.assert_allclose(rates(pace, 22), rates(by_keras, 22), atol=1e-7)


def test_a_rate_warms_up_linearly_and_is_all_but_0_at_the_last_step():
    pace = Pace(1.0, decays=True)
    pace.start(1.0, 4, 20)
    found = rates(pace, 20)
    np.testing.assert_allclose(found[:5], [0.25, 0.5, 0.75, 1.0, 1.0])
    assert np.all(np.diff(found[4:]) < 0)
    assert 0 < found[-1] < 0.01


def test_a_warm_up_may_end_within_an_epoch_and_the_rate_stays():
    pace = Pace(1.0, decays=False)
    pace.start(1.0, 2.5, 10)
    np.testing.assert_allclose(rates(pace, 5), [0.4, 0.8, 1.0, 1.0, 1.0], rtol=1e-6)


def test_the_history_has_the_rate_of_the_last_step_of_each_epoch(features):
    X, y, _, _ = features
    net = make_head(schedule="cosine", warmup_epochs=1).fit(X, y)  # 4 steps an epoch
    pace = Pace(0.01, decays=True)
    pace.start(0.01, 4, 16)
    np.testing.assert_allclose(net.history_["learning_rate"], rates(pace, 16)[3::4])


# -- optimizers ------------------------------------------------------------------------


def spec_of(optimizer, **parameters):
    return NetworkSpec(
        (3,), optimizer=optimizer, **{"learning_rate": 0.5, **parameters}
    )


def make_weights(name="layer"):
    layer = keras.layers.Dense(2, bias_initializer="ones", name=name)
    layer.build((None, 3))
    return layer.trainable_weights


@pytest.mark.parametrize("name", ["adam", "adamw", "rmsprop", "sgd"])
def test_weight_decay_shrinks_kernels_alone_by_its_share_times_the_rate(name):
    weights = make_weights()
    before = [weight.numpy() for weight in weights]
    optimizer = make_optimizer(spec_of(name, weight_decay=0.2))
    optimizer.apply([np.zeros_like(array) for array in before], weights)
    np.testing.assert_allclose(weights[0], before[0] * (1 - 0.2 * 0.5), rtol=1e-6)
    np.testing.assert_array_equal(weights[1], before[1])


@pytest.mark.parametrize("name", ["adam", "adamw", "rmsprop", "sgd"])
def test_the_tail_moves_at_its_own_rate(name):
    head, tail = make_weights("head"), make_weights("tail")
    before = [weight.numpy() for weight in head]
    for weight, value in zip(tail, before, strict=True):
        weight.assign(value)
    spec = spec_of(name, tail_learning_rate=0.05, weight_decay=0.1)
    paths = frozenset(weight.path for weight in tail)
    assert not paths & {weight.path for weight in head}
    optimizer = make_optimizer(spec, paths)
    gradients = [np.full_like(array, 2.0) for array in before]
    optimizer.apply([*gradients, *gradients], [*head, *tail])
    for start, fast, slow in zip(before, head, tail, strict=True):
        np.testing.assert_allclose(10 * (slow - start), fast - start, rtol=1e-4)


def test_the_decay_of_adamw_itself_follows_the_rate_of_the_tail():
    head, tail = make_weights("head"), make_weights("tail")
    paths = frozenset(weight.path for weight in tail)
    optimizer = make_optimizer(spec_of("adamw", tail_learning_rate=0.05), paths)
    weights = [*head, *tail]
    before = [weight.numpy() for weight in weights]
    optimizer.apply([np.zeros_like(array) for array in before], weights)
    decay = keras.optimizers.AdamW().weight_decay
    assert decay > 0
    rates = [0.5] * len(head) + [0.05] * len(tail)
    for start, weight, rate in zip(before, weights, rates, strict=True):
        np.testing.assert_allclose(weight, start * (1 - decay * rate), rtol=1e-6)


def test_sgd_has_the_momentum_of_nesterov():
    optimizer = make_optimizer(spec_of("sgd"))
    assert (optimizer.momentum, optimizer.nesterov) == (0.9, True)


def test_gradients_are_clipped_by_their_common_norm():
    weights = make_weights()
    before = [weight.numpy() for weight in weights]
    optimizer = make_optimizer(spec_of("sgd", learning_rate=1.0, clip_norm=0.1))
    optimizer.apply([np.full_like(array, 30.0) for array in before], weights)
    moves = np.concatenate(
        [(w - b).numpy().ravel() for w, b in zip(weights, before, strict=True)]
    )
    np.testing.assert_allclose(moves, moves[0], rtol=1e-5)  # of weights in float32
    assert np.linalg.norm(moves) == pytest.approx(0.1 * 1.9, rel=1e-5)  # Nesterov's


@pytest.mark.parametrize("name", ["adam", "adamw", "rmsprop", "sgd"])
def test_an_optimizer_starts_afresh_with_each_part_but_keeps_its_rate(name):
    model = make_model(optimizer=name)
    model.course.prepare()
    first = [variable.numpy() for variable in model.course.variables]
    weights = model.trainable_variables
    model.optimizer.apply([np.ones(weight.shape, "float32") for weight in weights])
    model.course.start_part(0, 1, 1)
    for variable, value in zip(model.course.variables[:-1], first[:-1], strict=True):
        np.testing.assert_array_equal(variable, value)


def test_weight_decay_and_clipping_reach_training(features):
    X, y, _, _ = features

    def size(**parameters):
        net = make_head(optimizer="sgd", epochs=3, **parameters).fit(X, y)
        return np.abs(net.net_.model_.get_layer("hidden").get_weights()[0]).sum()

    assert size(weight_decay=5.0) < 0.8 * size()
    start = make_model(learning_rate=0.01).get_layer("hidden").get_weights()[0]
    assert abs(size(clip_norm=1e-6) - np.abs(start).sum()) < 3  # another seed's


# -- the loss --------------------------------------------------------------------------


def test_the_loss_is_of_smoothed_labels_and_the_accuracy_of_the_labels(features):
    X, y, _, _ = features
    net = make_head(label_smoothing=0.2, learning_rate=1e-9, dropout=0, epochs=1)
    p = net.fit(X, y).predict_proba(X)[:, 1]  # as before the training
    smooth = 0.1 + 0.8 * y
    expected = -np.mean(smooth * np.log(p) + (1 - smooth) * np.log(1 - p))
    assert net.history_["loss"][0] == pytest.approx(expected, rel=1e-4)
    assert net.history_["accuracy"][0] == pytest.approx(net.score(X, y))


def test_validation_loss_is_plain_cross_entropy(features):
    X, y, X_val, y_val = features
    net = make_head(label_smoothing=0.3).fit(X, y, X_val=X_val, y_val=y_val)
    judged = log_loss(y_val, net.predict_proba(X_val))
    assert net.history_["val_loss"][-1] == pytest.approx(judged, rel=1e-4)
    plain = make_head().fit(X, y)
    assert net.history_["loss"][0] != pytest.approx(plain.history_["loss"][0], rel=1e-3)


# -- parts of training -----------------------------------------------------------------


@pytest.fixture(scope="module")
def maps(patches):
    """Feature maps of 24 patches below the last block of the small network."""
    X, y = patches
    trunk = PatchEncoder("cnn", weights=None, trainable_layers=5, cache_dir=False)
    return trunk.fit_transform(X), y


def make_tail(**parameters):
    small = {"dense_units": 8, "epochs": 4, "batch_size": 8, "random_state": 0}
    return PatchClassifier(
        "cnn",
        weights=None,
        **{**small, "trainable_layers": 5, "optimizer": "adam", **parameters},
    )


def tail_weights(net):
    (tail,) = [la for la in net.net_.model_.layers if hasattr(la, "layers")]
    return tail.get_weights()


def test_in_its_own_epochs_the_head_is_trained_alone(maps, tmp_path, monkeypatch):
    X, y = maps
    seen = []
    monkeypatch.setattr(
        Checkpoint, "write", lambda _, state: seen.append(state.variables)
    )
    net = make_tail(head_epochs=2, checkpoint_dir=tmp_path).fit(X, y)
    n_tail = len(tail_weights(net))
    untouched = load_backbone("cnn", None).model.get_layer("block4_conv").get_weights()
    for epoch, weights in enumerate(seen):
        is_frozen = np.array_equal(weights[0], untouched[0])
        assert is_frozen is (epoch < 2)
        same = [
            np.array_equal(a, b)
            for a, b in zip(weights[:n_tail], seen[0][:n_tail], strict=True)
        ]
        # Kernel and bias move; the four of the batch norm never do.
        assert same == [epoch < 2] * 2 + [True] * 4
    heads = [weights[n_tail:] for weights in seen]
    assert not np.allclose(heads[0][2], heads[1][2])
    assert len(net.net_.model_.trainable_variables) == 2 + 4


def test_the_schedule_begins_when_the_tail_joins(maps):
    X, y = maps
    net = make_tail(
        epochs=5, head_epochs=2, schedule="cosine", learning_rate=0.01
    ).fit(X, y)  # 3 steps an epoch  # fmt: skip
    pace = Pace(0.01, decays=True)
    pace.start(0.01, 0, 9)
    expected = [0.01, 0.01, *rates(pace, 9)[2::3]]
    np.testing.assert_allclose(net.history_["learning_rate"], expected, rtol=1e-6)


def test_a_lower_rate_moves_the_tail_less(maps):
    X, y = maps
    start = load_backbone("cnn", None).model.get_layer("block4_conv").get_weights()[0]

    def move(rate):
        kernel = tail_weights(make_tail(tail_learning_rate=rate).fit(X, y))[0]
        return np.abs(kernel - start).max()

    assert 0 < move(1e-5) < move(None) / 20


def test_patience_is_not_counted_before_the_tail_joins(maps):
    X, y = maps
    net = make_tail(epochs=6, head_epochs=4, patience=1, learning_rate=1e-2)
    net.fit(X, y, X_val=X, y_val=1 - y)
    assert len(net.history_["loss"]) > 4


# -- contradictions --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"patience": 2}, r"patience=2 stops on the validation loss, .*\sno X_val"),
        ({"head_epochs": 2}, r"head_epochs=2 is for trainable layers"),
        ({"tail_learning_rate": 0.1}, r"tail_learning_rate=0.1 is for trainable lay"),
        ({"warmup_epochs": 4}, r"warmup_epochs=4 does not end within the 4 epochs"),
        ({"head_epochs": 4, "trainable_layers": 1}, r"leaves none of epochs=4"),
    ],
)
def test_parameters_that_contradict_each_other_are_named(features, parameters, message):
    X, y, _, _ = features
    with pytest.raises(ParameterError, match=message):
        make_head(**parameters).fit(X, y)


def test_all_contradictions_are_listed_at_once(features):
    X, y, _, _ = features
    net = make_head(patience=1, head_epochs=1, warmup_epochs=9)
    with pytest.raises(ParameterError) as caught:
        net.fit(X, y)
    assert len(str(caught.value).splitlines()) == 3


# -- the state of training -------------------------------------------------------------


class Interrupted(Exception):
    """Stands for whatever ends a process."""


class Kept:
    """A checkpoint in memory, which may end training without a word."""

    def __init__(self, state=None, dies_after=None):
        self.state, self.dies_after, self.states = state, dies_after, []

    def read(self):
        return self.state

    def write(self, state):
        history = {name: list(values) for name, values in state.history.items()}
        self.states.append(state._replace(history=history))
        if state.epoch == self.dies_after:
            raise Interrupted


def go_on(make, fit, state):
    """Train the epochs that are left, and no other."""
    again, kept, first = make(), Kept(state), state.epoch + 1
    history = fit(again, checkpoint=kept)
    trained = [state.epoch for state in kept.states]
    assert trained == list(range(first, len(history["loss"]) + 1))
    return again, history


def test_the_state_after_an_epoch_is_all_there_is_to_know(features, path):
    def make():
        return make_model(schedule="cosine", warmup_epochs=0.5, learning_rate=0.3)

    def fit(model, **options):
        options = {"patience": 6, **options}
        return fit_model(model, features, epochs=6, between_epochs=options)

    at_once, kept = make(), Kept(dies_after=4)
    expected = fit(at_once)
    with pytest.raises(Interrupted):
        fit(make(), checkpoint=kept)
    again, history = go_on(make, fit, kept.states[-1])
    assert history == expected
    assert np.argmin(history["val_loss"]) < 5  # else nothing is restored
    for found, weights in zip(again.get_weights(), at_once.get_weights(), strict=True):
        np.testing.assert_array_equal(found, weights)


@pytest.mark.slow
def test_parts_of_training_are_resumed_as_well(maps):
    X, y = maps[0], maps[1].astype(np.float32)
    spec = NetworkSpec(
        X.shape[1:],
        trainable_layers=5,
        dense_units=8,
        optimizer="adam",
        schedule="cosine",
        head_epochs=2,
        tail_learning_rate=1e-4,
    )

    def make():
        return build_network(spec, load_backbone("cnn", None))

    def fit(model, **options):
        return model.fit(X, y, batch_size=8, epochs=4, between_epochs=options).history

    at_once, kept = make(), Kept()
    expected = fit(at_once, checkpoint=kept)
    variables = [np.asarray(v) for v in training_variables(at_once)]
    for state in kept.states[1:3]:  # at the end of the first part, in the second
        again, history = go_on(make, fit, state)
        assert history == expected
        for found, wanted in zip(training_variables(again), variables, strict=True):
            np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize(
    ("losses", "first_epoch", "expected"),
    [
        ([3.0], 0, 0),
        ([3.0, 2.0, 2.5], 0, 1),
        ([3.0, 2.0, 2.0, 2.0], 0, 2),
        ([1.0, 2.0, 3.0], 9, -6),
        ([1.0, 2.0, 3.0], 2, 1),
        ([np.nan, np.nan], 0, 1),
        ([np.nan, 2.0], 0, 0),
    ],
)
def test_epochs_without_a_lower_loss_are_counted(losses, first_epoch, expected):
    assert epochs_without_gain(losses, first_epoch) == expected


# -- memory ----------------------------------------------------------------------------


def test_tensorflow_keeps_nothing_of_a_network_with_all_of_it(maps):
    X, y = maps

    def graphs_after_a_fit():
        make_tail(
            **{**EVERYTHING, "head_epochs": 1, "tail_learning_rate": 1e-4, "epochs": 3}
        ).fit(X, y, X_val=X, y_val=y)  # fmt: skip
        gc.collect()
        return sum(type(item).__name__ == "FuncGraph" for item in gc.get_objects())

    before = graphs_after_a_fit()
    assert graphs_after_a_fit() == before
