"""Train a classifier and measure it on its test fold.

python -m urbansound.train --flagfile=configs/base.flags
python -m urbansound.train --resume --run_dir=runs/…
"""

from absl import flags

from urbansound import command
from urbansound import flags as setting_flags
from urbansound.errors import InputError
from urbansound.text import shown

setting_flags.define()
flags.adopt_module_key_flags(setting_flags)
RUN_DIR = flags.DEFINE_string("run_dir", None, "the run's directory; default: runs/DATASET-MODEL-TIME")
EVALUATE = flags.DEFINE_boolean("evaluate", True, "measure the model on its test fold when it is trained")
RESUME = flags.DEFINE_boolean(
    "resume",
    False,
    "go on with the run at --run_dir, by its own settings; --data_dir, --cache_dir, --noise_dir, --unlabelled_dir and "
    "--teacher may differ: they say where the files lie now",
)


def main(argv):
    """Train, then evaluate unless told not to."""
    del argv
    settings = setting_flags.config_from(flags.FLAGS)
    # TensorFlow takes seconds to load: after the settings, so that a bad flag answers at once.
    from urbansound.inference import evaluation
    from urbansound.report.tables import metrics_table
    from urbansound.training import fit

    run = _resumed() if RESUME.value else _new(settings)
    try:
        fit.train(run)
    except KeyboardInterrupt:
        again = f"python -m urbansound.train --resume --run_dir={shown(run.path)}"
        print(f"\nstopped; whole epochs are kept. Go on with: {again}")
        raise
    if not EVALUATE.value:
        print(f"trained; the test fold waits for: python -m urbansound.evaluate --run_dir={shown(run.path)}")
        return
    print(metrics_table(evaluation.evaluate(run)))
    print(f"\nreport: {shown(run.file('report.html'))}")


def _new(settings):
    from urbansound.data import datasets, prepare, splits
    from urbansound.run import Run
    from urbansound.training import fit, teachers

    path = RUN_DIR.value or command.default_run_dir(settings)
    Run.check_free(path)  # before clips are decoded, which may take long
    settings.check_used()
    fit.check_weights(settings)
    class_names, clips, skipped = prepare.prepare(settings)
    run = teachers.new_run(path, settings, class_names, clips, skipped)
    prepare.say_if_alone(clips)
    data, made_up = settings.data, datasets.dataset(settings.data.dataset).made_up
    name = "SYNTHETIC sounds" if made_up else shown(f"{data.dataset} {data.csv or data.data_dir or ''}".strip())
    used = int((clips.split != splits.LEFT_OUT).sum())
    most = "at most " if settings.train.early_stopping else ""
    print(f"data: {name}, {used} clips of {len(class_names)} classes; epochs: {most}{settings.train.epochs}")
    if made_up:
        print(
            "results say nothing about real sounds; to train on your own clips, a folder of them per class, pass "
            "--dataset=folder --data_dir=FOLDER"
        )
    if data.split == "random":
        print("split: RANDOM; slices of one recording are trained and tested on, so the result flatters")
    print(prepare.counts(clips).to_string())
    if len(skipped):
        print(f"{len(skipped)} clips could not be decoded and are left out: {shown(run.file('skipped.csv'))}")
    print(f"run directory: {shown(run.path)}")
    return run


def _resumed():
    from urbansound.run import Run
    from urbansound.training import begun

    if RUN_DIR.value is None:
        raise InputError("--resume needs the run to go on with: pass --run_dir=FOLDER")
    kept = Run.open(RUN_DIR.value).config
    given = {name: flags.FLAGS[name].value for name in kept.flat() if flags.FLAGS[name].present}
    places = kept.places(given)
    if changed := [name for name in setting_flags.changed(flags.FLAGS, kept) if name not in places]:
        raise InputError(
            f"a resumed run keeps its settings, and these differ: {', '.join('--' + name for name in changed)}; "
            "leave them out, or start a new run"
        )
    return begun.reopened(RUN_DIR.value, given)


if __name__ == "__main__":
    command.run(main)
