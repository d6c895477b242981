"""A trained model at work: waveforms of any length to scores, and how good those scores are."""
