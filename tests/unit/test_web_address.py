"""An address is one, or is told with its key and an example."""

from __future__ import annotations

import pytest

from migrate.errors import ConfigError
from migrate.wire.web import WebAddress, bearer


@pytest.mark.parametrize(
    "url",
    ["", "dir.example", "ftp://dir.example", "https://", "http://dir.example:port", "http://[::1", "http://h:70000"],
)
def test_what_is_no_address_is_told_with_its_key_and_an_example(url: str) -> None:
    with pytest.raises(ConfigError, match=r"some\.url is not an address") as caught:
        WebAddress.of(url, "some.url", "https://dir.example")
    assert "https://dir.example" in caught.value.hint


def test_an_address_has_no_name_or_password_in_messages() -> None:
    address = WebAddress.of("https://user:secret@dir.example:8443/dicom-web/", "some.url", "")
    assert (address.place, address.base, address.secure) == ("dir.example:8443", "/dicom-web", True)


def test_a_token_goes_out_only_where_there_is_one() -> None:
    assert [bearer(""), bearer("t")] == [{}, {"Authorization": "Bearer t"}]
