"""The embedded data set: PAS-like patches of glomeruli, drawn by code.

Every patch is drawn in micrometres as two maps, the uptake of Schiff's reagent (PAS)
and of haematoxylin, which a slide's stain then turns into light by the law of Beer and
Lambert [1]_. Textures are smoothed noise; capillary walls are the level lines of such
noise; capsules, tubules and nuclei are polygons. Two serial sections of one glomerulus
share most of that noise and differ in the rest, as tissue a little deeper does.

References
----------
.. [1] A. C. Ruifrok and D. A. Johnston, "Quantification of histochemical staining by
   color deconvolution", Analytical and Quantitative Cytology and Histology 23 (2001).
"""

from .make import make_glomeruli

__all__ = ["make_glomeruli"]
