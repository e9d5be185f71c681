"""Who is owed which events."""

from __future__ import annotations

import json

from support.chaos.traffic import Account, Promise
from support.http.subscriber import Arrival

ERP = ("uid", "to-erp")
ORDERS = ("shop", "orders")


def arrived(mark: str, path: str = "/uid/to-erp") -> Arrival:
    return Arrival(0.0, path, {}, json.dumps({"mark": mark}).encode(), 200)


def test_what_was_promised_and_did_not_come_is_missing() -> None:
    account = Account(certain={ERP: frozenset({ORDERS})})
    account.accepted = {x: Promise(ORDERS, account.owed(ORDERS)) for x in ("a", "b")}
    assert account.missing([arrived("a")], [ERP]) == {ERP: {"b"}}
    assert account.missing([arrived("a"), arrived("b", "/uid/to-crm")], [ERP]) == {ERP: {"b"}}
    assert account.missing([arrived("a"), arrived("b"), arrived("b")], [ERP]) == {}


def test_who_is_gone_is_owed_nothing() -> None:
    account = Account(accepted={"a": Promise(ORDERS, frozenset({ERP}))})
    assert account.missing([], []) == {}


def test_who_is_in_doubt_is_owed_nothing_new() -> None:
    account = Account(certain={ERP: frozenset({ORDERS})})
    account.doubt(lambda reader: reader[1] == "to-crm")
    assert account.owed(ORDERS) == {ERP}
    account.doubt()
    assert account.owed(ORDERS) == frozenset()
