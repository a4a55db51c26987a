"""The config file of BitTorrent Sync, and the command line around it."""

import json
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from bitdust.cli.btsync import apply, configure, read_only
from bitdust.cli.btsync_config import SAMPLE, SharedFolder, VendorConfig, load, parse_config
from bitdust.cli.client import ApiClient, ApiError
from bitdust.config.schema import default_schema
from bitdust.config.settings import Settings
from bitdust.folders.secrets import parse
from bitdust.web.btsync.version import VERSION
from bitdust.wire.errors import BitDustError
from tests.unit.test_btsync import SHA_512, A, B, D, E, F
from tests.unit.test_cli_calls import NodeCase

SEED = """\
{
    // path to folder where Sync will store its internal data,
    // folder must exist on disk
    "storage_path" : "%s",

    // run Sync in GUI-less mode
    "use_gui" : false,

    "webui" : {
        // IP address and port to access HTTP API
        "listen" : "127.0.0.1:8888",
        // login and password for HTTP basic authentication
        // authentication is optional, but it's recommended to use some
        // secret values unique for each Sync installation
        "login" : "api",
        "password" : "secret",
        // replace xxx with API key received from BitTorrent
        "api_key" : "xxx"
    }
}
"""
"""The file that the vendor's page prints."""


NAMES = (
    "device_name", "listening_port", "use_upnp", "webui", "shared_folders", "folder_defaults", "lang", "storage_path",
    "pid_file", "proxy_type", "directory_root", "download_limit",
)  # fmt: skip
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=5,
)


class ConfigCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.here = Path(self.mktemp()).absolute()
        self.here.mkdir()

    def read(self, value: Any) -> VendorConfig:
        return parse_config(value if isinstance(value, str) else json.dumps(value, indent=1), self.here)

    def refused(self, value: Any) -> str:
        return str(self.assertRaises(BitDustError, self.read, value))


class ReadTests(ConfigCase):
    def test_the_printed_file(self) -> None:
        """The file of the vendor's page is read as it is printed there."""
        found = self.read(SEED % self.here)
        self.assertEqual((found.storage, found.folders, found.ignored, found.pid_file), (self.here, None, [], None))
        self.assertEqual(
            found.settings,
            {
                "services/folder-sync/enabled": True,
                "services/btsync/enabled": True,
                "services/btsync/refuse-all": False,
                "services/btsync/address": "127.0.0.1",
                "services/btsync/api-port": 8888,
                "services/btsync/login": "api",
                "services/btsync/password": "secret",
                "services/btsync/permitted-folders": "",
            },
        )

    def test_the_sample(self) -> None:
        """The file that is printed to begin with is one, once its folder is there."""
        found = self.read(SAMPLE.replace("/home/user/.sync", str(self.here)))
        self.assertEqual((found.folders, found.ignored), (None, []))
        self.assertEqual(found.settings["services/btsync/login"], "api")

    def test_every_setting_that_is_written_is_there(self) -> None:
        """What a file of all names says is taken by settings of this node, each in its own type."""
        known = default_schema()
        for key, value in self.read(self.everything()).settings.items():
            self.assertEqual(known[key].parse(value), value, key)

    def everything(self) -> dict[str, Any]:
        return {
            "device_name": "box", "listening_port": 0, "storage_path": str(self.here), "pid_file": "run/pid",
            "use_gui": False, "use_upnp": "true", "download_limit": 5, "upload_limit": "6", "proxy_type": "http",
            "proxy_addr": "proxy.example", "proxy_port": 3128, "proxy_auth": True, "proxy_username": "u",
            "proxy_password": "p", "directory_root": "/srv", "directory_root_policy": "belowroot", "lang": -1,
            "disk_low_priority": 0, "folder_rescan_interval": "10", "lan_encrypt_data": False, "lan_use_tcp": 1,
            "max_file_size_diff_for_patching": "1", "max_file_size_for_versioning": 2, "rate_limit_local_peers": True,
            "recv_buf_size": 1, "send_buf_size": "100", "sync_max_time_diff": 1, "sync_trash_ttl": 0,
            "vendor": "x", "display_new_version": 1, "agree_to_EULA": "yes", "i_agree": "yes", "colour": "red",
            "folder_defaults": {
                "use_dht": True, "use_lan_broadcast": False, "use_relay": 0, "use_tracker": 1,
                "delete_to_trash": "false", "known_hosts": ["a:1"], "x": 1,
            },
            "webui": {
                "listen": "0.0.0.0:1", "login": "u", "password_hash": SHA_512, "api_key": "", "dir_whitelist": ["a"],
                "allow_empty_password": False, "force_https": False, "y": 1,
            },
            "shared_folders": [
                {"secret": A, "dir": "photos"},
                {"secret": F, "dir": "/kept", "use_dht": 0, "search_lan": True, "overwrite_changes": True,
                 "known_hosts": [], "z": 0},
            ],
        }  # fmt: skip

    def test_all_names(self) -> None:
        """Every name of the vendor's file means what it is called; what means nothing here is named, not its value."""
        found = self.read(self.everything())
        wanted = {
            "services/folder-sync/device-name": "box", "services/tcp-connections/tcp-port": 0,
            "services/folder-sync/upnp-enabled": True, "services/folder-sync/upload-limit": 6,
            "services/network/proxy/host": "proxy.example", "services/network/proxy/password": "p",
            "services/folder-sync/language": -1, "services/folder-sync/lan-tcp-enabled": True,
            "services/folder-sync/rescan-seconds": 10, "services/folder-sync/trash-days": 0,
            "services/btsync/address": "0.0.0.0", "services/btsync/api-port": 1, "services/btsync/refuse-all": True,
            "services/btsync/password-hash": SHA_512, "services/btsync/permitted-folders": f"/srv\n{self.here}/a",
        }  # fmt: skip
        self.assertEqual({key: found.settings[key] for key in wanted}, wanted)
        usual = {"use_dht": 1, "search_lan": 0, "use_relay_server": 0, "use_tracker": 1, "use_sync_trash": 0}
        kept = usual | {"use_dht": 0, "search_lan": 1, "overwrite_changes": 1}
        photos = SharedFolder(self.here / "photos", A, usual | {"use_hosts": 1}, ("a:1",))
        self.assertEqual(found.folders, [photos, SharedFolder(Path("/kept"), F, kept, ())])
        self.assertEqual(found.ignored, ["webui.y", "folder_defaults.x", "shared_folders.1.z", "colour"])
        self.assertEqual(found.pid_file, self.here / "run" / "pid")
        self.assertNotIn(A[1:], repr(found))
        self.assertNotIn("'p'", repr(found))

    def test_changes_are_undone_for_readers_alone(self) -> None:
        """What would undo the changes of somebody who may write means nothing, and does not hinder the rest."""
        row = {"secret": A, "dir": "/a", "overwrite_changes": True, "use_dht": 1}
        found = self.read({"shared_folders": [row]})
        self.assertEqual(found.folders, [SharedFolder(Path("/a"), A, {"use_dht": 1})])
        self.assertEqual(found.ignored, ["shared_folders.0.overwrite_changes"])

    def test_without_a_web_interface(self) -> None:
        """Without a part for the web nothing of the API is switched on; a folder of its own is the default."""
        found = self.read("{}")
        self.assertEqual(found.storage, self.here / ".sync")
        self.assertNotIn("services/btsync/enabled", found.settings)


