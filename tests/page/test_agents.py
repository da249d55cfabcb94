"""What agents send: a message that the page does not answer is refused, whatever it is."""

from __future__ import annotations

import pytest

from mnist_core.page.http.agents import check_message
from mnist_core.page.http.bodies import RequestError


def test_a_method_that_the_page_answers_passes() -> None:
    check_message(b'{"jsonrpc": "2.0", "id": 1, "method": "tools/list"}')


@pytest.mark.parametrize("method", ["null", "7", '"resources/read"', "[]", '{"path": "/etc/passwd"}'])
def test_any_other_is_refused_with_a_sentence(method: str) -> None:
    with pytest.raises(RequestError, match="This page does not answer the method"):
        check_message(b'{"jsonrpc": "2.0", "id": 1, "method": %s}' % method.encode())
