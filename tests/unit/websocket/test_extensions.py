from __future__ import annotations

import pytest

from eventlet._websocket.extensions import DeflateParameters, choose_deflate, read_deflate_answer

D = "permessage-deflate"

CHOICES: dict[str, str | None] = {
    "": None,
    ",;, ;": None,
    "x-webkit-deflate-frame": None,
    D: D,
    "Permessage-Deflate": D,
    f"{D};": D,
    f"foo; a=1, {D}": D,
    f"{D}; client_max_window_bits": f"{D}; client_max_window_bits=15",
    f"{D}; server_max_window_bits": f"{D}; server_max_window_bits=15",
    f"{D}; client_max_window_bits=8": f"{D}; client_max_window_bits=8",
    f"{D}; CLIENT_max_window_bits = 12": f"{D}; client_max_window_bits=12",
    f'{D} ; server_max_window_bits = "10" ;': f"{D}; server_max_window_bits=10",
    f"{D}; client_no_context_takeover": f"{D}; client_no_context_takeover",
    f"{D}; client_max_window_bits=11; client_no_context_takeover; server_max_window_bits=10; "
    "server_no_context_takeover": f"{D}; server_no_context_takeover; client_no_context_takeover; "
    "server_max_window_bits=10; client_max_window_bits=11",
    # Declined: the next offer has its turn.
    f"{D}; server_max_window_bits=8": None,
    f"{D}; server_max_window_bits=8, {D}": D,
    f"{D}; server_max_window_bits=7": None,
    f"{D}; client_max_window_bits=16": None,
    f"{D}; client_max_window_bits=16, {D}; client_max_window_bits=9": f"{D}; "
    "client_max_window_bits=9",
    f"{D}; server_max_window_bits=ten": None,
    f"{D}; server_max_window_bits=": None,
    f"{D}; server_max_window_bits=+9": None,
    f"{D}; server_max_window_bits=09": None,
    f"{D}; server_max_window_bits=\u0669": None,
    f"{D}; unknown": None,
    f"{D}; unknown=1, {D}; server_no_context_takeover": f"{D}; server_no_context_takeover",
    f"{D}; client_no_context_takeover=1": None,
    f"{D}; client_no_context_takeover; client_no_context_takeover": None,
    f'{D}; server_max_window_bits="10': None,
    f'foo; a="x, {D}"': None,
    f'foo; a="x, y;", {D}': D,
}


@pytest.mark.parametrize("offer, answer", CHOICES.items())
def test_the_first_offer_that_can_be_done(offer: str, answer: str | None) -> None:
    chosen = choose_deflate(offer)

    assert (chosen and chosen.to_header()) == answer


def test_parameters_survive_the_mapping_that_users_see() -> None:
    chosen = choose_deflate(f"{D}; client_max_window_bits=11; server_no_context_takeover")
    assert chosen is not None

    assert chosen.to_extensions() == {
        D: {
            "server_no_context_takeover": True,
            "client_no_context_takeover": False,
            "client_max_window_bits": 11,
        }
    }
    assert DeflateParameters.from_extensions(chosen.to_extensions()) == chosen
    assert DeflateParameters.from_extensions(None) is None
    assert DeflateParameters.from_extensions({}) is None


def test_answers_of_a_server() -> None:
    assert read_deflate_answer("") is None
    assert read_deflate_answer(D) == DeflateParameters()
    assert read_deflate_answer(f"{D}; client_max_window_bits=8") == DeflateParameters(
        client_max_window_bits=8
    )


@pytest.mark.parametrize(
    "answer",
    ["foo", f"{D}, {D}", f"foo, {D}", f"{D}; bar", f"{D}; client_max_window_bits", f"{D}; a=1"],
)
def test_a_server_may_not_choose_what_was_not_offered(answer: str) -> None:
    with pytest.raises(ValueError, match="not offered"):
        read_deflate_answer(answer)