class RefusedTests(ConfigCase):
    def test_lines(self) -> None:
        """What is wrong is told with its line and its name."""
        for text, told in (
            ('{\n"webui": 5}', "line 2: webui is to be an object"),
            ('{\n\n"use_upnp": "perhaps"}', "line 3: use_upnp is to be true or false"),
            ('{"upload_limit": -1}', "line 1: upload_limit '-1' is not in the range"),
            ('{"listening_port": 70000}', "line 1: listening_port"),
            ('{"webui": {\n"listen": "here"}}', "line 2: webui.listen is to be an address and a port"),
            ('{"webui": {\n"listen": "a:99999"}}', "line 2: webui.listen"),
            ('{"webui": {\n"login": 5}}', "line 2: webui.login is to be a text"),
            ('{"webui": {\n"force_https": true}}', "line 2: webui.force_https cannot be honoured"),
            ('{"webui": {"password": "a",\n"password_hash": "b"}}', "line 2: webui.password_hash and password"),
            ('{"shared_folders": [\n{"dir": "/a"}]}', "line 2: shared_folders.0 has no secret"),
            (
                '{"shared_folders": [\n{"secret": "MY_SECRET_1",\n"dir": "/a"}]}',
                "line 2: shared_folders.0.secret is wrong",
            ),
            ('{"shared_folders": {}}', "line 1: shared_folders is to be a list"),
            ('{"proxy_type": "socks5"}', "this node speaks no SOCKS"),
            ('{"directory_root_policy": "x"}', "is to be all or belowroot"),
            ('{"storage_path": "nowhere"}', "line 1: storage_path is no folder"),
            ("[]", "line 1: the file is to be an object"),
            ('{"a": }', "line 1, column 7"),
        ):
            self.assertIn(told, self.refused(text))

    def test_secrets_are_not_repeated(self) -> None:
        """A secret with a slip in it is not printed."""
        self.assertNotIn(A[1:-1], self.refused({"shared_folders": [{"secret": A[:-1] + "1", "dir": "/a"}]}))

    def test_folders_that_are_there_twice(self) -> None:
        """Two folders with one secret, or in one place, are refused with the line of the second."""
        for other in ({"secret": A, "dir": "/b"}, {"secret": D, "dir": "/a"}):
            self.assertIn("of another folder", self.refused({"shared_folders": [{"secret": A, "dir": "/a"}, other]}))

    def test_files(self) -> None:
        """A file that is missing, or no text, is refused by its name."""
        path = self.here / "sync.conf"
        self.assertIn("No such file", str(self.assertRaises(BitDustError, load, path)))
        path.write_bytes(b"{\xff}")
        self.assertIn("UTF-8", str(self.assertRaises(BitDustError, load, path)))
        path.write_text('{"use_upnp": 2}')
        self.assertIn(f"{path}: line 1", str(self.assertRaises(BitDustError, load, path)))

    @given(st.dictionaries(st.sampled_from(NAMES), ANYTHING))
    def test_any_values(self, value: dict[str, Any]) -> None:
        """Values of any type are taken or refused, never a failure."""
        try:
            self.read(value)
        except BitDustError as error:
            self.assertIn(error.code, ("bad-config", "bad-json"))


