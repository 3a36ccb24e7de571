"""COCO-format files of a few people."""

import json

import cv2
import numpy as np

SIZE_WH = (320, 240)


def annotation(id_, image_id, keypoints, **more):
    """One annotation; keypoints (J, 3), zeros where unlabelled."""
    keypoints = np.asarray(keypoints, float)
    seen = keypoints[keypoints[:, 2] > 0, :2] if (keypoints[:, 2] > 0).any() else np.zeros((1, 2))
    low, high = seen.min(0), seen.max(0)
    made = {
        "id": id_, "image_id": image_id, "category_id": 1, "keypoints": keypoints.ravel().tolist(),
        "num_keypoints": int((keypoints[:, 2] > 0).sum()), "bbox": [*low.tolist(), *(high - low + 1).tolist()],
        "area": 4000.0, "iscrowd": 0,
    }  # fmt: skip
    return made | more


def write(folder, joints, annotations, *, images=2, size_wh=SIZE_WH, pictures=None):
    """Write a data set with black images, or `pictures` (RGB, by number); return its folder."""
    (folder / "images").mkdir(parents=True, exist_ok=True)
    entries = []
    for i in range(1, images + 1):
        picture = (pictures or {}).get(i, np.zeros((size_wh[1], size_wh[0], 3), np.uint8))
        cv2.imwrite(str(folder / f"images/{i}.png"), picture[..., ::-1])
        entries.append({"id": i, "file_name": f"{i}.png", "width": picture.shape[1], "height": picture.shape[0]})
    category = {"id": 1, "name": "person", "keypoints": list(joints), "skeleton": []}
    data = {"images": entries, "annotations": annotations, "categories": [category]}
    (folder / "keypoints.json").write_text(json.dumps(data))
    return folder
