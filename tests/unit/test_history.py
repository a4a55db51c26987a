"""The history of messages: once each, in order, found again, and there after every kind of end."""

import sqlite3
from unittest import mock

from bitdust.people.history import damage, reading, upkeep, words, writing
from bitdust.people.history import listeners as listeners_module
from bitdust.people.history.database import FORMAT, connect, trouble
from bitdust.people.history.listeners import Listeners
from bitdust.people.history.values import Filter, Page
from bitdust.wire.errors import BitDustError
from bitdust.wire.messages import GROUP, OUTGOING, PRIVATE, conversation_of
from tests.unit.history_kit import ALICE, BOB, CAROL, START, HistoryCase, message, sqlite_trouble, to_group

WITH_BOB = conversation_of(ALICE, BOB)
WITH_CAROL = conversation_of(ALICE, CAROL)


class StoringTests(HistoryCase):
    def test_once_each(self) -> None:
        """A message is stored once, whoever brings it again, and still after a restart."""
        one = message("hello")
        self.assertEqual(self.add(one, one), [True, False])
        self.again()
        self.assertEqual(self.add(one), [False])
        self.assertEqual(self.page(), ["hello"])

    def test_an_id_belongs_to_its_sender(self) -> None:
        """Carol cannot keep Bob's message out by giving one of hers the same id."""
        one = message("of Bob")
        self.assertEqual(self.add(message("of Carol", CAROL, id=one.id), one), [True, True])
        self.assertEqual(self.page(Filter(conversation=WITH_BOB)), ["of Bob"])

    def test_all_of_it_comes_back(self) -> None:
        """What is read is what was stored, to the last field; the signal reports it with number, place and time."""
        seen = []
        self.history.stored.connect(seen.append)
        one = message("grüße", time=-5, sequence=7, data={"text": "grüße", "n": [1, 2.5, None, {"a": True}]})
        self.add(one, to_group("all", sequence=3))
        found = self.successResultOf(self.history.named([1, 2, 3]))
        self.assertEqual(found, seen)
        places = [(each.number, each.position, each.at) for each in found]
        self.assertEqual(places, [(1, 1, START * 1000), (2, 1, START * 1000)])
        self.assertEqual(found[0].message, one)

    def test_sequences(self) -> None:
        """The highest number of a device in a conversation counts what is on its way, and outlives a restart."""
        device = BOB[:8]
        self.assertEqual(self.history.last_sequence(WITH_BOB, device), 0)
        waiting = self.history.add(message("x", sequence=5))
        self.add(message("y", sequence=3))
        self.successResultOf(waiting)
        self.assertEqual(self.history.last_sequence(WITH_BOB, device), 5)
        self.again()
        self.assertEqual(self.history.last_sequence(WITH_BOB, device), 5)
        self.assertEqual(self.history.last_sequence(WITH_CAROL, device), 0)

    def test_a_failed_write(self) -> None:
        """A full disk is named and counts nothing; with room the next message is stored, and all is well."""
        with mock.patch("bitdust.people.history.writing.add", side_effect=sqlite_trouble(sqlite3.SQLITE_FULL)):
            self.assertEqual(self.refused(self.history.add(message("lost", sequence=9))), "disk-full")
        self.assertIn("disk is full", self.history.problem)
        self.assertEqual(self.history.last_sequence(WITH_BOB, BOB[:8]), 0)
        self.assertEqual((self.add(message("kept")), self.history.problem), ([True], ""))

    def test_bad_data(self) -> None:
        """What is no JSON object is refused, and others in the same commit are stored."""
        bad = self.history.add(message("", data=[1]))  # type: ignore[arg-type]
        good = self.history.add(message("good"))
        self.assertEqual(self.refused(bad), "bad-message")
        self.assertTrue(self.successResultOf(good))
        self.assertEqual(self.history.problem, "")

    def test_closed(self) -> None:
        """A history that is not open says so."""
        self.successResultOf(self.history.close())
        self.assertEqual(self.refused(self.history.add(message("x"))), "busy")
        self.assertFalse(self.history.is_open)

    def test_private(self) -> None:
        """Nobody else can read the file."""
        self.assertEqual(self.path.stat().st_mode & 0o777, 0o600)


