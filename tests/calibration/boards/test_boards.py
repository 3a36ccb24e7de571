import cv2
import numpy as np
import pytest

from triskel.calibration import Charuco, Chessboard
from triskel.errors import ConfigError

CHARUCO = {"squares_xy": (7, 5), "square_m": 0.04, "marker_m": 0.03}


def charuco_image(px_per_m=2000, margin=40):
    dictionary = cv2.aruco.getPredefinedDictionary(cv2.aruco.DICT_4X4_50)
    board = cv2.aruco.CharucoBoard((7, 5), 0.04, 0.03, dictionary)
    w, h = int(7 * 0.04 * px_per_m), int(5 * 0.04 * px_per_m)
    return cv2.copyMakeBorder(board.generateImage((w, h)), *[margin] * 4, cv2.BORDER_CONSTANT, value=255)


def chess_image(nx, ny, square=60):
    cells = np.indices((ny + 1, nx + 1)).sum(axis=0) % 2 * 255  # black at the top left
    return cv2.copyMakeBorder(
        np.kron(cells, np.ones((square, square))).astype(np.uint8), *[60] * 4, cv2.BORDER_CONSTANT, value=255
    )


def view(image, H, size=(1000, 700)):
    """Return a smooth view (RGB) of a printed picture: warped at four times the size, then averaged down."""
    S = np.array([[4, 0, 1.5], [0, 4, 1.5], [0, 0, 1.0]])
    big = cv2.warpPerspective(image, S @ H, (size[0] * 4, size[1] * 4), flags=cv2.INTER_LINEAR, borderValue=255)
    return cv2.cvtColor(cv2.resize(big, size, interpolation=cv2.INTER_AREA), cv2.COLOR_GRAY2RGB)


H = np.array([[0.9, 0.1, 120.3], [-0.08, 1.0, 130.7], [1e-4, 5e-5, 1.0]])


def truth(corners, *, px_per_m, origin):
    """Return where `H` maps board corners; edges lie between pixels, at whole numbers minus one half."""
    flat = corners[:, :2] * px_per_m + origin - 0.5
    return cv2.perspectiveTransform(flat[None], H)[0]


@pytest.mark.parametrize("inverted", [False, True])
def test_charuco_corners_are_where_they_were_drawn(inverted):
    board = Charuco(**CHARUCO, inverted=inverted)
    image = view(charuco_image(), H)
    seen = board.detect(255 - image if inverted else image)
    assert len(seen.ids) == 24
    errors = np.linalg.norm(seen.xy - truth(board.corners[seen.ids], px_per_m=2000, origin=40), axis=1)
    assert errors.max() < 0.25
    assert np.abs((seen.xy - truth(board.corners[seen.ids], px_per_m=2000, origin=40)).mean(axis=0)).max() < 0.08


def test_charuco_finds_part_of_a_hidden_board():
    image = view(charuco_image(), H)
    image[:, 500:] = 255
    assert 4 <= len(Charuco(**CHARUCO).detect(image).ids) < 20


@pytest.mark.parametrize("turn", [0, 90, 180, 270])
def test_chessboard_corners_keep_their_identity_when_the_board_is_turned(turn):
    board = Chessboard(corners_xy=(6, 5), square_m=0.03)
    image = chess_image(6, 5)
    centre = np.array([image.shape[1] / 2, image.shape[0] / 2])
    R = np.eye(3)
    R[:2] = cv2.getRotationMatrix2D((500, 350), turn, 1.0)
    shift = np.array([[1, 0, 500 - centre[0]], [0, 1, 350 - centre[1]], [0, 0, 1]])
    M = R @ shift
    seen = board.detect(view(image, M))
    expected = cv2.perspectiveTransform((board.corners[:, :2] * 2000 + 120 - 0.5)[None], M)[0]
    assert np.abs(seen.xy - expected[seen.ids]).max() < 0.3


@pytest.mark.parametrize("board", [Charuco(**CHARUCO), Chessboard(corners_xy=(6, 5), square_m=0.03)])
def test_image_without_a_board_gives_an_empty_view(board):
    seen = board.detect(np.full((200, 300, 3), 128, np.uint8))
    assert seen.ids.shape == (0,)
    assert seen.xy.shape == (0, 2)


def test_impossible_boards_are_refused():
    with pytest.raises(ConfigError, match="marker_m"):
        Charuco(squares_xy=(7, 5), square_m=0.04, marker_m=0.05)
    with pytest.raises(ConfigError, match="DICT_9X9"):
        Charuco(**CHARUCO, dictionary="DICT_9X9")
    with pytest.raises(ConfigError, match="an even number of inner corners one way"):
        Chessboard(corners_xy=(6, 4), square_m=0.03)
    with pytest.raises(ConfigError, match="at least 3"):
        Chessboard(corners_xy=(2, 5), square_m=0.03)
    with pytest.raises(ConfigError, match="positive"):
        Chessboard(corners_xy=(4, 5), square_m=0.0)
