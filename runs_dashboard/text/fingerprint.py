"""One short name for all repeats of an error, so that they can be counted together."""

import hashlib
import re

from .ansi import strip

_MAX_LENGTH = 8_192

# In this order: what is more specific first. What varies between two runs of the same fault becomes a sign.
_VARIABLE = re.compile(
    r"""(?P<address>\b[a-z][a-z0-9+.-]{1,15}://[^\s"'<>]+)
  | (?P<uuid>\b[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}\b)
  | (?P<time>\b\d{4}-\d\d-\d\d(?:[t\ ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?:\ ?(?:z|utc|[+-]\d\d:?\d\d)\b)?)?
           |\b\d{1,2}:\d\d:\d\d(?:[.,]\d+)?)
  | (?P<path>(?:(?<=[\s"'(=:,\[])|\A)(?:[a-z]:)?(?:[/\\][\w.@+~$%-]+){2,}[/\\]?)
  | (?P<quoted>"[^"\n]{0,500}"|(?<!\w)'[^'\n]{0,500}'(?!\w)|`[^`\n]{0,500}`)
  | (?P<hex>\b0x[0-9a-f]+\b|\b(?=[a-f]*\d)(?=\d*[a-f])[0-9a-f]{6,}\b)
  | (?P<number>\d+(?:[.,]\d+)*)
    """,
    re.VERBOSE | re.IGNORECASE,
)


def fingerprint(error: str) -> str:
    """An error's text in, 16 hexadecimal characters out: the same for texts that differ in what varies.

    What varies: numbers, hexadecimal ids, UUIDs, times, addresses, folders, quoted text, blanks, case.
    """
    return hashlib.blake2b(drop_variable(error[:_MAX_LENGTH]).encode(), digest_size=8).hexdigest()


def drop_variable(text: str) -> str:
    """A text as it is compared: what varies from run to run as signs, blanks and case aside."""
    return " ".join(_VARIABLE.sub(_replace, strip(text)).split()).lower()


def _replace(found: re.Match[str]) -> str:
    if found.lastgroup == "path":
        # The last part often names what failed (`load.py`); its numbers do not.
        name = re.split(r"[/\\]", found[0].rstrip("/\\"))[-1]
        return "<path>/" + re.sub(r"[0-9a-fA-F]{6,}|\d+", "#", name)
    return "#" if found.lastgroup in ("number", "hex") else f"<{found.lastgroup}>"
