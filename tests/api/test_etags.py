"""A record is read again only where it changed, and changed only where it is as it was read (E9)."""

import threading

import pytest

from apps.keys import lifecycle
from tests import requirement
from tests.conftest import TESTS, Api

WHY = {"reason": "x", "below_low_water": True}


def get(api: Api, path: str, **headers: str):
    answer = api.call("GET", path, **headers)
    assert answer.status_code in {200, 304}, answer.content
    return answer


@pytest.fixture
def key_id(pool) -> str:
    return str(pool[0].key_id)


@requirement("E9")
def test_what_is_known_is_not_sent_again(admin_api: Api, key_id):
    path = f"keys/{key_id}"
    etag = get(admin_api, path)["ETag"]
    known = get(admin_api, path, IF_NONE_MATCH=f'"other", W/{etag}')
    assert (known.status_code, known.content, known["ETag"]) == (304, b"", etag)
    assert admin_api.call("HEAD", path, IF_NONE_MATCH=etag).status_code == 304
    admin_api.post(f"{path}/suspend", WHY)
    changed = get(admin_api, path, IF_NONE_MATCH=etag)
    assert (changed.status_code, changed["ETag"] != etag) == (200, True)


@requirement("E9")
@pytest.mark.parametrize("action", ["suspend", "rotate", "revoke"])
def test_a_change_holds_for_the_state_that_was_read(admin_api: Api, key_id, action):
    path = f"keys/{key_id}"
    stale = get(admin_api, path)["ETag"]
    admin_api.post(f"{path}/suspend", WHY)
    admin_api.post(f"{path}/resume", {"reason": "x"})
    refused = admin_api.call("POST", f"{path}/{action}", WHY, IF_MATCH=stale)
    assert (refused.status_code, refused.json()["type"].rpartition("/")[2]) == (412, "precondition-failed")
    assert get(admin_api, path).json()["state"] == "active"
    current = get(admin_api, path)["ETag"]
    assert admin_api.call("POST", f"{path}/{action}", WHY, IF_MATCH=f"{stale}, {current}").status_code == 200


@requirement("E9")
def test_a_counter_is_no_reason_to_refuse_a_change(admin_api: Api, stock):
    key_id = next(key["key_id"] for key in admin_api.get("keys").json()["items"])
    path = f"keys/{key_id}"
    etag = get(admin_api, path)["ETag"]
    while get(admin_api, path).json()["usage"] == 0:
        admin_api.post("encrypt", {"plaintext": "x"})
        from apps.keys import services  # the process chooses another key of the pool

        services._picked.clear()
    assert get(admin_api, path)["ETag"] != etag
    assert admin_api.call("POST", f"{path}/suspend", WHY, IF_MATCH=etag).status_code == 200


@requirement("E9")
def test_of_two_who_read_the_same_state_one_changes_it(admin_api: Api, key_id):
    """The state that counts is the one that the change itself rests on, not that of a look before it."""
    path = f"keys/{key_id}"
    etag = get(admin_api, path)["ETag"]
    found: list[int] = []

    def suspend() -> None:
        found.append(admin_api.call("POST", f"{path}/suspend", WHY, IF_MATCH=etag).status_code)

    threads = [threading.Thread(target=suspend) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert min(found) == 200
    assert set(sorted(found)[1:]) <= {409, 412}


@requirement("E9")
@pytest.mark.parametrize("if_match", ["nonsense", '"', ""])
def test_a_precondition_that_names_no_state_is_refused(admin_api: Api, key_id, if_match):
    answer = admin_api.call("POST", f"keys/{key_id}/suspend", WHY, IF_MATCH=if_match)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, "If-Match")


@requirement("E9")
def test_a_precondition_on_another_record_changes_nothing(admin_api: Api, pool):
    other = get(admin_api, f"keys/{pool[1].key_id}")["ETag"]
    answer = admin_api.call("POST", f"keys/{pool[0].key_id}/suspend", WHY, IF_MATCH=other)
    assert answer.status_code == 412
    assert get(admin_api, f"keys/{pool[0].key_id}").json()["state"] == "active"
    assert admin_api.call("POST", f"keys/{pool[0].key_id}/suspend", WHY, IF_MATCH="*").status_code == 200


@requirement("E9")
def test_a_change_answers_with_the_etag_that_comes_next(admin_api: Api, key_id):
    path = f"keys/{key_id}"
    for action in ("suspend", "resume", "rotate", "revoke"):
        changed = admin_api.post(f"{path}/{action}", WHY if action != "resume" else {"reason": "x"})
        state = changed["ETag"].rpartition(".")[0]
        assert get(admin_api, path)["ETag"].rpartition(".")[0] == state, action


@requirement("E9", "E1")
def test_every_record_has_one(admin_api: Api, stock):
    job = admin_api.post("qkd/batches", {"count": 1}).json()["job_id"]
    session = stock.session_id
    for path in (f"qkd/session/{session}", f"detections/{session}", f"jobs/{job}"):
        etag = get(admin_api, path)["ETag"]
        assert get(admin_api, path, IF_NONE_MATCH=etag).status_code == 304


@requirement("E9")
def test_what_a_request_held_for_ends_with_it(admin_api: Api, pool):
    etag = get(admin_api, f"keys/{pool[0].key_id}")["ETag"]
    admin_api.call("POST", f"keys/{pool[1].key_id}/suspend", WHY, IF_MATCH=etag)
    assert lifecycle.suspend(pool[1].key_id, reason="x", below_low_water=True, actor=TESTS)
