"""verify by what outputs mean: lists of boxes, labels of boxes and pixels, the worst samples."""
import json

from onnx_bytes import model, node, tensor, value
from pictures import npy, png
from program import Case, main

ROWS, COLUMNS = 5, 6


def detector(score=1.0, shift=0.0):
    """Rows of corners, score and class, as they come; the candidate's scores are scaled and its boxes moved."""
    factors = [1.0, 1.0, 1.0, 1.0, score, 1.0]
    shifts = [shift, 0.0, shift, 0.0, 0.0, 0.0]
    return model([node("Mul", ["rows", "factors"], ["scaled"], "scale"), node("Add", ["scaled", "shifts"], ["moved"], "move"),
                  node("Relu", ["moved"], ["found"], "last")],
                 [value("rows", [1, ROWS, COLUMNS])], [value("found", [1, ROWS, COLUMNS])],
                 [tensor("factors", [COLUMNS], factors), tensor("shifts", [COLUMNS], shifts)])


def boxes(first=0):
    """Two objects of the classes 1 and 3, 100 pixels apart; the rest of the list is empty."""
    rows = [[first, 0, first + 10, 10, 0.9, 1], [100, 0, 110, 10, 0.6, 3]] + [[0, 0, 0, 0, 0, 0]] * (ROWS - 2)
    return npy([1, ROWS, COLUMNS], [float(x) for row in rows for x in row])


def maps(swap=False):
    """Two classes of a pixel: the first channel of the image against the second."""
    weights = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0]
    weights = weights[3:] + weights[:3] if swap else weights
    return model([node("Conv", ["image", "weight"], ["classes"], "conv1")], [value("image", ["N", 3, 4, 4])],
                 [value("classes", ["N", 2, 4, 4])], [tensor("weight", [2, 3, 1, 1], weights)])


class Boxes(Case):
    def setUp(self):
        super().setUp()
        for i in range(3):
            self.write(f"samples/{i}.npy", boxes(4 * i))
        self.write("a.onnx", detector())

    def verify(self, candidate, *options, code=0):
        self.write("b.onnx", candidate)
        return self.run_json("verify", "a.onnx", "b.onnx", "--images", "samples", *options, code=code)

    def coco(self, **changes):
        labels = {"images": [{"id": 7 + i, "file_name": f"{i}.npy", "width": 200, "height": 20} for i in range(3)],
                  "categories": [{"id": 1}, {"id": 3}],
                  "annotations": [{"image_id": 7 + i, "category_id": 1, "bbox": [4 * i, 0, 10, 10]} for i in range(3)]
                  + [{"image_id": 7 + i, "category_id": 3, "bbox": [100, 0, 10, 10]} for i in range(3)]}
        labels.update(changes)
        self.write("labels.json", json.dumps(labels).encode())

    def test_figures_of_matched_boxes(self):
        task = self.verify(detector(score=0.5, shift=1.0))["tasks"]["found"]
        self.assertEqual(task["task"], "detection")
        self.assertEqual(task["boxes"], {"reference": 6, "candidate": 6, "matched": 6, "missed": 0, "extra": 0})
        self.assertAlmostEqual(task["mean_iou"], 9 / 11, places=5)
        self.assertAlmostEqual(task["score_shift"], -0.375, places=5)
        self.assertEqual((task["agreement"], task["threshold"], task["worst"]), (100, 0.25, []))

    def test_boxes_that_get_lost_are_counted_and_their_samples_named(self):
        report = self.verify(detector(score=0.3), "--min-agreement", "90", code=1)
        task = report["tasks"]["found"]
        self.assertEqual(task["boxes"], {"reference": 6, "candidate": 3, "matched": 3, "missed": 3, "extra": 0})
        self.assertAlmostEqual(task["agreement"], 100 * 6 / 9)
        self.assertEqual([w["sample"] for w in task["worst"]], ["0.npy", "1.npy", "2.npy"])
        self.assertFalse(report["passed"])
        text = self.run_program("verify", "a.onnx", "b.onnx", "--images", "samples").stdout
        self.assertRegex(text, r"66\.67 % of the boxes of both models.*missed 3, extra 0")
        self.assertRegex(text, r"worst +0\.npy \(0\.667\)")
        told = self.run_program("verify", "a.onnx", "b.onnx", "--images", "samples", "--verbose").stderr
        self.assertRegex(told, r"among the worst: 2\.npy, likeness 0\.6667")

    def test_average_precision_with_labels(self):
        self.coco()
        report = self.verify(detector(shift=3.0), "--labels", "labels.json")
        task = report["tasks"]["found"]
        self.assertEqual((task["ap"]["reference"], task["ap50"]["candidate"]), (1, 1))
        self.assertAlmostEqual(task["ap"]["candidate"], 0.1)  # an overlap of 7/13
        self.assertRegex(task["labels"], "ids of the categories")
        self.verify(detector(shift=3.0), "--labels", "labels.json", "--max-drop", "91")
        failed = self.verify(detector(shift=3.0), "--labels", "labels.json", "--max-drop", "5", code=1)
        self.assertAlmostEqual(failed["checks"][0]["value"], 90)

    def test_labels_that_are_wrong_are_one_sentence(self):
        words = ("verify", "a.onnx", "a.onnx", "--images", "samples", "--labels", "labels.json")
        for changes, says in (({"images": 3}, "'images' is missing or no list"),
                              ({"categories": []}, "'categories' is empty"),
                              ({"images": [{"id": 1}]}, "image 0 has no text 'file_name'"),
                              ({"annotations": [{"image_id": 99, "category_id": 1, "bbox": [0, 0, 1, 1]}]},
                               "annotation 0 belongs to no image"),
                              ({"annotations": [{"image_id": 7, "category_id": 2, "bbox": [0, 0, 1, 1]}]},
                               "annotation 0 is of no category"),
                              ({"annotations": [{"image_id": 7, "category_id": 1, "bbox": [0, 0, -1, 1]}]}, "has no 'bbox'"),
                              ({"annotations": [{"image_id": 7, "category_id": 1, "bbox": [0, "a", 1, 1]}]}, "has no 'bbox'"),
                              ({"annotations": [{"image_id": 7.5, "category_id": 1}]}, "no whole number 'image_id'")):
            self.coco(**changes)
            self.fails(*words, code=2, says=says)
        self.write("labels.json", b'{"images": [')
        self.fails(*words, code=2, says="labels.json")
        self.coco(images=[{"id": 1, "file_name": "other.npy", "width": 9, "height": 9}], annotations=[])
        self.fails(*words, code=2, says="no sample has a label")
        self.fails("a.onnx", "--calib", "samples", "--labels", "labels.json", "-o", "q.onnx", code=2, says="which verify alone takes")


