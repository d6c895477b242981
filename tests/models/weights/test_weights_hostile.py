"""Files of weights that would run code, read other files or take all memory are refused in one line."""

import contextlib
import io
import pickle
import random
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest
import tensorflow as tf

from urbansound.errors import InputError
from urbansound.models.weights import vggish, yamnet


class Touch:
    """An object that makes a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))


def npz(path, header_shape, body=b"", dtype="<f4"):
    """An .npz file whose two arrays say that they have a shape."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": dtype, "fortran_order": False, "shape": header_shape})
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name in ("pca_eigen_vectors.npy", "pca_means.npy"):
            file.writestr(name, header.getvalue() + body)
    return path


def test_a_pickle_in_an_npz_is_not_run(tmp_path):
    made = tmp_path / "made"
    path = npz(tmp_path / "pca.npz", (1,), pickle.dumps(np.array([Touch(made)], object)), "|O")
    with np.load(path, allow_pickle=True) as arrays:
        arrays["pca_means"]
    assert made.exists()  # the file does what it is made for
    made.unlink()
    with pytest.raises(InputError, match=r"pca\.npz: not an \.npz file"):
        vggish.read_pca(path, 8)
    assert not made.exists()


@pytest.mark.parametrize("shape", [(10**12,), (2**62, 4), (-5,), (10**9,)])
def test_an_npz_whose_header_asks_for_all_memory_is_refused(tmp_path, shape):
    with pytest.raises(InputError, match=r"pca\.npz: not an \.npz file"):
        vggish.read_pca(npz(tmp_path / "pca.npz", shape), 8)


def test_an_npz_that_explodes_is_not_unpacked(tmp_path, monkeypatch):
    path = npz(tmp_path / "pca.npz", (10**7,), bytes(4 * 10**7))
    assert path.stat().st_size < 100_000
    monkeypatch.setattr(np, "load", None)
    with pytest.raises(InputError, match=r"pca\.npz: not an \.npz file"):
        vggish.read_pca(path, 8)


def h5(path, **dataset):
    """A file that has one variable of YAMNet's, made with these arguments."""
    with h5py.File(path, "w") as file:
        file.create_dataset("layer1/conv/layer1/conv/bn/moving_mean:0", **dataset)
    return path


def test_an_h5_whose_values_lie_in_another_file_is_refused(tmp_path):
    (tmp_path / "secret").write_bytes(bytes(128))
    outside = {"shape": (32,), "dtype": "f4", "external": [(str(tmp_path / "secret"), 0, 128)]}
    with pytest.raises(InputError, match="lies in another file"):
        yamnet.read(h5(tmp_path / "a.h5", **outside))
    layout = h5py.VirtualLayout((32,), "f4")
    layout[:] = h5py.VirtualSource(str(tmp_path / "a.h5"), "x", (32,))
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file.create_virtual_dataset("layer1/conv/layer1/conv/bn/moving_mean:0", layout)
    with pytest.raises(InputError, match="lies in another file"):
        yamnet.read(tmp_path / "b.h5")


def test_an_h5_that_asks_for_all_memory_is_refused(tmp_path):
    path = h5(tmp_path / "a.h5", shape=(10**7, 10**6), chunks=(1000, 1000), dtype="f4")
    assert path.stat().st_size < 100_000
    with pytest.raises(InputError, match="has 40000000000000 bytes"):
        yamnet.read(path)


def test_links_out_of_an_h5_are_not_followed(tmp_path):
    h5(tmp_path / "other.h5", data=np.zeros(32, np.float32))
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["layer1"] = h5py.ExternalLink(str(tmp_path / "other.h5"), "/layer1")
        file["loop"] = h5py.SoftLink("/loop")
    with pytest.raises(InputError, match="not YAMNet's weights"):
        yamnet.read(tmp_path / "a.h5")


def test_a_tflite_file_that_is_cut_or_changed_ends_in_no_traceback(shared_data, tmp_path):
    whole = (shared_data / "weights" / "yamnet.tflite").read_bytes()
    generator, path = random.Random(0), tmp_path / "y.tflite"
    for _ in range(30):
        content = bytearray(whole)
        place = generator.choice([generator.randrange(4096), generator.randrange(len(whole) - 60_000, len(whole))])
        content[place : place + 4] = generator.choice([b"\xff\xff\xff\x7f", b"\xff\xff\xff\xff", b"\0\0\0\0"])
        path.write_bytes(content[: generator.choice([len(whole), generator.randrange(len(whole))])])
        with contextlib.suppress(InputError):  # a weight that is changed is still a weight
            yamnet.read(path)


def test_a_checkpoint_that_is_cut_or_changed_ends_in_no_traceback(tmp_path):
    shapes = {f"vggish/v{i}": (3, i + 1) for i in range(9)}
    prefix = str(tmp_path / "x.ckpt")
    names, slices = list(shapes), [""] * len(shapes)
    tf.raw_ops.SaveV2(
        prefix=prefix, tensor_names=names, shape_and_slices=slices, tensors=[np.zeros(shapes[n]) for n in names]
    )
    whole, generator = (tmp_path / "x.ckpt.index").read_bytes(), random.Random(0)
    for _ in range(500):
        content = bytearray(whole)
        content[generator.randrange(len(whole))] = generator.randrange(256)
        (tmp_path / "x.ckpt.index").write_bytes(content[: generator.choice([None, generator.randrange(len(whole))])])
        with contextlib.suppress(InputError):
            vggish._read(prefix, shapes)