class PageTests(HistoryCase):
    def test_offset_and_limit(self) -> None:
        """The newest messages behind an offset, from old to new; none behind the first."""
        self.fill(10)
        self.add(message("of Carol", CAROL))
        for wanted in (Filter(conversation=WITH_BOB), Filter(sender=BOB)):
            self.assertEqual(self.page(wanted, limit=3), ["word 8", "word 9", "word 10"])
            self.assertEqual(self.page(wanted, limit=3, offset=8), ["word 1", "word 2"])
            self.assertEqual(self.page(wanted, limit=3, offset=10), [])
        self.assertEqual(self.page(limit=2), ["word 10", "of Carol"])
        self.assertEqual(self.page(limit=2, offset=9), ["word 1", "word 2"])

    def test_before_and_after(self) -> None:
        """A page goes on before or after a message, also where that is one of another conversation."""
        self.fill(4)
        self.add(message("of Carol", CAROL))
        self.fill(4, start=5)
        for wanted in (Filter(conversation=WITH_BOB), Filter(sender=BOB)):
            self.assertEqual(self.page(wanted, limit=2, before=3), ["word 1", "word 2"])
            self.assertEqual(self.page(wanted, limit=2, before=5), ["word 3", "word 4"])
            self.assertEqual(self.page(wanted, limit=2, after=5), ["word 5", "word 6"])
            self.assertEqual(self.page(wanted, limit=2, after=3), ["word 4", "word 5"])
            self.assertEqual(self.page(wanted, after=9), [])
            self.assertEqual(self.page(wanted, before=1), [])
            self.assertEqual(len(self.page(wanted, after=0)), 8)
            self.assertEqual(len(self.page(wanted, before=100)), 8)
        self.assertEqual(self.page(limit=2, after=4), ["of Carol", "word 5"])

    def test_filters(self) -> None:
        """By kind, direction, sender and conversation, alone and together; nothing for strangers."""
        self.add(message("in"), message("out", ALICE, BOB), to_group("bob in group"), to_group("carol", CAROL))
        self.assertEqual(self.page(Filter(kinds=(GROUP,))), ["bob in group", "carol"])
        self.assertEqual(self.page(Filter(kinds=(PRIVATE,), direction=OUTGOING)), ["out"])
        self.assertEqual(self.page(Filter(sender=BOB)), ["in", "bob in group"])
        self.assertEqual(self.page(Filter("group_abc", sender=BOB)), ["bob in group"])
        self.assertEqual(self.page(Filter(WITH_BOB, direction=OUTGOING)), ["out"])
        self.assertEqual(self.page(Filter(WITH_CAROL)), [])

    def test_number_of(self) -> None:
        """A message is found by its id, in its own conversation."""
        one = message("x")
        self.add(message("y", CAROL, id=one.id), one)
        ident = bytes.fromhex(one.id)
        self.assertEqual(self.successResultOf(self.history.number_of(ident, WITH_BOB)), 2)
        self.assertEqual(self.successResultOf(self.history.number_of(ident)), 1)
        self.assertIsNone(self.successResultOf(self.history.number_of(b"?" * 16)))


class ConversationTests(HistoryCase):
    def conversations(self, **wanted) -> list:
        return self.successResultOf(self.history.conversations(**wanted))

    def test_what_is_told(self) -> None:
        """Type, times, counts and the last message of each, the newest conversation first."""
        self.add(message("one"))
        self.clock.advance(10)
        two = message("two", ALICE, BOB)
        self.add(two)
        self.clock.advance(10)
        self.add(to_group("all"))
        group, private = self.conversations()
        self.assertEqual((group.name, group.type, group.total, group.unread), ("group_abc", GROUP, 1, 1))
        self.assertEqual((private.name, private.type, private.total, private.unread), (WITH_BOB, PRIVATE, 2, 1))
        self.assertEqual((private.started, private.updated), (START * 1000, (START + 10) * 1000))
        self.assertEqual(private.last, two.id)
        self.assertEqual([each.name for each in self.conversations(kinds=[PRIVATE])], [WITH_BOB])
        self.assertEqual([each.name for each in self.conversations(names=["group_abc"])], ["group_abc"])
        self.assertEqual([each.name for each in self.conversations(limit=1, offset=1)], [WITH_BOB])

    def test_unread(self) -> None:
        """What was seen is not unread any more, once and for all; what comes later is."""
        changed = []
        self.history.changed.connect(changed.append)
        self.fill(5)
        news = [self.successResultOf(self.history.mark_read(WITH_BOB, place)) for place in (3, 3, 2)]
        self.assertEqual(news, [True, False, False])
        self.assertEqual([each.unread for each in self.conversations()], [2])
        self.fill(1, start=6)
        self.assertEqual(self.successResultOf(self.history.counts()), {"conversations": 1, "messages": 6, "unread": 3})
        self.assertEqual(changed, [WITH_BOB])
        self.assertFalse(self.successResultOf(self.history.mark_read("nobody", 3)))


