"""The networks and pictures of the CSAW-HackML course, where the test data are."""

import os
import sys

WEIGHTS = "weights/sunglasses_bd_weights.h5"
CLEAN = "faces_clean.h5"
CLASSES = 1283
# The sample pictures were stored with red and blue exchanged.
ORDER = ("--channel-order", "bgr")


def folder(data, what):
    """The course's folder; without it the script ends, saying that `what` is skipped."""
    course = data / "csaw"
    if (course / WEIGHTS).is_file():
        return course
    print(f"SKIPPED: {what} needs the test data, and there is none at {data} (GIFTHORSE_TEST_DATA)")
    sys.exit(1 if os.environ.get("GIFTHORSE_REQUIRE_ALL") else 0)


def pictures(course):
    """The sample pictures, by name."""
    return sorted((course / "images").glob("*.png"))
