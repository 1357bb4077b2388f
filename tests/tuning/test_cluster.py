"""Folds on joblib's loky and on a real Dask cluster: as one after the other."""

import os
import pickle
from contextlib import contextmanager

import cloudpickle
import joblib
import numpy as np
import pytest
from joblib._parallel_backends import LokyBackend
from optuna.trial import FixedTrial
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold, cross_validate

from glomclf import (
    GlomeruliClassifier,
    GlomeruliSearchCV,
    PatchClassifier,
    PatchEncoder,
    make_glomeruli,
    read_manifest,
)
from glomclf._runtime import n_threads, threads_for
from glomclf.data.store import cache_info
from glomclf.errors import ImageError
from glomclf.tuning.objective import make_objective
from glomclf.tuning.trials import finished_trials

distributed = pytest.importorskip("distributed", reason="needs the extra dask")
dask = pytest.importorskip("dask", reason="needs the extra dask")

SIZE = 32
N_FOLDS = 3
N_WORKERS, N_THREADS = 2, 2
SCORES = ["recall", "roc_auc", "neg_log_loss"]


@pytest.fixture(scope="module")
def manifest(tmp_path_factory):
    folder = tmp_path_factory.mktemp("patches")
    make_glomeruli(
        48,
        n_participants=12,
        sclerotic_fraction=0.4,
        image_size=SIZE,
        directory=folder,
        random_state=0,
    )
    return read_manifest(folder / "public.csv")


