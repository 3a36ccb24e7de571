"""Find body, feet, hands and face of a person in one picture of a sample, part by part, and draw them.

Fetches the sample and the networks on first use. Writes `whole_body.png` into the current folder.
"""

from itertools import islice

import cv2

from triskel.capture import read_frames
from triskel.detect2d import load_whole_body
from triskel.samples import get_sample
from triskel.viewer import draw_people
from triskel.whole_body import hand_with_wrist, parts_of

FRAME = 10


def main():
    video = get_sample("single") / "videos" / "cam02.mp4"
    image_rgb = next(islice(read_frames(video), FRAME, None))  # (H, W, 3) uint8

    detect = load_whole_body("body")
    (people,) = detect([image_rgb])  # one People2D an image
    print(f"{video.name}, frame {FRAME}: {len(people)} people; {detect.settings()}")

    best = people.keypoints[0]  # (135, 3) x px, y px, score
    for part, joints in parts_of(people.skeleton).items():
        found = best[joints, 2] > 0
        print(f"{part:11s} {found.sum():3d} of {len(joints)} points" + ("" if found.any() else "  (not seen)"))
    hand = hand_with_wrist(best, "left_hand")  # (21, 3), the body's wrist first
    print("left hand, wrist and finger tips:", hand[[0, 4, 8, 12, 16, 20], :2].round().tolist())

    draw_people(image_rgb, people.keypoints, people.skeleton)
    cv2.imwrite("whole_body.png", cv2.cvtColor(image_rgb, cv2.COLOR_RGB2BGR))
    print("drawn into whole_body.png")


if __name__ == "__main__":
    main()
