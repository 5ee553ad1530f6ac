"""The page of all commands and options, from click itself."""

from __future__ import annotations

import re

import click
from writing import as_rst, underlined

from emplus.cli import main

__all__ = ["page"]

_INTRODUCTION = """Every command and option, as ``emplus COMMAND --help`` has them. Bad input is
one sentence and exit code 2. :doc:`/start` shows the commands at work.
"""


def page() -> str:
    """The page, in reStructuredText."""
    top = click.Context(main, info_name="emplus")
    parts = [underlined("Command line"), _INTRODUCTION, _help(main, top), _options(main, top)]
    for name in main.list_commands(top):
        command = main.get_command(top, name)
        if command is not None and not command.hidden:
            parts.append(_section(command, click.Context(command, info_name=name, parent=top)))
    return "\n".join(parts)


def _section(command: click.Command, context: click.Context) -> str:
    path = context.command_path
    pieces = " ".join([path, *command.collect_usage_pieces(context)])
    return "\n".join(
        [
            underlined(path, "-"),
            f".. code-block:: text\n\n   {pieces}\n",
            _help(command, context),
            _options(command, context),
        ]
    )


def _help(command: click.Command, context: click.Context) -> str:
    paragraphs = re.split(r"\n\s*\n", (command.help or "").strip())
    return "\n".join(_paragraph(words) for words in paragraphs if words.strip())


def _paragraph(words: str) -> str:
    # click keeps the lines of a paragraph that begins with a backspace.
    if not words.lstrip().startswith("\b"):
        return as_rst(" ".join(words.split())) + "\n"
    lines = words.replace("\b", "").strip("\n").splitlines()
    return ".. code-block:: text\n\n" + "".join(f"   {line}\n" for line in lines)


def _options(command: click.Command, context: click.Context) -> str:
    lines = []
    for parameter in command.get_params(context):
        names, words = parameter.get_help_record(context) or ("", "")
        if words:
            lines.append(f"``{names}``\n   {as_rst(' '.join(words.split()))}\n")
    return "\n".join(lines)
