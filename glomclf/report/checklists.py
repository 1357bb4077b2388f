"""Reporting checklists for studies of prediction models, filled as far as a run knows.

CLAIM [1]_ is for artificial intelligence in medical imaging, TRIPOD+AI [2]_ for
prediction models. Items are told in our own short words; what an article must say is in
the sources, and a filled item is a start for it, not the whole answer.

References
----------
.. [1] Tejani AS, Klontzas ME, Gatti AA, et al. Checklist for Artificial Intelligence in
   Medical Imaging (CLAIM): 2024 update. Radiology: Artificial Intelligence
   2024;6:e240300.
.. [2] Collins GS, Moons KGM, Dhiman P, et al. TRIPOD+AI statement: updated guidance for
   reporting clinical prediction models that use regression or machine learning methods.
   BMJ 2024;385:e078378.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

__all__ = ["CLAIM", "TRIPOD_AI", "Checklist", "ChecklistItem"]


@dataclass(frozen=True)
class ChecklistItem:
    """One item of a checklist.

    Parameters
    ----------
    number : str
        As in the source.
    section : str
        Where in an article it belongs.
    asks : str
        What is to be reported, in our words.
    """

    number: str
    section: str
    asks: str


@dataclass(frozen=True)
class Checklist:
    """A reporting checklist.

    Parameters
    ----------
    name : str
    reference : str
        The article that sets it out.
    items : tuple of ChecklistItem
        In the order of the source.

    Examples
    --------
    >>> from glomclf.report.checklists import CLAIM
    >>> CLAIM.name, len(CLAIM.items)
    ('CLAIM 2024', 44)
    >>> table = CLAIM.fill({"6": "Evaluation of a classifier of patches."})
    >>> table.loc["6", "answer"], (table["answer"] == "").sum()
    ('Evaluation of a classifier of patches.', np.int64(43))
    """

    name: str
    reference: str
    items: tuple[ChecklistItem, ...]

    def fill(self, answers: Mapping[str, str]) -> pd.DataFrame:
        """Put answers beside the items.

        Parameters
        ----------
        answers : mapping of str to str
            By the number of the item; items that are not in it stay open.

        Returns
        -------
        table : DataFrame
            Index ``item``; columns ``section``, ``asks`` and ``answer``, which is empty
            where the item is open.

        Raises
        ------
        KeyError
            If there are answers to items that the checklist does not have; it lists all
            of them.
        """
        numbers = [item.number for item in self.items]
        if strange := sorted(set(answers) - set(numbers)):
            raise KeyError(
                f"{self.name} has no items {', '.join(strange)}; its items are "
                f"{', '.join(numbers)}"
            )
        return pd.DataFrame(
            {
                "section": [item.section for item in self.items],
                "asks": [item.asks for item in self.items],
                "answer": [answers.get(number, "") for number in numbers],
            },
            index=pd.Index(numbers, name="item"),
        )


def _items(text: str) -> tuple[ChecklistItem, ...]:
    """Read a table of items: ``Section:`` lines, and ``number | what it asks``."""
    items, section = [], ""
    for line in filter(None, map(str.strip, text.splitlines())):
        if line.endswith(":"):
            section = line[:-1]
            continue
        number, _, asks = line.partition(" | ")
        items.append(ChecklistItem(number, section, asks))
    return tuple(items)


CLAIM = Checklist(
    "CLAIM 2024",
    "Tejani AS, Klontzas ME, Gatti AA, et al. Checklist for Artificial Intelligence in "
    "Medical Imaging (CLAIM): 2024 update. Radiology: Artificial Intelligence "
    "2024;6:e240300. doi:10.1148/ryai.240300",
    _items(
        """
        Title and abstract:
        1 | Name the work as AI methodology, and the kind of technology
        2 | Structured summary of design, methods, results and conclusions
        Introduction:
        3 | Scientific or clinical background; intended use and role of the AI
        4 | Aims, objectives and hypotheses
        Methods, study design:
        5 | Prospective or retrospective
        6 | Goal of the study
        Methods, data:
        7 | Sources of the data
        8 | Inclusion and exclusion criteria
        9 | Preprocessing of the data
        10 | Selection of subsets of the data, such as patches of a slide
        11 | How the data were de-identified
        12 | How missing data were handled
        13 | How the images were acquired
        Methods, reference standard:
        14 | How the reference standard was obtained
        15 | Why this reference standard was chosen
        16 | Who annotated, and with what qualification
        17 | How the test set was annotated
        18 | Agreement between and within annotators
        Methods, partitions:
        19 | How data were assigned to training, validation and test
        20 | Level at which the partitions are disjoint
        Methods, testing data:
        21 | Intended size of the sample
        Methods, model:
        22 | The model in detail: inputs, outputs, layers
        23 | Software libraries and versions
        24 | How parameters were initialised
        Methods, training:
        25 | Training: augmentation, hyperparameters, number of models
        26 | How the final model was selected
        27 | Ensembling, if any
        Methods, evaluation:
        28 | Measures of performance
        29 | Measures of significance and uncertainty
        30 | Robustness or sensitivity analysis
        31 | Explainability or interpretability, and how it was validated
        32 | Evaluation on internal data
        33 | Testing on external data
        34 | Registration of the trial, if it is one
        Results, data:
        35 | Numbers of participants and images included and excluded
        36 | Demographic and clinical characteristics of each partition
        Results, performance:
        37 | Performance and its uncertainty on all partitions
        38 | Estimates of diagnostic performance and their precision
        39 | Analysis of failures
        Discussion:
        40 | Limitations
        41 | Implications for practice, intended use and role
        Other information:
        42 | Reference to the full protocol or more technical detail
        43 | Availability of software, model and data
        44 | Funding, support and the role of funders
        """
    ),
)

TRIPOD_AI = Checklist(
    "TRIPOD+AI",
    "Collins GS, Moons KGM, Dhiman P, et al. TRIPOD+AI statement: updated guidance for "
    "reporting clinical prediction models that use regression or machine learning "
    "methods. BMJ 2024;385:e078378. doi:10.1136/bmj-2023-078378",
    _items(
        """
        Title and abstract:
        1 | Development or evaluation of a model; target population; outcome
        2 | Abstract, after TRIPOD+AI for abstracts
        Introduction:
        3a | Healthcare context and rationale; existing models
        3b | Target population, purpose and users of the model
        3c | Known inequalities in health between groups
        4 | Objectives: development, evaluation or both
        Methods, data:
        5a | Sources of the data for development and evaluation, and why these
        5b | Dates of the data
        Methods, participants:
        6a | Setting: kind, number and place of centres
        6b | Eligibility criteria
        6c | Treatments received, and how they were handled
        Methods, data preparation:
        7 | Preprocessing and quality checks, alike across groups or not
        Methods, outcome:
        8a | The outcome, how and when it was assessed, and why this one
        8b | Qualification and demographics of the assessors, if subjective
        8c | Blinding of the assessment
        Methods, predictors:
        9a | Choice of the first predictors
        9b | The predictors, how and when they were measured
        9c | Qualification and demographics of who measured them, if subjective
        Methods, sample size:
        10 | How the size was arrived at, and whether it suffices
        Methods, missing data:
        11 | How missing data were handled
        Methods, analysis:
        12a | How the data were used, and partitioned
        12b | How predictors were handled
        12c | Kind of model, steps of building, hyperparameters, internal validation
        12d | Heterogeneity between clusters, such as centres
        12e | Measures and plots of performance, and why these
        12f | Updating of the model after evaluation
        12g | How predictions were calculated in the evaluation
        Methods, class imbalance:
        13 | Methods against imbalance, and recalibration after them
        Methods, fairness:
        14 | Methods to address fairness
        Methods, output:
        15 | Output of the model; classes and thresholds, and how chosen
        Methods, training against evaluation:
        16 | Differences between development and evaluation data
        Methods, ethics:
        17 | Ethical approval and consent
        Open science:
        18a | Funding and role of funders
        18b | Conflicts of interest
        18c | Protocol
        18d | Registration
        18e | Availability of the data
        18f | Availability of the code
        Patient and public involvement:
        19 | Involvement of patients and public, or that there was none
        Results, participants:
        20a | Flow of participants, with and without the outcome
        20b | Characteristics overall and by source
        20c | Comparison of development and evaluation data
        Results, development:
        21 | Participants and outcome events in each analysis
        Results, specification:
        22 | The full model, so that others can predict with it
        Results, performance:
        23a | Performance with intervals, also of key subgroups
        23b | Heterogeneity of performance between clusters
        Results, updating:
        24 | Results of updating the model
        Discussion:
        25 | Interpretation, with fairness and earlier studies
        26 | Limitations
        27a | How poor or missing input is to be handled in use
        27b | What users must do, and the skill it takes
        27c | Next steps of research: applicability, generalisability
        """
    ),
)
