"""A hundred kills under load; test_faults.py has a few for every run."""

from test_faults import kill_in_a_loop


def test_a_hundred_kills_under_load(cluster):
    kill_in_a_loop(cluster, 100)
