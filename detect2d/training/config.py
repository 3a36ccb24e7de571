"""What `triskel train` reads: one YAML file that says everything about a training. Unknown keys are errors.

The defaults are the paper's and the seed system's published settings, at its crop of 368 px.
"""

from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import Field, ValidationError, field_validator

from triskel.errors import ConfigError
from triskel.schema import StrictModel, first_problem
from triskel.skeleton import SKELETONS, Skeleton, get_skeleton, load_skeleton

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Scale = Annotated[float, Field(ge=0.01, le=16)]
Width = Annotated[float, Field(ge=0.1, le=2048)]
Count = Annotated[int, Field(ge=1)]


class DatasetConfig(StrictModel):
    """One data set.

    Attributes:
        annotations: COCO-format JSON, or a folder with `keypoints.json`; relative to the configuration file.
        images: folder of images; `images` beside the annotations when left out.
        probability: share of the batches that come from this set; they are scaled to sum to 1.
        joints: joints of the skeleton that are trained by this set, and the limbs that end in one of them; all that it
            labels when left out.
        rename: the set's name of a joint to the skeleton's, where spelling does not match them; "" leaves one out.
        first: use only that many images, the first with labelled people.
    """

    annotations: Path
    images: Path | None = None
    probability: Annotated[float, Field(gt=0, le=1e6)] = 1.0
    joints: tuple[str, ...] | None = None
    rename: dict[str, str] = Field(default_factory=dict)
    first: Count | None = None


class AugmentConfig(StrictModel):
    """How training images are varied (section 5 of the paper's experiments; the seed system's ranges).

    Attributes:
        focus: `person` puts one labelled person's box at the centre, `target` of the crop tall before scaling;
            `image` fits the whole image into the crop, as the detector sees it.
        target: height (or width, if larger) of the person in focus, as a share of the crop.
        scale: least and greatest factor.
        rotation_deg: greatest rotation either way; beyond 45 accuracy falls.
        shift_px: greatest shift either way.
        flip: probability of the mirrored image.
        colour: greatest change of brightness and contrast, as a share; the paper has none.
    """

    focus: Literal["person", "image"] = "person"
    target: Annotated[float, Field(gt=0, le=4)] = 0.6
    scale: tuple[Scale, Scale] = (1 / 3, 1.1)
    rotation_deg: Annotated[float, Field(ge=0, le=180)] = 45.0
    shift_px: Annotated[float, Field(ge=0, le=2048)] = 40.0
    flip: Annotated[float, Field(ge=0, le=1)] = 0.5
    colour: Annotated[float, Field(ge=0, le=0.9)] = 0.0

    @field_validator("scale")
    @classmethod
    def _ordered(cls, scale: tuple[float, float]) -> tuple[float, float]:
        if scale[0] > scale[1]:
            raise ValueError(f"scale is the least and the greatest factor, got {scale[0]:g}, {scale[1]:g}")
        return scale


class TargetConfig(StrictModel):
    """Width of the ground truth, network input px.

    Attributes:
        sigma_px: sigma of equation 7, which has no factor 2: 9.9 is the Gaussian of 7 px that the seed system uses.
        limb_px: half the width of a limb, sigma_l of equation 9.
        round_ends: a limb reaches that far beyond its joints too, as in the seed system. False is equation 9 to the
            letter, in which limbs shorter than a map cell (a face from afar) may leave no mark to train on.
    """

    sigma_px: Width = 9.9
    limb_px: Width = 8.0
    round_ends: bool = True


class OptimiserConfig(StrictModel):
    """AdamW and its learning rate over the steps.

    Attributes:
        lr: learning rate after the warm-up.
        weight_decay: decoupled decay of all weights but biases and normalisation.
        betas: decay of Adam's two moments.
        warmup: steps in which the rate grows from 0.
        schedule: `step` multiplies by `factor` at each of `milestones`; `cosine` falls to 0 at the last step.
        milestones: steps of the `step` schedule.
        factor: of the `step` schedule.
        clip: greatest norm of the gradient; None does not clip.
    """

    lr: Annotated[float, Field(gt=0, le=1000)] = 1e-4
    weight_decay: Annotated[float, Field(ge=0, le=1000)] = 5e-4
    betas: tuple[Annotated[float, Field(ge=0, lt=1)], Annotated[float, Field(ge=0, lt=1)]] = (0.9, 0.999)
    warmup: Annotated[int, Field(ge=0)] = 0
    schedule: Literal["step", "cosine"] = "step"
    milestones: tuple[Count, ...] = (
        200_000,
        300_000,
        360_000,
        420_000,
        480_000,
        540_000,
        600_000,
        700_000,
        800_000,
        900_000,
    )
    factor: Annotated[float, Field(gt=0, le=1)] = 0.5
    clip: Positive | None = None


