"""Find the people in one picture of a sample and draw them into it.

Fetches the sample and the network's weights on first use. Writes `people.png` into the current folder.
"""

from itertools import islice

import cv2

from triskel.capture import read_frames
from triskel.detect2d import load_detector
from triskel.samples import get_sample
from triskel.viewer import draw_people

FRAME = 10


def main():
    video = get_sample("single") / "videos" / "cam01.mp4"
    image_rgb = next(islice(read_frames(video), FRAME, None))  # (H, W, 3) uint8

    detect = load_detector("body")
    (people,) = detect([image_rgb])  # one People2D an image

    joints = people.skeleton.joints
    print(f"{video.name}, frame {FRAME}: {len(people)} people, joints of {people.skeleton.name}")
    for n, keypoints in enumerate(people.keypoints):  # (J, 3) x px, y px, score
        found = keypoints[:, 2] > 0
        print(f"person {n}: score {people.scores[n]:.2f}, {found.sum()} of {len(joints)} joints")
        for joint, (x, y, score) in zip(joints, keypoints, strict=True):
            print(f"  {joint:10s} " + (f"{x:7.1f} {y:7.1f} px  score {score:.2f}" if score > 0 else "missing"))

    draw_people(image_rgb, people.keypoints, people.skeleton)
    cv2.imwrite("people.png", cv2.cvtColor(image_rgb, cv2.COLOR_RGB2BGR))
    print("drawn into people.png")


if __name__ == "__main__":
    main()
