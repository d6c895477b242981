"""What is too much or too little of an audio file, for everything that reads one."""

MAX_FILE_BYTES = 2**31
MAX_SAMPLES = 2**28  # of all channels, before and after resampling: 1 GiB, 93 minutes of mono at 48 kHz
MAX_PEAK = 2.0**31  # integers stored as floats pass
RATES = (1_000, 768_000)  # Hz
MAX_CHANNELS = 64
MAX_CHUNKS = 1_000  # of a file that are read; a longer chain before the samples is no recorder's
# What is decoded at a time, whatever length a header claims: so much memory it takes.
BLOCK_SAMPLES = 2**20  # of all channels
BLOCK_SECONDS = 10
