"""Figures that others publish too: USPS, corrupted MNIST, and digits told from other signs.

$OTHER_SETS names a folder with files as their makers publish them: `usps.t.bz2` (LIBSVM's, which
`torchvision.datasets.USPS` downloads), Omniglot's `images_background_small1.zip` and `..._small2.zip`, and
the test images of notMNIST and of KMNIST in MNIST's format, `notmnist-t10k-images-idx3-ubyte.gz` and
`kmnist-t10k-images-idx3-ubyte.gz`. Nothing is trained on them.
"""

from __future__ import annotations

import gzip
import io
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
from corruptions import CORRUPTIONS
from PIL import Image
from roc import area_under_curve

from mnist_core import Classifier, load_mnist
from mnist_core.answers import as_values, sureness

FOLDER = Path(os.environ.get("OTHER_SETS", ""))
pytestmark = pytest.mark.full
given = pytest.mark.skipif(not FOLDER.name, reason="set OTHER_SETS to a folder of other data sets")


@pytest.fixture(scope="module")
def shipped() -> Classifier:
    return Classifier.load()


@given
def test_digits_from_envelopes_are_read(shipped: Classifier) -> None:
    from torchvision.datasets import USPS  # type: ignore[import-untyped]

    usps = USPS(FOLDER, train=False)
    large = [(image.resize((64, 64), Image.Resampling.BICUBIC), label) for image, label in usps]
    alone = [shipped.predict(image) for image, _ in large]
    right = np.mean([each.guess == label for each, (_, label) in zip(alone, large, strict=True)])
    read = [as_values(shipped.read(image)) for image, _ in large]
    spelt = np.mean([each["number"] == str(label) for each, (_, label) in zip(read, large, strict=True)])
    refused = np.mean([each["number"] is None for each in read])
    print(f"USPS: predict {right:.2%}; as the page reads {spelt:.2%}, refused {refused:.2%}, n={len(large)}")
    assert right >= 0.9 and spelt >= 0.8


@pytest.mark.mnist
def test_corrupted_digits_are_read(shipped: Classifier) -> None:
    rng, test_set = np.random.default_rng(0), load_mnist(train=False)
    chosen = rng.permutation(len(test_set))[:1000].tolist()
    rights = {}
    for name, corrupt in CORRUPTIONS.items():
        images = (corrupt(Image.fromarray(test_set.images[i].numpy()), rng) for i in chosen)
        guesses = [shipped.predict(image).guess for image in images]
        rights[name] = np.mean(np.array(guesses) == test_set.labels[chosen].numpy())
        print(f"{name}: {rights[name]:.1%}")
    print(f"mean of {len(rights)}: {np.mean([*rights.values()]):.2%}, n={len(chosen)} each")
    assert np.mean([*rights.values()]) >= 0.75


def enlarged(image: np.ndarray) -> Image.Image:
    return Image.fromarray(image).resize((112, 112), Image.Resampling.BICUBIC)


def omniglot(n: int, rng: np.random.Generator) -> list[Image.Image]:
    """Characters of some twenty scripts, each drawn by one of twenty people: black on white, 105×105."""
    archives = [zipfile.ZipFile(FOLDER / f"images_background_small{i}.zip") for i in (1, 2)]
    drawn = [(each, name) for each in archives for name in each.namelist() if name.endswith(".png")]
    chosen = (drawn[i] for i in rng.permutation(len(drawn))[:n])
    return [Image.open(io.BytesIO(archive.read(name))).convert("L") for archive, name in chosen]


def notmnist(n: int, rng: np.random.Generator) -> list[Image.Image]:
    """Letters A to J of many typefaces."""
    return in_mnists_format("notmnist-t10k-images-idx3-ubyte.gz", n, rng)


def kmnist(n: int, rng: np.random.Generator) -> list[Image.Image]:
    """Cursive Japanese characters of ten kinds."""
    return in_mnists_format("kmnist-t10k-images-idx3-ubyte.gz", n, rng)


def in_mnists_format(name: str, n: int, rng: np.random.Generator) -> list[Image.Image]:
    """Some of a file's images, white on black, enlarged from 28×28."""
    images = np.frombuffer(gzip.decompress((FOLDER / name).read_bytes()), np.uint8, offset=16)
    images = images.reshape(-1, 28, 28)
    return [enlarged(images[i]) for i in rng.permutation(len(images))[:n]]


@given
@pytest.mark.mnist
@pytest.mark.parametrize("others", [omniglot, notmnist, kmnist])
def test_digits_are_told_from_other_signs(shipped: Classifier, others) -> None:
    rng, test_set = np.random.default_rng(0), load_mnist(train=False)
    digits = [enlarged(test_set.images[i].numpy()) for i in rng.permutation(len(test_set))[:1000].tolist()]
    read_digits, read_others = (
        [as_values(shipped.read(image)) for image in images] for images in (digits, others(1000, rng))
    )
    of_digits, of_others = (np.array([sureness(v) for v in some]) for some in (read_digits, read_others))
    area = area_under_curve(of_digits, of_others)
    refused = np.mean([all(each["digit"] is None for each in v["digits"]) for v in read_others])
    print(
        f"{others.__name__}: refused {refused:.2%}, area under the ROC curve {area:.4f}, n={len(read_others)}"
    )
    assert area >= 0.9
