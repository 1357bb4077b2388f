"""Judge the maps of `explain`: do they show what the network looked at?

Folds are by participant; each map is of a patch whose participant was not trained on. A
map is turned so that it is positive where it speaks for the class that the network
predicts, and is judged by four tests:

1. Inside: how much of its positive part lies inside the drawn outline of the
   glomerulus, against the outline's share of the patch, and whether its highest square
   does.
2. Deletion: 7 x 7 squares of the patch are blurred, those that the map finds most
   important first. The probability of the predicted class should fall faster than in
   random order.
3. Insertion: a blurred patch gets its squares back in the same order. The probability
   should rise faster.
4. Control: the same network with random weights in place of the pretrained ones, its
   head trained on the same patches. A map of what was learned must look different
   there (Adebayo 2018).

Beside them stands a map that looks at no pixel: the nearer to the centre, the higher.
Patches are cut around the glomerulus, so that this already does well in the first test.

    python examples/benchmarks/explanations.py public.csv masks --output explanations.md
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from judged_maps import SQUARES, STEPS, judged
from pages import about, check_settings, command, grid, kept
from scipy.stats import spearmanr
from sklearn.metrics import roc_auc_score

from glomclf import make_classifier, read_manifest
from glomclf.data.splitting import RepeatedStratifiedGroupKFold

PLAIN = {"predict_views": 1, "cache_dir": False, "random_state": 0}
FINE_TUNED = {"recipe": "fine-tune", "network__head_epochs": 1, **PLAIN}
CONTROL = ", random weights"
CURVES = ("deletion", "insertion")
HEADINGS = {
    "All patches": None,
    "Globally sclerotic glomeruli": 1,
    "All other glomeruli": 0,
}
STYLES = {"cam": "C0-", "occlusion": "C1-", "centre": "C2--", "random": "C3--"}
MOST_ALIKE = 0.5  # correlation with the map of random weights
SAYS = {
    "deletion, over random": {
        "yes": "What it finds important is important to the network: the probability "
        "falls faster than in random order.",
        "no": "It misleads: the probability falls more slowly than in random order.",
        "not clear": "It is not clear that what it finds important is so to the "
        "network: the probability falls as in random order.",
    },
    "deletion, over centre": {
        "yes": "It knows more than that the middle of the patch matters.",
        "no": "To say that the middle of the patch matters is nearer to the truth.",
        "not clear": "It is not clear that it knows more than that the middle of the "
        "patch matters.",
    },
    "inside, over centre": {
        "yes": "More of it lies inside the glomerulus than of a map that looks at no "
        "pixel.",
        "no": "It does not outline the glomerulus: of a map that looks at no pixel, "
        "more lies inside.",
        "not clear": "As much of it lies inside the glomerulus as of a map that looks "
        "at no pixel.",
    },
    "control": {
        "yes": "It depends on what was learned: with random weights it is another map.",
        "no": "It depends little on what was learned: with random weights it is much "
        "the same.",
    },
}
# Settings of make_classifier, and the methods of explain.
MODELS = {
    "linear": ({"recipe": "linear", **PLAIN}, ("cam", "occlusion")),
    f"linear{CONTROL}": (
        {"recipe": "linear", "encoder__weights": None, **PLAIN},
        ("cam", "occlusion"),
    ),
    "fine-tune": (FINE_TUNED, ("cam",)),
    f"fine-tune{CONTROL}": ({**FINE_TUNED, "network__weights": None}, ("cam",)),
}


def chosen_patches(manifest: pd.DataFrame, n: int, seed: int) -> pd.DataFrame:
    """Draw at most so many patches of each class of each participant."""
    shuffled = manifest.sample(frac=1, random_state=seed)
    return shuffled.groupby(["participant", "label"]).head(n).sort_index()


def judged_model(name: str, manifest: pd.DataFrame, options) -> pd.DataFrame:
    """Train on all folds but one, and judge the maps of patches of that one."""
    settings, methods = MODELS[name]
    if "fine-tune" in name:
        settings = {**settings, "network__epochs": options.epochs}
    y, groups = manifest["label"].to_numpy(), manifest["participant"].to_numpy()
    folds = RepeatedStratifiedGroupKFold(
        options.n_folds, 1, random_state=options.seed
    ).split(manifest, y, groups)
    chosen = chosen_patches(manifest, options.n_patches, options.seed).index
    tables = []
    for train, test in folds:
        classifier = make_classifier(**settings).fit(
            manifest.iloc[train], y[train], groups=groups[train]
        )
        rows = manifest.loc[np.intersect1d(chosen, test)]
        how = (methods, options.masks, options.seed)
        tables.append(judged(classifier, rows, *how, curved=CONTROL not in name))
    return pd.concat(tables)


def changes(table: pd.DataFrame) -> pd.DataFrame:
    """Compare each map with the one that looks at no pixel, and with random order."""
    for name in ("centre", "random"):
        beside = table[table["map"] == name].set_index("patch").loc[table["patch"]]
        table = table.assign(
            **{
                f"inside, over {name}": table["inside"] - beside["inside"].to_numpy(),
                f"deletion, over {name}": beside["deletion"].to_numpy()
                - table["deletion"],
                f"insertion, over {name}": table["insertion"]
                - beside["insertion"].to_numpy(),
            }
        )
    return table


def estimated(groups: pd.Series, values: pd.Series) -> np.ndarray:
    """Give a mean over patches and its ends, by bootstrap over participants."""
    known = values.notna().to_numpy()
    sums = values[known].groupby(groups[known].to_numpy()).agg(["sum", "size"])
    drawn = np.random.RandomState(0).randint(len(sums), size=(4000, len(sums)))
    totals = sums.to_numpy()[drawn].sum(axis=1)
    ends = np.quantile(totals[:, 0] / totals[:, 1], [0.025, 0.975])
    return np.array([values[known].mean(), *ends])


def told(table: pd.DataFrame, score: str, form: str = "{:.2f}") -> str:
    """Write a mean with its interval."""
    value = estimated(table["participant"], table[score])
    return f"{form} ({form} to {form})".format(*value)


def answer(table: pd.DataFrame, score: str) -> str:
    """Say whether a mean is above 0, as far as its interval tells."""
    _, low, high = estimated(table["participant"], table[score])
    return "yes" if low > 0 else "no" if high < 0 else "not clear"


def correlations(one: pd.DataFrame, other: pd.DataFrame) -> pd.DataFrame:
    """Correlate the squares of two maps of each patch, by rank."""
    cells = [f"cell {k}" for k in range(SQUARES**2)]
    pairs = one.merge(other, on=["patch", "participant"], suffixes=("", " of other"))
    theirs = pairs[[f"{cell} of other" for cell in cells]].to_numpy()
    found = [
        spearmanr(a, b).statistic
        for a, b in zip(pairs[cells].to_numpy(), theirs, strict=True)
    ]
    return pairs[["participant"]].assign(correlation=found)


def map_of(results: dict[str, pd.DataFrame], model: str, name: str) -> pd.DataFrame:
    """Return the rows of one map."""
    return results[model][results[model]["map"] == name]


def judged_maps(results: dict[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Return the rows of each map that is judged, by its title."""
    return {
        f"{model}, {name}": map_of(results, model, name)
        for model, (_, methods) in MODELS.items()
        if CONTROL not in model
        for name in methods
    }


