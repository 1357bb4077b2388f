"""The sections of a report of an evaluation: one file each, named as its heading.

A section is a function from an `EvaluatedModel` to a `Section`, or to None where
nothing is known for it. `glomclf.report.evaluation` lists them in order.
"""
