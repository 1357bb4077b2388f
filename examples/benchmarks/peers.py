"""ResNet-50 in glomclf beside PyTorch, skorch and Keras: one step of each in turn.

::

    pip install -r examples/benchmarks/peers-requirements.txt
    python examples/benchmarks/peers.py --output docs/benchmarks

All train and predict the same network, from the same random images, in one process. A
step of one follows a step of another, so that what else the machine does weighs on all
alike. ``--threads 1`` counts processor time instead of seconds: that holds on a busy
machine too. The linear probe is that of kidney-hfm-eval 0.1.23: images one by one,
StandardScaler, LogisticRegression with its C, grouped folds from three seeds.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

_THREADS = argparse.ArgumentParser(add_help=False)
_THREADS.add_argument("--threads", type=int, help="of each; default: all cores")
if (_GIVEN := _THREADS.parse_known_args()[0].threads) is not None:
    os.environ["OMP_NUM_THREADS"] = str(_GIVEN)  # read when the libraries start
    os.environ["TF_NUM_INTEROP_THREADS"] = str(_GIVEN)

import numpy as np
import torch
from pages import command, grid
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skorch import NeuralNetClassifier

from glomclf import PatchClassifier, PatchEncoder
from glomclf._runtime import n_threads
from glomclf.network.backend import keras
from glomclf.network.batches import ArrayBatches
from glomclf.network.processor import processor_name
from glomclf.network.programs import BatchEpochs

_MEAN, _STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)
_N_IN_STEP = 16
_N_PREDICTED = 8
_BLOCKS = ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2))


class Peer(NamedTuple):
    """A library's step of training, its prediction, its features of one image."""

    train: Callable[[], Any] | None
    predict: Callable[[], Any]


class _Block(torch.nn.Module):
    """Three convolutions and a way past them."""

    def __init__(self, n_in: int, n_mid: int, stride: int):
        super().__init__()
        n_out, relu = 4 * n_mid, torch.nn.ReLU(inplace=True)
        self.way = torch.nn.Sequential(
            *_convolution(n_in, n_mid, 1),
            relu,
            *_convolution(n_mid, n_mid, 3, stride),
            relu,
            *_convolution(n_mid, n_out, 1),
        )
        is_same = stride == 1 and n_in == n_out
        past = [] if is_same else _convolution(n_in, n_out, 1, stride)
        self.past, self.relu = torch.nn.Sequential(*past), relu

    def forward(self, x: Any) -> Any:
        """Add both ways."""
        return self.relu(self.way(x) + self.past(x))


def _convolution(n_in: int, n_out: int, side: int, stride: int = 1) -> list[Any]:
    layer = torch.nn.Conv2d(n_in, n_out, side, stride, side // 2, bias=False)
    return [layer, torch.nn.BatchNorm2d(n_out)]


def torch_resnet50() -> Any:
    """Build ResNet-50 to its pooled features, as torchvision does."""
    parts = [*_convolution(3, 64, 7, 2), torch.nn.ReLU(inplace=True)]
    parts.append(torch.nn.MaxPool2d(3, 2, 1))
    n_in = 64
    for n_mid, n_blocks, stride in _BLOCKS:
        for block in range(n_blocks):
            parts.append(_Block(n_in, n_mid, stride if block == 0 else 1))
            n_in = 4 * n_mid
    return torch.nn.Sequential(
        *parts, torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten()
    )


def as_tensor(images: np.ndarray) -> Any:
    """Normalise uint8 images, the channels last in memory."""
    x = torch.from_numpy(images).permute(0, 3, 1, 2).float()
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (_MEAN, _STD))
    return ((x - mean) / std).contiguous(memory_format=torch.channels_last)


def torch_network(n_outputs: int = 1) -> Any:
    """Build features and head."""
    return torch.nn.Sequential(
        torch_resnet50(),
        torch.nn.Linear(2048, 256),
        torch.nn.ReLU(),
        torch.nn.Dropout(0.5),
        torch.nn.Linear(256, n_outputs),
    ).to(memory_format=torch.channels_last)


def torch_peer(small: np.ndarray, y: np.ndarray, large: np.ndarray) -> Peer:
    """Train and predict in PyTorch alone."""
    net = torch_network()
    optimizer = torch.optim.RMSprop(net.parameters(), 1e-3)
    loss_of, target = torch.nn.BCEWithLogitsLoss(), torch.from_numpy(y)[:, None]

    def train() -> float:
        net.train()
        optimizer.zero_grad()
        loss = loss_of(net(as_tensor(small)), target)
        loss.backward()
        optimizer.step()
        return loss.item()

    def predict() -> np.ndarray:
        net.eval()
        with torch.inference_mode():
            return net(as_tensor(large)).numpy()

    return Peer(train, predict)


