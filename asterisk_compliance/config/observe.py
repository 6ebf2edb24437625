"""The table ``[asterisk.observe]``: how another system beside us tells that it records."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Sounds = Annotated[str, Field(pattern=r"^[A-Za-z0-9_./:+&-]{1,200}$")]


class ObserveSettings(BaseModel):
    """``notices``: the length of each, in seconds, by its sounds as ``Playback()`` is given them.

    Empty where the site has none: then every recording is untold.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    notices: Mapping[Sounds, Annotated[float, Field(gt=0, le=3600)]]
