"""Sizes as people write them: `10 GiB`, `500 MB`, `1048576`."""

import re

UNITS = {
    "": 1,
    "b": 1,
    **{unit: 1000**power for power, unit in enumerate(("kb", "mb", "gb", "tb", "pb"), 1)},
    **{unit: 1024**power for power, unit in enumerate(("kib", "mib", "gib", "tib", "pib"), 1)},
}
MOST = 10**18
_SIZE = re.compile(r"(\d{1,18})(\.\d{1,6})?\s*([A-Za-z]{0,3})", re.ASCII)


def parse_size(text: str) -> int:
    """Bytes. kB, MB, GB are of 1,000, KiB, MiB, GiB of 1,024 (IEC 80000-13). Raises ValueError with a sentence."""
    found = _SIZE.fullmatch(text.strip())
    if found is None or (factor := UNITS.get(found[3].lower())) is None:
        raise ValueError("give a number of bytes, or a size such as 10GiB or 500 MB")
    size = int(found[1]) * factor + (round(float(found[2]) * factor) if found[2] else 0)
    if size > MOST:
        raise ValueError(f"at most {MOST:,} bytes")
    return size
