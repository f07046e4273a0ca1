"""Draw a picture for a product without images, chosen by the words of its name or by its category, in its own tint."""

from __future__ import annotations

import re
import zlib
from functools import lru_cache
from importlib.resources import files
from typing import Any

from chassis.problems import NotFound

_FOLDER = files("order_service.catalog") / "drawings"
DRAWINGS = {entry.name.removesuffix(".svg"): entry.read_text("utf-8") for entry in _FOLDER.iterdir()}
_DEGREES = 15  # between two tints
HUES = [str(hue) for hue in range(0, 360, _DEGREES)]
_OTHER = "other"

# fmt: off
BY_WORD = {
    "kettlebell": "dumbbell", "smartphone case": "phone-case", "cable": "cable", "turntable": "turntable",
    "record player": "turntable", "microphone": "microphone", "headphone": "headphones", "headset": "headphones",
    "earphone": "earbuds", "earbud": "earbuds", "in-ear": "earbuds", "bookshelf speaker": "bookshelf-speakers",
    "stereo speaker": "bookshelf-speakers", "speaker": "speaker", "soundbar": "speaker", "keyboard": "keyboard",
    "keypad": "keyboard", "desk mat": "desk-mat", "mouse mat": "desk-mat", "mouse pad": "desk-mat",
    "mousepad": "desk-mat", "vertical mouse": "ergonomic-mouse", "ergonomic mouse": "ergonomic-mouse",
    "trackball": "ergonomic-mouse", "mouse": "mouse", "hub": "hub", "docking station": "hub",
    "laptop stand": "laptop-stand", "monitor": "monitor", "webcam": "webcam", "microsd": "memory-card",
    "sd card": "memory-card", "memory card": "memory-card", "ssd": "ssd", "portable drive": "ssd",
    "hard drive": "ssd", "hard disk": "ssd", "network drive": "nas", "nas drive": "nas", "usb stick": "usb-stick",
    "flash drive": "usb-stick", "thumb drive": "usb-stick", "phone case": "phone-case", "phone cover": "phone-case",
    "phone mount": "phone-mount", "phone holder": "phone-mount", "power bank": "power-bank",
    "powerbank": "power-bank", "charging pad": "charging-pad", "wireless charger": "charging-pad",
    "charger": "charger", "power adapter": "charger", "french press": "french-press", "coffee press": "french-press",
    "pour-over": "pour-over", "pour over": "pour-over", "dripper": "pour-over", "grinder": "grinder",
    "coffee mill": "grinder", "pepper mill": "grinder", "kettle": "kettle", "teapot": "kettle", "knife": "knife",
    "knives": "knife", "cutting board": "cutting-board", "chopping board": "cutting-board",
    "bread board": "cutting-board", "skillet": "skillet", "frying pan": "skillet", "dutch oven": "dutch-oven",
    "casserole": "dutch-oven", "saucepan": "dutch-oven", "stockpot": "dutch-oven", "kitchen scale": "kitchen-scale",
    "container": "containers", "lunch box": "containers", "pillow": "pillow", "cushion": "pillow",
    "bed sheet": "sheets", "sheets": "sheets", "bed linen": "sheets", "duvet cover": "sheets", "towel": "sheets",
    "throw": "throw", "blanket": "throw", "lantern": "lantern", "lamp": "lamp", "candle": "candle",
    "vacuum": "vacuum", "purifier": "purifier", "humidifier": "purifier", "tool set": "tool-set",
    "toolbox": "tool-set", "tool box": "tool-set", "tool kit": "tool-set", "yoga mat": "yoga-mat",
    "exercise mat": "yoga-mat", "resistance band": "bands", "exercise band": "bands", "dumbbell": "dumbbell",
    "barbell": "dumbbell", "running belt": "running-belt", "bum bag": "running-belt", "bottle": "bottle",
    "flask": "bottle", "backpack": "backpack", "rucksack": "backpack", "trekking pole": "trekking-poles",
    "walking pole": "trekking-poles", "hiking pole": "trekking-poles", "pencil": "pencil",
    "fountain pen": "fountain-pen", "ballpoint": "pencil", "marker": "markers", "highlighter": "markers",
    "crayon": "markers", "notebook": "notebook", "journal": "notebook", "diary": "notebook", "sketchbook": "notebook",
    "organiser": "organiser", "organizer": "organiser", "board game": "board-game", "puzzle": "puzzle",
    "game controller": "controller", "gamepad": "controller", "joystick": "controller", "chess": "chess",
    "building block": "blocks", "wooden block": "blocks", "moisturiser": "cream", "moisturizer": "cream",
    "sunscreen": "cream", "hand cream": "cream", "face cream": "cream", "lotion": "cream", "toothpaste": "cream",
    "toothbrush": "toothbrush", "razor": "razor", "shaver": "razor", "smartphone": "phones", "mobile phone": "phones",
}
"""The drawing for the first of these words that a product's name holds."""

BY_CATEGORY = {
    "computer accessories": "keyboard", "audio": "headphones", "phones": "phones", "storage": "ssd",
    "kitchen": "kettle", "home": "lamp", "sports": "dumbbell", "stationery": "notebook", "games": "controller",
    "care": "cream",
}
# fmt: on

_WORDS = [(re.compile(rf"\b{re.escape(word)}", re.IGNORECASE), drawing) for word, drawing in BY_WORD.items()]


def url(product: dict[str, Any]) -> str:
    """Return the URL of the product's first image, or of a drawing."""
    if product.get("images"):
        return str(product["images"][0])
    hue = HUES[zlib.crc32(product["id"].encode()) % len(HUES)]
    return f"/shop/pictures/{choose(product['name'], product['category'])}-{hue}.svg"


@lru_cache(maxsize=10_000)
def choose(name: str, category: str) -> str:
    """Return the drawing that fits best."""
    by_word = next((drawing for word, drawing in _WORDS if word.search(name)), None)
    return by_word or BY_CATEGORY.get(category.lower(), _OTHER)


def draw(drawing: str, hue: str) -> str:
    """Return the SVG document; raise NotFound for a drawing or hue that no URL has."""
    if drawing not in DRAWINGS or hue not in HUES:
        raise NotFound
    return DRAWINGS[drawing].replace("HUE", hue)
