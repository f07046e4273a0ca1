"""What a fork changes to make the pages its own: `brand/brand.toml` and `brand/logo.svg`."""

from __future__ import annotations

import tomllib
from importlib.resources import files

from pydantic import BaseModel, ConfigDict, Field

_FOLDER = files("chassis.pages") / "brand"
_COLOUR = Field(pattern=r"^#[0-9a-f]{6}$")


class Colours(BaseModel):
    """The accent of buttons and links, and the text on it; by light and by dark."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    accent: str = _COLOUR
    on_accent: str = _COLOUR
    dark_accent: str = _COLOUR
    on_dark_accent: str = _COLOUR


class Brand(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1, max_length=40)
    tagline: str = Field(max_length=120)
    locale: str
    time_zone: str
    colours: Colours

    @property
    def stylesheet(self) -> str:
        """Return the custom properties that the stylesheet reads."""
        colours = self.colours
        light = f"--accent:{colours.accent};--on-accent:{colours.on_accent}"
        dark = f"--accent:{colours.dark_accent};--on-accent:{colours.on_dark_accent}"
        return f":root{{{light}}}@media(prefers-color-scheme:dark){{:root{{{dark}}}}}"


BRAND = Brand.model_validate(tomllib.loads((_FOLDER / "brand.toml").read_text("utf-8")))
LOGO = (_FOLDER / "logo.svg").read_text("utf-8")
