"""How good a model is: COCO's AP and AR, MPII's PCKh, PCK, on labelled images.

evaluation = evaluate([("1 scale", detector)], read_dataset("coco"))
evaluation.runs[0].scores.oks["body"].ap          # 0 to 1
write_evaluation("out", evaluation, EvaluationFacts(model="body", dataset="coco"))
"""

from triskel.detect2d.evaluation.ground_truth import GroundTruth, LabelledPeople, read_ground_truth
from triskel.detect2d.evaluation.oks import OksScores, coco_results, score_oks
from triskel.detect2d.evaluation.pck import PckhScores, PckScores, score_pck, score_pckh
from triskel.detect2d.evaluation.report import write_evaluation
from triskel.detect2d.evaluation.run import Evaluation, Run, detect_all, evaluate
from triskel.detect2d.evaluation.score import METRICS, Metric, Scores, joint_groups, score
from triskel.detect2d.evaluation.summary import EvaluationFacts
