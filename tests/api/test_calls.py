"""What an operation costs in AWS calls, by name (I6 and the architecture's figure for a message)."""

import pytest

from apps.access.known import callers
from apps.sessions import services as sessions
from tests import requirement
from tests.conftest import TESTS
from tests.faults import counted
from tests.sessions.ready import long
from tests.uploads import deliver, registered

LISTS = {
    "qkd/sessions": ("?status=ready", "?link=stock"),
    "detections": ("?verdict=compromised", ""),
    "keys": ("?state=active", ""),
    "files": ("?document_type=document", ""),
    "jobs": ("", ""),
    "audit": ("?actor=system:tests", "?key=x"),
}
# Their lists hold keys only
PAGE = {path: ["Query", "BatchGetItem"] for path in ("files", "qkd/sessions", "keys", "detections")}
MESSAGE = {"plaintext": "x" * 1024}


@requirement("C11", "G6")
def test_a_message_of_one_kibibyte_costs_one_call_in_steady_state(api, pool):
    long(1024)
    for _ in range(2):  # the second reads the session again, which now stays for good
        api.post("encrypt", MESSAGE)
    with counted() as calls:
        assert api.post("encrypt", MESSAGE).status_code == 200
    assert calls == ["TransactWriteItems"]  # quantum key taken, uses counted, entry and head


@requirement("C11", "G6")
def test_the_first_message_of_a_process_costs_six_calls_more(api, stock):
    api.get("files")  # by another process: the key was used within the hour
    callers.clear()
    with counted() as calls:
        api.post("encrypt", MESSAGE)
    assert sorted(calls) == [
        "BatchGetItem",  # the block of quantum keys to be leased, its session, and that one's final key
        "BatchGetItem",  # the key and its principal
        "GetItem",  # the slot of the pool key
        "Query",  # blocks that nobody holds
        "Query",  # pool keys
        "Query",  # links, of which a case may hold one back
        "TransactWriteItems",
    ]


@requirement("C11", "G6")
def test_opening_a_message_costs_three_calls_in_steady_state(api, stock):
    sealed = api.post("encrypt", MESSAGE).json()
    api.post("decrypt", sealed)
    with counted() as calls:
        assert api.post("decrypt", sealed).status_code == 200
    assert calls == [
        "GetItem",  # who took the quantum key
        "TransactWriteItems",  # the entry, before any key is touched
        "GetItem",  # the pool key's state
    ]


@requirement("C7", "G6")
@pytest.mark.parametrize(
    ("headers", "parts"), [({}, 1), ({"Range": "bytes=10-19"}, 2)], ids=["all", "a range"]
)
def test_reading_a_small_file_reads_its_record_once(api, stock, headers, parts):
    upload = registered(api)
    deliver(upload.event)
    path = f"files/{upload.file_id}/content"
    api.get(path)
    with counted() as calls:
        answer = api.call("GET", path, **headers)
    assert answer.content in {upload.content, upload.content[10:20]}
    assert calls == [
        "GetItem",  # the file's record, once
        "TransactWriteItems",  # the entry, before any key is touched
        "GetItem",  # the pool key's state
        *["GetObject"] * parts,  # of a range: the body's header, then the chunks that hold it
    ]


@requirement("I6")
@pytest.mark.parametrize("path", LISTS)
@pytest.mark.parametrize("page", ["first", "next", "filtered", "filtered otherwise"])
def test_a_page_of_a_list_is_one_query(admin_api, api, stock, path, page):
    for _ in range(3):
        sessions.generate(sessions.GenerateRequest(key_length=64, error_rate=0.01), actor=TESTS)
        admin_api.post("files", {"name": "x"})
    one, other = LISTS[path]
    query = {"filtered": one, "filtered otherwise": other}.get(page, "") or "?"
    if page == "next":
        query = f"?cursor={admin_api.get(f'{path}?limit=1').json()['next'] or ''}".removesuffix("cursor=")
    admin_api.get("files")  # the client's key is known from now on
    with counted() as calls:
        answer = admin_api.get(f"{path}{query}&limit=2")
    assert answer.status_code == 200, answer.content
    is_empty = (path, page) == ("detections", "filtered")  # no session here is compromised
    assert calls == (["Query"] if is_empty else PAGE.get(path, ["Query"]))


@requirement("I6")
@pytest.mark.parametrize("path", [path for path in LISTS if path not in {"keys", "audit"}])
def test_a_page_of_ones_own_is_one_query_too(api, path):
    api.get(path)
    with counted() as calls:
        api.get(path)
    assert calls == ["Query"]  # of nothing


@requirement("I6", "I9")
def test_pages_lead_through_the_whole_list_without_loss_or_repetition(api, other_api):
    for number in range(5):
        api.post("files", {"name": f"{number}"})
        other_api.post("files", {"name": "another's"})
    names: list[str] = []
    more = "files?limit=2"
    while more:
        page = api.get(more).json()
        names += [file["name"] for file in page["items"]]
        more = f"files?limit=2&cursor={page['next']}" if page["next"] else ""
    assert names == ["4", "3", "2", "1", "0"]


@requirement("I6")
def test_nothing_in_the_main_job_scans(api, admin_api, stock):
    with counted() as calls:
        upload = registered(api)
        deliver(upload.event)
        api.get(f"files/{upload.file_id}/content")
        api.post("decrypt", api.post("encrypt", MESSAGE).json())
        for path in LISTS:
            admin_api.get(path)
    assert not {"Scan", "ListTables", "ListBuckets"} & set(calls)