def score_rows(results: dict[str, pd.DataFrame], label: int | None) -> list[list[str]]:
    """Write a row for each map of each trained model."""
    rows = []
    for model in MODELS:
        if CONTROL in model:
            continue
        for name, table in results[model].groupby("map", sort=False):
            own = table if label is None else table[table["label"] == label]
            cells = [told(own, score) for score in ("inside", "pointed")]
            cells += [told(own, score) for score in ("deletion", "insertion")]
            rows.append([model, name, *cells])
    return rows


def answer_rows(results: dict[str, pd.DataFrame]) -> list[list[str]]:
    """Write what each test answers."""
    scores = ["more inside", "inside, over centre"]
    scores += [f"{test}, over {of}" for test in CURVES for of in ("random", "centre")]
    rows = []
    for title, table in judged_maps(results).items():
        for kind, label in HEADINGS.items():
            own = table if label is None else table[table["label"] == label]
            rows.append([title, kind.lower(), *(answer(own, one) for one in scores)])
    return rows


def alike_rows(results: dict[str, pd.DataFrame]) -> list[list[str]]:
    """Write how alike maps of two networks, or of two methods, are."""
    pairs = {
        f"{model}, {name}: trained and random weights": (
            map_of(results, model, name),
            map_of(results, model + CONTROL, name),
        )
        for model, (_, methods) in MODELS.items()
        if CONTROL not in model
        for name in methods
    }
    drawn = [map_of(results, "linear", name) for name in ("cam", "occlusion")]
    pairs["linear: cam and occlusion"] = (drawn[0], drawn[1])
    cams = [map_of(results, model, "cam") for model in ("linear", "fine-tune")]
    pairs["cam: linear and fine-tune"] = (cams[0], cams[1])
    return [
        [title, told(correlations(*both), "correlation")]
        for title, both in pairs.items()
    ]


def verdict(results: dict[str, pd.DataFrame]) -> list[str]:
    """Say plainly of each map what it may be trusted for."""
    lines = []
    for model, (_, methods) in MODELS.items():
        for name in () if CONTROL in model else methods:
            table = map_of(results, model, name)
            control = correlations(table, map_of(results, model + CONTROL, name))
            high = estimated(control["participant"], control["correlation"])[2]
            texts = [
                SAYS[score][answer(table, score)]
                for score in ("deletion, over random", "deletion, over centre")
            ]
            texts.append(
                SAYS["inside, over centre"][answer(table, "inside, over centre")]
            )
            texts.append(SAYS["control"]["yes" if high < MOST_ALIKE else "no"])
            lines.append(f"- **{model}, {name}.** {' '.join(texts)}")
    return lines


