"""Ten city sounds made of tones, noise and pulses, after the ten classes of UrbanSound8K.

Every sound is a function `sound(voice, take, samples)` of two numpy Generators and a length. What
`voice` draws belongs to the source (pitch, rate, timbre), what `take` draws to the moment (when it
sounds, the noise in it). Given an equal `voice` and another `take` it is the same source a little
later, so `voice` is drawn from alike whatever `samples` and `take` are. Each returns
float64 [samples] at RATE, of any level.
"""

import numpy as np

from urbansound.data.synthetic.waves import (
    RATE,
    beats,
    envelope,
    knock,
    log_uniform,
    pulses,
    resonate,
    ring,
    spells,
    steady,
    tilted_noise,
    tone,
    unit,
    wander,
)


def air_conditioner(voice, take, samples):
    """A fan's steady noise with a few resonances, over mains hum and a whine, at times a rattle."""
    slope, hum_hz, hum_level = voice.uniform(3, 8), voice.uniform(48, 130), log_uniform(voice, 0.05, 2)
    ducts, whines = log_uniform(voice, 150, 5000, 4), log_uniform(voice, 300, 5000, 3)
    whine_level, rattle_hz, rattle_level = voice.uniform(0, 0.12), voice.uniform(1, 25), voice.uniform(-0.6, 0.9)
    wobble = voice.uniform(0, 0.3)

    air = resonate(tilted_noise(take, samples, slope), ducts, ducts * 0.3, floor=0.4)
    air *= 1 + wobble * wander(take, samples, 0.4)
    hum = tone(steady(hum_hz, samples), [1, 0.6, 0.3, 0.2, 0.1, 0.1, 0.05])
    whine = sum(tone(steady(hz, samples), [1, 0.3]) for hz in whines)
    sound = unit(air) + hum_level * hum + whine_level * whine
    if rattle_level > 0:
        sound += rattle_level * unit(ring(beats(take, samples, rattle_hz, 0.05), knock(voice, ducts + 800, 0.01)))
    return sound


def car_horn(voice, take, samples):
    """Two or three rich tones a third apart that start together: one long hoot or several."""
    low_hz = log_uniform(voice, 260, 560)
    ratios = (1, voice.uniform(1.18, 1.28), voice.choice([1.0, 1.5]))
    bright, throat = voice.uniform(0.5, 1.3), log_uniform(voice, 900, 4500, 2)
    hoot_seconds, pause, rise = log_uniform(voice, 0.12, 2.5), voice.uniform(0.08, 0.5), voice.uniform(0.005, 0.04)
    passing = voice.uniform(-0.04, 0.04) * (voice.random() < 0.3)

    bend = 1 + passing * np.tanh(np.linspace(-2, 2, samples) + take.normal(0, 0.5))
    gains = np.arange(1, 40) ** -bright
    horn = sum(tone(low_hz * ratio * bend, gains) for ratio in ratios)
    horn = resonate(horn, throat, throat * 0.5, floor=0.15)
    starts, ends = spells(take, samples, hoot_seconds, pause, first=take.uniform(0, 0.12))
    return horn * envelope(samples, starts, ends, rise, 0.03)


def children_playing(voice, take, samples):
    """Two to four high voices that call, shriek and babble, each with two vowels it moves between."""
    children = voice.integers(2, 5)
    pitches, rates = log_uniform(voice, 230, 700, 4), log_uniform(voice, 0.15, 0.6, 4)
    vowels = voice.uniform([500, 1200, 2800], [1200, 2800, 4200], (4, 2, 3))
    swing, breath, distance = voice.uniform(0.08, 0.3), voice.uniform(0.02, 0.2), log_uniform(voice, 0.1, 1, 4)

    playground = 0.02 * unit(tilted_noise(take, samples, 3))
    for child in range(children):
        pitch = pitches[child] * 2 ** (swing * wander(take, samples, rates[child] / 2))
        source = tone(pitch, np.arange(1, 24) ** -1.1) + breath * take.standard_normal(samples)
        first, second = (unit(resonate(source, vowel, vowel * 0.12, floor=0.02)) for vowel in vowels[child])
        share = np.clip(0.5 + 0.5 * wander(take, samples, rates[child] / 2), 0, 1)
        starts, ends = spells(take, samples, rates[child], 2 * rates[child] * take.uniform(0.3, 2))
        loudness = envelope(samples, starts, ends, 0.04, 0.05) * np.exp(0.5 * wander(take, samples, rates[child]))
        playground += distance[child] * loudness * (share * first + (1 - share) * second)
    return playground