class ApplyTests(NodeCase):
    """The folders of a file take the place of those that are there."""

    def setUp(self) -> None:
        super().setUp()
        self.there: dict[str, str] = {}
        self.client = ApiClient(self.home)
        self.answers |= {
            "folders_list": lambda _: {"result": [{"id": place, "directory": place} for place in self.there]},
            "folder_secrets": lambda given: {"result": {"read_write": self.there[given["folder"]]}},
            "folder_add": self.added,
            "folder_remove": lambda given: {"result": self.there.pop(given["folder"])},
        }

    def added(self, given: dict[str, Any]) -> dict[str, Any]:
        if given["directory"].endswith("gone"):
            raise ApiError("no-folder", "it is gone")
        self.there[given["directory"]] = given["secret"]
        return {"result": {}}

    def folder(self, name: str, secret: str) -> SharedFolder:
        return SharedFolder(self.home / name, secret, {"use_dht": 1}, ("a:1",))

    def test_what_is_named_is_there_afterwards(self) -> None:
        """Others are removed, one that has another secret is added anew, and what is right stays as it is."""
        places = [str((self.home / name).resolve()) for name in ("a", "b", "c", "d")]
        self.there = dict(zip(places[:3], (A, D, A), strict=True))
        troubles = apply(self.client, [self.folder("a", A), self.folder("b", A), self.folder("d", D)])
        self.assertEqual((troubles, self.there), ([], {places[0]: A, places[1]: A, places[3]: D}))
        self.assertEqual([name for name, _ in self.asked].count("folder_add"), 2)
        set_one = {"folder": places[3], "preferences": {"use_dht": 1}, "hosts": ["a:1"]}
        self.assertIn(("folder_preferences_set", set_one), self.asked)

    def test_one_that_cannot_be_added(self) -> None:
        """What goes wrong with one is said, and the others are added all the same."""
        (trouble,) = apply(self.client, [self.folder("gone", A), self.folder("d", D)])
        self.assertIn("it is gone", trouble)
        self.assertEqual(list(self.there.values()), [D])

    def test_no_folders(self) -> None:
        """A file that names none leaves all as they are; an empty list removes them."""
        self.there = {"/a": A}
        self.assertEqual((apply(self.client, None), self.asked), ([], []))
        self.assertEqual((apply(self.client, []), self.there), ([], {}))

    def test_settings(self) -> None:
        """What the file says is written, and what a former file said of the API is as usual again."""
        configure(VendorConfig(self.home, {"services/btsync/login": "api", "services/btsync/password": "secret"}))
        configure(VendorConfig(self.home, {"services/folder-sync/device-name": "box"}))
        found = Settings(self.home / "config")
        self.assertEqual(found.get("services/folder-sync/device-name"), "box")
        self.assertEqual((found.get("services/btsync/login"), found.get("services/btsync/password")), ("", ""))


class CommandTests(NodeCase):
    def test_help(self) -> None:
        """The third word of the first line is the version that the API tells."""
        for flag in ("--help", "-h"):
            self.assertEqual(self.cli("btsync", flag).output.split()[2], VERSION)

    def test_secrets(self) -> None:
        """A new secret may write; of each one the reader's follows, where there is one."""
        made = self.cli("btsync", "--generate-secret").output.strip()
        self.assertTrue(parse(made).may_write)
        for secret, reader in ((A, B), (D, E), (B, B), (E, E)):
            self.assertEqual(self.cli("btsync", "--get-ro-secret", secret).output.strip(), reader)
        for odd in (F, "nonsense"):
            self.assertEqual(self.assertRaises(ApiError, read_only, odd).code, "bad-secret")

    def test_the_sample(self) -> None:
        """The sample is printed as it can be read again."""
        self.assertEqual(self.cli("btsync", "--dump-sample-config").output, SAMPLE)

    def test_a_file_that_is_wrong(self) -> None:
        """A wrong file is refused before anything is started or written."""
        path = self.home / "sync.conf"
        path.write_text('{"storage_path": "/nowhere/at/all"}')
        self.refuses(f"btsync --config {path}", "line 1: storage_path is no folder")