class TrainConfig(StrictModel):
    """A whole training.

    Attributes:
        skeleton: a built-in joint set by name, or a YAML file of your own, relative to the configuration file.
        network: a preset by name (`compact`, `body_25`, ...), or the keys of a network of your own.
        out: folder of the results, relative to the configuration file.
        datasets: whole batches come from one set.
        validation: sets whose loss decides which checkpoint is the best; without any, the training loss decides.
        start_from: network file, or name of weights, to start from instead of random numbers.
        start_partially: take from `start_from` only what fits by name and shape (another joint set, another head).
        crop: side of the square network input, px; a multiple of 8.
        augment: how images are varied.
        targets: width of the ground truth.
        optimiser: AdamW.
        batch: images a step, over all processes of a data-parallel training.
        steps: how many.
        precision: `auto` takes bfloat16 where the processor multiplies it natively, float32 elsewhere.
        device: a torch device; CUDA where there is one by default.
        seed: of everything random.
        workers: processes that prepare batches; None takes all cores but one, 8 at most. No result depends on it.
        checkpoint_every: steps between checkpoints and validations.
        log_every: steps between lines in the log and TensorBoard.
    """

    skeleton: str
    network: str | dict[str, Any]
    out: Path
    datasets: Annotated[tuple[DatasetConfig, ...], Field(min_length=1)]
    validation: tuple[DatasetConfig, ...] = ()
    start_from: str | None = None
    start_partially: bool = False
    crop: Annotated[int, Field(ge=64, le=2048, multiple_of=8)] = 368
    augment: AugmentConfig = AugmentConfig()
    targets: TargetConfig = TargetConfig()
    optimiser: OptimiserConfig = OptimiserConfig()
    batch: Annotated[int, Field(ge=1, le=65_536)] = 10
    steps: Annotated[int, Field(ge=1, le=10_000_000)] = 600_000
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    device: str | None = None
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    workers: Annotated[int, Field(ge=0, le=256)] | None = None
    checkpoint_every: Count = 2000
    log_every: Count = 50

    def relative_to(self, folder: Path) -> Self:
        """Return the configuration with its paths made absolute; relative ones start at `folder`."""

        def dataset(one: DatasetConfig) -> DatasetConfig:
            images = None if one.images is None else folder / one.images
            return one.model_copy(update={"annotations": folder / one.annotations, "images": images})

        own = self.skeleton if self.skeleton in SKELETONS else str(folder / self.skeleton)
        start = self.start_from
        if start is not None and (folder / start).is_file():
            start = str(folder / start)
        return self.model_copy(
            update={
                "skeleton": own,
                "start_from": start,
                "out": folder / self.out,
                "datasets": tuple(map(dataset, self.datasets)),
                "validation": tuple(map(dataset, self.validation)),
            }
        )

    def load_skeleton(self) -> Skeleton:
        """Return the joint set.

        Raises:
            ConfigError: it is neither built in nor a file.
        """
        if self.skeleton in SKELETONS:
            return get_skeleton(self.skeleton)
        if not Path(self.skeleton).is_file():
            raise ConfigError(f"skeleton {self.skeleton!r} is neither a file nor one of {', '.join(SKELETONS)}")
        return load_skeleton(self.skeleton)


def load_config(path: str | Path, changes: dict[str, Any] | None = None) -> TrainConfig:
    """Read a training's YAML file.

    Args:
        path: the file; relative paths in it start at its folder.
        changes: keys that replace those of the file; a relative `out` here starts at the current folder.

    Raises:
        ConfigError: the file cannot be read, a key is unknown or missing, or a value is out of range.
    """
    path = Path(path)
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file; examples/training/ has configurations to start from") from None
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        raise ConfigError(f"{path}: cannot be read as YAML: {' '.join(str(error).split())}") from error
    if not isinstance(data, dict):
        raise ConfigError(f"{path}: is no training configuration, it holds a {type(data).__name__}")
    changes = dict(changes or {})
    if "out" in changes:
        changes["out"] = Path(changes["out"]).absolute()
    try:
        return TrainConfig.model_validate(data | changes).relative_to(path.parent.absolute())
    except ValidationError as error:
        raise ConfigError(f"{path}: {first_problem(error)}") from error