@pytest.fixture(scope="module")
def client():
    """Two worker processes of two threads: folds also meet inside of a process."""
    patience = dict.fromkeys(["connect", "tcp"], "600s")  # a busy machine is no fault
    with (
        dask.config.set({"distributed.comm.timeouts": patience}),
        distributed.LocalCluster(
            n_workers=N_WORKERS,
            threads_per_worker=N_THREADS,
            processes=True,
            host="127.0.0.1",
            dashboard_address=None,
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


def classifier(cache_dir, sampler, sampling_space, network=None):
    return GlomeruliClassifier(
        sampler,
        network=network or LogisticRegression(),
        # Each worker would convert the network for OpenVINO.
        encoder=PatchEncoder("cnn", weights=None, engine="keras"),
        sampling_space=sampling_space,
        image_size=SIZE,
        cache_dir=cache_dir,
        random_state=0,
    )


def folds_of(estimator, manifest, n_jobs=None):
    return cross_validate(
        estimator,
        manifest[["path", "participant"]],
        manifest["label"],
        groups=manifest["participant"],
        cv=StratifiedGroupKFold(N_FOLDS),
        scoring=SCORES,
        n_jobs=n_jobs,
        return_estimator=True,
        error_score="raise",
    )


def assert_same_scores(one, other):
    # Ranks and classes are the same; the last digit of a probability may depend on
    # the number of threads.
    for name in ("test_recall", "test_roc_auc"):
        assert one[name].tolist() == other[name].tolist()
    np.testing.assert_allclose(
        one["test_neg_log_loss"], other["test_neg_log_loss"], rtol=0, atol=1e-6
    )


@contextmanager
def tasks_run_on(client):
    """Collect the tasks that the cluster ran; by name, since clocks are corrected."""
    client.get_task_stream()  # begins to record
    before = {task["key"] for task in client.get_task_stream(start=0)}
    tasks = []
    yield tasks
    ran = client.get_task_stream(start=0)
    tasks += [task for task in ran if task["key"] not in before]


class MeasuredLoky(LokyBackend):
    """loky, and what it sends."""

    def submit(self, func, callback=None):
        self.sent.append(len(cloudpickle.dumps(func)))
        return super().submit(func, callback)


def dask_backend():
    from joblib._dask import DaskDistributedBackend

    class MeasuredDask(DaskDistributedBackend):
        """Dask, and what it sends."""

        def submit(self, func, callback=None):
            self.sent.append(len(cloudpickle.dumps(func.items)))
            return super().submit(func, callback)

    return MeasuredDask


@contextmanager
def measured(backend):
    """Run on a backend that collects the bytes of each task that it sends."""
    backend.sent = []
    joblib.register_parallel_backend("measured", backend)
    try:
        with joblib.parallel_config("measured", n_jobs=2):
            yield backend.sent
    finally:
        joblib.parallel.BACKENDS.pop("measured")


@pytest.mark.slow
def test_folds_score_the_same_one_by_one_on_loky_and_on_dask(
    manifest, client, tmp_path
):
    def run(place):
        network = PatchClassifier("cnn", weights=None, dense_units=8, epochs=1)
        model = classifier(tmp_path / place, "smote+augment", "pixels", network)
        return folds_of(model, manifest)

    serial = run("serial")
    with measured(MeasuredLoky) as sent_by_loky:
        loky = run("loky")
    with tasks_run_on(client) as tasks, measured(dask_backend()) as sent_by_dask:
        dask = run("dask")

    assert_same_scores(serial, loky)
    assert_same_scores(serial, dask)
    assert len(set(serial["test_neg_log_loss"].tolist())) == N_FOLDS
    # One task a fold: no image that a worker holds is sent on to another.
    assert len(tasks) == N_FOLDS
    workers = set(client.scheduler_info()["workers"])
    assert {task["worker"] for task in tasks} == workers
    for sent in (sent_by_loky, sent_by_dask):
        assert_paths_are_sent_and_no_pixels(sent, manifest)


def assert_paths_are_sent_and_no_pixels(sent, manifest):
    assert len(sent) == N_FOLDS
    # Path, participant, label and row numbers; of a patch 3072 bytes are pixels.
    path_bytes = manifest["path"].str.len().max()
    assert max(sent) / len(manifest) < 300 + path_bytes < SIZE * SIZE * 3


@pytest.mark.slow
def test_dask_workers_share_a_warm_store_and_send_back_no_frozen_layer(
    manifest, client, tmp_path
):
    model = classifier(tmp_path, "smote", "features")
    serial = folds_of(model, manifest)
    n_entries = cache_info(tmp_path).n_entries

    with joblib.parallel_config("dask"):
        dask = folds_of(model, manifest)

    assert_same_scores(serial, dask)
    assert cache_info(tmp_path).n_entries == n_entries
    sent_back = [len(pickle.dumps(fitted)) for fitted in dask["estimator"]]
    assert max(sent_back) < 100_000  # the frozen layers have 390 kB


@pytest.mark.parametrize("name", ["loky", "dask"])
def test_files_that_a_worker_cannot_read_are_named(manifest, client, tmp_path, name):
    broken = manifest.copy()
    missing = [str(tmp_path / f"{i}.png") for i in range(2)]
    broken.loc[broken.index[:2], "path"] = missing
    with (
        joblib.parallel_config(name, n_jobs=2),
        pytest.raises(ImageError) as caught,
    ):
        folds_of(classifier(tmp_path, None, "pixels"), broken)
    assert set(caught.value.faults) <= set(missing)
    assert caught.value.faults


def rows():
    rng = np.random.default_rng(0)
    X, owners = rng.normal(size=(90, 3)), np.repeat(np.arange(30), 3)
    return X, (X[:, 0] + rng.normal(size=90) > 0).astype(int), owners


def space(trial):
    return {"C": trial.suggest_float("C", 1e-3, 1e3, log=True)}


SEARCH = {"cv": 2, "scoring": "roc_auc", "random_state": 0}


def test_trials_on_dask_score_what_they_score_here(client):
    X, y, owners = rows()
    search = GlomeruliSearchCV(
        LogisticRegression(), space, n_trials=4, n_jobs=2, **SEARCH
    )
    with joblib.parallel_config("dask"):
        search.fit(X, y, groups=owners)
    here = make_objective(search, X, y, owners)
    trials = finished_trials(search.study_)
    assert len({trial.params["C"] for trial in trials}) == len(trials) == 4
    for trial in trials:
        assert here(FixedTrial(trial.params)) == [trial.value]


def test_searches_in_outer_folds_on_dask_find_what_they_find_here(client):
    X, y, owners = rows()
    search = GlomeruliSearchCV(LogisticRegression(), space, n_trials=3, **SEARCH)

    def outer_folds():
        return cross_validate(
            search,
            X,
            y,
            groups=owners,
            params={"groups": owners},
            cv=StratifiedGroupKFold(N_FOLDS),
            return_estimator=True,
            error_score="raise",
        )

    serial = outer_folds()
    with tasks_run_on(client) as tasks, joblib.parallel_config("dask"):
        dask = outer_folds()

    assert dask["test_score"].tolist() == serial["test_score"].tolist()
    for one, other in zip(dask["estimator"], serial["estimator"], strict=True):
        assert one.best_params_ == other.best_params_
    # A search starts no processes and no tasks of its own in a worker.
    assert len(tasks) == N_FOLDS


def test_a_dask_worker_takes_its_own_share_of_the_cores(client):
    def shares():
        import joblib

        from glomclf._runtime import n_threads, threads_for
        from glomclf.network.backend import tf

        with joblib.parallel_config("dask"):
            decoding = threads_for(None), threads_for(-1), threads_for(99)
        threads = tf.config.threading.get_intra_op_parallelism_threads()
        return n_threads(), threads, decoding, tf.get_logger().level

    def as_set_by_the_user():
        import os

        from glomclf._runtime import n_threads

        of_dask = os.environ.get("OMP_NUM_THREADS")
        try:
            os.environ["OMP_NUM_THREADS"] = "3"
            return of_dask, n_threads()
        finally:
            os.environ["OMP_NUM_THREADS"] = of_dask

    for worker in client.scheduler_info()["workers"]:
        here = {"workers": [worker], "pure": False}
        expected = (N_THREADS, N_THREADS, (1, N_THREADS, N_THREADS), 40)  # errors
        assert client.submit(shares, **here).result() == expected
        # Dask sets 1 for any number of threads; another number is the user's.
        assert client.submit(as_set_by_the_user, **here).result() == ("1", 3)


def test_a_client_of_dask_is_no_worker(client, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert n_threads() == 1
    assert threads_for(5) == 5


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
def test_a_fork_of_a_process_with_tensorflow_is_refused_and_does_not_hang(run_python):
    done = run_python(
        """
        import multiprocessing
        import joblib
        import numpy as np
        from glomclf import PatchClassifier
        X, y = np.random.default_rng(0).normal(size=(8, 4)), [0, 1] * 4
        net = PatchClassifier(patience=None, epochs=1).fit(X, y)
        def refit():
            return net.fit(X, y)
        def predict():
            return net.predict_proba(X)
        for task in (refit, predict):
            backend = multiprocessing.get_context("fork")
            try:
                joblib.Parallel(2, backend=backend)([joblib.delayed(task)()] * 2)
            except Exception as error:
                print(type(error).__name__, error)
        """
    )
    lines = done.stdout.splitlines()
    assert len(lines) == 2, done.stderr
    assert all(
        line.startswith("BackendError This process was forked") for line in lines
    )
    assert all("loky" in line for line in lines)