def dog_bark(voice, take, samples):
    """Short harmonic bursts, hoarse with noise, whose pitch rises and falls; at times a howl."""
    pitch_hz, bark_seconds = log_uniform(voice, 180, 1000), log_uniform(voice, 0.05, 0.2)
    pause, arch, hoarse = log_uniform(voice, 0.12, 0.9), voice.uniform(0.1, 0.8), voice.uniform(0.05, 0.8)
    throat = np.array([1.6, 3.2, 5.5]) * pitch_hz**0.5 * voice.uniform(12, 26)
    if voice.random() < 0.15:
        bark_seconds *= 5

    starts, ends = spells(take, samples, bark_seconds, pause, first=take.uniform(0, 0.2))
    bark = envelope(samples, starts, ends, 0.015, 0.035)
    pitch = pitch_hz * (1 + arch * (bark - 0.7) + 0.05 * wander(take, samples, 0.3))
    source = unit(tone(pitch, np.arange(1, 30) ** -0.8)) + hoarse * take.standard_normal(samples)
    return resonate(source, throat, throat * 0.25, floor=0.05) * bark**1.5


def drilling(voice, take, samples):
    """A motor's whine that sags under load, and the bit's bright noise in the rhythm of its blows."""
    motor_hz, blow_hz, bite = log_uniform(voice, 90, 700), log_uniform(voice, 20, 75), voice.uniform(0, 0.95)
    whine, sag, slope = log_uniform(voice, 0.1, 1.5), voice.uniform(0.01, 0.12), voice.uniform(-3, 3)
    metal, bright = log_uniform(voice, 600, 8000, 5), voice.uniform(0.3, 1)
    work_seconds, pause = log_uniform(voice, 1, 12), voice.uniform(0.1, 0.8)

    load = wander(take, samples, 0.5)
    motor = tone(motor_hz * (1 - sag * load), np.arange(1, 30) ** -bright)
    blows = 1 + bite * np.sin(2 * np.pi * np.cumsum(blow_hz * (1 - 0.3 * sag * load)) / RATE)
    grinding = resonate(tilted_noise(take, samples, slope), metal, metal * 0.2, floor=0.2) * blows**2
    starts, ends = spells(take, samples, work_seconds, pause, first=take.uniform(-0.5, 0.1))
    working = 0.04 + envelope(samples, starts, ends, 0.15, 0.08)
    return (unit(grinding) * (1 + 0.3 * load) + whine * unit(motor)) * working


def engine_idling(voice, take, samples):
    """Dull thuds of the cylinders, each of its own strength, over the hiss and tick of the valves."""
    firing_hz, unsteady, strengths = log_uniform(voice, 11, 42), voice.uniform(0.01, 0.06), voice.uniform(0.5, 1, 4)
    exhaust = log_uniform(voice, 50, 500, 3)
    valves, slope, tick = log_uniform(voice, 0.03, 0.6), voice.uniform(2, 7), voice.uniform(0, 1)
    body, seconds = log_uniform(voice, 600, 5000, 4), voice.uniform(0.01, 0.04)

    firings = beats(take, samples, firing_hz, unsteady, strengths)
    thuds = unit(ring(firings, knock(voice, exhaust, seconds)))
    ticks = np.minimum(ring(np.abs(firings), np.exp(-np.arange(2000) / 200)), 3)
    hiss = unit(resonate(tilted_noise(take, samples, slope), body, body * 0.3, floor=0.3) * (1 + 2 * tick * ticks))
    return (thuds + valves * hiss) * (1 + 0.1 * wander(take, samples, 0.5))


def gun_shot(voice, take, samples):
    """A crack and its echoes: noise that dies away, the high bands first; one shot or a volley."""
    decays = log_uniform(voice, 0.03, 0.7) * np.array([1, 0.7, 0.45, 0.25])
    strengths, crack = voice.uniform(0.2, 1, 4), log_uniform(voice, 0.3, 4)
    volley, spacing = voice.choice([1, 1, 1, 2, 5, 12]), log_uniform(voice, 0.07, 0.25)
    delays, returns = voice.uniform(0.03, 0.5, 4), voice.uniform(0, 0.35, 4)

    time = np.arange(2 * RATE) / RATE
    bang = crack * unit(take.standard_normal(len(time))) * np.exp(-time / 0.002)
    for hz, decay, strength in zip((150, 600, 2000, 6000), decays, strengths, strict=True):
        bang += strength * unit(resonate(take.standard_normal(len(time)), [hz], [hz * 0.6])) * np.exp(-time / decay)
    first = take.uniform(0, 0.12)
    shots = np.arange(volley) * spacing * take.uniform(0.95, 1.05, volley) + first
    impulses = pulses(samples, shots, take.uniform(0.8, 1, volley))
    for delay, strength in zip(delays, returns, strict=True):
        impulses += pulses(samples, shots + delay, np.full(volley, strength))
    return np.tanh(ring(impulses, bang))


