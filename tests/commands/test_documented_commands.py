"""docs/commands.md names every command that there is, and no other."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click

from image_assets.cli import main

COMMANDS_PAGE = Path(__file__).parents[2] / "docs" / "commands.md"


def commands_of(group: click.Group, before: str = "") -> Iterator[str]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands_of(command, f"{before}{name} ")
        else:
            yield before + name


def test_the_page_of_commands_names_every_command_and_no_other() -> None:
    named = re.findall(r"^\| `image-assets ((?:corpus )?[a-z-]+)", COMMANDS_PAGE.read_text(), re.MULTILINE)
    assert sorted(named) == sorted(commands_of(main))
