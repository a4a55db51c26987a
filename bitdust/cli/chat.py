"""A chat in the terminal: what was written, what comes, and what you answer."""

import json
import secrets
import threading
import time
from typing import Any

import click

from bitdust.cli.client import ApiClient, ApiError
from bitdust.cli.groups import Aliased
from bitdust.cli.main import Session
from bitdust.cli.messages import GROUP, data_of, fate_of, line_of, place_of, send, sent, text_of, who_of
from bitdust.cli.output import in_commands, printable, sentences, show_table

POLL_SECONDS = 30.0
AGAIN = 2.0
PATIENCE = 3.0
"""Seconds for which a line keeps the person who typed it; it goes on its way afterwards too."""
LAST = 20
HELP = "/who  who is here    /with ID  write to somebody    /history [N]  what was written    /quit  or Ctrl-C"
Row = dict[str, Any]


class ChatGroup(Aliased):
    """``bitdust chat bob`` chats with bob."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """A word that is no command is somebody's name."""
        if args and not args[0].startswith("-") and self.get_command(ctx, args[0]) is None:
            args = ["with", *args]
        return super().parse_args(ctx, args)


@click.group(cls=ChatGroup, aliases={"to": "send", "open": "with"}, default="with")
def chat() -> None:
    """Chat: with, send. Without a name it begins with nobody: /who shows who is here."""


chat.add_command(send)


@chat.command("with")
@click.argument("who", metavar="[ID|ALIAS]", required=False)
@click.pass_obj
def chat_with(session: Session, who: str | None) -> None:
    """Chat with somebody until Ctrl-C; lines that come from others are shown as well."""
    talk = Chat(session)
    try:
        talk.run(who)
    except (KeyboardInterrupt, EOFError, click.Abort):
        click.echo()
    finally:
        talk.stop()


class Chat:
    """One chat: a thread polls for what comes, and prints it between the lines that are typed."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._who: str | None = None
        self._consumer = f"chat-{secrets.token_hex(8)}"
        self._after = 0
        self._ended = threading.Event()

    def run(self, who: str | None) -> None:
        """Until the person has enough."""
        self._say_for_people(HELP)
        newest = self._session.call("message_history", limit=1)
        self._after = newest[-1]["number"] if newest else 0
        threading.Thread(target=self._listen, daemon=True).start()
        if who is None:
            self.show_people()
        else:
            self.turn_to(who)
        while not self._ended.is_set():
            who, for_programs = self._who or "…", self._session.as_json
            self.typed(click.prompt(who, prompt_suffix="> ", default="", show_default=False, err=for_programs))

    def _say_for_people(self, text: str) -> None:
        if not self._session.as_json:
            click.echo(text)

    def stop(self) -> None:
        """Nothing more is polled for."""
        self._ended.set()

    def typed(self, line: str) -> None:
        """A command, or a line for whom the chat is with."""
        word, _, rest = line.strip().partition(" ")
        try:
            if word in ("/quit", "/q", "/exit"):
                self.stop()
            elif word == "/who":
                self.show_people()
            elif word in ("/with", "/to") and rest:
                self.turn_to(rest)
            elif word == "/history":
                self.show_history(int(rest) if rest.isdigit() else LAST)
            elif word.startswith("/"):
                click.echo(HELP)
            elif word:
                self.say(line.strip())
        except (ApiError, click.BadParameter) as error:
            click.echo(f"Error: {in_commands(printable(str(error)))}", err=True)

    def say(self, text: str) -> None:
        """Send a line."""
        if self._who is None:
            click.echo("to whom? /with ID", err=True)
            return
        envelope = sent(self._session, self._who, data_of(text), PATIENCE)
        result = envelope.get("result") or {}
        if "state" in result and not result.get("consumed"):
            self._say_for_people(f"  ({sentences(fate_of(envelope))})")

    def turn_to(self, who: str) -> None:
        """Write to somebody from now on."""
        self._session.call("message_history", recipient_id=who, limit=1)
        self._who = who
        self.show_history(LAST)

    def show_history(self, count: int) -> None:
        """The last lines of the conversation, which then are read."""
        rows = self._session.call("message_history", recipient_id=self._who, limit=max(1, min(count, 1000))) or []
        for row in rows:
            click.echo(json.dumps(row) if self._session.as_json else line_of(row))
        if rows and self._who is not None:
            self._session.call("message_mark_read", conversation_id=self._who)

    def show_people(self) -> None:
        """Friends and conversations, and who is here."""
        rows = [
            {"who": row["alias"] or row["global_id"] or row["fingerprint"][:16], "state": row["contact_state"]}
            for row in self._session.call("friends_list") or []
        ]
        known = {row["who"] for row in rows}
        for row in self._session.call("message_conversations_list", message_types="private_message") or []:
            if row["label"] not in known:
                rows.append({"who": row["label"], "state": row["state"]})
        show_table(rows, ["who", "state"], "nobody yet: bitdust friend add ID, or /with ID")

    # what comes

    def _listen(self) -> None:
        client = ApiClient(self._session.home, timeout=POLL_SECONDS + 30)
        while not self._ended.is_set():
            try:
                self.poll(client)
            except ApiError as error:
                if not self._ended.wait(AGAIN):
                    click.echo(f"\nError: {printable(str(error))}", err=True)

    def poll(self, client: ApiClient) -> None:
        """Show what has come since the last time."""
        rows = client.call(
            "message_receive",
            consumer_callback_id=self._consumer,
            polling_timeout=POLL_SECONDS,
            after=self._after,
        )
        for row in rows or []:
            self._after = row["number"]
            if self._session.as_json:
                click.echo(json.dumps(row))
            elif not self._ended.is_set():
                when = time.strftime("%H:%M", time.localtime(row["received"]))
                elsewhere = row["recipient"].startswith(GROUP) and row["recipient"] != self._who
                to = f" to {place_of(row['recipient'])}" if elsewhere else ""
                click.echo(f"\r{when}  {who_of(row['sender'])}{to}: {text_of(row['data'])}")
