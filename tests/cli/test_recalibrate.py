"""`glomclf recalibrate`: a model file for a new site, used by the other commands."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from glomclf import GlomeruliClassifier, read_classifier
from tests.commands import run


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A model of features, and a csv with features of a site where all is shifted."""
    folder, rng = tmp_path_factory.mktemp("site"), np.random.RandomState(0)
    y, people = rng.randint(2, size=80), np.repeat(np.arange(8), 10)
    X = rng.standard_normal((80, 3)) + 2 * y[:, None]
    model = GlomeruliClassifier(None, network=LogisticRegression())
    model.fit(X, y, groups=people).save(folder / "mine.glomclf")
    names = [f"{row}.png" for row in range(80)]
    table = {"name": names, "ground truth": y, "participant": people}
    pd.DataFrame(table).to_csv(folder / "site.csv", index=False)
    features = pd.DataFrame(X + 1.5, columns=["a", "b", "c"])
    features.assign(name=names).to_csv(folder / "features.csv", index=False)
    return folder


def words(site, out, *more):
    features = ("--embeddings", site / "features.csv", "-q", "-o", out)
    return ("recalibrate", site / "mine.glomclf", site / "site.csv", *features, *more)


def test_the_model_of_the_site_is_written_and_its_worth_told(site, tmp_path):
    out = tmp_path / "here.glomclf"
    result = run(*words(site, out))
    assert "Recalibrated on 80 patches" in result.stdout
    assert "of 8 participants, logistic" in result.stdout
    assert str(out) in result.stdout
    here = read_classifier(out)
    assert here.recalibration_.intercept < -1
    assert here.out_of_fold_record_.n_participants == 8
    cells = [line.split("│") for line in result.stdout.splitlines()]
    (row,) = (line for line in cells if line[1:2] and line[1].strip() == "4")
    before, after = map(float, row[2:4])
    assert after > before  # F1


def test_another_recalibration_begins_with_the_model_as_it_was_trained(site, tmp_path):
    run(*words(site, tmp_path / "here.glomclf"))
    here = read_classifier(tmp_path / "here.glomclf")
    X = pd.read_csv(site / "features.csv")[["a", "b", "c"]].to_numpy()
    raw = read_classifier(site / "mine.glomclf").predict_proba(X)[:, 1]
    wanted = here.recalibration_.apply(raw)
    np.testing.assert_allclose(here.predict_proba(X)[:, 1], wanted)
    again = tmp_path / "again.glomclf"  # of the model as it was trained, not twice
    more = words(site, again)
    run(more[0], tmp_path / "here.glomclf", *more[2:])
    assert read_classifier(again).recalibration_ == here.recalibration_


def test_few_participants_and_one_class_are_told(site, tmp_path):
    table = pd.read_csv(site / "site.csv")
    table[(table["participant"] < 2) & (table["ground truth"] == 0)].to_csv(
        tmp_path / "few.csv", index=False
    )
    command = list(words(site, tmp_path / "here.glomclf"))
    command[2] = tmp_path / "few.csv"
    result = run(*command)
    assert "3 are needed" in result.stderr
    assert "one label alone" in result.stderr


def test_one_patch_is_no_plural(site, tmp_path):
    pd.read_csv(site / "site.csv")[:1].to_csv(tmp_path / "one.csv", index=False)
    command = list(words(site, tmp_path / "here.glomclf"))
    command[2] = tmp_path / "one.csv"
    result = run(*command)
    assert "Recalibrated on 1 patch (" in result.stdout
    assert "one label alone, in 1 patch." in result.stderr
    assert "cannot be measured on 1 participant;" in result.stderr


def test_nobody_known_is_refused(site, tmp_path):
    table = pd.read_csv(site / "site.csv").drop(columns="participant")
    table.to_csv(tmp_path / "site.csv", index=False)
    command = list(words(site, tmp_path / "here.glomclf"))
    command[2] = tmp_path / "site.csv"
    assert "Add a column 'participant'" in run(*command, code=2).stderr
    assert not (tmp_path / "here.glomclf").exists()


def test_the_model_is_not_overwritten(site):
    command = words(site, site / "mine.glomclf", "--overwrite")
    assert "overwritten" in run(*command, code=2).stderr
