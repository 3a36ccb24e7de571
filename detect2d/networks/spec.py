"""What a PAF network is made of: backbone, order of stages, blocks, widths. Plain data, from YAML or a weight file.

The defaults are those of BODY_25 as released: 4 stages of part affinity fields, then 2 of confidence maps.
"""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationError, model_validator

from triskel.errors import ConfigError, shown
from triskel.schema import StrictModel

Stage = Literal["paf", "cm", "both"]
Block = Literal["dense3", "plain7", "plain3"]
Width = Annotated[int, Field(ge=1, le=4096)]
Count = Annotated[int, Field(ge=0, le=64)]
Four = tuple[Width, Width, Width, Width]
FourCounts = tuple[Count, Count, Count, Count]


class ResidualSpec(StrictModel):
    """The compact backbone: residual blocks of two 3 x 3 convolutions at strides 2, 4, 8 and 16, with BatchNorm.

    The coarsest level gives the wide view that a limb across the picture needs at a quarter of the cost; it is brought
    back to stride 8 and added there. The stages of such a network have BatchNorm as well.

    Attributes:
        widths: channels at strides 2, 4, 8, 16.
        blocks: residual blocks at each of them.
        features: channels of the image features that the stages see.
    """

    widths: Four = (32, 64, 112, 192)
    blocks: FourCounts = (0, 0, 1, 2)
    features: Width = 128


class NetworkSpec(StrictModel):
    """A PAF network, all but its keypoints: section 3.1 of the paper, open in every number.

    Each stage sees the image features and the latest maps of either kind, so `paf` stages before `cm` stages are
    equations 1 to 3, `cm` before `paf` is their mirror image, and `both` is the two-branch form of the CVPR paper.

    Attributes:
        backbone: `vgg19`, the first 10 layers of VGG-19 and two convolutions to 128 channels; `vgg19_hand`, which goes
            on to conv5_2 before one convolution to 128; `residual`, compact.
        stages: what each stage predicts, in order.
        block: body of a refining stage. `dense3`: triples of 3 x 3 convolutions whose outputs are concatenated;
            `plain7` and `plain3`: one 7 x 7 or 3 x 3 convolution each. Two 1 x 1 convolutions follow.
        repeats: triples or convolutions of a refining stage.
        width: channels of each of its convolutions.
        hidden: channels between the two 1 x 1 convolutions.
        first_block: the same for stages that see no maps of their own kind yet, as the next three; here the block of
            the refining stages when None.
        first_repeats: may be 0, which leaves the 1 x 1 convolutions.
        first_width: channels of each convolution.
        first_hidden: channels between the two 1 x 1 convolutions.
        activation: of the stages and the backbone's last three layers; `prelu` learns a slope for each channel.
        residual: of the backbone `residual`, and of that alone.
    """

    backbone: Literal["vgg19", "vgg19_hand", "residual"] = "vgg19"
    stages: Annotated[tuple[Stage, ...], Field(min_length=1, max_length=32)] = ("paf",) * 4 + ("cm",) * 2
    block: Block = "dense3"
    repeats: Annotated[int, Field(ge=1, le=64)] = 5
    width: Width = 128
    hidden: Width = 512
    first_block: Block | None = None
    first_repeats: Count = 5
    first_width: Width = 96
    first_hidden: Width = 256
    activation: Literal["relu", "prelu"] = "prelu"
    residual: ResidualSpec | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if not {"cm", "both"} & set(self.stages):
            raise ValueError(f"stages give confidence maps somewhere, as 'cm' or 'both', got {list(self.stages)}")
        if self.residual is not None and self.backbone != "residual":
            raise ValueError(f"residual belongs to the backbone 'residual', and this one is {self.backbone!r}")
        return self

    @property
    def has_affinity(self) -> bool:
        """Return whether a stage predicts part affinity fields."""
        return bool({"paf", "both"} & set(self.stages))

    def without_affinity(self) -> "NetworkSpec":
        """Return the same network with every stage predicting confidence maps alone, for joints without limbs."""
        return self.model_copy(update={"stages": ("cm",) * len(self.stages)})


def read_spec(data: Any, *, where: str) -> NetworkSpec:  # noqa: ANN401 - what a YAML or JSON reader returns
    """Build a spec from parsed YAML or JSON.

    Args:
        data: a mapping of the attributes of `NetworkSpec`; what is left out keeps its default.
        where: the file and key, for the error.

    Raises:
        ConfigError: a key is unknown (the message lists the known ones), a value is impossible, or no mapping came.
    """
    try:
        return NetworkSpec.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        message = first["msg"].removeprefix("Value error, ")
        got = "" if first["type"] == "value_error" else f", got {shown(first['input'])}"
        more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
        raise ConfigError(f"{where}: {f'{key}: ' if key else ''}{message}{got}{more}") from error


def _stages(first: tuple[Stage, int], then: tuple[Stage, int]) -> NetworkSpec:
    return NetworkSpec(stages=(first[0],) * first[1] + (then[0],) * then[1])


TABLE_5 = {
    "5-1": _stages(("paf", 5), ("cm", 1)),
    "4-2": _stages(("paf", 4), ("cm", 2)),
    "3-3": _stages(("paf", 3), ("cm", 3)),
    "4-1": _stages(("paf", 4), ("cm", 1)),
    "3-1": _stages(("paf", 3), ("cm", 1)),
    "cm-first 3-3": _stages(("cm", 3), ("paf", 3)),
}
"""The six rows of the paper's Table 5, stages of PAFs and of confidence maps; all but the last predict PAFs first."""