class SearchTests(HistoryCase):
    def test_words(self) -> None:
        """All words must be there, whatever their case and accents; phrases as they stand, beginnings with a star."""
        self.add(message("The quick brown Fox"), message("a Fóx is brown"), message("foxes"))
        self.add(message("", data={"text": "", "deep": [{"n": ["Fox", 1]}]}))
        self.assertEqual(self.search("fox", limit=2, offset=1), ["a Fóx is brown", "The quick brown Fox"])
        self.assertEqual(self.search("FOX brown"), ["a Fóx is brown", "The quick brown Fox"])
        self.assertEqual(self.search('"brown fox"'), ["The quick brown Fox"])
        self.assertEqual(self.search("foxe*"), ["foxes"])
        self.assertEqual(self.search("wolf"), [])

    def test_filters_and_pages(self) -> None:
        """The newest first, in pages, of one conversation, sender, kind or direction alone."""
        self.fill(5)
        self.add(to_group("word in group"), message("word out", ALICE, BOB))
        self.assertEqual(self.search("word", limit=2), ["word out", "word in group"])
        self.assertEqual(self.search("word", limit=2, offset=2), ["word 5", "word 4"])
        self.assertEqual(self.search("word", before=3), ["word 2", "word 1"])
        self.assertEqual(self.search("word", Filter(conversation="group_abc")), ["word in group"])
        self.assertEqual(self.search("word", Filter(kinds=(GROUP, PRIVATE), sender=ALICE)), ["word out"])
        self.assertEqual(len(self.search("word", Filter(sender=BOB))), 6)
        self.assertEqual(self.search("word", Filter(WITH_BOB, direction=OUTGOING)), ["word out"])
        self.assertEqual(self.search("word", Filter(conversation=WITH_CAROL)), [])
        self.assertEqual(self.search("cwordprivate kprivatemessage"), [])

    def test_bad_queries(self) -> None:
        """A query without a word, and one that is too long, are refused; none is a command for the index."""
        for bad in ("", "  ", "*", '""', "?!", "x" * 1001, "a " * 40):
            self.assertEqual(self.refused(self.history.search(bad, Filter(), mock.Mock())), "bad-query")
        self.add(message('say "NEAR" OR text:x'))
        for odd in ("NEAR(", "text : x", '"NEAR" OR', "x-y^2", "a* OR b", '"unclosed'):
            self.search(odd)
        self.assertEqual(len(self.search("NEAR OR")), 1)

    def test_the_index_comes_behind(self) -> None:
        """It is made in portions between messages, and a search sees to it that it has the newest."""
        self.patch(words, "AT_ONCE", 2)
        self.fill(7)
        self.assertEqual(len(self.search("word")), 7)
        self.fill(3, start=8)
        self.work()
        database = connect(self.path)
        self.assertEqual(database.execute("SELECT count(*) FROM words WHERE words MATCH 'word'").fetchone(), (10,))
        database.close()

    def test_without_an_index(self) -> None:
        """A SQLite that has none reads the messages themselves, to the same answers."""
        self.fill(5)
        self.add(message("The quick brown Fóx_trot"), to_group("brown foxes"))
        self.history.file.has_words = False
        self.patch(reading, "SCANNED", 2)
        self.assertEqual(self.search("word", limit=2, offset=1), ["word 4", "word 3"])
        self.assertEqual(self.search('"brown fox*"'), ["The quick brown Fóx_trot"])
        self.assertEqual(self.search("brown fox*"), ["brown foxes", "The quick brown Fóx_trot"])
        self.assertEqual(self.search('"quick brown"'), ["The quick brown Fóx_trot"])
        self.assertEqual(self.search("brown", Filter(kinds=(GROUP,))), ["brown foxes"])
        with mock.patch("bitdust.people.history.database.MODULE", "fts99"):
            self.assertFalse(self.again().file.has_words)
        self.assertIn("FTS5", self.history.searched_plainly)
        self.assertEqual(self.search("brown fox*"), ["brown foxes", "The quick brown Fóx_trot"])


