"""What must not stand in a log: private keys, the API's secret, passphrases. Better a word too many is hidden."""

import re

HIDDEN = "***"

_PRIVATE_KEY = re.compile(r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY-----.*?(?:-----END [A-Z0-9 ]{0,40}KEY-----|\Z)", re.S)

# The name of a secret field, then what stands between a name and its value in JSON, URLs, headers and Python's repr.
_BETWEEN = r"""(?:\\*["']\s*[=:,]|\s*[=:])\s*[\[(]?\s*"""
# A quoted value up to its closing quote; inside quoted JSON the end of the value is not sure, so the line is hidden.
_QUOTED = r"""b?"(?:[^"\\]|\\.)*"?|b?'(?:[^'\\]|\\.)*'?|b?\\+["'][^\n]*"""
_SECRET = re.compile(rf"""((?:api[_-]secret|\bticket){_BETWEEN})({_QUOTED}|[^\s&,;"')}}\]]+)""", re.I | re.S)
# A bare passphrase may hold blanks, so the rest of its line is hidden.
_PASSPHRASE = re.compile(rf"""(pass(?:phrase|word){_BETWEEN})({_QUOTED}|[^\n]+)""", re.I | re.S)
_SHORT_SECRET = re.compile(r"""([?&]a=)[^&\s"']+""")


def redact(text: str) -> str:
    """The text without the secrets that it may hold; applied to everything that is logged."""
    text = _PRIVATE_KEY.sub(f"[private key {HIDDEN}]", text)
    for pattern in (_SECRET, _PASSPHRASE, _SHORT_SECRET):
        text = pattern.sub(_hide, text)
    return text


def _hide(found: re.Match[str]) -> str:
    quote = '"' if found[0][len(found[1]) :].startswith('"') else ""
    return f"{found[1]}{quote}{HIDDEN}{quote}"