def folded_torch_peer(large: np.ndarray) -> Peer:
    """Predict in PyTorch with batch norm folded into the convolutions."""
    x = as_tensor(large)
    with torch.inference_mode():
        traced = torch.jit.trace(torch_network().eval(), x)
        net = torch.jit.optimize_for_inference(traced)
        return Peer(None, torch.inference_mode()(lambda: net(as_tensor(large))))


def skorch_peer(small: np.ndarray, y: np.ndarray, large: np.ndarray) -> Peer:
    """Train and predict through skorch."""
    net = NeuralNetClassifier(
        torch_network(2),
        criterion=torch.nn.CrossEntropyLoss,
        optimizer=torch.optim.RMSprop,
        lr=1e-3,
        max_epochs=1,
        batch_size=_N_IN_STEP,
        train_split=None,
        iterator_train__shuffle=True,
        verbose=0,
    ).initialize()
    labels = y.astype(np.int64)
    return Peer(
        lambda: net.partial_fit(as_tensor(small), labels),
        lambda: net.predict_proba(as_tensor(large)),
    )


def keras_peer(small: np.ndarray, y: np.ndarray, large: np.ndarray) -> Peer:
    """Train and predict in Keras alone."""
    layers = keras.layers
    trunk = keras.applications.ResNet50(
        include_top=False, weights=None, pooling="avg", input_shape=(None, None, 3)
    )
    images = keras.Input((None, None, 3))
    x = trunk(keras.applications.resnet50.preprocess_input(images))
    x = layers.Dropout(0.5)(layers.Dense(256, activation="relu")(x))
    net = keras.Model(images, layers.Dense(1, activation="sigmoid")(x))
    # With "auto" Keras compiles by XLA, which makes these steps slower.
    net.compile("rmsprop", "binary_crossentropy", jit_compile=False)
    return Peer(
        lambda: net.train_on_batch(small.astype(np.float32), y),
        lambda: net.predict(large.astype(np.float32), verbose=0),
    )


def glomclf_peer(small: np.ndarray, y: np.ndarray, large: np.ndarray) -> Peer:
    """Train as ``fit`` does, in epochs of one batch, and predict from images."""
    net = PatchClassifier(
        weights=None, trainable_layers="all", epochs=1, batch_size=len(small)
    ).fit(small, y)
    model = net.net_.model_
    batches = ArrayBatches(small, y, batch_size=len(small), shuffle_seed=0)
    runner = BatchEpochs(model, batches, None)
    model.course.start_part(0, 1, 1)
    runner.start_part()
    encoder = PatchEncoder(weights=None, cache_dir=False).fit(large)
    head = PatchClassifier(weights=None, epochs=1)
    head.fit(encoder.transform(large), np.arange(len(large)) % 2)
    return Peer(runner.train, lambda: head.predict_proba(encoder.transform(large)))


def probes(images: np.ndarray, folder: Path) -> dict[str, Callable[[], Any]]:
    """Probe features linearly, from images to the probabilities of all folds."""
    y, groups = np.arange(len(images)) % 2, np.arange(len(images)) // 2
    net = torch_resnet50().eval().to(memory_format=torch.channels_last)

    def one_by_one() -> None:
        kept = []
        for number, image in enumerate(images):
            with torch.inference_mode():
                torch.save(net(as_tensor(image[None])), folder / f"{number}.pt")
            kept.append(torch.load(folder / f"{number}.pt").numpy())
        _probe(np.vstack(kept), y, groups)

    def glomclf(cache_dir: Path | bool) -> None:
        encoder = PatchEncoder(weights=None, cache_dir=cache_dir)
        _probe(encoder.fit_transform(images), y, groups)

    def from_an_empty_store() -> None:
        with tempfile.TemporaryDirectory(dir=folder) as empty:
            glomclf(Path(empty))

    return {
        "kidney-hfm-eval's way": one_by_one,
        "glomclf": from_an_empty_store,
        "glomclf, images known": lambda: glomclf(folder / "store"),
    }