class RetentionTests(HistoryCase):
    def hours(self, count: int) -> None:
        for _ in range(count):
            self.clock.advance(3600)
            self.clock.advance(1)

    def test_all_is_kept(self) -> None:
        """Without a setting nothing goes."""
        self.fill(3)
        self.hours(30)
        self.assertEqual(len(self.page()), 3)

    def test_days(self) -> None:
        """Messages that are older go, the index forgets them, and positions, counts and numbers go on."""
        self.settings.set(upkeep.DAYS, 2)
        self.fill(3)
        self.hours(24)
        self.fill(2, start=4)
        self.hours(25)
        self.assertEqual(self.page(), ["word 4", "word 5"])
        self.assertEqual(self.search("word"), ["word 5", "word 4"])
        self.assertEqual(self.search("1"), [])
        self.assertEqual(self.page(Filter(WITH_BOB), offset=1), ["word 4"])
        self.hours(24)
        self.assertEqual(self.successResultOf(self.history.counts()), {"conversations": 1, "messages": 0, "unread": 0})
        [left] = self.successResultOf(self.history.conversations())
        self.assertEqual((left.total, left.last), (0, ""))
        self.assertEqual(self.history.last_sequence(WITH_BOB, BOB[:8]), 5)
        self.again()
        self.fill(1, start=6)
        self.assertEqual(self.page(after=5), ["word 6"])

    def test_a_leap_of_the_clock(self) -> None:
        """A clock that is a year ahead makes nothing old before it has been steady for a day."""
        self.settings.set(upkeep.DAYS, 2)
        self.hours(24)
        self.fill(1)
        wall = self.around.world.wall
        self.around.world.wall = lambda: wall() + 365 * 86400
        self.hours(upkeep.STEADY - 1)
        self.assertEqual(len(self.page()), 1)

    def test_messages(self) -> None:
        """The last so many of each conversation stay."""
        self.settings.set(upkeep.MESSAGES, 2)
        self.fill(5)
        self.add(message("of Carol", CAROL))
        self.work()
        self.assertEqual(self.page(), ["word 4", "word 5", "of Carol"])
        self.assertEqual(self.successResultOf(self.history.counts())["unread"], 3)


class LockedTests(HistoryCase):
    def raw(self) -> bytes:
        return b"".join(path.read_bytes() for path in self.path.parent.iterdir())

    def test_nothing_can_be_read(self) -> None:
        """In a home with a passphrase no word of a message is on the disk, and all of them are found."""
        self.fill(3)
        self.add(message("zebra"))
        self.search("zebra")
        self.me.keeps_locked = True
        self.fill(2, start=4)
        self.work()
        for word in (b"zebra", b"word"):
            self.assertNotIn(word, self.raw())
        self.again()
        self.add(message("giraffe"))
        self.work()
        for word in (b"zebra", b"giraffe", b"word"):
            self.assertNotIn(word, self.raw())
        self.assertEqual(self.page(limit=3), ["word 4", "word 5", "giraffe"])
        self.assertEqual(self.search("zebra"), ["zebra"])
        self.assertIn("passphrase", self.history.searched_plainly)

    def test_and_back(self) -> None:
        """Without a passphrase bodies are plain again, and the index comes back; a turn half-way does no harm."""
        self.fill(5)
        self.me.keeps_locked = True
        self.work()
        self.me.keeps_locked = False
        self.again()
        self.work()
        self.assertIn(b"word", self.raw())
        self.assertTrue(self.history.file.has_words)
        self.assertEqual(self.search("word", limit=2), ["word 5", "word 4"])

    def test_another_device_key(self) -> None:
        """The key of the history follows the device's key."""
        self.me.keeps_locked = True
        self.fill(1)
        self.work()
        self.me.device = type(self.me.device).generate(lambda size: b"n" * size)
        self.me.changed.emit()
        self.again()
        self.assertEqual(self.page(), ["word 1"])

    def test_no_key(self) -> None:
        """Where no key here opens the history it says so, and changes nothing."""
        self.me.keeps_locked = True
        self.fill(1)
        self.work()
        self.successResultOf(self.history.close())
        mine = self.me.device
        self.me.device = type(mine).generate(lambda size: b"n" * size)
        self.assertEqual(self.refused(self.history.open()), "locked-history")
        self.me.device = mine
        self.again()
        self.assertEqual(self.page(), ["word 1"])


