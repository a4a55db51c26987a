"""Settings from the command line, with the node running or not."""

from typing import TYPE_CHECKING, Any

import click

from bitdust.cli.asking import secret, somebody_is_there
from bitdust.cli.client import ApiClient, ApiError
from bitdust.cli.lock import running_pid
from bitdust.cli.main import Session
from bitdust.cli.output import printable, show_json, show_table, text

if TYPE_CHECKING:
    from bitdust.config.settings import Settings

SHORT_NAMES = {
    "donated": "services/supplier/donated-space",
    "needed": "services/customer/needed-space",
    "suppliers": "services/customer/suppliers-number",
    "debug": "logs/debug-level",
    "block-size": "services/backups/block-size",
    "max-block-size": "services/backups/max-block-size",
    "max-copies": "services/backups/max-copies",
    "keep-local-data": "services/backups/keep-local-copies-enabled",
    "tcp": "services/tcp-connections/enabled",
    "tcp-port": "services/tcp-connections/tcp-port",
    "udp": "services/udp-datagrams/enabled",
    "udp-port": "services/udp-datagrams/udp-port",
    "proxy": "services/proxy-transport/enabled",
    "dht-port": "services/entangled-dht/udp-port",
    "nickname": "personal/nickname",
    "limit-send": "services/network/send-limit",
    "limit-receive": "services/network/receive-limit",
}


def read_settings(session: Session, key: str | None, info: bool = False) -> list[dict[str, Any]]:
    """One setting, a folder of settings, or all; from the node, or from its file while it does not run."""
    if running_pid(session.home) is not None:
        client = ApiClient(session.home)
        found: list[dict[str, Any]] = (
            client.call("configs_list", include_info=info)
            if key is None
            else client.call("config_get", key=key, include_info=info)
        )
        return found
    settings = open_settings(session)
    if key is None or key in settings:
        return [settings.describe(name, info) for name in (settings.keys() if key is None else [key])]
    children = settings.children(key)
    if not children:
        raise ApiError("unknown-setting", f"there is no setting {key!r}; bitdust config list shows all")
    return [settings.describe(name, info) if name in settings else {"key": name, "childs": True} for name in children]


def write_setting(session: Session, key: str, value: str) -> dict[str, Any]:
    """Change one setting; what it is now, with ``old_value``."""
    if running_pid(session.home) is not None:
        changed: dict[str, Any] = ApiClient(session.home).call("config_set", key=key, value=value)[0]
        return changed
    from bitdust.wire.errors import BitDustError

    settings = open_settings(session)
    try:
        before = settings.describe(key)["value"]
        settings.set(key, value)
        changed = settings.describe(key) | {"old_value": before}
    except BitDustError as error:
        raise ApiError(error.code, str(error)) from None
    return changed


def open_settings(session: Session) -> "Settings":
    """The settings' file itself, while no node runs."""
    from bitdust.config.home import refuse_newer
    from bitdust.config.settings import Settings
    from bitdust.wire.errors import BitDustError

    try:
        refuse_newer(session.home)
        return Settings(session.home / "config")
    except BitDustError as error:
        raise ApiError(error.code, str(error)) from None


def _full(key: str) -> str:
    return SHORT_NAMES.get(key, key.strip("/"))


def _is_unread(key: str) -> bool:
    """Whether a setting is accepted for the sake of older scripts alone: a list that people read leaves it out."""
    from bitdust.config.schema import default_schema

    option = default_schema().get(key)
    return option is not None and option.unread


def _show(session: Session, rows: list[dict[str, Any]], info: bool, key: str | None = None) -> None:
    if session.as_json:
        show_json(rows)
        return
    if key is None:
        rows = [row for row in rows if not _is_unread(row["key"])]
    if len(rows) == 1 and "value" in rows[0] and not info:
        click.echo(printable(text(rows[0]["value"])) if rows[0]["value"] != "" else "")
        return
    for row in rows:
        row.setdefault("value", "…")
    show_table(rows, ["key", "value", *(["info"] if info else [])], "no settings")


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("key")
@click.argument("value", required=False)
@click.pass_context
def set_setting(ctx: click.Context, key: str, value: str | None) -> None:
    """Change the setting KEY to VALUE; `set list` lists all settings.

    With - as the VALUE it is read from the terminal, unseen, or from standard input.
    """
    session: Session = ctx.obj
    if value is None:
        if key == "list":
            _show(session, read_settings(session, None), False)
            return
        raise click.UsageError("a VALUE is missing")
    if value == "-":
        value = secret(None if somebody_is_there() else "-", key, twice=False, may_be_empty=True)
    elif _full(key).rpartition("/")[2] == "password" and value:
        raise click.UsageError("others on this machine can read command lines: give a password as - and type it")
    changed = write_setting(session, _full(key), value)
    if session.as_json:
        show_json(changed)
    else:
        click.echo(f"{changed['key']}  {text(changed['old_value'])} -> {text(changed['value'])}")


@click.command()
@click.argument("key")
@click.option("--info", is_flag=True, help="Explain the setting.")
@click.pass_obj
def get_setting(session: Session, key: str, info: bool) -> None:
    """Show the setting KEY, or the settings in a folder such as logs."""
    _show(session, read_settings(session, _full(key), info), info, _full(key))


class ConfigGroup(click.Group):
    """`config KEY` shows, `config KEY VALUE` changes."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """A word that is no command is a key."""
        if args and args[0] not in self.commands:
            name = "set" if len(args) > 1 else "get"
            return name, self.commands[name], args
        return super().resolve_command(ctx, args)


@click.group(cls=ConfigGroup)
def config() -> None:
    """Settings: list, get, set; or just KEY [VALUE]."""


config.add_command(set_setting, "set")
config.add_command(get_setting, "get")


@config.command("list")
@click.option("--info", is_flag=True, help="Explain each setting.")
@click.pass_obj
def config_list(session: Session, info: bool) -> None:
    """All settings."""
    _show(session, read_settings(session, None, info), info)
