"""The frames that nearly every WebSocket message comes and goes in."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from bitdust.web.frames import text_header, unmasked, whole_text

KEYS = st.binary(min_size=4, max_size=4)


def frame(text: bytes, key: bytes) -> bytes:
    """As a client sends it."""
    header = text_header(len(text))
    masked = bytes(byte ^ key[place % 4] for place, byte in enumerate(text))
    return header[:1] + bytes([header[1] | 0x80]) + header[2:] + key + masked


class FrameTests(SynchronousTestCase):
    @given(st.lists(st.tuples(st.binary(max_size=300), KEYS), max_size=5), st.binary(max_size=5))
    def test_one_after_the_other(self, texts: list[tuple[bytes, bytes]], tail: bytes) -> None:
        """Whole frames are read in their order, and each tells where the next begins."""
        data = b"".join(frame(text, key) for text, key in texts) + b"\x01" + tail
        start, found = 0, []
        while (one := whole_text(data, start)) is not None:
            text, start = one
            found.append(text)
        self.assertEqual((found, data[start:]), ([text for text, _ in texts], b"\x01" + tail))

    @given(st.binary(max_size=300), KEYS)
    def test_not_whole(self, text: bytes, key: bytes) -> None:
        """Any part of a frame is none yet."""
        data = frame(text, key)
        for end in range(len(data)):
            self.assertIsNone(whole_text(data[:end], 0))

    def test_lengths(self) -> None:
        """All three ways to tell a length; over 64 KB is left to the library, and so are lengths in the wrong way."""
        for size in (0, 125, 126, 65_535):
            self.assertEqual(whole_text(frame(b"x" * size, b"abcd"), 0)[0], b"x" * size)
        self.assertEqual(text_header(65_536), b"\x81\x7f" + (65_536).to_bytes(8, "big"))
        self.assertIsNone(whole_text(frame(b"x" * 65_536, b"abcd"), 0))
        self.assertIsNone(whole_text(b"\x81\xfe\x00\x05" + bytes(9), 0))

    def test_other_frames(self) -> None:
        """Unmasked, fragmented, binary, control and reserved frames are left to the library."""
        for first, second in ((0x81, 0x05), (0x01, 0x85), (0x80, 0x85), (0x82, 0x85), (0x89, 0x85), (0xC1, 0x85)):
            self.assertIsNone(whole_text(bytes([first, second]) + bytes(20), 0))

    def test_mask(self) -> None:
        """The example of RFC 6455, 5.7."""
        self.assertEqual(unmasked(bytes.fromhex("37fa213d"), bytes.fromhex("7f9f4d5158")), b"Hello")
