"""The embedded data set: ten city sounds that the program computes itself."""

LICENCE = "CC0 1.0"  # of the clips