def _probe(features: np.ndarray, y: np.ndarray, groups: np.ndarray) -> None:
    strength = features.shape[1] * len(np.unique(y)) / 100
    model = make_pipeline(
        StandardScaler(), LogisticRegression(C=strength, max_iter=1000)
    )
    for seed in range(3):
        folds = StratifiedGroupKFold(4, shuffle=True, random_state=seed)
        cross_val_predict(model, features, y, groups=groups, cv=folds)


def in_turn(
    functions: dict[str, Callable[[], Any]], repeats: int, clock: Callable[[], float]
) -> dict[str, np.ndarray]:
    """Time functions one after the other; two rounds come before those that count."""
    times: dict[str, list[float]] = {name: [] for name in functions}
    for _ in range(repeats + 2):
        for name, function in functions.items():
            start = clock()
            function()
            times[name].append(clock() - start)
    return {name: np.array(taken[2:]) for name, taken in times.items()}


def table(title: str, times: dict[str, np.ndarray], n_images: int) -> list[str]:
    """Write images a second, and their ratio to those of the best peer."""
    rivals = [name for name in times if not name.startswith("glomclf")]
    rows = [[name] for name in times]
    for summary in (np.min, np.median):
        rates = {name: n_images / summary(taken) for name, taken in times.items()}
        best = max(rates[name] for name in rivals)
        for row in rows:
            rate = rates[row[0]]
            row += [f"{rate:.1f}", f"{rate / best:.2f}"]
    heads = ["", "best, images/s", "ratio", "median, images/s", "ratio"]
    lines = [f"## {title}", "", *grid(heads, rows), ""]
    print("\n".join(lines), file=sys.stderr, flush=True)  # the rest takes minutes
    return lines


def measured(repeats: int, clock: Callable[[], float]) -> list[str]:
    """Measure training, prediction and probe."""
    rng = np.random.default_rng(0)
    small = rng.integers(0, 256, (_N_IN_STEP, 64, 64, 3), np.uint8)
    large = rng.integers(0, 256, (_N_PREDICTED, 224, 224, 3), np.uint8)
    y = np.arange(_N_IN_STEP, dtype=np.float32) % 2
    peers = {
        "PyTorch": torch_peer(small, y, large),
        "PyTorch, folded": folded_torch_peer(large),
        "skorch": skorch_peer(small, y, large),
        "Keras": keras_peer(small, y, large),
        "glomclf": glomclf_peer(small, y, large),
    }
    training = {name: peer.train for name, peer in peers.items() if peer.train}
    predicting = {name: peer.predict for name, peer in peers.items()}
    title = f"Training the whole network, {_N_IN_STEP} images of 64 px a step"
    lines = table(title, in_turn(training, repeats, clock), _N_IN_STEP)
    n = _N_PREDICTED
    title = f"Predicting, {n} images of 224 px"
    lines += table(title, in_turn(predicting, repeats, clock), n)
    with tempfile.TemporaryDirectory(prefix="glomclf-peers-") as folder:
        times = in_turn(probes(large, Path(folder)), repeats, clock)
    title = f"Linear probe of {n} images of 224 px, three times four folds"
    return [*lines, *table(title, times, n)]


def main() -> None:
    """Measure, and write the page."""
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0], parents=[_THREADS]
    )
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument(
        "--output", type=Path, help="folder of the page; default: print"
    )
    options = parser.parse_args()
    torch.set_num_threads(n_threads())
    is_single = options.threads == 1
    clock = time.process_time if is_single else time.perf_counter
    packages = ("glomclf", "torch", "skorch", "keras", "tensorflow", "openvino")
    counted = "processor time of one thread" if is_single else "seconds of the clock"
    lines = [
        "# ResNet-50 beside PyTorch, skorch and Keras, "
        + ("on one core" if is_single else "on all cores"),
        "",
        f"Made by `{command()}`. What is compared runs in turn, "
        f"{options.repeats} times; rates are of {counted}. A ratio is to the best of "
        "the peers, which are all but glomclf; the best of the times is what other "
        "work on the machine disturbs least.",
        "",
        *measured(options.repeats, clock),
        f"{n_threads()} of {os.cpu_count()} cores ({processor_name()}); Python "
        f"{platform.python_version()}, "
        + ", ".join(f"{name} {version(name)}" for name in packages)
        + ".",
    ]
    text = "\n".join(lines) + "\n"
    if options.output is None:
        print(text)
    else:
        name = "peers.md" if is_single else "peers_all_cores.md"
        (options.output / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
