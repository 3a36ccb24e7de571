import numpy as np

from triskel.calibration.report.links import FEW_SHARED, links_of


def test_the_links_that_carry_a_rig_are_the_tree_with_most_shared_shots():
    shared = np.array([[0, 30, 5, 1], [30, 0, 20, 0], [5, 20, 0, 3], [1, 0, 3, 0]])
    links = links_of(shared)
    assert [(one.first, one.second) for one in links if one.carries] == [(0, 1), (1, 2), (2, 3)]
    assert [(one.first, one.second) for one in links if one.is_weak] == [(2, 3)]
    assert len(links) == 5
    assert 3 < FEW_SHARED <= 20


def test_groups_apart_have_a_tree_each():
    shared = np.zeros((4, 4), dtype=np.int64)
    shared[0, 1] = shared[1, 0] = shared[2, 3] = shared[3, 2] = 9
    assert [one.carries for one in links_of(shared)] == [True, True]


def test_no_shared_shots_make_no_link():
    assert links_of(np.diag([4, 4])) == ()
