"""Files found: by the beginning of their name, status, type, time, size and attributes; one Query a page."""

from datetime import timedelta
from urllib.parse import quote

import pytest

from apps.common import clock
from apps.files import attributes, listing, store
from apps.files.store import FileTable
from tests import requirement
from tests.conftest import TESTS
from tests.faults import counted
from tests.files.test_documents import encrypted
from tests.uploads import deliver, put, record_of
from tests.write_units import counted_units


def found(api, query, pages=1):
    return [one["name"] for one in items(api, query, pages)]


def items(api, query, pages):
    listed: list[dict[str, str]] = []
    more = ""
    for _ in range(pages):
        page = api.get(f"files?{query}{more}")
        assert page.status_code == 200, page.content
        listed += page.json()["items"]
        more = f"&cursor={page.json()['next']}"
    assert page.json()["next"] is None
    return listed


@pytest.fixture
def files(api, stock):
    for name in ("report 2024.pdf", "Report 2025.pdf", "rep", "zebra", "reporting"):
        encrypted(api, name.encode(), name=name)


@requirement("E6", "I6")
def test_files_are_found_by_the_beginning_of_their_name_in_order(api, other_api, files):
    assert found(api, "name_prefix=report") == ["report 2024.pdf", "Report 2025.pdf", "reporting"]
    assert found(api, "name_prefix=REPORT&limit=2", pages=2) == [
        "report 2024.pdf",
        "Report 2025.pdf",
        "reporting",
    ]
    assert found(api, "name_prefix=report%202025") == ["Report 2025.pdf"]
    assert found(api, f"name_prefix={quote('ü')}") == []
    assert found(other_api, "name_prefix=report") == []
    with counted() as calls:
        api.get("files?name_prefix=rep")
    assert calls.count("Query") == 1


@requirement("E6", "I6")
def test_equal_names_are_all_listed_and_none_twice(api, stock):
    for _ in range(5):
        api.post("files", {"name": "the same"})
    ids = [one["file_id"] for one in items(api, "name_prefix=the&limit=2", pages=3)]
    assert (len(ids), len(set(ids))) == (5, 5)


@requirement("E6", "E3")
def test_an_administrator_names_an_owner_or_looks_among_its_own(api, admin_api, files):
    assert found(admin_api, "name_prefix=report&owner=me") == []
    answer = admin_api.get("files?name_prefix=report")
    assert (answer.status_code, "owner" in answer.json()["detail"]) == (400, True)


@requirement("E6", "I6")
def test_files_are_found_by_their_status(api, other_api, stock):
    done = encrypted(api, b"x", name="done")["file_id"]
    api.post("files", {"name": "waiting"})
    assert found(api, "status=awaiting_upload") == ["waiting"]
    assert found(api, "status=encrypted") == ["done"]
    assert found(other_api, "status=encrypted") == []
    api.delete(f"files/{done}")
    assert found(api, "status=deleted") == ["done"]
    with counted() as calls:
        api.get("files?status=deleted")
    assert calls.count("Query") == 1


@requirement("E6", "I6")
def test_files_are_found_by_the_time_of_their_announcement(api, stock, later):
    times = []
    for name in ("one", "two", "three"):
        times.append(clock.now())
        encrypted(api, b"x", name=name)
        later(hours=1)
    asked = {
        name: quote(clock.as_text(times[1] + timedelta(minutes=by))) for name, by in (("b", 30), ("a", -30))
    }
    assert found(api, f"uploaded_after={asked['b']}") == ["three"]
    assert found(api, f"uploaded_before={asked['a']}") == ["one"]
    assert found(api, f"uploaded_after={asked['a']}&uploaded_before={asked['b']}") == ["two"]
    assert found(api, f"uploaded_after={asked['a']}&limit=1", pages=3) == ["three", "two"]


@requirement("E6", "I6")
def test_size_and_attributes_are_looked_for_in_the_rows_of_an_index(api, stock):
    for size, colour in ((10, "red"), (2000, "red"), (3000, "blue")):
        file_id = api.post("files", {"name": f"{size}", "attributes": {"colour": colour}}).json()["file"][
            "file_id"
        ]
        deliver(put(f"uploads/{file_id}", b"x" * size).event)
    assert found(api, "size_min=1000") == ["3000", "2000"]
    assert found(api, "size_min=1000&size_max=2500") == ["2000"]
    assert found(api, "attribute=colour:red") == ["2000", "10"]
    assert found(api, "attribute=colour:red&size_max=100&limit=1") == ["10"]
    assert found(api, "attribute=colour:red&limit=1", pages=2) == ["2000", "10"]
    assert found(api, "attribute=colour:red&name_prefix=2") == ["2000"]
    after = api.get("files?limit=1").json()["items"][0]["uploaded_at"]
    assert found(api, f"size_min=1&uploaded_after={quote(after)}") == ["3000"]