class Pixels(Case):
    def setUp(self):
        super().setUp()
        self.write("a.onnx", maps())
        self.write("b.onnx", maps(swap=True))
        first = [1.0 if i < 8 else 0.0 for i in range(16)]
        self.write("samples/x.npy", npy([1, 3, 4, 4], first + [1 - p for p in first] + [0.0] * 16))

    def test_mean_iou_with_masks(self):
        self.write("masks/x.png", png(8, 8, lambda x, y: 255 if x == 0 else int(y >= 4)))
        words = ("verify", "a.onnx", "b.onnx", "--images", "samples", "--labels", "masks")
        task = self.run_json(*words)["tasks"]["classes"]
        self.assertEqual(task["label_iou"], {"reference": 1, "candidate": 0})
        self.assertEqual((task["mean_iou"], task["worst"]), (0, [{"sample": "x.npy", "likeness": 0}]))
        self.run_program(*words, "--max-drop", "99", code=1)

    def test_masks_that_are_wrong_are_one_sentence(self):
        words = ("verify", "a.onnx", "b.onnx", "--images", "samples", "--labels", "masks")
        self.write("masks/other.png", png(4, 4))
        self.fails(*words, code=2, says="no sample has a label")
        self.write("masks/x.png", png(4, 4)[:60])
        self.fails(*words, code=2, says="x.png")
        self.write("masks/x.png", b"P5 4 4 255\n" + bytes(16))
        self.fails(*words, code=2, says="x.png.*no PNG")

    def test_a_task_for_one_output(self):
        report = self.run_json("verify", "a.onnx", "a.onnx", "--images", "samples", "--task", "classes=image")
        self.assertEqual(report["tasks"]["classes"]["task"], "image")
        words = ("verify", "a.onnx", "a.onnx", "--images", "samples", "--task")
        self.fails(*words, "nothing=image", code=2, says="no output of that name")
        self.fails(*words, "classes=poetry", code=2, says="poetry")
        self.fails(*words, "classes=image", "--task", "classes=text", code=2, says="two meanings")


if __name__ == "__main__":
    main()
