"""The sections of reports, by what they tell.

A section is a function to a `Section`, or to None where nothing is known for it. Those
of an evaluation take an `EvaluatedModel`, and `glomclf.report.evaluation` lists them in
order. `course` and `trials` take a `TunedStudy`, `new_biopsies` what a model says of
new biopsies, and `readers` an agreement of readers.
"""
