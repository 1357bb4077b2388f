"""The parts of `examples/benchmarks/recipes.py`, lowest first.

`methods` (what is compared: data), `patches` (rows and folds), `image_features`
(colour and texture features), `fitting` (one fit of one method), `results` (the JSON
file), `running` (unit after unit), `scoring` (tables), `limits` (what is still wrong),
`page` (the Markdown file).
"""
