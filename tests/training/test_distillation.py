"""A network learns what teachers say of exactly the waveforms that it is trained on; asked once, kept."""

from pathlib import Path

import keras
import numpy as np
import pytest
import soxr
import tensorflow as tf
from small_run import config_of, run_of

from urbansound.audio.logmel import log_mel
from urbansound.data.prepare import cache_entries, prepare
from urbansound.models import parts
from urbansound.run import Run
from urbansound.training import distillation, fit, stages, teachers


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def teacher(tone_folder, home):
    """A trained run at another sample rate, with other clips' length, whose classes are the student's."""
    run = run_of(tone_folder, home, "teacher", sample_rate=6000, clip_seconds=0.4, width=0.5, epochs=3)
    fit.train(run)
    return run


@pytest.fixture
def student_of(tone_folder, tmp_path, teacher):
    """A function of settings that gives a new run with that teacher."""

    def make(name="run", **settings):
        config = config_of(tone_folder, tmp_path, teacher=(str(teacher.path),), **{"view_epochs": 2, **settings})
        return teachers.new_run(tmp_path / name, config, *prepare(config))

    return make


def training_of(run):
    clips = run.clips[run.clips.split == "train"]
    return cache_entries(clips, run.config), run.targets.matrix(clips.label, run.class_names)


def lessons_of(run):
    (record, network) = fit.build(run.config, 3)[1][0]
    return distillation.of_run(run, training_of(run), stages.settings(record, network, run.config))


def test_teachers_hear_the_waveforms_that_the_student_is_trained_on(student_of, teacher):
    lessons = lessons_of(student_of(mixup_alpha=0.4, noise_probability=0.5))
    audio, model = teacher.config.audio, teacher.load_model(calibrated=False)
    said, waveforms = keras.Model(model.input, [model.output, parts.embedding(model)]), {}
    for epoch in (1, 0):
        for waveform, _, view, _ in lessons.course.views(epoch).take(lessons.course.views_per_epoch):
            waveforms[int(view)] = soxr.resample(waveform.numpy(), 8000, 6000, quality="HQ")
    waveforms = np.array([waveforms[view] for view in range(len(lessons.scores))])
    windows = waveforms[:, : audio.clip_samples], waveforms[:, -audio.clip_samples :]  # it takes 0.4 s, of 0.5 s
    values = [[part.numpy().astype(np.float64) for part in said(log_mel(window, audio))] for window in windows]
    scores, embeddings = np.mean([one[0] for one in values], axis=0), np.mean([one[1] for one in values], axis=0)
    np.testing.assert_allclose(lessons.scores, scores, atol=2e-3)
    moved = embeddings.std(axis=0) > 1e-2
    expected = np.tanh((embeddings - embeddings.mean(axis=0)) / embeddings.std(axis=0).clip(1e-3) / 2)
    assert np.mean(moved) > 0.5
    np.testing.assert_allclose(lessons.embeddings[:, moved], expected[:, moved], atol=0.02)


def test_it_learns_shares_of_label_and_of_what_is_said(student_of):
    run = student_of(mixup_alpha=0.0, label_share=0.25)
    lessons = lessons_of(run)
    numbers, labels = tf.constant([3, 0]), np.float32([[0, 1, 0, 1], [0, 0, 0, 0]])  # the second has no label
    targets, embeddings = lessons.of(numbers, labels)
    np.testing.assert_allclose(targets[0], [0, 0.25, 0] + 0.75 * np.float32(lessons.scores[3]), rtol=1e-5)
    np.testing.assert_allclose(targets[1], np.float32(lessons.scores[0]), rtol=1e-5)
    np.testing.assert_array_equal(embeddings, np.float32(lessons.embeddings[[3, 0]]))


def test_a_taught_run_is_trained_evaluated_and_resumed_to_the_bit(student_of, monkeypatch):
    whole = student_of("whole", deterministic=True, epochs=3)
    fit.train(whole)
    stopped = student_of("stopped", deterministic=True, epochs=3)
    save = fit.Checkpoints._save

    def once(self):
        save(self)
        if self.next_epoch == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(fit.Checkpoints, "_save", once)
        with pytest.raises(KeyboardInterrupt):
            fit.train(stopped)
    fit.train(Run.open(stopped.path))
    first, second = (run.load_model() for run in (whole, stopped))
    assert first.output_shape == (None, 3)
    for one, other in zip(first.get_weights(), second.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_answers_are_kept_in_the_cache(student_of, monkeypatch):
    run = student_of()
    before = lessons_of(run)
    monkeypatch.setattr(distillation._Teacher, "answers", None)  # would fail if asked
    after = lessons_of(run)
    np.testing.assert_array_equal(before.scores, after.scores)
    np.testing.assert_array_equal(before.embeddings, after.embeddings)
    with pytest.raises(TypeError):
        lessons_of(student_of("other", gain_db=1.0))


def test_a_damaged_answer_is_asked_for_anew_and_said(student_of, capsys):
    run = student_of()
    before = lessons_of(run)
    for file in (Path(run.config.data.cache_dir) / distillation.FOLDER).rglob("*.f16"):
        file.write_bytes(file.read_bytes()[:-2] + b"\0\1")
    capsys.readouterr()
    after = lessons_of(run)
    epochs = run.config.distill.view_epochs
    assert f"cache: {min(epochs, run.config.train.epochs)} damaged files of what" in capsys.readouterr().err
    np.testing.assert_array_equal(before.scores, after.scores)


@pytest.mark.parametrize("model", ["cnn", "yamnet", "cepstrum"])
def test_every_kind_of_network_is_taught(model, student_of):
    run = student_of(model, model=model, epochs=1)
    fit.train(run)
    assert run.history.loss.notna().all()