@requirement("E6", "I6")
@pytest.mark.parametrize("by", ["", "&name_prefix=n"], ids=["by-time", "by-name"])
def test_a_search_goes_on_up_to_a_bound_and_says_how_far_it_looked(by, api, stock, monkeypatch):
    monkeypatch.setattr(listing, "READ", 3)
    monkeypatch.setattr(listing, "READS", 2)
    for number in range(15):
        colour = "red" if number in {0, 5, 6, 14} else "blue"
        api.post("files", {"name": f"n{number:02}", "attributes": {"colour": colour}})
    pages: list[tuple[list[str], int]] = []
    more: str | None = ""
    while more is not None:
        with counted() as calls:
            page = api.get(f"files?attribute=colour:red&limit=2{by}{more}").json()
        assert calls.count("Query") <= 2
        assert calls.count("BatchGetItem") <= 2
        pages.append(([one["name"] for one in page["items"]], page["looked_at"]))
        more = page["next"] and f"&cursor={page['next']}"
    by_name, by_time = (
        [(["n00", "n05"], 6), (["n06"], 6), (["n14"], 3)],
        [(["n14"], 6), (["n06", "n05"], 4), (["n00"], 5)],
    )
    assert pages == (by_name if by else by_time)


@requirement("E6", "I6")
def test_what_an_index_tells_is_one_query_and_what_was_read(api, files):
    with counted() as calls:
        page = api.get("files?status=encrypted&limit=2").json()
    assert (calls.count("Query"), len(page["items"]), page["looked_at"]) == (1, 2, 2)


@requirement("E6")
def test_a_file_that_is_renamed_meanwhile_does_not_end_a_page(api, files):
    """The index is a moment behind: its entry stands at the earlier place, to which the row does not belong."""
    file_id = items(api, "name_prefix=reporting", 1)[0]["file_id"]
    row = FileTable.get(file_id)
    row.update([FileTable.name_key.set(store.name_key("report 0", file_id))])
    assert found(api, "name_prefix=report&size_min=1&limit=1", pages=2) == [
        "report 2024.pdf",
        "Report 2025.pdf",
    ]


@requirement("E6", "I6")
def test_a_file_whose_new_version_was_encrypted_meanwhile_does_not_begin_the_list_again(api, stock):
    """Likewise by time: the row is the newest by now, and its index entry still stands further down."""
    made = [api.post("files", {"name": name, "attributes": {"colour": "red"}}).json() for name in "dcba"]
    newest, earliest = (record_of(one["file"]["file_id"]) for one in (made[-1], made[0]))
    FileTable.get(newest.file_id).update([FileTable.sort.set(f"{store.place_by_time(earliest)}-")])
    assert found(api, "attribute=colour:red&limit=3", pages=1) == ["b", "c", "d"]
    assert found(api, "attribute=colour:red&limit=2", pages=2) == ["b", "c", "d"]


@pytest.fixture
def customers(api, other_api, stock):
    """Files of three customers, and one of another owner."""
    for number, customer in enumerate(["acme", "beta", "acme", "gamma", "acme"]):
        described = {"document_type": "invoice" if number else "letter"}
        api.post("files", {"name": f"{number}", "attributes": {"find.customer": customer}, **described})
    other_api.post("files", {"name": "other's", "attributes": {"find.customer": "acme"}})


@requirement("E6", "I6")
def test_files_are_found_by_the_attribute_that_is_declared_by_one_query_a_page(api, customers):
    assert found(api, "attribute=find.customer:acme") == ["4", "2", "0"]
    assert found(api, "attribute=find.customer:acme&limit=2", pages=2) == ["4", "2", "0"]
    assert found(api, "attribute=find.customer:acme&document_type=letter") == ["0"]
    assert found(api, "attribute=find.customer:acm") == []
    with counted() as calls:
        assert found(api, "attribute=find.customer:gamma&limit=1") == ["3"]
    assert calls.count("Query") == 1


@requirement("E6", "E3")
def test_an_administrator_finds_it_among_all_files_within_each_page(admin_api, customers):
    assert found(admin_api, "attribute=find.customer:acme") == ["other's", "4", "2", "0"]


@requirement("E6")
@pytest.mark.parametrize(("value", "asked"), [(7, "7"), (True, "true"), (0.5, "0.5"), ("a|b=c#0", "a|b=c#0")])
def test_a_declared_attribute_may_be_a_number_a_flag_or_any_text(api, stock, value, asked):
    api.post("files", {"name": "it", "attributes": {"find.by": value}})
    assert found(api, f"attribute=find.by:{quote(asked)}") == ["it"]


@requirement("E6")
def test_a_file_described_otherwise_is_found_otherwise(api, stock):
    file_id = encrypted(api, b"x", name="it", attributes={"find.customer": "acme"})["file_id"]
    assert found(api, "attribute=find.customer:acme") == ["it"]
    api.call("PATCH", f"files/{file_id}", {"attributes": {"find.order": "12"}})
    assert found(api, "attribute=find.customer:acme") == []
    assert found(api, "attribute=find.order:12") == ["it"]
    api.call("PATCH", f"files/{file_id}", {"attributes": {}})
    assert found(api, "attribute=find.order:12") == []


