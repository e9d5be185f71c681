"""Headers are read as they are written."""

from __future__ import annotations

import pytest

from hookplane.signatures.form import read_header, write_header
from hookplane.signatures.scheme import Layout, SignatureScheme, Timestamp

BESIDE = Timestamp(header="x-time")
WITHIN = Timestamp()


def scheme(layout: Layout, timestamp: Timestamp | None, prefix: str = "") -> SignatureScheme:
    return SignatureScheme(header="x-sig", layout=layout, timestamp=timestamp, prefix=prefix)


@pytest.mark.parametrize(
    ("made", "header", "times"),
    [
        (scheme(Layout.BARE, WITHIN, "sha256="), "sha256=abc", ()),
        (scheme(Layout.VERSIONED, BESIDE), "v1,abc", ()),
        (scheme(Layout.KEY_VALUE, None), "v1=abc", ()),
        (scheme(Layout.KEY_VALUE, BESIDE), "v1=abc", ()),
        (scheme(Layout.KEY_VALUE, WITHIN), "t=17,v1=abc", ("17",)),
        (scheme(Layout.KEY_VALUE, WITHIN, "p:"), "t=17,v1=p:abc", ("17",)),
    ],
)
def test_a_header_holds_the_time_only_where_no_other_header_does(
    made: SignatureScheme, header: str, times: tuple[str, ...]
) -> None:
    assert write_header(made, "abc", "17") == header
    elements = read_header(made, header)
    assert (elements.signatures, elements.times) == (("abc",), times)
