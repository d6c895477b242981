"""The embedded data set: ten city sounds that the program computes itself."""
