"""Training by stages: class weights, what each stage is validated on and adapts to, when it ends, what is kept."""

import shutil

import keras
import numpy as np
import pytest
from sklearn.utils.class_weight import compute_class_weight
from small_run import run_of

from urbansound.data.pipeline import evaluation_batches
from urbansound.data.prepare import cache_entries
from urbansound.errors import InputError
from urbansound.models import cepstrum, ensemble
from urbansound.training import fit
from urbansound.training.callbacks import Checkpoints


@pytest.fixture(scope="module")
def uneven(tone_folder, tmp_path_factory):
    """3 high, 15 low and 15 middle tones."""
    root = tmp_path_factory.mktemp("uneven") / "tones"
    shutil.copytree(tone_folder, root)
    for path in sorted((root / "high").iterdir())[3:]:
        path.unlink()
    return root


@pytest.mark.parametrize("kind", ["balanced", "none"])
def test_classes_weigh_what_scikit_learn_says(kind, uneven, tmp_path, monkeypatch):
    passed = []
    original = keras.Model.fit
    monkeypatch.setattr(
        keras.Model, "fit", lambda self, *args, **options: (passed.append(options), original(self, *args, **options))[1]
    )
    run = run_of(uneven, tmp_path, class_weights=kind, val_fraction=0.0, epochs=1)
    fit.train(run)
    if kind == "none":
        assert passed[0]["class_weight"] is None
        return
    labels = run.clips.label[run.clips.split == "train"]
    expected = compute_class_weight("balanced", classes=np.array(run.class_names), y=labels)
    assert len(set(np.round(expected, 6))) > 1
    assert [passed[0]["class_weight"][place] for place in range(3)] == pytest.approx(expected.tolist())


def members_of(run):
    return ensemble.members(run.load_model())


def ranks_of(run):
    """Quantiles float [knots, values] that a run's cepstrum has learned."""
    return np.array(members_of(run)["cepstrum"].get_layer(cepstrum.RANKS).quantiles)


def log_mels_of(run, split):
    """(log-mels, targets) of one split in order, by the deterministic pipeline."""
    clips = run.clips[run.clips.split == split]
    config = run.config.with_settings(deterministic=True)
    targets = run.targets.matrix(clips.label, run.class_names)
    batches = list(evaluation_batches(cache_entries(clips, run.config), targets, config))
    return tuple(np.concatenate([batch[part] for batch in batches]) for part in (0, 1))


def loss_of(run, model):
    """(validation loss, accuracy) of a model, by the definition of smoothed cross-entropy in float64."""
    log_mels, targets = log_mels_of(run, "validation")
    scores = model.predict(log_mels, verbose=0).astype(np.float64)
    smoothing = run.config.train.label_smoothing
    smoothed = targets * (1 - smoothing) + smoothing / targets.shape[1]
    loss = -np.mean(np.sum(smoothed * np.log(scores), axis=1))
    return loss, np.mean(scores.argmax(axis=1) == targets.argmax(axis=1))


def test_a_plain_network_has_one_stage(tone_folder, tmp_path):
    run = run_of(tone_folder, tmp_path)
    fit.train(run)
    assert list(run.history.stage) == ["cnn", "cnn"]
    row = run.history.iloc[-1]
    assert (row.val_loss, row.val_accuracy) == pytest.approx(loss_of(run, run.load_model()), abs=1e-4)


# The cnn takes log-mels, the frozen yamnet embeddings.
@pytest.mark.parametrize("model", ["cnn", "yamnet"])
def test_each_stage_is_validated_as_the_mean_of_what_is_trained(model, tone_folder, tmp_path):
    run = run_of(tone_folder, tmp_path, cepstrum=True, model=model)
    fit.train(run)
    assert list(run.history.stage) == ["cepstrum", "cepstrum", model, model]
    assert list(run.history.epoch) == [1, 2, 1, 2]
    first, last = run.history.iloc[1], run.history.iloc[-1]
    own = members_of(run)["cepstrum"]
    # float32 losses, of embeddings and log-mels in other batches.
    assert (first.val_loss, first.val_accuracy) == pytest.approx(loss_of(run, own), abs=1e-4)
    assert (last.val_loss, last.val_accuracy) == pytest.approx(loss_of(run, run.load_model()), abs=1e-4)
    assert abs(first.val_loss - last.val_loss) > 1e-3


def test_the_second_stage_leaves_the_first_network_as_it_is(tone_folder, tmp_path):
    run = run_of(tone_folder, tmp_path, cepstrum=True, keep="best", epochs=3)
    fit.train(run)
    (best,) = run.file("checkpoints").glob("best-cepstrum-*.keras")
    before = keras.models.load_model(best, compile=False)
    for mine, theirs in zip(
        members_of(run)["cepstrum"].get_weights(), ensemble.members(before)["cepstrum"].get_weights(), strict=True
    ):
        np.testing.assert_array_equal(mine, theirs)


