"""Groups of commands whose names have aliases, as scripts know them."""

from typing import Any

import click


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

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command under one of its names."""
        return super().get_command(ctx, self._aliases.get(cmd_name, cmd_name))


LIST_WORDS = {"ls": "list"}
REMOVE_WORDS = {"rm": "delete", "remove": "delete", "del": "delete"}