def jackhammer(voice, take, samples):
    """Hard blows that ring in metal and stone, ten to thirty a second, over compressor noise."""
    blow_hz, unsteady, seconds = log_uniform(voice, 9, 30), voice.uniform(0.003, 0.03), log_uniform(voice, 0.005, 0.04)
    metal, rubble = log_uniform(voice, 150, 6000, 6), voice.uniform(0.1, 1)
    compressor, slope, compressor_hz = voice.uniform(0.05, 0.7), voice.uniform(2, 7), voice.uniform(40, 160)
    work_seconds, pause = log_uniform(voice, 1.5, 15), voice.uniform(0.1, 0.6)

    starts, ends = spells(take, samples, work_seconds, pause, first=take.uniform(-0.5, 0.1))
    blows = beats(take, samples, blow_hz, unsteady, take.uniform(0.8, 1, 8))
    blows *= envelope(samples, starts, ends, 0.02, 0.02)
    hammer = unit(ring(blows, knock(voice, metal, seconds)))
    debris = ring(blows, np.exp(-np.arange(4000) / (2 * seconds * RATE)))
    debris = unit(resonate(take.standard_normal(samples), metal, metal * 0.4, floor=0.2) * debris)
    engine = unit(tilted_noise(take, samples, slope)) + 0.5 * tone(steady(compressor_hz, samples), [1, 0.5, 0.3])
    return hammer + rubble * debris + compressor * engine


def siren(voice, take, samples):
    """A rich tone that wails slowly, yelps fast or alternates between two notes, maybe driving past."""
    kind, low_hz, span = voice.integers(3), log_uniform(voice, 380, 900), voice.uniform(0.6, 1.6)
    cycle_hz = (voice.uniform(0.1, 0.35), voice.uniform(1.5, 5), voice.uniform(0.5, 1.2))[kind]
    bright, horn = voice.uniform(0.7, 2.2), log_uniform(voice, 700, 3500, 2)
    rise, passing = voice.uniform(0.3, 0.8), voice.uniform(-0.06, 0.06)

    cycle = (take.random() + cycle_hz * np.arange(samples) / RATE) % 1
    if kind == 2:
        octaves = 0.35 * span * (cycle < 0.5)
    else:
        octaves = span * np.sin(np.pi / 2 * np.minimum(cycle / rise, (1 - cycle) / (1 - rise)))
    drive = np.tanh(np.linspace(-1, 1, samples) + take.normal(0, 1))
    pitch = low_hz * 2**octaves * (1 + passing * drive)
    source = tone(pitch, np.arange(1, 16) ** -bright)
    return resonate(source, horn, horn * 0.5, floor=0.2) * (1 + 0.3 * wander(take, samples, 0.4))


def street_music(voice, take, samples):
    """A tune over chords in one key, plucked or blown, with or without a drum."""
    key_hz, beat_seconds = log_uniform(voice, 90, 240), log_uniform(voice, 0.18, 0.6)
    scale = np.array(((0, 2, 4, 7, 9), (0, 3, 5, 7, 10), (0, 2, 3, 7, 8))[voice.integers(3)])
    bright, ring_seconds, body = voice.uniform(0.8, 2), log_uniform(voice, 0.08, 1), log_uniform(voice, 200, 3000, 3)
    chord_level, drum_level, tune_level = voice.uniform(-0.3, 0.8), voice.uniform(-0.8, 1.2), voice.uniform(0.3, 1)
    drum_hz, vibrato = voice.uniform(50, 110), voice.uniform(0, 0.012)

    gains, steps = np.arange(1, 20) ** -bright, take.permutation(np.tile(scale, 3))
    onsets = np.arange(-take.random() * beat_seconds, samples / RATE, beat_seconds)
    music = np.zeros(samples)
    for beat, onset in enumerate(onsets):
        bar = np.roll(scale, beat // 4)[[0, 2, 4]]
        for level, step in ((tune_level, steps[beat % 15] + 12), *((chord_level, note) for note in bar)):
            if level > 0 and take.random() < 0.75:
                add_note(music, onset, ring_seconds, level, key_hz * 2 ** (step / 12), gains, vibrato)
    music = resonate(music, body, body * 0.6, floor=0.3)
    drum = np.exp(-np.arange(8000) / 1500) * np.sin(2 * np.pi * drum_hz * np.arange(8000) / RATE)
    drum[:3000] += 0.4 * take.standard_normal(3000) * np.exp(-np.arange(3000) / 400)
    strokes = pulses(samples, onsets[onsets > 0], take.uniform(0.2, 1, np.sum(onsets > 0)))
    return unit(music) + max(drum_level, 0) * unit(ring(strokes, drum))


def add_note(music, onset, ring_seconds, level, hz, gains, vibrato):
    """Add to `music` in place a note of `hz` from `onset` (s) that dies away within 4 * ring_seconds."""
    first = max(round(onset * RATE), 0)
    time = np.arange(min(round(4 * ring_seconds * RATE), len(music) - first)) / RATE
    pitch = hz * (1 + vibrato * np.sin(2 * np.pi * 5.5 * time))
    music[first : first + len(time)] += (
        level * tone(pitch, gains) * np.minimum(time / 0.01, 1) * np.exp(-time / ring_seconds)
    )