def draw_curves(results: dict[str, pd.DataFrame], path: Path) -> None:
    """Draw the mean curves of each trained model."""
    from matplotlib.figure import Figure

    models = [model for model in MODELS if CONTROL not in model]
    figure = Figure(figsize=(7.5, 3 * len(models)), layout="constrained")
    axes = figure.subplots(len(models), len(CURVES), sharex=True, sharey=True)
    for row, model in zip(axes, models, strict=True):
        for ax, kind in zip(row, CURVES, strict=True):
            for name, table in results[model].groupby("map", sort=False):
                means = table[[f"{kind} {step}" for step in STEPS]].mean()
                ax.plot(STEPS / STEPS[-1], means, STYLES[name], label=name)
            ax.set(title=f"{model}: {kind}", ylim=(0, 1))
        row[0].set_ylabel("probability of the predicted class")
    for ax, done in zip(axes[-1], ("blurred", "shown"), strict=True):
        ax.set_xlabel(f"share of squares {done}")
    axes[0, 0].legend()
    figure.savefig(path, dpi=100)


def as_markdown(results, chosen: pd.DataFrame, options: argparse.Namespace) -> str:
    """Write the page."""
    _, *paragraphs = __doc__.split("\n\n    python")[0].split("\n\n")
    intro = [line for text in paragraphs for line in (text, "")]
    aucs = [
        f"{model} {roc_auc_score(one['label'], one['probability']):.3f}"
        for model in MODELS
        for one in [map_of(results, model, "random")]
    ]
    answered = ["map", "patches", "more inside than its area", "than of the centre map"]
    answered += ["deletion: faster than random", "than the centre map"]
    answered += ["insertion: faster than random", "than the centre map"]
    scored = ["model", "map", "positive part inside", "highest square inside"]
    scored += ["area under the deletion curve", "under the insertion curve"]
    lines = [
        "# What the network looked at",
        "",
        *intro,
        f"{about(chosen['label'], chosen['participant'])}, at most "
        f"{options.n_patches} of each class of a participant, in {options.n_folds} "
        f"folds; {chosen_area(results)} of a patch is inside the outline. *linear* is "
        "EfficientNet-Lite0 with ImageNet weights and a logistic regression; "
        f"*fine-tune* trains its last layers, here for {options.epochs} epochs. Both "
        "with one view. ROC AUC of these patches: "
        f"{', '.join(aucs)}. Intervals: 95 %, by bootstrap over participants. Made by",
        "",
        f"    {command()}",
        "",
        "## May they be trusted?",
        "",
        *verdict(results),
        "",
        "## What each test answers",
        "",
        "Yes and no: the whole interval of the difference lies on that side of 0.",
        "",
        *grid(answered, answer_rows(results)),
        "",
        "![Probability of the predicted class, the more squares are blurred or shown]"
        f"({options.output.with_suffix('.png').name})",
    ]
    for heading, label in HEADINGS.items():
        lines += ["", f"## {heading}", "", *grid(scored, score_rows(results, label))]
    lines += [
        "",
        "## How alike two maps are",
        "",
        "Mean over patches of the rank correlation of their 49 squares.",
        "",
        *grid(["maps", "correlation"], alike_rows(results)),
    ]
    return "\n".join(lines) + "\n"


def chosen_area(results: dict[str, pd.DataFrame]) -> str:
    """Write the mean share of a patch that lies inside its outline."""
    return f"{100 * map_of(results, 'linear', 'random')['area'].mean():.0f} %"


def main() -> None:
    """Train, explain, judge and write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("csv", type=Path, help="labelled patches, 224 pixels a side")
    parser.add_argument("masks", type=Path, help="their outlines, under the same names")
    parser.add_argument("--n-patches", type=int, default=2)
    parser.add_argument("--n-folds", type=int, default=2)
    parser.add_argument("--epochs", type=int, default=3, help="of fine-tune")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--predictions", type=Path, default=Path("explanations"))
    parser.add_argument("--output", type=Path, required=True, help="a Markdown file")
    options = parser.parse_args()
    check_settings(options)
    manifest = read_manifest(options.csv)
    found = {
        name: kept(
            options.predictions / f"{name}.csv",
            partial(judged_model, name, manifest, options),
        )
        for name in MODELS
    }
    results = {
        name: table if CONTROL in name else changes(table)
        for name, table in found.items()
    }
    chosen = chosen_patches(manifest, options.n_patches, options.seed)
    text = as_markdown(results, chosen, options)
    options.output.write_text(text, encoding="utf-8")
    draw_curves(results, options.output.with_suffix(".png"))


if __name__ == "__main__":
    main()
