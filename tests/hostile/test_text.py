"""Text that is hardly a table given to ``emplus fit``: a fit or one sentence, and soon."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from tests.hostile.outcomes import command

ROWS = "".join(f"{a:.3f},{b:.3f}\n" for a, b in np.random.default_rng(0).normal(size=(50, 2)))
PLAIN = b"a,b\n" + ROWS.encode()
READ: dict[str, bytes] = {
    "a byte order mark": b"\xef\xbb\xbf" + PLAIN,
    "UTF-16": PLAIN.decode().encode("utf-16"),
    "lines of old machines": PLAIN.replace(b"\n", b"\r"),
    "lines of other machines": PLAIN.replace(b"\n", b"\r\n"),
}
REFUSED: dict[str, bytes] = {
    "nothing": b"",
    "blank lines": b"\n" * 10**6,
    "a null byte": PLAIN.replace(b"0", b"\0", 1),
    "null bytes": bytes(10**6),
    "a null byte in a name": b"a\0" + PLAIN[1:],
    "a null byte far down": PLAIN + ROWS.encode() * 20 + b"1,\0002\n",
    "a million names": b",".join(b"c%d" % j for j in range(10**6)) + b"\n1,2\n",
    "a million columns": (b",".join([b"1"] * 10**6) + b"\n") * 2,
    "delimiters": b"," * 10**6,
    "a quote never closed": b'a,b\n1,"2\n' + ROWS.encode() * 3000,
    "a quote never closed in the header": b'a,"b\n' + ROWS.encode() * 3000,
    "a cell of ten million digits": b"a,b\n1," + b"9" * 10**7 + b"\n3,4\n5,6\n",
    "a cell of ten million letters": b"a,b\n1," + b"x" * 10**7 + b"\n3,4\n5,6\n",
    "a name of ten million letters": b"x" * 10**7 + b",b\n1,2\n3,4\n",
    "two encodings": "ä,b\n1,2\n".encode() + "ä,3\n4,5\n".encode("latin-1"),
    "half of UTF-16": PLAIN.decode().encode("utf-16")[:-1],
    "UTF-32": PLAIN.decode().encode("utf-32"),
    "infinity": b"a,b\n1e999,2\n3,4\n5,6\n",
}


@pytest.fixture(scope="module", autouse=True)
def imports_done() -> None:
    """What is measured below is time for files, not for modules."""
    command(["fit", "faithful", "-k", "1", "--search", "em", "--quiet"])


@pytest.mark.parametrize("name", [*READ, *REFUSED])
def test_text_is_read_or_refused_soon(name: str, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes({**READ, **REFUSED}[name])
    began = time.process_time()
    args = ["fit", str(tmp_path / "t.csv"), "-k", "1", "--search", "em", "--quiet", "--no-stream"]
    assert command(args) == ("read" if name in READ else "refused")
    assert time.process_time() - began < 10.0
