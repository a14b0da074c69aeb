"""While a coordinator reads its partition after a restart, whoever asks is told to come again (COORDINATOR_LOAD_IN_PROGRESS)."""

from harness.errors import COORDINATOR_LOAD_IN_PROGRESS, COORDINATOR_NOT_AVAILABLE, NONE, NOT_COORDINATOR
from harness.group import commit, fetch_offsets, find_coordinator, join_values, ready

PARTITIONS, ROUNDS = 1000, 600
UNREADY = {COORDINATOR_LOAD_IN_PROGRESS, COORDINATOR_NOT_AVAILABLE, NOT_COORDINATOR}


def test_a_coordinator_that_still_loads_says_so_and_then_knows_everything(cluster):
    broker = cluster.broker(offsets_topic_num_partitions=1).start()
    broker.create_topic("t", PARTITIONS)
    with broker.connect() as connection:
        ready(connection, "g")
        for offset in range(ROUNDS):
            assert set(commit(connection, "g", "t", dict.fromkeys(range(PARTITIONS), offset)).values()) == {NONE}
    broker.kill()
    broker.start()
    heard = {"JOIN_GROUP": [], "OFFSET_FETCH": [], "DESCRIBE_GROUPS": []}
    with broker.connect() as connection:
        while any(NONE not in codes for codes in heard.values()):
            heard["OFFSET_FETCH"].append(connection.request("OFFSET_FETCH", 5, {"group_id": "g", "topics": []})["error_code"])
            heard["DESCRIBE_GROUPS"].append(connection.request("DESCRIBE_GROUPS", 3, {
                "groups": ["g"], "include_authorized_operations": False})["groups"][0]["error_code"])
            # Without a protocol: refused by a coordinator that knows the group, and nothing comes of it.
            joined = connection.request("JOIN_GROUP", 3, join_values("g", 3, protocols={}))["error_code"]
            heard["JOIN_GROUP"].append(joined if joined in UNREADY else NONE)
        for api, codes in heard.items():
            assert COORDINATOR_LOAD_IN_PROGRESS in codes, (api, codes)
            assert set(codes) <= UNREADY | {NONE}, (api, codes)
        find_coordinator(connection, "g")
        known = fetch_offsets(connection, "g", {"t": list(range(PARTITIONS))})
        assert {offset for offset, _, _ in known.values()} == {ROUNDS - 1} and len(known) == PARTITIONS
