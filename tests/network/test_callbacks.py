"""Between epochs: the bar moves on, and training may stop."""

import numpy as np
import pytest

from glomclf.network.callbacks import EarlyStopping, EpochProgress


@pytest.mark.parametrize(
    ("logs", "note"),
    [
        ({"loss": 0.5, "accuracy": 1.0}, "loss 0.500"),
        ({"val_loss": 0.25, "loss": 0.0}, "loss 0.000, val_loss 0.250"),
        ({}, ""),
        (None, ""),
    ],
)
def test_an_epoch_moves_the_bar_on_by_one_with_its_losses(logs, note):
    calls = []
    progress = EpochProgress(lambda **keywords: calls.append(keywords))
    progress.on_epoch_end(0, logs)
    assert calls == [{"note": note}]


class FakeModel:
    """Counts epochs in its only weight, so that restored weights name their epoch."""

    stop_training = False
    weights = (np.zeros(1),)

    def get_weights(self):
        return self.weights

    def set_weights(self, weights):
        self.weights = weights


def run_epochs(callback, losses):
    model = FakeModel()
    callback.set_model(model)
    callback.on_train_begin()
    for epoch, loss in enumerate(losses, start=1):
        model.weights = (np.array([epoch]),)
        callback.on_epoch_end(epoch - 1, {"loss": -epoch, "val_loss": loss})
        if model.stop_training:
            break
    callback.on_train_end()
    return epoch, model.weights[0].item()


@pytest.mark.parametrize(
    ("patience", "losses", "stopped_after", "restored"),
    [
        (1, [3.0, 2.0, 2.5, 1.0], 3, 2),
        (2, [3.0, 2.0, 2.5, 1.0], 4, 4),
        (2, [3.0, 2.0, 2.5, 2.5, 1.0], 4, 2),
        (9, [1.0, 2.0, 3.0], 3, 1),
    ],
)
def test_training_stops_after_patience_and_the_best_epoch_is_restored(
    patience, losses, stopped_after, restored
):
    assert run_epochs(EarlyStopping(patience), losses) == (stopped_after, restored)