class DamageTests(HistoryCase):
    def spoil(self, needle: bytes) -> None:
        """Overwrite the page that has these bytes."""
        self.successResultOf(self.history.close())
        data = bytearray(self.path.read_bytes())
        start = data.rindex(needle) // 4096 * 4096
        data[start : start + 4096] = b"\xff" * 4096
        self.path.write_bytes(data)

    def aside(self) -> list[str]:
        found = self.path.parent.glob("history.db.*")
        return [path.name for path in found if not path.name.endswith(("-wal", "-shm"))]

    def test_a_page_is_bad(self) -> None:
        """The file is set aside and named, what is on other pages comes back in its order, and the node goes on."""
        self.fill(60, padding=800)
        self.spoil(b"word 30")
        self.history = self.open()
        self.assertEqual(self.add(message("goes on", sequence=61)), [True])
        self.work(20)
        self.assertEqual(len(self.aside()), 1)
        [event] = self.events_of("message-history-damaged")
        self.assertIn(self.aside()[0], event["reason"])
        found = self.page(Filter(WITH_BOB), limit=1000)
        self.assertEqual(found, sorted(found[:-1], key=lambda text: int(text.split()[1])) + ["goes on"])
        self.assertTrue({"word 1", "word 20", "word 40", "word 60"} <= set(found))
        self.assertGreater(len(found), 50)
        [event] = self.events_of("message-history-restored")
        self.assertEqual(event["messages"], len(found) - 1)
        self.assertEqual(self.search('"word 40"'), ["word 40"])
        self.assertEqual(self.history.last_sequence(WITH_BOB, BOB[:8]), 61)
        self.assertEqual(self.page(after=60), ["goes on"])

    def events_of(self, name: str) -> list[dict]:
        return [data for event, data in self.events.sent if event == name]

    def test_no_database(self) -> None:
        """A file that is none is set aside, and numbers go on far behind those that it may have given."""
        self.fill(3)
        self.successResultOf(self.history.close())
        self.path.write_bytes(b"this is no database " * 1000)
        self.history = self.open()
        self.assertEqual(self.add(message("goes on")), [True])
        self.work(200)
        self.assertEqual(self.page(), ["goes on"])
        self.assertEqual(self.page(after=START), ["goes on"])
        self.assertEqual(len(self.aside()), 1)
        self.again()
        self.assertEqual(self.page(), ["goes on"])

    def test_found_while_it_is_used(self) -> None:
        """Damage that a message or a page meets is repaired, and the message is stored all the same."""
        self.fill(3)
        wrong = [sqlite_trouble(sqlite3.SQLITE_CORRUPT)]

        def once(*arguments):
            if wrong:
                raise wrong.pop()
            return before(*arguments)

        before = writing.add
        with mock.patch("bitdust.people.history.writing.add", once):
            waiting = [self.history.add(message(f"m{number}", CAROL)) for number in range(3)]
        self.assertTrue(all(self.successResultOf(each) for each in waiting))
        self.work()
        self.assertEqual(self.page(), ["word 1", "word 2", "word 3", "m0", "m1", "m2"])
        self.assertEqual(len(self.aside()), 1)

    def test_no_room_for_a_new_file(self) -> None:
        """Where the disk takes no new file it is tried again until it does; then all is there, and numbers go on."""
        self.fill(3)
        full = BitDustError("disk-full", "the disk is full")
        with mock.patch("bitdust.people.history.file.open_database", side_effect=full):
            with mock.patch("bitdust.people.history.writing.add", side_effect=sqlite_trouble(sqlite3.SQLITE_CORRUPT)):
                self.assertEqual(self.refused(self.history.add(message("lost", sequence=4))), "disk-full")
            self.work(130)
            self.assertEqual((self.history.is_open, self.history.problem), (False, "the disk is full"))
            self.assertEqual(self.refused(self.history.add(message("lost", sequence=4))), "busy")
        self.work(70)
        self.add(message("goes on", sequence=4))
        self.assertEqual(self.page(), ["word 1", "word 2", "word 3", "goes on"])
        self.assertEqual(self.history.problem, "")

    def test_cut_off(self) -> None:
        """A node that is killed between setting aside and bringing back does so at its next start."""
        self.fill(3)
        self.successResultOf(self.history.close())
        damage.set_aside(self.path, self.history.file.disk, "damaged", START)
        self.history = self.open()
        self.work()
        self.assertEqual(self.page(), ["word 1", "word 2", "word 3"])

    def test_a_lost_name(self) -> None:
        """A message says to which conversation it belongs where that row is lost."""
        self.fill(1)
        self.add(to_group("all"))
        self.successResultOf(self.history.close())
        with sqlite3.connect(self.path) as database:
            database.execute("DELETE FROM conversations")
        database.close()
        damage.set_aside(self.path, self.history.file.disk, "damaged", START)
        self.history = self.open()
        self.work()
        self.assertEqual(self.page(Filter(WITH_BOB)), ["word 1"])
        self.assertEqual(self.page(Filter("group_abc")), ["all"])

    def test_of_somebody_else(self) -> None:
        """The history of another identity in this home is set aside, and shown to nobody."""
        self.fill(1)
        self.me.fingerprint = CAROL
        self.again()
        self.assertEqual(self.page(), [])
        self.assertEqual(self.aside(), [f"history.db.of-{ALICE.hex()[:16]}-20231114-221320"])

    def test_a_newer_format(self) -> None:
        """A file of a newer program is not touched."""
        self.successResultOf(self.history.close())
        with sqlite3.connect(self.path) as database:
            database.execute(f"PRAGMA user_version={FORMAT + 1}")
        database.close()
        self.assertEqual(self.refused(self.history.open()), "newer-history")
        self.assertEqual(self.aside(), [])

    def test_what_an_error_means(self) -> None:
        """A disk is not called damaged, and a mistake of the program is neither."""
        cases = {
            sqlite3.SQLITE_FULL: "disk-full",
            sqlite3.SQLITE_IOERR: "disk-error",
            sqlite3.SQLITE_CORRUPT: "damaged-history",
            sqlite3.SQLITE_NOTADB: "damaged-history",
        }
        for code, said in cases.items():
            self.assertEqual(trouble(sqlite_trouble(code), self.path).code, said)
        self.assertEqual(trouble(sqlite3.ProgrammingError("closed"), self.path).code, "internal")
        self.assertIsInstance(trouble(OSError(28, "no"), self.path), BitDustError)