def test_a_cepstrum_adapts_to_the_training_clips(tone_folder, tmp_path):
    run = run_of(tone_folder, tmp_path, cepstrum=True, epochs=1)
    fit.train(run)
    member = members_of(run)["cepstrum"]
    statistics = keras.Model(member.input, member.get_layer(cepstrum.RANKS).input)
    values = statistics.predict(log_mels_of(run, "train")[0], verbose=0)
    # float32 statistics of some hundred.
    expected = np.quantile(values, np.linspace(0, 1, cepstrum.KNOTS), axis=0)
    np.testing.assert_allclose(ranks_of(run), expected, rtol=1e-4, atol=1e-2)


def test_a_cepstrum_adapts_to_the_noise_that_it_is_trained_in(tone_folder, tmp_path):
    quiet, noisy = (
        run_of(tone_folder, tmp_path, name, cepstrum=True, epochs=1, **noise)
        for name, noise in {"quiet": {}, "noisy": {"noise_probability": 1.0, "noise_snr_db": (-20.0, 0.0)}}.items()
    )
    for run in (quiet, noisy):
        fit.train(run)
    assert np.abs(ranks_of(quiet) - ranks_of(noisy)).max() > 1


def test_the_best_epoch_of_each_stage_is_kept(tone_folder, tmp_path, monkeypatch):
    original = Checkpoints.on_epoch_end

    def worst_at_last(self, epoch, logs):
        original(self, epoch, logs if epoch < 3 else {**logs, "val_loss": 99.0})

    monkeypatch.setattr(Checkpoints, "on_epoch_end", worst_at_last)
    run = run_of(tone_folder, tmp_path, cepstrum=True, keep="best", epochs=4)
    fit.train(run)
    for stage, model in (("cepstrum", members_of(run)["cepstrum"]), ("cnn", run.load_model())):
        losses = run.history.val_loss[run.history.stage == stage]
        assert len(losses) == 4
        assert loss_of(run, model)[0] == pytest.approx(losses.min(), abs=1e-4)


def test_each_stage_stops_early(tone_folder, tmp_path):
    run = run_of(tone_folder, tmp_path, cepstrum=True, early_stopping=2, epochs=30, learning_rate=0.03)
    fit.train(run)
    for _, losses in run.history.groupby("stage").val_loss:
        assert len(losses) < 30
        assert len(losses) - 1 - losses.to_numpy().argmin() == 2


@pytest.mark.parametrize("stage", ["cepstrum", "cnn"])
def test_a_loss_that_diverges_is_said_and_keeps_whole_epochs(stage, tone_folder, tmp_path, monkeypatch):
    build, asking = fit.adamw, iter(["cepstrum", "cnn"])

    def diverging(config, *others):
        return build(Diverging(config) if next(asking) == stage else config, *others)

    monkeypatch.setattr(fit, "adamw", diverging)
    run = run_of(tone_folder, tmp_path, cepstrum=True)
    with pytest.raises(InputError, match=r"the loss became NaN or infinite in epoch 1; try a lower --learning_rate"):
        fit.train(run)
    assert not run.file("model.keras").exists()
    if stage == "cnn":
        assert list(run.history.stage) == ["cepstrum", "cepstrum"]
    monkeypatch.undo()
    fit.train(run)
    assert list(run.history.stage) == ["cepstrum", "cepstrum", "cnn", "cnn"]
    assert np.isfinite(run.history.loss).all()


def test_an_epoch_whose_last_step_spoils_the_weights_is_not_kept(tone_folder, tmp_path, monkeypatch):
    original = Checkpoints.on_epoch_end

    def spoilt(self, epoch, logs=None):
        original(self, epoch, {**logs, "val_loss": float("nan")} if epoch == 1 else logs)

    monkeypatch.setattr(Checkpoints, "on_epoch_end", spoilt)
    run = run_of(tone_folder, tmp_path, epochs=4)
    with pytest.raises(InputError, match=r"the loss became NaN or infinite in epoch 2"):
        fit.train(run)
    assert len(run.history) == 1


class Diverging:
    """A TrainConfig of a learning rate that no network takes."""

    def __init__(self, config):
        self._config = config

    def __getattr__(self, name):
        return {"learning_rate": 1e30, "warmup_epochs": 0}.get(name, getattr(self._config, name))


# A plain network, a frozen body's head, and a network that is validated as a mean.
@pytest.mark.parametrize("settings", [{}, {"model": "yamnet"}, {"cepstrum": True}], ids=["plain", "frozen", "mean"])
def test_a_training_step_is_traced_once(settings, tone_folder, tmp_path, monkeypatch):
    traced = []
    original = keras.Model.train_step
    monkeypatch.setattr(keras.Model, "train_step", lambda self, data: (traced.append(self), original(self, data))[1])
    run = run_of(tone_folder, tmp_path, **settings)
    fit.train(run)
    assert len(traced) == len(set(run.history.stage))


def test_weights_that_can_t_be_had_end_training_before_the_run(tone_folder, tmp_path):
    config = run_of(tone_folder, tmp_path).config.with_settings(model="yamnet", yamnet_weights="gone.h5")
    with pytest.raises(InputError, match=r"gone\.h5: no YAMNet weights there"):
        fit.check_weights(config)