@requirement("E6", "I8")
def test_a_file_has_one_declared_attribute(api, stock):
    two = {"find.a": "1", "find.b": "2"}
    assert api.post("files", {"name": "x", "attributes": two}).status_code == 400
    assert attributes.kept(two, {"find.a": "tag"}) == {"find.a": "1", "m_find.b": "2"}


@requirement("E6", "G6")
def test_a_declared_attribute_costs_one_index_entry_and_others_nothing(api, stock):
    def units(**described):
        with counted_units(single=True) as counted:
            api.post("files", {"name": "x", **described})
        return sum(counted.values())

    units()
    plain, with_attribute = units(attributes={"customer": "acme"}), units(attributes={"find.it": "acme"})
    assert 0 < with_attribute - plain <= 2


@requirement("E6")
def test_filters_are_combined(api, files):
    assert found(api, "name_prefix=report&status=encrypted&size_max=9") == ["reporting"]
    assert found(api, "document_type=document&status=deleted") == []


@requirement("I8")
@pytest.mark.parametrize(
    "query",
    [
        "status=unknown", "uploaded_after=yesterday", "size_min=-1", "attribute=colour", "name_prefix=",
        "owner=shared&status=encrypted", "owner=shared&name_prefix=a",
    ],
)  # fmt: skip
def test_what_cannot_be_looked_for_is_refused(api, query):
    assert api.get(f"files?{query}").status_code == 400


@requirement("E6", "I6")
def test_a_cursor_is_good_for_its_filters_only(api, files):
    cursor = api.get("files?name_prefix=report&limit=1").json()["next"]
    assert api.get(f"files?name_prefix=rep&limit=1&cursor={cursor}").status_code == 400


@requirement("E6")
def test_a_file_is_described_anew(api, stock):
    file_id = encrypted(api, b"x", name="old", attributes={"a": 1})["file_id"]
    change = {"name": "new", "document_type": "report", "attributes": {"b": "2"}, "media_type": "text/csv"}
    answer = api.call("PATCH", f"files/{file_id}", change)
    assert answer.status_code == 200
    assert {name: answer.json()[name] for name in change} == change
    assert found(api, "name_prefix=new") == ["new"]
    assert found(api, "name_prefix=old") == []
    assert found(api, "document_type=report") == ["new"]
    assert api.get(f"files/{file_id}/content")["Content-Type"] == "text/csv"


@requirement("E6", "E9")
def test_a_change_of_what_somebody_else_changed_is_412(api, stock):
    file_id = encrypted(api, b"x")["file_id"]
    etag = api.get(f"files/{file_id}")["ETag"]
    first = api.call("PATCH", f"files/{file_id}", {"name": "one"}, **{"If-Match": etag})
    second = api.call("PATCH", f"files/{file_id}", {"name": "two"}, **{"If-Match": etag})
    assert (first.status_code, second.status_code) == (200, 412)
    assert record_of(file_id).name == "one"
    third = api.call("PATCH", f"files/{file_id}", {"name": "three"}, **{"If-Match": first["ETag"]})
    assert third.status_code == 200
    assert api.call("DELETE", f"files/{file_id}", **{"If-Match": etag}).status_code == 412
    assert api.call("GET", f"files/{file_id}", **{"If-None-Match": third["ETag"]}).status_code == 304


@requirement("E6", "D1", "I1")
def test_who_changed_what_is_recorded_by_the_fields_names(api, stock):
    from apps.audit.services import entries_page

    file_id = encrypted(api, b"x")["file_id"]
    api.call("PATCH", f"files/{file_id}", {"name": "secret plan"})
    entry = entries_page(limit=1, by="file", value=file_id).records[0]
    assert (entry.event, entry.detail["fields"]) == ("file.described", ["name"])
    assert "secret plan" not in str(entry)


@requirement("E6")
def test_a_lifetime_is_given_and_taken_back(api, stock):
    file_id = encrypted(api, b"x")["file_id"]
    soon = clock.as_text(clock.now() + timedelta(days=1))
    assert api.call("PATCH", f"files/{file_id}", {"expires_at": soon}).json()["expires_at"] is not None
    assert api.call("PATCH", f"files/{file_id}", {"expires_at": None}).json()["expires_at"] is None


@requirement("E6", "I8")
@pytest.mark.parametrize(
    "change",
    [{}, {"name": ""}, {"name": "a\u202eb"}, {"owner": "me"}, {"attributes": {"1": 1}}, {"media_type": "x"}],
)
def test_what_cannot_be_changed_is_refused(api, stock, change):
    file_id = encrypted(api, b"x")["file_id"]
    assert api.call("PATCH", f"files/{file_id}", change).status_code == 400


@requirement("E6", "E3")
def test_who_may_not_write_changes_nothing(api, other_api, stock):
    file_id = encrypted(api, b"x")["file_id"]
    assert other_api.call("PATCH", f"files/{file_id}", {"name": "b"}).status_code == 404
    waiting = api.post("files", {"name": "x"}).json()["file"]["file_id"]
    assert api.call("PATCH", f"files/{waiting}", {"name": "b"}).status_code == 409
    assert str(TESTS)