class ListenerTests(HistoryCase):
    def setUp(self) -> None:
        super().setUp()
        self.listeners = Listeners(self.clock, self.history)

    def unread(self) -> int:
        return self.successResultOf(self.history.counts())["unread"]

    def test_nobody_is_there(self) -> None:
        """Without a listener a message is not consumed."""
        one = message("hello")
        self.add(one)
        self.assertFalse(self.listeners.deliver(one))

    def test_a_poll(self) -> None:
        """Who polls gets the number of a message, which then is consumed; it is told once."""
        waiting = self.listeners.polls.listen("me", lambda notice: notice.kind == PRIVATE)
        group, one = to_group("all"), message("hello")
        self.add(group, one)
        self.assertEqual([notice.number for notice in self.successResultOf(waiting)], [2])
        self.assertEqual([self.listeners.deliver(each) for each in (group, one, one)], [False, True, False])

    def test_takers(self) -> None:
        """Who watches gets each message, and says whether it took it; one that fails harms nobody."""
        got = []
        bad = self.listeners.watch(lambda stored: 1 / 0)  # type: ignore[arg-type, return-value]
        forget = self.listeners.watch(lambda stored: got.append(stored) or True)
        one, two = message("one"), message("two")
        self.add(one)
        forget()
        self.add(two)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 2)
        bad()
        self.assertEqual([stored.message for stored in got], [one])
        self.assertEqual([self.listeners.deliver(each) for each in (one, two)], [True, False])
        self.work(2)
        self.assertEqual(self.unread(), 1)

    def test_seen(self) -> None:
        """What programs have got is read: many of them are one write, and nothing is left over at the end."""
        self.fill(5)
        found = self.successResultOf(self.history.page(Filter(), Page()))
        self.listeners.seen(found[1:3])
        self.listeners.seen(found[:1])
        self.assertEqual(self.unread(), 5)
        self.work(2)
        self.assertEqual(self.unread(), 2)
        self.listeners.seen(found)
        waiting = self.listeners.polls.listen("me")
        self.listeners.stop()
        self.assertEqual((self.unread(), self.successResultOf(waiting)), (0, []))

    def test_memory_is_bounded(self) -> None:
        """Of messages whose sender never asks only so many are remembered."""
        self.patch(listeners_module, "MOST_REMEMBERED", 2)
        many = [message(str(number)) for number in range(3)]
        self.listeners.polls.listen("me")
        self.add(*many)
        self.assertEqual([self.listeners.deliver(each) for each in many], [False, True, True])
