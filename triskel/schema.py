"""Files that people write by hand: models that know their keys, and complaints of one line."""

from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator


class StrictModel(BaseModel):
    """Frozen; an unknown key is an error that lists the known ones, for typing mistakes are the commonest."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _known_keys(cls, data: Any) -> Any:  # noqa: ANN401 - whatever the file holds
        unknown = sorted(set(map(str, data)) - set(cls.model_fields)) if isinstance(data, dict) else []
        if unknown:
            raise ValueError(f"unknown key {', '.join(unknown)}; known are {', '.join(cls.model_fields)}")
        return data


def first_problem(error: ValidationError) -> str:
    """Return the first complaint of a pydantic error as `key.path: what`, one line."""
    problem = error.errors()[0]
    where = ".".join(str(part) for part in problem["loc"]) or "the whole file"
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    return f"{where}: {problem['msg'].removeprefix('Value error, ')}{more}"
