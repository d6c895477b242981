"""Clips: which there are, how they are split, and how they become the model's input."""
