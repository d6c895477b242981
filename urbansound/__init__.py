"""Train compact sound classifiers on labelled clips and measure them honestly."""

__version__ = "0.1.0"
