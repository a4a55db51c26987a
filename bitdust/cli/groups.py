"""Groups of commands whose names have aliases, as scripts know them."""

from collections.abc import Iterable
from typing import Any

import click


def refuse_unknown(group: click.Group, ctx: click.Context, word: str, known: Iterable[str]) -> None:
    """Raises `click.UsageError` with what may have been meant when a word is neither a command nor an option."""
    if ctx.resilient_parsing or word.startswith("-") or group.get_command(ctx, word) is not None:
        return
    from difflib import get_close_matches

    near = get_close_matches(word, known, 3)
    hint = f" Did you mean {', '.join(near)}?" if near else ""
    ctx.fail(f"There is no command {word!r}.{hint}")


class Aliased(click.Group):
    """``aliases`` maps other words to the names of commands; ``default`` runs, with its options, when none is named."""

    def __init__(
        self, *args: Any, aliases: dict[str, str] | None = None, default: str | None = None, **options: Any
    ) -> None:
        super().__init__(*args, **options)
        self._aliases = aliases or {}
        self._default = default
        self.no_args_is_help = default is None

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Run the default when nothing is named, unless a shell only wants to complete."""
        named = (
            ctx.resilient_parsing or bool(args) and (not args[0].startswith("-") or args[0] in ctx.help_option_names)
        )
        return super().parse_args(ctx, args if named or not self._default else [self._default, *args])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """A word that is no command brings a hint of what may have been meant."""
        refuse_unknown(self, ctx, args[0], (*self.commands, *self._aliases))
        return super().resolve_command(ctx, args)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command under one of its names."""
        return super().get_command(ctx, self._aliases.get(cmd_name, cmd_name))


ROWS = click.IntRange(1, 1000)
"""So many a list may have, and no more than the API gives at once."""
COUNT = click.IntRange(0)
PATIENCE, SECONDS = click.FloatRange(1, 300), click.FloatRange(0, 300)
"""Seconds that somebody's node is waited for, and that an answer is."""
LIST_WORDS = {"ls": "list"}
REMOVE_WORDS = {"rm": "delete", "remove": "delete", "del": "delete"}
